"""Files of predictions read fast: block by block, as long as every line is as erc-bench writes it without what a model wrote.

A line that is not (other fields, escapes, anything damaged) has to be read the long way, by
`erc_bench.records.predictions.iterate_predictions`, which also says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dialogue
from erc_bench.files import utf8

BLOCK_BYTES = 1 << 18
# Possessive, which changes no match, because what follows a part is never more of it: half the time without ways back.
NUMBER = rb"-?+(?:0|[1-9][0-9]{0,15}+)(?:\.[0-9]{1,20}+)?+(?:[eE][-+]?+[0-9]{1,2}+)?+"
TEXT = rb'[^"\\\x00-\x1f]*+'
LINE = re.compile(
    rb'^\{"dialogue":"(%(text)b)","turn":(0|[1-9][0-9]{0,8}+),"label":(null|"%(text)b")'
    rb'(?:,"scores":(\[%(number)b(?:,%(number)b)*+\]|\{"%(text)b":%(number)b(?:,"%(text)b":%(number)b)*+\}))?+\}\n'
    % {b"text": TEXT, b"number": NUMBER},
    re.MULTILINE,
)


class Lines(NamedTuple):
    """The parts of some lines as they are written: `null` or `"label"`, a list or an object of scores or nothing."""

    dialogues: tuple[bytes, ...]
    turns: tuple[bytes, ...]
    labels: tuple[bytes, ...]
    scores: tuple[bytes, ...]


def written_label(label: str | None) -> bytes:
    """A label as lines have it."""
    return b"null" if label is None else b'"%b"' % label.encode()


def blocks(file: BinaryIO) -> Iterator[tuple[bytes, Lines | None]]:
    """A file block by block: its bytes, and the lines that end in them; None from the first that is not as we write it."""
    rest, plain = b"", True
    while block := file.read(BLOCK_BYTES):
        whole, newline, rest = (rest + block).rpartition(b"\n") if plain else (b"", b"", b"")
        text = whole + newline
        found = LINE.findall(text)
        plain = plain and len(found) == text.count(b"\n") and _is_text(text)
        yield block, Lines(*(zip(*found, strict=True) if found else repeat((), 4))) if plain else None
    if rest:
        yield b"", None


class Places:
    """Where test utterances stand in dataset order.

    Parameters
    ----------
    dialogues
        Those of the test split.
    """

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        # The last entry is for dialogues that are none of them.
        self._lengths = np.array([*map(len, dialogues), 0])
        self._starts = np.cumsum([0, *self._lengths[:-1]])
        self._numbers = {dialogue.id.encode(): number for number, dialogue in enumerate(dialogues)}
        self.utterances = int(self._starts[-1])

    def of_target(self, dialogue: str, turn: int) -> int:
        """The place of one target, -1 for what is no test utterance."""
        number = self._numbers.get(utf8(dialogue), -1)
        return int(self._starts[number]) + turn if 0 <= turn < self._lengths[number] else -1

    def of(self, lines: Lines) -> NDArray[np.intp]:
        """The place of the target of each line, -1 for what is no test utterance."""
        numbers = np.fromiter(map(self._numbers.get, lines.dialogues, repeat(-1)), np.intp, len(lines.dialogues))
        turns = np.fromiter(map(int, lines.turns), np.intp, len(lines.turns))
        return np.where(turns < self._lengths[numbers], self._starts[numbers] + turns, -1)


def _is_text(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False

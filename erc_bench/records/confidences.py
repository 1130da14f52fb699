"""How sure a run was of each answer: the score that it gave the label it answered, for systems that give scores.

Four bytes an utterance, read in the pass that reads the answers and kept with them (`erc_bench.records.answers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from erc_bench.contract.system import Prediction
from erc_bench.records.written import Lines, Places

NAME = re.compile(rb'("[^"]*"):')
UNUSABLE, UNSCORED = -1, -2
COMMA, END = b",]"
ROUNDING = 0.02
"""How far the scores of an answer may be from a sum of 1 to be probabilities: exports keep three digits of each."""


@dataclass(frozen=True, eq=False)
class Confidences:
    """The score of each answer, float32, in the order of the test utterances: nan for an unusable answer, or for none.

    `probabilities` says whether the scores of every answer lie in 0..1 and add up to 1.
    """

    values: NDArray[np.float32]
    probabilities: bool


class ConfidenceColumn:
    """The confidences of the answers in lines, which come block by block.

    `plain` turns False where a line has to be read the long way, by `confidences_of`; what was found then means nothing.

    Parameters
    ----------
    utterances
        How many the test split has.
    """

    def __init__(self, utterances: int) -> None:
        self.plain = True
        self._values = np.full(utterances, np.nan, np.float32)
        self._probabilities = True
        self._complete = True
        self._any = False
        self._names: Sequence[bytes] = ()

    @property
    def found(self) -> Confidences | None:
        """Those of all lines so far; None where some answer has a label and no score for it, or nothing has scores."""
        return Confidences(self._values, self._probabilities) if self._complete and self._any else None

    def add(self, lines: Lines | None, places: NDArray[np.intp]) -> None:
        """Enter the answers of a block (`erc_bench.records.written.blocks`), whose targets have these places."""
        if not (self.plain and self._complete):
            return
        found = None if lines is None else _Scores.of(lines.scores, self._names)
        if lines is None or found is None:
            self.plain = False
            return
        self._names = found.names
        self._any = self._any or bool(found.given.any())
        columns = {name: column for column, name in enumerate(found.names)} | {b"null": UNUSABLE}
        answered = np.fromiter(map(columns.get, lines.labels, repeat(UNSCORED)), np.intp, len(lines.labels))
        ours = (answered != UNUSABLE) & (places >= 0)
        if ((answered == UNSCORED) | ~found.given)[ours].any():
            self._complete = False
            return
        rows = (np.cumsum(found.given) - 1)[ours]
        self._values[places[ours]] = found.numbers[rows, answered[ours]]
        self._probabilities = self._probabilities and bool(found.probabilities[rows].all())


def confidences_of(predictions: Iterable[Prediction], places: Places) -> Confidences | None:
    """The confidences of predictions; those for other targets than test utterances are left out.

    None where some answer has a label and no score for it, or nothing has scores.
    """
    values = np.full(places.utterances, np.nan, np.float32)
    probabilities, some = True, False
    for each in predictions:
        some = some or bool(each.scores)
        place = places.of_target(each.dialogue, each.turn)
        if each.label is None or place < 0:
            continue
        if each.scores is None or each.label not in each.scores:
            return None
        values[place] = each.scores[each.label]
        given = each.scores.values()
        probabilities = probabilities and min(given) >= 0 and abs(sum(given) - 1) <= ROUNDING
    return Confidences(values, probabilities) if some else None


def written_confidences(found: Confidences | None) -> bytes:
    """Confidences as they are kept."""
    if found is None:
        return b"- "
    return (b"p " if found.probabilities else b"s ") + found.values.astype("<f4").tobytes()


def kept_confidences(content: bytes) -> Confidences | None:
    """What `written_confidences` wrote."""
    if len(content) == 2:
        return None
    return Confidences(np.frombuffer(content[2:], "<f4").astype(np.float32), content[:2] == b"p ")


@dataclass(frozen=True, eq=False)
class _Scores:
    """The scores of some lines: `given` says which have any, `numbers` has a row for each of these, a column a label.

    `names` has the labels, as written; they are the same, in the same order, in all lines.
    """

    names: Sequence[bytes]
    given: NDArray[np.bool_]
    numbers: NDArray[np.float64]

    @classmethod
    def of(cls, written: Sequence[bytes], before: Sequence[bytes]) -> _Scores | None:
        """From lines as they are written; None where they name other labels than each other, or one of them twice.

        `before` are the names of the lines before these, which a list of scores without names has, too.
        """
        given = np.fromiter(map(bool, written), np.bool_, len(written))
        joined = b"".join(written)
        named = NAME.findall(joined)
        if joined[:1] == b"{":
            before = NAME.findall(next(filter(None, written)))
        size = len(before)
        if len(set(before)) < size or named != [*before] * (len(named) // max(size, 1)):
            return None
        values = NAME.sub(b"", joined).replace(b"}", b"]").translate(None, b"[{")
        ends = np.frombuffer(values, np.uint8)
        ends = ends[(ends == COMMA) | (ends == END)] == END
        if len(ends) != size * given.sum() or (np.flatnonzero(ends) % max(size, 1) != size - 1).any():
            return None
        listed = from_json(b"[%b]" % values.replace(b"]", b",")[:-1])
        numbers = np.fromiter(listed, np.float64, len(listed)).reshape(-1, max(size, 1))
        return cls(before, given, numbers)

    @property
    def probabilities(self) -> NDArray[np.bool_]:
        """Whether the scores of each row are probabilities."""
        return np.asarray((self.numbers.min(axis=1) >= 0) & (np.abs(self.numbers.sum(axis=1) - 1) <= ROUNDING))

"""Phenomena: by what the utterances of a test split are told apart to see where a system is good. Another is another entry.

A group follows from gold labels and the structure of a dialogue, never from answers. Groups have label frequencies of
their own: compare rows within a group, and not the groups of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet
from erc_bench.errors import UnknownNameError, UsageError

LOOKED_BACK = 2
FIRST_TURNS = (1, 2, 5, 10)
WORDS = (5, 10, 20)


@dataclass(frozen=True, slots=True)
class Phenomenon:
    """A way to tell utterances apart.

    `group` gives the group of a turn of a labelled dialogue, None for one that belongs to none; `groups` are all of them in
    order. Without any the groups are the gold labels, and the score of one is the F1 of that label over all utterances,
    since what is called so wrongly counts, too.
    """

    name: str
    meaning: str
    group: Callable[[Dialogue, int], str | None]
    groups: tuple[str, ...] = ()

    def names(self, labels: LabelSet) -> tuple[str, ...]:
        """The groups on a label set, in order."""
        return self.groups or labels.names

    def codes(self, dataset: Dataset) -> NDArray[np.intp]:
        """The position of the group of each test utterance, in dataset order; −1 for one that belongs to none."""
        position: dict[str | None, int] = {name: place for place, name in enumerate(self.names(dataset.labels))}
        position[None] = -1
        found = [position[self.group(each, turn)] for each in dataset.test for turn in range(len(each))]
        return np.array(found, np.intp)

    def applies_to(self, dataset: Dataset) -> bool:
        """Whether it tells any test utterances apart: speakers who always take turns never speak twice."""
        codes = self.codes(dataset)
        return len(np.unique(codes[codes >= 0])) > 1


def _shift(dialogue: Dialogue, turn: int) -> str:
    before = [each.label for each in dialogue.utterances[max(0, turn - LOOKED_BACK) : turn]]
    return "first" if not before else "continues" if dialogue.utterances[turn].label in before else "shifts"


def _ranges(ends: tuple[int, ...]) -> tuple[str, ...]:
    starts = [1, *(end + 1 for end in ends)]
    inner = [f"{start}" if start == end else f"{start}–{end}" for start, end in zip(starts, ends, strict=False)]
    return (*inner, f"{starts[-1]}+")


def _range_of(count: int, ends: tuple[int, ...]) -> str:
    return _ranges(ends)[sum(count > end for end in ends)]


def _turn(_dialogue: Dialogue, turn: int) -> str:
    return _range_of(turn + 1, FIRST_TURNS)


def _length(dialogue: Dialogue, turn: int) -> str:
    return _range_of(len(dialogue.utterances[turn].text.split()), WORDS)


def _speaker(dialogue: Dialogue, turn: int) -> str | None:
    if turn == 0:
        return None
    return "same" if dialogue.utterances[turn].speaker == dialogue.utterances[turn - 1].speaker else "other"


PHENOMENA: Mapping[str, Phenomenon] = {
    phenomenon.name: phenomenon
    for phenomenon in (
        Phenomenon(
            "shift",
            "Whether the gold label is that of one of the two utterances before (continues), of neither (shifts), or none "
            "came before (first).",
            _shift,
            ("continues", "shifts", "first"),
        ),
        Phenomenon("turn", "The place in the dialogue, from 1.", _turn, _ranges(FIRST_TURNS)),
        Phenomenon("length", "How many words the utterance has.", _length, _ranges(WORDS)),
        Phenomenon(
            "speaker",
            "Whether the speaker is that of the utterance before (same) or not (other).",
            _speaker,
            ("same", "other"),
        ),
        Phenomenon(
            "label",
            "The gold label; the score is its F1 over all utterances.",
            lambda dialogue, turn: dialogue.utterances[turn].label,
        ),
    )
}
"""Every phenomenon by its name, in the order of the boards."""


def find_phenomenon(name: str, dataset: Dataset) -> Phenomenon:
    """The phenomenon of that name.

    Raises
    ------
    UnknownNameError
        There is none.
    UsageError
        It tells no utterances of the dataset apart.
    """
    if name not in PHENOMENA:
        raise UnknownNameError("a phenomenon", name, PHENOMENA)
    if not PHENOMENA[name].applies_to(dataset):
        applying = ", ".join(each.name for each in PHENOMENA.values() if each.applies_to(dataset))
        raise UsageError(
            f"a phenomenon must tell utterances of {dataset.name} apart, got {name}, which puts all in one group. "
            f"Use one of {applying}."
        )
    return PHENOMENA[name]

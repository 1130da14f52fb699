"""Subsets of the test split: which dialogues of it count. Another one is another entry of `SUBSETS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from erc_bench.contract.domain import Dataset, Dialogue
from erc_bench.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Subset:
    """A choice of test dialogues.

    `meaning` is a sentence; `short` continues "unseen: …" where there is room for a phrase only. `dialogues` selects
    from `Dataset.test` and keeps its order.
    """

    name: str
    meaning: str
    short: str
    dialogues: Callable[[Dataset], Sequence[Dialogue]]


def _unseen(dataset: Dataset) -> list[Dialogue]:
    from erc_bench.data.overlap import seen_dialogues

    seen = seen_dialogues(dataset)
    return [dialogue for dialogue in dataset.test if dialogue.id not in seen]


ALL = Subset("all", "All test dialogues.", "every test dialogue", lambda dataset: dataset.test)
UNSEEN = Subset(
    "unseen",
    "Only test dialogues that do not stand word for word in the training split.",
    "without the test dialogues that stand word for word in the training split",
    _unseen,
)
SUBSETS: Mapping[str, Subset] = {subset.name: subset for subset in (ALL, UNSEEN)}
"""Every subset by its name. The first is the whole test split, on which rows are ranked; the others stand beside it."""


def find_subset(name: str) -> Subset:
    """The subset of that name.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    if name not in SUBSETS:
        raise UnknownNameError("a subset", name, SUBSETS)
    return SUBSETS[name]

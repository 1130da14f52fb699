"""Subsets of the test split: which dialogues of it count. Another one is another entry of `SUBSETS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Subset:
    """A choice of test dialogues.

    `meaning` is a sentence; `short` continues "novel: …" where there is room for a phrase only. `dialogues` selects
    from `Dataset.test` and keeps its order. One that is not `beside` stands in no column beside the whole test split:
    protocols that name it show it in a table of its own, without ranks, and with a row of what people answered where
    `annotated` has their answers.
    """

    name: str
    meaning: str
    short: str
    dialogues: Callable[[Dataset], Sequence[Dialogue]]
    beside: bool = True
    annotated: Callable[[Dataset], Mapping[Target, str]] | None = None


def _not_verbatim(dataset: Dataset) -> list[Dialogue]:
    from erc_bench.data.overlap import seen_dialogues

    seen = seen_dialogues(dataset)
    return [dialogue for dialogue in dataset.test if dialogue.id not in seen]


def _novel(dataset: Dataset) -> list[Dialogue]:
    from erc_bench.data.overlap import near_twins

    near = near_twins(dataset)
    return [dialogue for dialogue in dataset.test if dialogue.id not in near]


def _second_annotations(dataset: Dataset) -> Mapping[Target, str]:
    from erc_bench.data.overlap import second_annotations

    return second_annotations(dataset)


def _annotated_twice(dataset: Dataset) -> list[Dialogue]:
    twice = {target.dialogue for target in _second_annotations(dataset)}
    return [dialogue for dialogue in dataset.test if dialogue.id in twice]


ALL = Subset("all", "All test dialogues.", "every test dialogue", lambda dataset: dataset.test)
NOT_VERBATIM = Subset(
    "not-verbatim",
    "Only test dialogues that do not stand word for word in the training split; near twins of training dialogues are left.",
    "without the test dialogues that stand word for word in the training split",
    _not_verbatim,
)
NOVEL = Subset(
    "novel",
    "Only test dialogues without a near twin in the training split (a Jaccard similarity of at least 0.8 on runs of three "
    "words).",
    "without the test dialogues that have a near twin in the training split (a Jaccard similarity of at least 0.8)",
    _novel,
)
ANNOTATED_TWICE = Subset(
    "annotated-twice",
    "Only test dialogues that stand in the training split turn for turn, where they were annotated a second time. Systems were "
    "trained on these very dialogues, unless their row names another train_subset: their scores here say nothing of new ones, "
    "and are not ranked. The first row is what "
    "the training labels score as answers, an estimate of what annotators themselves reach.",
    "the test dialogues that stand in the training split",
    _annotated_twice,
    beside=False,
    annotated=_second_annotations,
)
SUBSETS: dict[str, Subset] = {subset.name: subset for subset in (ALL, NOT_VERBATIM, NOVEL, ANNOTATED_TWICE)}
"""Every subset by its name. The first is the whole test split, on which rows are ranked; the others stand beside it."""

RENAMED: Mapping[str, str] = {"unseen": NOT_VERBATIM.name}
"""Names that subsets once had, and what they are called now."""


def find_subset(name: str) -> Subset:
    """The subset of that name, or that once had it.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    now = RENAMED.get(name, name)
    if now not in SUBSETS:
        raise UnknownNameError("a subset", name, SUBSETS)
    return SUBSETS[now]


def subsets_beside() -> list[Subset]:
    """The subsets that stand in columns beside the whole test split."""
    return [subset for subset in SUBSETS.values() if subset.beside and subset is not ALL]

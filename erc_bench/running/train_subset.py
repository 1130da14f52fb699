"""Training on de-duplicated data: `erc-bench run --train-subset NAME`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from erc_bench.contract.domain import Dataset, Dialogue, Split
from erc_bench.data.overlap import near_twins, seen_dialogues
from erc_bench.errors import DataError, UnknownNameError

ALL = "all"
LEFT_OUT: Mapping[str, Callable[[Dataset, Split], frozenset[str]]] = {
    ALL: lambda _dataset, _split: frozenset(),
    "not-verbatim": lambda dataset, split: seen_dialogues(dataset, split, "test"),
    "novel": lambda dataset, split: near_twins(dataset, split, "test"),
}
"""Which dialogues of a split a system is not trained on, by the name of the subset: those that the test split has, too."""


def known_subset(name: str) -> str:
    """The name, if there is such a subset.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    if name not in LEFT_OUT:
        raise UnknownNameError("a training subset", name, LEFT_OUT)
    return name


def kept_of(dataset: Dataset, split: Split, name: str) -> tuple[Dialogue, ...]:
    """The dialogues of the training or validation split that a system is given.

    Raises
    ------
    UnknownNameError
        No such subset.
    DataError
        None is left to train on.
    """
    left_out = LEFT_OUT[known_subset(name)](dataset, split)
    kept = tuple(dialogue for dialogue in dataset.split(split) if dialogue.id not in left_out)
    if split == "train" and not kept:
        raise DataError(
            f"the training subset {name} of {dataset.name} must hold at least one dialogue, got none: all have a twin in the "
            "test split. Train on all of them."
        )
    return kept


def described(dataset: Dataset, name: str) -> str:
    """What a row says of it: `trained on 9 of 10 training and 4 of 5 validation dialogues (subset novel)`."""
    sizes = [
        f"{len(kept_of(dataset, split, name)):,} of {len(dataset.split(split)):,}" for split in ("train", "validation")
    ]
    return f"trained on {sizes[0]} training and {sizes[1]} validation dialogues (subset {name}: without twins in the test split)"

"""Protocols: which utterances of the test split count. A view selects, and never predicts.

`utterance` and `last-turn` are views of one run, since a run that labelled every utterance also labelled the last
ones. Both have the subsets `all` and `unseen`, the latter without the test dialogues that stand in train.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target
from erc_bench.errors import DataError, UnknownNameError
from erc_bench.records.answers import NONE, Codes
from erc_bench.scoring.metrics import label_indices

PROTOCOLS: Mapping[str, str] = {
    "utterance": "every test utterance",
    "last-turn": "the last utterance of each test dialogue (the paper's language-model setting)",
}
SUBSETS: tuple[str, ...] = ("all", "unseen")
NAMED_MISSING = 5


@dataclass(frozen=True, eq=False)
class View:
    """The utterances that a protocol scores, grouped by dialogue.

    `targets`, `gold`, `gold_codes`, `places` and `dialogue_index` have one entry an utterance: `gold_codes` (intp) are
    positions of labels, `places` (intp) count the test utterances of the dataset, and `dialogue_index` (intp) counts
    into `dialogues`, the ids of those that hold at least one target.
    """

    protocol: str
    subset: str
    dialogues: tuple[str, ...]
    targets: tuple[Target, ...]
    gold: tuple[str, ...]
    gold_codes: NDArray[np.intp]
    places: NDArray[np.intp]
    dialogue_index: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.targets)


def view(dataset: Dataset, protocol: str = "utterance", subset: str = "all") -> View:
    """The test utterances of a dataset that a protocol scores.

    Raises
    ------
    UnknownNameError
        No protocol or subset of that name.
    DataError
        A test utterance without a label, or a subset without any utterance.
    """
    if protocol not in PROTOCOLS:
        raise UnknownNameError("protocol", protocol, PROTOCOLS)
    if subset not in SUBSETS:
        raise UnknownNameError("subset", subset, SUBSETS)
    seen = _left_out(dataset, subset)
    dialogues: list[str] = []
    targets: list[Target] = []
    gold: list[str] = []
    places: list[int] = []
    index: list[int] = []
    start = 0
    for dialogue in dataset.test:
        if len(dialogue) and dialogue.id not in seen:
            for target in dialogue.targets("last" if protocol == "last-turn" else "all"):
                targets.append(target)
                gold.append(_gold(dialogue, target.turn))
                places.append(start + target.turn)
                index.append(len(dialogues))
            dialogues.append(dialogue.id)
        start += len(dialogue)
    if not dialogues:
        raise DataError(f"the subset {subset} of {dataset.name} must hold at least one utterance, got none.")
    codes = label_indices(gold, dataset.labels)
    return View(
        protocol,
        subset,
        tuple(dialogues),
        tuple(targets),
        tuple(gold),
        codes,
        np.array(places),
        np.array(index, np.intp),
    )


def _left_out(dataset: Dataset, subset: str) -> frozenset[str]:
    if subset == "all":
        return frozenset()
    from erc_bench.data.overlap import seen_dialogues

    return seen_dialogues(dataset)


def _gold(dialogue: Dialogue, turn: int) -> str:
    label = dialogue.utterances[turn].label
    if label is None:
        raise DataError(f"turn {turn} of {dialogue.id} must have a gold label, got none. Score labelled dialogues.")
    return label


def dialogue_confusions(view: View, answers: Codes, labels: LabelSet) -> NDArray[np.int64]:
    """Confusion counts of every dialogue of a view, int64 (D, K, K + 1), in the order of `view.dialogues`.

    `answers` are those of a run to all test utterances (`erc_bench.records.answers`); answers to others than those of
    the view are left out: a view selects from a run.

    Raises
    ------
    DataError
        Targets of the view without a prediction (their number and the first few).
    """
    predicted = answers[view.places].astype(np.intp)
    missing = np.flatnonzero(predicted == NONE)
    if len(missing):
        first = ", ".join(
            f"{dialogue} turn {turn}" for dialogue, turn in (view.targets[i] for i in missing[:NAMED_MISSING])
        )
        raise DataError(
            f"predictions must cover all {len(view)} targets of the protocol {view.protocol}, got none for "
            f"{len(missing)}: {first}{', …' if len(missing) > NAMED_MISSING else ''}. "
            "Finish the run, or score it under a protocol that it covers."
        )
    size = len(labels)
    cells = (view.dialogue_index * size + view.gold_codes) * (size + 1) + predicted
    counts = np.bincount(cells, minlength=len(view.dialogues) * size * (size + 1))
    return counts.reshape(len(view.dialogues), size, size + 1).astype(np.int64)

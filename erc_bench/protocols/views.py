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
from erc_bench.scoring.metrics import label_indices, prediction_indices

PROTOCOLS: Mapping[str, str] = {
    "utterance": "every test utterance",
    "last-turn": "the last utterance of each test dialogue (the paper's language-model setting)",
}
SUBSETS: tuple[str, ...] = ("all", "unseen")
NAMED_MISSING = 5


@dataclass(frozen=True, eq=False)
class View:
    """The utterances that a protocol scores, grouped by dialogue.

    `targets`, `gold` and `dialogue_index` have one entry an utterance; `dialogue_index` (intp) counts into
    `dialogues`, the ids of those that hold at least one target.
    """

    protocol: str
    subset: str
    dialogues: tuple[str, ...]
    targets: tuple[Target, ...]
    gold: tuple[str, ...]
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
    dialogues = [dialogue for dialogue in _subset(dataset, subset) if len(dialogue)]
    if not dialogues:
        raise DataError(f"the subset {subset} of {dataset.name} must hold at least one utterance, got none.")
    targets: list[Target] = []
    gold: list[str] = []
    index: list[int] = []
    for position, dialogue in enumerate(dialogues):
        first = len(dialogue) - 1 if protocol == "last-turn" else 0
        for turn in range(first, len(dialogue)):
            targets.append(Target(dialogue.id, turn))
            gold.append(_gold(dialogue, turn))
            index.append(position)
    ids = tuple(dialogue.id for dialogue in dialogues)
    return View(protocol, subset, ids, tuple(targets), tuple(gold), np.array(index, np.intp))


def _subset(dataset: Dataset, subset: str) -> list[Dialogue]:
    if subset == "all":
        return list(dataset.test)
    from erc_bench.data.overlap import seen_dialogues

    seen = seen_dialogues(dataset)
    return [dialogue for dialogue in dataset.test if dialogue.id not in seen]


def _gold(dialogue: Dialogue, turn: int) -> str:
    label = dialogue.utterances[turn].label
    if label is None:
        raise DataError(f"turn {turn} of {dialogue.id} must have a gold label, got none. Score labelled dialogues.")
    return label


def dialogue_confusions(view: View, predictions: Mapping[Target, str | None], labels: LabelSet) -> NDArray[np.int64]:
    """Confusion counts of every dialogue of a view, int64 (D, K, K + 1), in the order of `view.dialogues`.

    Predictions for targets outside the view are left out: a view selects from a run.

    Raises
    ------
    DataError
        Targets of the view without a prediction (their number and the first few), or an unknown label.
    """
    missing = [target for target in view.targets if target not in predictions]
    if missing:
        first = ", ".join(f"{dialogue} turn {turn}" for dialogue, turn in missing[:NAMED_MISSING])
        raise DataError(
            f"predictions must cover all {len(view)} targets of the protocol {view.protocol}, got none for "
            f"{len(missing)}: {first}{', …' if len(missing) > NAMED_MISSING else ''}. "
            "Finish the run, or score it under a protocol that it covers."
        )
    size = len(labels)
    predicted = prediction_indices([predictions[target] for target in view.targets], labels)
    cells = (view.dialogue_index * size + label_indices(view.gold, labels)) * (size + 1) + predicted
    counts = np.bincount(cells, minlength=len(view.dialogues) * size * (size + 1))
    return counts.reshape(len(view.dialogues), size, size + 1).astype(np.int64)

"""Views of a run: which of its labels count, and the confusion counts of each dialogue. A view selects, and never predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, LabelSet, Target
from erc_bench.errors import DataError
from erc_bench.records.answers import NONE, Codes
from erc_bench.scoring.metrics import label_indices

NAMED_MISSING = 5


@dataclass(frozen=True, eq=False)
class View:
    """The utterances that a protocol scores, grouped by dialogue.

    `targets`, `gold`, `gold_codes`, `places` and `dialogue_index` have one entry an utterance: `gold_codes` (intp) are
    positions of labels, `places` (intp) count the test utterances of the dataset, and `dialogue_index` (intp) counts
    into `dialogues`. These are the ids of those that are drawn when intervals are computed: every one of the subset
    that holds an utterance, scored or not. `labels` are those that count; where they are not all of the dataset's,
    `codes` (intp) gives each answer its position among them, and K to an answer with another label.
    """

    protocol: str
    subset: str
    dialogues: tuple[str, ...]
    targets: tuple[Target, ...]
    gold: tuple[str, ...]
    gold_codes: NDArray[np.intp]
    places: NDArray[np.intp]
    dialogue_index: NDArray[np.intp]
    labels: LabelSet
    codes: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.targets)


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
    if view.codes is not None:
        predicted = view.codes[predicted]
    size = len(labels)
    cells = (view.dialogue_index * size + view.gold_codes) * (size + 1) + predicted
    counts = np.bincount(cells, minlength=len(view.dialogues) * size * (size + 1))
    return counts.reshape(len(view.dialogues), size, size + 1).astype(np.int64)


def gold_positions(dataset: Dataset) -> NDArray[np.intp]:
    """Positions of the gold labels of all test utterances, in dataset order."""
    names = [utterance.label or "" for dialogue in dataset.test for utterance in dialogue.utterances]
    return label_indices(names, dataset.labels)

"""Views of a run: which of its labels count, and the confusion counts of each dialogue. A view selects, and never predicts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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

    @cached_property
    def gold_counts(self) -> NDArray[np.int64]:
        """How often each dialogue has each label, int64 (D, K)."""
        return _counts(self.dialogue_index, self.gold_codes, len(self.dialogues), len(self.labels))


def _counts(
    rows: NDArray[np.intp], columns: NDArray[np.intp], number_of_rows: int, number_of_columns: int
) -> NDArray[np.int64]:
    """How many pairs of a row and a column are in each cell of a table."""
    found = np.bincount(rows * number_of_columns + columns, minlength=number_of_rows * number_of_columns)
    return found.reshape(number_of_rows, number_of_columns).astype(np.int64, copy=False)


def dialogue_confusions(view: View, answers: Codes, labels: LabelSet) -> NDArray[np.int64]:
    """Confusion counts of every dialogue of a view, int64 (D, K, K + 1), in the order of `view.dialogues`.

    `answers` are those of a run to all test utterances (`erc_bench.records.answers`); answers to others than those of
    the view are left out: a view selects from a run.

    Raises
    ------
    DataError
        Targets of the view without a prediction (their number and the first few).
    """
    predicted, size = answers_in(view, answers), len(labels)
    return _counts(
        view.dialogue_index, view.gold_codes * (size + 1) + predicted, len(view.dialogues), size * (size + 1)
    ).reshape(len(view.dialogues), size, size + 1)


def dialogue_margins(view: View, answers: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The margins of `dialogue_confusions` (`erc_bench.scoring.metrics.margins`), int64 (D, 3K + 1), and their sum, (K, K + 1).

    Counted without the confusions of each dialogue, of which there are many more than of answers. Raises as these do.
    """
    predicted, dialogues, size = answers_in(view, answers), len(view.dialogues), len(view.labels)
    right = predicted == view.gold_codes
    hits = _counts(view.dialogue_index[right], predicted[right], dialogues, size)
    answered = _counts(view.dialogue_index, predicted, dialogues, size + 1)
    total = _counts(view.gold_codes, predicted, size, size + 1)
    return np.concatenate([hits, view.gold_counts, answered], axis=1), total


def answers_in(view: View, answers: Codes) -> NDArray[np.intp]:
    """The position of the answer to each utterance of a view among the labels that count, K for one that is none of them.

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
    return predicted if view.codes is None else view.codes[predicted]


def gold_positions(dataset: Dataset) -> NDArray[np.intp]:
    """Positions of the gold labels of all test utterances, in dataset order."""
    names = [utterance.label or "" for dialogue in dataset.test for utterance in dialogue.utterances]
    return label_indices(names, dataset.labels)

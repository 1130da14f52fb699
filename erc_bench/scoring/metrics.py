"""Scores from confusion matrices.

Every score here is a function of counts, so it is computed on many matrices at once (dialogues, bootstrap
resamples, seeds) and needs no predictions. scikit-learn is the reference that the tests compare with.

A confusion matrix has shape (K, K + 1): gold labels by rows, predicted labels by columns, and a last column for
unusable answers. That column is an extra predicted class which no utterance has as its gold label: an unusable
answer is always wrong and never neutral. `unusable_as_neutral` gives the other reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.errors import DataError
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.metric import Margins, ratio


def label_indices(names: Sequence[str], labels: LabelSet, *, what: str = "a gold label") -> NDArray[np.intp]:
    """Position of every name in the label set, shape (len(names),).

    Raises
    ------
    DataError
        A name that is not in the label set.
    """
    positions = {name: index for index, name in enumerate(labels.names)}
    return np.fromiter((_position(name, positions, what) for name in names), np.intp, len(names))


def prediction_indices(predicted: Sequence[str | None], labels: LabelSet) -> NDArray[np.intp]:
    """Column of every prediction, shape (len(predicted),); None (no usable answer) is column K.

    Raises
    ------
    DataError
        A label that is not in the label set: it is a mistake of the file, and not an unusable answer.
    """
    columns: dict[str | None, int] = {name: index for index, name in enumerate(labels.names)}
    columns[None] = len(labels)
    return np.fromiter((_position(name, columns, "a prediction") for name in predicted), np.intp, len(predicted))


def _position(name: str | None, positions: dict[Any, int], what: str) -> int:
    try:
        return positions[name]
    except KeyError:
        known = ", ".join(repr(known) for known in positions if known is not None)
        raise DataError(f"{what} must be one of {known}, got {name!r}. Rename the label or leave it empty.") from None


def confusion_counts(gold: Sequence[str], predicted: Sequence[str | None], labels: LabelSet) -> NDArray[np.int64]:
    """Confusion matrix, int64 (K, K + 1): rows gold, columns predicted, last column unusable answers (None).

    Raises
    ------
    DataError
        Sequences of different lengths, or a label that is not in the label set.
    """
    if len(gold) != len(predicted):
        raise DataError(
            f"gold and predicted labels must be equally many, got {len(gold)} and {len(predicted)}. "
            "Give one prediction an utterance."
        )
    size = len(labels)
    cells = label_indices(gold, labels) * (size + 1) + prediction_indices(predicted, labels)
    return np.bincount(cells, minlength=size * (size + 1)).reshape(size, size + 1).astype(np.int64)


def margins(confusions: NDArray[Any]) -> NDArray[Any]:
    """What the scores need of a matrix, shape (..., 3K + 1): K hits, K gold counts, K + 1 predicted counts.

    Sums of confusion matrices have the sums of their margins, so that a resample needs only these columns.
    """
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    return np.concatenate([hits, confusions.sum(axis=-1), confusions.sum(axis=-2)], axis=-1)


def row_margins(runs: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The margins of a row, shape (D, S, 3K + 1), from the confusion counts (D, K, K + 1) of each of its runs."""
    return np.stack([margins(run) for run in runs], axis=1)


def pooled(columns: NDArray[Any], chosen: list[int] | slice) -> NDArray[np.int64]:
    """Margins (..., 4) of one label that stands for all of the `chosen` positions, from margins (..., 3K + 1).

    Its hits, gold and predicted counts are sums over them: the others count as no label at all.
    """
    size = columns.shape[-1] // 3
    counts = columns.astype(np.int64)
    parts = (counts[..., :size], counts[..., size : 2 * size], counts[..., 2 * size : -1])
    return np.stack([*(part[..., chosen].sum(axis=-1) for part in parts), counts[..., -1]], axis=-1)


def scores(confusions: NDArray[Any], labels: LabelSet) -> dict[str, NDArray[np.float64]]:
    """Every metric of `erc_bench.scoring.catalogue.METRICS` of confusion matrices (..., K, K + 1), each of shape (...).

    The neutral label is left out of the emotions, and never out of the utterances. A ratio without a denominator is 0,
    as in scikit-learn: the F1 of a label that is neither gold nor predicted, the MCC of one predicted class, every
    score of an empty matrix.
    """
    return scores_of_margins(margins(confusions), labels)


def scores_of_margins(columns: NDArray[Any], labels: LabelSet) -> dict[str, NDArray[np.float64]]:
    """`scores` from margins (..., 3K + 1), each of shape (...)."""
    return scores_of_counts(Margins.of(columns, labels))


def scores_of_counts(counts: Margins) -> dict[str, NDArray[np.float64]]:
    """`scores` from counts, each of the shape of their sums over labels."""
    return {name: metric.of(counts) for name, metric in METRICS.items() if metric.of is not None}


def per_label(confusion: NDArray[Any], labels: LabelSet) -> dict[str, NDArray[np.float64]]:
    """`precision`, `recall`, `f1` (percent) and `support` (utterances) of every label, each of shape (..., K)."""
    counts = Margins.of(margins(confusion), labels)
    return {
        "precision": 100 * ratio(counts.hits, counts.predicted[..., :-1]),
        "recall": 100 * ratio(counts.hits, counts.gold),
        "f1": counts.f1,
        "support": counts.gold,
    }


def mean_per_label(confusions: NDArray[Any], labels: LabelSet) -> dict[str, dict[str, float]]:
    """`per_label` by label, averaged over matrices (N, K, K + 1): those of seeds, or of resamplings."""
    columns = {name: values.mean(axis=0) for name, values in per_label(confusions, labels).items()}
    return {
        label: {name: float(values[position]) for name, values in columns.items()}
        for position, label in enumerate(labels.names)
    }


def weighted_over_emotions(confusions: NDArray[Any], labels: LabelSet) -> dict[str, NDArray[np.float64]]:
    """`precision` and `recall` (percent) over the emotions, each label weighted by its support, of shape (...)."""
    by_label = per_label(confusions, labels)
    emotions = [labels.index(name) for name in labels.emotions]
    weights = by_label["support"][..., emotions]
    return {
        name: ratio((by_label[name][..., emotions] * weights).sum(axis=-1), weights.sum(axis=-1))
        for name in ("precision", "recall")
    }


def mean_shares(confusions: NDArray[Any]) -> NDArray[np.float64]:
    """What part of each gold label got each answer, averaged over matrices (N, K, K + 1): (K, K + 1)."""
    return np.asarray((confusions / confusions.sum(axis=-1, keepdims=True).clip(min=1)).mean(axis=0), np.float64)


def without_support(confusion: NDArray[Any], labels: LabelSet) -> tuple[str, ...]:
    """Labels that no utterance has: they score 0 in the macro mean, and a row must say so."""
    support = confusion.sum(axis=-1)
    return tuple(name for name, count in zip(labels.names, support, strict=True) if count == 0)


def unusable_as_neutral(confusions: NDArray[np.int64], labels: LabelSet) -> NDArray[np.int64]:
    """The matrices (..., K, K + 1) as if every unusable answer had been the neutral label; unchanged without one."""
    folded = confusions.copy()
    if labels.neutral_index is not None:
        folded[..., labels.neutral_index] += folded[..., -1]
        folded[..., -1] = 0
    return folded

"""Class prototypes: the mean vector of each label, and the nearest of them (Snell et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erc_bench.toolkit.training import Decision, calibrate

__all__ = [
    "ClassStatistics",
    "class_means",
    "class_statistics",
    "label_positions",
    "nearest_prototypes",
    "prototype_offset",
    "squared_distances",
]


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Of every label: `means` float32 (labels, dim), `counts` int64 (labels,), `spreads` float64 (labels,).

    The spread is the expected squared distance of a vector to the mean of its label, estimated without bias; NaN for
    a label with fewer than two vectors. A label without any has a mean of NaN.
    """

    means: NDArray[np.float32]
    counts: NDArray[np.int64]
    spreads: NDArray[np.float64]


def class_statistics(vectors: Iterable[tuple[NDArray[np.float32], NDArray[np.intp]]], size: int) -> ClassStatistics:
    """Means and spreads of every label, summed block by block in float64.

    Parameters
    ----------
    vectors
        Blocks of vectors (utterances, dim) with the positions of their labels (utterances,); a position below 0 is
        an utterance without a label, a row with NaN one without a vector: both are left out.
    size
        Number of labels.

    Raises
    ------
    ValueError
        No block at all.
    """
    sums: NDArray[np.float64] | None = None
    counts, squares = np.zeros(size, np.int64), np.zeros(size)
    for block, positions in vectors:
        if sums is None:
            sums = np.zeros((size, block.shape[1]))
        used = (positions >= 0) & ~np.isnan(block).any(axis=1)
        kept, labels = block[used].astype(np.float64), positions[used]
        np.add.at(sums, labels, kept)
        np.add.at(squares, labels, (kept * kept).sum(axis=1))
        counts += np.bincount(labels, minlength=size)
    if sums is None:
        raise ValueError("vectors must hold at least one block, got none")
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts[:, None]
        spreads = np.where(counts > 1, (squares - counts * (means * means).sum(axis=1)) / (counts - 1), np.nan)
    return ClassStatistics(means.astype(np.float32), counts, spreads)


def class_means(vectors: Iterable[tuple[NDArray[np.float32], NDArray[np.intp]]], size: int) -> NDArray[np.float32]:
    """Mean vector of every label, float32 (size, dim); as `class_statistics`."""
    return class_statistics(vectors, size).means


def label_positions(labels: Sequence[str | None], names: Sequence[str]) -> NDArray[np.intp]:
    """Position of every label in `names`, shape (len(labels),); -1 where the label is withheld (None)."""
    known: dict[str | None, int] = {name: index for index, name in enumerate(names)} | {None: -1}
    return np.fromiter((known[label] for label in labels), np.intp, len(labels))


def squared_distances(vectors: NDArray[Any], prototypes: NDArray[Any]) -> NDArray[np.float64]:
    """Squared Euclidean distances, float64 (vectors, prototypes); NaN where either is absent.

    Each is summed on its own, so that it does not depend on what else is computed with it.
    """
    found = np.empty((len(vectors), len(prototypes)))
    for column, prototype in enumerate(prototypes):
        gap = vectors.astype(np.float64) - prototype
        found[:, column] = (gap * gap).sum(axis=1)
    return found


def prototype_offset(
    vectors: NDArray[Any],
    positions: NDArray[np.intp],
    prototypes: NDArray[Any],
    neutral: int | None,
    decision: Decision,
) -> float:
    """What to add to the neutral label's score (minus the distance), as `erc_bench.toolkit.training.calibrate` chooses it.

    Parameters
    ----------
    vectors
        Those of data that was not trained on, (utterances, dim); rows with NaN are left out.
    positions
        Of their labels, (utterances,); rows below 0 are left out.
    """
    used = (positions >= 0) & ~np.isnan(vectors).any(axis=1)
    if not used.any():
        return 0.0
    distances = np.sqrt(squared_distances(vectors[used], prototypes))
    scores = np.where(np.isnan(distances), -np.inf, -distances)
    return calibrate(scores, positions[used].astype(np.int64), neutral, decision)[0]


def nearest_prototypes(
    vectors: NDArray[Any],
    prototypes: NDArray[Any],
    names: Sequence[str],
    neutral: str | None = None,
    offset: float = 0.0,
) -> Iterator[tuple[str | None, dict[str, float]]]:
    """The label of the nearest prototype of each vector, and all labels' scores (minus the distance).

    `offset` is added to the score of the label `neutral` first. A vector with NaN has no label (None) and no scores; a
    label without a prototype has no score.
    """
    for row in np.sqrt(squared_distances(vectors, prototypes)):
        scores = {name: -float(distance) for name, distance in zip(names, row, strict=True) if not np.isnan(distance)}
        if neutral in scores:
            scores[neutral] += offset
        yield max(scores, key=scores.__getitem__, default=None), scores

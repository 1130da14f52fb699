"""Class prototypes: the mean vector of each label, and the nearest of them (Snell et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def class_means(vectors: Iterable[tuple[NDArray[np.float32], NDArray[np.intp]]], size: int) -> NDArray[np.float32]:
    """Mean vector of every label, float32 (size, dim), summed block by block in float64.

    Parameters
    ----------
    vectors
        Blocks of vectors (utterances, dim) with the positions of their labels (utterances,); a position below 0 is
        an utterance without a label, a row with NaN one without a vector: both are left out.
    size
        Number of labels. A label without any vector has a row of NaN: it is never the nearest.

    Raises
    ------
    ValueError
        No block at all.
    """
    sums: NDArray[np.float64] | None = None
    counts = np.zeros(size, np.int64)
    for block, positions in vectors:
        if sums is None:
            sums = np.zeros((size, block.shape[1]))
        used = (positions >= 0) & ~np.isnan(block).any(axis=1)
        np.add.at(sums, positions[used], block[used])
        counts += np.bincount(positions[used], minlength=size)
    if sums is None:
        raise ValueError("vectors must hold at least one block, got none")
    with np.errstate(invalid="ignore"):
        return (sums / counts[:, None]).astype(np.float32)


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


def nearest_prototypes(
    vectors: NDArray[Any], prototypes: NDArray[Any], names: Sequence[str]
) -> Iterator[tuple[str | None, dict[str, float]]]:
    """The label of the nearest prototype of each vector, and all labels' scores (minus the distance).

    A vector with NaN has no label (None) and no scores; a label without a prototype has no score.
    """
    for row in np.sqrt(squared_distances(vectors, prototypes)):
        scores = {name: -float(distance) for name, distance in zip(names, row, strict=True) if not np.isnan(distance)}
        yield max(scores, key=scores.__getitem__, default=None), scores

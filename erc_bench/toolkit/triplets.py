"""Random triplets of utterances, drawn as the code released with the SEC paper draws them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.errors import DataError

__all__ = [
    "Triplets",
    "draw_triplets",
]


@dataclass(frozen=True, eq=False)
class Triplets:
    """Drawn triplets: positions of utterances, each intp (resamplings, triplets)."""

    anchors: NDArray[np.intp]
    positives: NDArray[np.intp]
    negatives: NDArray[np.intp]


def draw_triplets(gold: NDArray[np.intp], *, triplets: int, resamplings: int = 1, seed: int = 0) -> Triplets:
    """Draw triplets as the released code does.

    The anchor's label is uniform over the labels, the negative's uniform over the others, and utterances are drawn
    at random within a label; the positive is another utterance than the anchor. Labels with fewer than two
    utterances cannot give an anchor and take no part.

    Parameters
    ----------
    gold
        Label positions of the utterances to draw from, shape (utterances,).
    triplets
        Triplets in a resampling.
    resamplings
        How often that many are drawn.

    Raises
    ------
    DataError
        Fewer than two labels have two utterances.
    """
    counts = np.bincount(gold)
    usable = np.flatnonzero(counts >= 2)
    if len(usable) < 2:
        raise DataError(
            f"triplets need at least two labels with two utterances each, got {len(usable)}. Use a larger dataset."
        )
    by_label = np.argsort(gold, kind="stable")
    first = np.cumsum(counts) - counts
    generator = np.random.default_rng(seed)
    shape = (resamplings, triplets)
    place = generator.integers(len(usable), size=shape)
    anchor_label = usable[place]
    other = generator.integers(len(usable) - 1, size=shape)
    negative_label = usable[other + (other >= place)]
    anchor = generator.integers(counts[anchor_label])
    positive = generator.integers(counts[anchor_label] - 1)
    positive += positive >= anchor
    negative = generator.integers(counts[negative_label])
    return Triplets(
        by_label[first[anchor_label] + anchor],
        by_label[first[anchor_label] + positive],
        by_label[first[negative_label] + negative],
    )

"""How often an utterance lies nearer to one of its own label than to one of another, in counts of triplets.

This is the scoring of the code released with the SEC paper. It scores a metric space and not answers: no utterance is
labelled, and the labels are drawn in equal shares. `docs/triplet-protocol.md` says what its numbers can and cannot
mean, and why it is always shown with its controls and never ranked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from erc_bench.scoring import metrics
from erc_bench.toolkit.triplets import Triplets, draw_triplets

if TYPE_CHECKING:
    from erc_bench.contract.domain import LabelSet

RESAMPLINGS = 10
SEED = 0
TIE = 1e-4
"""Differences of the two distances up to this size are ties; the released code counts them as correct."""
NOISE_RESAMPLINGS = 100
NOISE_DIM = 16
ROWS_AT_ONCE = 2048

Ties = Literal["published", "half"]


@dataclass(frozen=True, eq=False)
class TripletCounts:
    """Outcomes of all triplets: `correct`, `ties`, `wrong`, each int64 (resamplings, K, K).

    Rows are the label of the anchor, columns the label of the negative. A triplet is correct when the positive is
    nearer than the negative by more than `TIE`, wrong when it is farther by more than `TIE`, and else a tie.
    `vectors` is the number of utterances that triplets were drawn from, and of triplets in a resampling.
    """

    correct: NDArray[np.int64]
    ties: NDArray[np.int64]
    wrong: NDArray[np.int64]
    vectors: int

    @property
    def tie_rate(self) -> float:
        """Share of ties among all triplets (0..1)."""
        return float(self.ties.sum() / max(1, self.ties.sum() + self.correct.sum() + self.wrong.sum()))

    def confusions(self, ties: Ties = "published") -> NDArray[np.int64]:
        """Confusion counts int64 (resamplings, K, K + 1): the "prediction" is the anchor's or the negative's label.

        Ties go to the anchor's label ("published"), or half to each of the two ("half", in doubled counts, which
        changes no score).
        """
        resamplings, size, _ = self.correct.shape
        to_anchor, to_negative = self.correct + self.ties, self.wrong
        if ties == "half":
            to_anchor, to_negative = 2 * self.correct + self.ties, 2 * self.wrong + self.ties
        found = np.zeros((resamplings, size, size + 1), np.int64)
        found[..., :size] = to_negative
        diagonal = np.arange(size)
        found[:, diagonal, diagonal] += to_anchor.sum(axis=-1)
        return found


def _outcomes(vectors: NDArray[np.float32], gold: NDArray[np.intp], size: int, drawn: Triplets) -> NDArray[np.int64]:
    """Counts int64 (3, resamplings, K, K) of correct, tied and wrong triplets."""
    resamplings, triplets = drawn.anchors.shape
    difference = np.empty(drawn.anchors.size)
    anchors, positives, negatives = drawn.anchors.ravel(), drawn.positives.ravel(), drawn.negatives.ravel()
    for start in range(0, len(difference), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        anchor = vectors[anchors[part]]
        difference[part] = _distance(anchor, vectors[positives[part]]) - _distance(anchor, vectors[negatives[part]])
    outcome = np.where(difference > TIE, 2, np.where(difference >= -TIE, 1, 0))
    resampling = np.repeat(np.arange(resamplings), triplets)
    cells = ((outcome * resamplings + resampling) * size + gold[anchors]) * size + gold[negatives]
    counts = np.bincount(cells, minlength=3 * resamplings * size * size)
    return counts.reshape(3, resamplings, size, size).astype(np.int64)


def _distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    gap = first.astype(np.float64) - second
    return np.asarray(np.sqrt((gap * gap).sum(axis=1)), np.float64)


def triplet_counts(
    vectors: NDArray[np.float32],
    gold: NDArray[np.intp],
    labels: LabelSet,
    *,
    resamplings: int = RESAMPLINGS,
    seed: int = SEED,
) -> TripletCounts:
    """Outcomes of random triplets, as many in a resampling as there are utterances with a vector.

    Parameters
    ----------
    vectors
        Float (utterances, dim); a row with NaN is an utterance without a vector, which is never drawn.
    gold
        Positions of the gold labels, shape (utterances,).
    """
    present = ~np.isnan(vectors).any(axis=1)
    vectors, gold = vectors[present], gold[present]
    drawn = draw_triplets(gold, triplets=len(gold), resamplings=resamplings, seed=seed)
    correct, ties, wrong = _outcomes(vectors, gold, len(labels), drawn)
    return TripletCounts(correct, ties, wrong, len(gold))


def noise_counts(gold: NDArray[np.intp], labels: LabelSet, *, resamplings: int = NOISE_RESAMPLINGS) -> TripletCounts:
    """The control without any information: fresh Gaussian vectors in every resampling."""
    generator = np.random.default_rng(SEED)
    found = [
        triplet_counts(
            generator.standard_normal((len(gold), NOISE_DIM)).astype(np.float32),
            gold,
            labels,
            resamplings=1,
            seed=resampling,
        )
        for resampling in range(resamplings)
    ]
    correct, ties, wrong = (
        np.concatenate([getattr(counts, name) for counts in found]) for name in ("correct", "ties", "wrong")
    )
    return TripletCounts(correct, ties, wrong, len(gold))


def constant_counts(gold: NDArray[np.intp], labels: LabelSet) -> TripletCounts:
    """The degenerate control: one vector for every utterance, so that every triplet is a tie."""
    return triplet_counts(np.zeros((len(gold), 1), np.float32), gold, labels)


def triplet_scores(counts: TripletCounts, labels: LabelSet, ties: Ties = "published") -> dict[str, NDArray[np.float64]]:
    """Scores of every resampling, each float64 (resamplings,): the metrics and units of `erc_bench.scoring.metrics.scores`."""
    return metrics.scores(counts.confusions(ties), labels)

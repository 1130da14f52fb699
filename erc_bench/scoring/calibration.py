"""Whether a system knows how sure it may be: reliability of its confidences, and the risk of answers it is surest of.

Confidences are compared with whether answers are right (Guo et al. 2017), in bins of equal width. Risk is the share of wrong
answers among the surest ones (El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017), from one of them to all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
COVERAGES = 100


@dataclass(frozen=True, eq=False)
class Reliability:
    """Answers in `BINS` bins of confidence of equal width in 0..1: how many, their mean confidence, the share of right ones.

    Each float64 (BINS,); an empty bin has 0 of all.
    """

    counts: NDArray[np.float64]
    confidence: NDArray[np.float64]
    right: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error, 0..1: the mean distance of confidence and share of right answers, by answer."""
        total = float(self.counts.sum())
        return float((self.counts * np.abs(self.confidence - self.right)).sum()) / total if total else 0.0


def reliability(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> Reliability:
    """Bins of answers (N,) with confidences in 0..1; an unusable answer (nan) is one of confidence 0, and wrong.

    Rounded probabilities may exceed 1 a little: they count as 1.
    """
    sure = np.nan_to_num(confidence.astype(np.float64), nan=0.0).clip(max=1)
    places = np.minimum((sure * BINS).astype(np.intp), BINS - 1)
    counts = np.bincount(places, minlength=BINS).astype(np.float64)
    members = counts.clip(min=1)
    return Reliability(
        counts,
        np.bincount(places, weights=sure, minlength=BINS) / members,
        np.bincount(places, weights=right.astype(np.float64), minlength=BINS) / members,
    )


def pooled(each: list[Reliability]) -> Reliability:
    """The bins of several seeds together."""
    counts = np.sum([one.counts for one in each], axis=0)
    members = counts.clip(min=1)
    confidence, right = (
        np.sum([one.counts * getattr(one, name) for one in each], axis=0) / members for name in ("confidence", "right")
    )
    return Reliability(counts, confidence, right)


def risks(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of wrong answers among the n surest, for n from 1 to N, float64 (N,).

    Answers of one confidence come in no order: among a part of them as many are wrong as on average. An unusable answer
    (nan) comes last.
    """
    _, group = np.unique(-confidence, return_inverse=True)  # all nan are one group, the last
    wrong = np.bincount(group, weights=~right) / np.bincount(group)
    by_confidence = wrong[np.sort(group)]
    return np.asarray(np.cumsum(by_confidence) / np.arange(1, len(confidence) + 1), np.float64)


def area(risk: NDArray[np.float64]) -> float:
    """Area under the risk-coverage curve, 0..1: the mean risk over all coverages. Small is good; at best it is not 0."""
    return float(risk.mean())


def curve(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    """The risk at coverages of 1%, 2%, … 100%, float64 (COVERAGES,)."""
    places = np.ceil(np.arange(1, COVERAGES + 1) / COVERAGES * len(risk)).astype(np.intp) - 1
    return risk[places]

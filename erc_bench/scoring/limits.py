"""How far a score may be from that of all such dialogues and seeds: its interval, computed without a draw.

What a score would be without each dialogue says how much that dialogue moves it: its influence (Jaeckel's infinitesimal
jackknife). The variance of a score is the sum of the squared influences, plus what seeds add. From it follows Wilson's
interval (1927), which is for a share what the symmetric one is for a mean: it stays inside the limits of the metric, and
reaches further towards their middle. A mean of ratios (macro F1) varies with its parts, of which those of rare labels are
worst known: each gets Wilson's interval, and the squared distances to the limits are added, with the correlations of
the parts (Zou and Donner 2008, "MOVER"). docs/protocols-and-metrics.md says how often they hold the true score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from erc_bench.scoring.metric import Margins, Metric

LEVEL = 0.95
LARGEST_REACH = 1e6


class Interval(NamedTuple):
    """Lower and upper limit, in the unit of the metric."""

    low: float
    high: float


@lru_cache(maxsize=1024)
def student_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t distribution, of the normal one for infinite `freedom`."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability)) if np.isfinite(freedom) else NormalDist().inv_cdf(probability)


def influences(leave_one_out: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each dialogue moves a value, from its values without each of them, (D, ...)."""
    moved: NDArray[np.float64] = leave_one_out.mean(axis=0) - leave_one_out
    return moved


def degrees_of_freedom(moved: NDArray[np.float64], seed_terms: Sequence[tuple[float, float]] = ()) -> float:
    """Effective degrees of freedom of a variance (Satterthwaite 1946), from influences (D,) and what seeds add.

    The dialogues' share comes from the kurtosis of their influences: it is about D where all dialogues matter alike,
    and falls to 2 where a single one decides. `seed_terms` are variances with their degrees of freedom.
    """
    squared = moved**2
    squares = float(squared.sum())
    terms = list(seed_terms)
    if squares > 0:
        kurtosis = len(moved) * float((squared**2).sum()) / squares**2
        terms.append((squares, 2 * len(moved) / (kurtosis - 1) if kurtosis > 1 else np.inf))
    spread = sum(variance**2 / freedom for variance, freedom in terms)
    return sum(variance for variance, _ in terms) ** 2 / spread if spread > 0 else np.inf


@dataclass(frozen=True, eq=False)
class Measured:
    """One metric of a row: its value, and what of it depends on which dialogues and seeds there were.

    `by_seed` (S,) and `leave_one_out` (D, S) are its values with all dialogues and without each. `parts` (J,), means over
    seeds, are the ratios that it is the mean of, `parts_without` (D, J) the same without each dialogue, and `sizes` (J,)
    on how many answers each was measured, 0 where it cannot be another; a metric that is no mean has itself as its part.
    """

    metric: Metric
    by_seed: NDArray[np.float64]
    leave_one_out: NDArray[np.float64]
    parts: NDArray[np.float64]
    parts_without: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.by_seed.mean())

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds; None with one."""
        return float(self.by_seed.std(ddof=1)) if len(self.by_seed) > 1 else None

    @cached_property
    def mean_without(self) -> NDArray[np.float64]:
        """Mean over seeds without each dialogue, (D,)."""
        return np.asarray(self.leave_one_out.mean(axis=1))

    @cached_property
    def influences(self) -> NDArray[np.float64]:
        """How much each dialogue moves the mean over seeds, (D,)."""
        return influences(self.mean_without)

    @cached_property
    def within_seeds(self) -> float:
        """Variance of one seed from errors on dialogues that the others do not share; 0 with one seed."""
        seeds = len(self.by_seed)
        if seeds == 1:
            return 0.0
        apart = self.leave_one_out - self.mean_without[:, None]
        return float((influences(apart) ** 2).sum()) / (seeds - 1)

    @cached_property
    def between_seeds(self) -> float:
        """Variance of one seed beyond what errors on different dialogues explain; 0 with one seed."""
        if len(self.by_seed) == 1:
            return 0.0
        return max(0.0, float(self.by_seed.var(ddof=1)) - self.within_seeds)

    @property
    def seed_terms(self) -> tuple[tuple[float, float], ...]:
        """What seeds add to the variance of the mean, with its degrees of freedom."""
        return seed_terms(self.between_seeds / len(self.by_seed), self.deviation, len(self.by_seed))

    def interval(self, level: float = LEVEL) -> Interval:
        """Interval of the mean over all dialogues and seeds that could have been drawn."""
        # With next to no degrees of freedom the quantile is astronomic; the limits of the metric are long reached then.
        reach = min(
            student_quantile((1 + level) / 2, degrees_of_freedom(self.influences, self.seed_terms)), LARGEST_REACH
        )
        moved = influences(self.parts_without)
        variances = (moved**2).sum(axis=0)
        bounds = [self._wilson(*part, reach) for part in zip(self.parts, self.sizes, variances, strict=True)]
        below, above = (np.array(side) / len(self.parts) for side in zip(*bounds, strict=True))
        scale = np.sqrt(np.where(variances > 0, variances, 1))
        related = moved.T @ moved / np.outer(scale, scale)
        np.fill_diagonal(related, 1)
        seeds = reach**2 * self.between_seeds / len(self.by_seed)
        low, high = (np.sqrt(max(0.0, side @ related @ side) + seeds) for side in (below, above))
        first, last = self.metric.limits
        return Interval(float(max(self.value - low, first)), float(min(self.value + high, last)))

    def _wilson(self, value: float, size: float, variance: float, reach: float) -> tuple[float, float]:
        """How far Wilson's limits lie below and above a part: as many answers as would give a share its variance."""
        first, last = self.metric.limits
        width = last - first
        if not np.isfinite(width):
            return reach * np.sqrt(variance), reach * np.sqrt(variance)
        share = min(max((value - first) / width, 0.0), 1.0)
        spread = share * (1 - share)
        answers = spread * width**2 / variance if variance > 0 and spread > 0 else size
        if answers <= 0:
            return 0.0, 0.0
        weight = reach**2 / answers
        centre = (share + weight / 2) / (1 + weight)
        arm = np.sqrt(weight * spread + weight**2 / 4) / (1 + weight)
        return width * max(0.0, share - centre + arm), width * max(0.0, centre + arm - share)


def seed_terms(variance: float, deviation: float | None, seeds: int) -> tuple[tuple[float, float], ...]:
    """The variance that seeds add to their mean, with its degrees of freedom; nothing with one seed or without any.

    The part that dialogues explain was taken off, but its uncertainty stays.
    """
    if deviation is None or variance <= 0:
        return ()
    return ((variance, (seeds - 1) * (variance * seeds / deviation**2) ** 2),)


def measured(metric: Metric, whole: Margins, without: Margins) -> Measured:
    """A metric of a row, from the counts of its seeds (S, ...), and from those without each dialogue (D, S, ...).

    Raises
    ------
    ValueError
        A metric that is not computed from counts.
    """
    if metric.of is None:
        raise ValueError(f"a metric must be computed from counts to be measured so, got {metric.name}")
    by_seed, leave_one_out = metric.of(whole), metric.of(without)
    if metric.parts is None:
        parts, sizes, parts_without = by_seed[..., None], np.zeros((*by_seed.shape, 1)), leave_one_out[..., None]
    else:
        (parts, sizes), (parts_without, _) = metric.parts(whole), metric.parts(without)
    return Measured(
        metric,
        by_seed,
        leave_one_out,
        parts.mean(axis=0),
        parts_without.mean(axis=1),
        sizes.mean(axis=0),
    )

"""Which rows of a board differ: paired comparisons, Holm's correction, and ranks that admit ties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from erc_bench.bootstrap import Estimate, Interval, percentile_interval

ALPHA = 0.05
POWER = 0.80


@dataclass(frozen=True, slots=True)
class Comparison:
    """Row A against row B on one metric, in the metric's unit.

    `difference` is A minus B; `interval` its 95% interval; `standard_error` its bootstrap standard error;
    `p_value` two-sided; `detectable` the smallest true difference that a test set of this size shows in 80% of
    cases at the 5% level.
    """

    metric: str
    difference: float
    interval: Interval
    standard_error: float
    p_value: float
    detectable: float


def compare(a: Estimate, b: Estimate, metric: str = "micro_f1") -> Comparison:
    """Test two rows whose replicates share their weights."""
    if a.replicates[metric].shape != b.replicates[metric].shape or a.dialogues != b.dialogues:
        raise ValueError("rows must be resampled with the same weights to be compared; estimate both with one array")
    replicates = a.replicates[metric] - b.replicates[metric]
    difference = a.score[metric] - b.score[metric]
    error = float(replicates.std(ddof=1))
    return Comparison(
        metric=metric,
        difference=difference,
        interval=percentile_interval(replicates),
        standard_error=error,
        p_value=_p_value(difference, error),
        detectable=(NormalDist().inv_cdf(1 - ALPHA / 2) + NormalDist().inv_cdf(POWER)) * error,
    )


def _p_value(difference: float, error: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / error / math.sqrt(2))


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's adjusted p-values (Holm 1979), in the order given: reject where one is at most the level."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def ranks(rows: Sequence[Estimate], metric: str = "micro_f1", *, alpha: float = ALPHA) -> list[str]:
    """The rank of every row, in the order given: "2", or "1-3" where rows cannot be told apart."""
    count = len(rows)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    comparisons = [compare(rows[i], rows[j], metric) for i, j in pairs]
    adjusted = holm([comparison.p_value for comparison in comparisons])
    better = [0] * count
    worse = [0] * count
    for (i, j), comparison, p_value in zip(pairs, comparisons, adjusted, strict=True):
        if p_value <= alpha:
            winner, loser = (i, j) if comparison.difference > 0 else (j, i)
            better[loser] += 1
            worse[winner] += 1
    bounds = [(1 + better[row], count - worse[row]) for row in range(count)]
    return [str(low) if low == high else f"{low}-{high}" for low, high in bounds]

"""Which rows of a board differ: paired comparisons, Holm's correction, and ranks that admit ties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.scoring.bootstrap import Estimate, Sampling
from erc_bench.scoring.catalogue import MICRO_F1
from erc_bench.scoring.limits import Interval, student_quantile
from erc_bench.scoring.metric import Metric

ALPHA = 0.05
POWER = 0.80
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Comparison:
    """Row A against row B on one metric, in the metric's unit.

    `difference` is A minus B; `interval` its 95% interval, which leaves out 0 exactly where `p_value` (two-sided)
    is below 5%; `standard_error` its bootstrap standard error; `detectable` the smallest true difference that the
    test finds in 80% of test sets of this size, at the 5% level.
    """

    metric: Metric
    difference: float
    interval: Interval
    standard_error: float
    p_value: float
    detectable: float

    @property
    def first_is_better(self) -> bool:
        """Whether the difference, if there is one, is in favour of row A."""
        return self.difference > 0 if self.metric.higher_is_better else self.difference < 0


def compare(a: Estimate, b: Estimate, metric: Metric = MICRO_F1) -> Comparison:
    """Test whether two rows differ, dialogue by dialogue.

    The difference over its bootstrap standard error is referred to Student's t distribution. This tests whether
    the two scores are equal, and not the stronger claim that the two systems answer alike, which swapping their
    answers would test. With several seeds a row stands for its training procedure (mean over seeds, whose spread
    enters the standard error); with one seed, for that one trained system.

    Raises
    ------
    ValueError
        Rows that were not resampled with the same weights.
    """
    paired = _paired(a, b, metric)
    error, freedom = paired.standard_error, paired.degrees_of_freedom
    return Comparison(
        metric=metric,
        difference=paired.value,
        interval=paired.symmetric_interval(),
        standard_error=error,
        p_value=_p_value(paired.value, error, freedom, dialogues=a.dialogues),
        detectable=(student_quantile(1 - ALPHA / 2, freedom) + student_quantile(POWER, freedom)) * error,
    )


def _paired(a: Estimate, b: Estimate, metric: Metric) -> Sampling:
    if a.replicates[metric.name].shape != b.replicates[metric.name].shape or a.dialogues != b.dialogues:
        raise ValueError("rows must be resampled with the same weights to be compared: estimate both with one array")
    one, other = a.sampling(metric.name), b.sampling(metric.name)
    return Sampling(
        one.value - other.value,
        one.replicates - other.replicates,
        one.leave_one_out - other.leave_one_out,
        one.seed_terms + other.seed_terms,
    )


def _p_value(difference: float, error: float, freedom: float, *, dialogues: int) -> float:
    from scipy.special import ndtr, stdtr

    if error < ROUNDING:
        # One dialogue never varies, however the rows differ: it shows nothing.
        return 1.0 if dialogues == 1 or abs(difference) < ROUNDING else 0.0
    statistic = -abs(difference) / error
    return float(2 * (stdtr(freedom, statistic) if math.isfinite(freedom) else ndtr(statistic)))


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's adjusted p-values (Holm 1979), in the order given: reject where one is at most the level."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def ranks(rows: Sequence[Estimate], metric: Metric = MICRO_F1, *, alpha: float = ALPHA) -> list[str]:
    """The rank of every row, in the order given: "2", or "1-3" where rows cannot be told apart."""
    count = len(rows)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    p_values = []
    for i, j in pairs:
        paired = _paired(rows[i], rows[j], metric)
        error, freedom = paired.standard_error, paired.degrees_of_freedom
        p_values.append(_p_value(paired.value, error, freedom, dialogues=rows[i].dialogues))
    better = [0] * count
    worse = [0] * count
    for (i, j), p_value in zip(pairs, holm(p_values), strict=True):
        if p_value <= alpha:
            first, second = (metric.best_first(rows[row].score[metric.name]) for row in (i, j))
            winner, loser = (i, j) if first < second else (j, i)
            better[loser] += 1
            worse[winner] += 1
    bounds = [(1 + better[row], count - worse[row]) for row in range(count)]
    return [str(low) if low == high else f"{low}-{high}" for low, high in bounds]

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
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * (len(values) - np.arange(len(values))))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a row stands on its board: "2", "1-3" where rows cannot be told apart, or "" for a floor, which has no rank.

    `above_floors` says whether a row is better than every floor of the board; None for a floor, and where there is none.
    """

    rank: str
    above_floors: bool | None


def standings(
    rows: Sequence[Estimate], floors: Sequence[bool], metric: Metric = MICRO_F1, *, alpha: float = ALPHA
) -> list[Standing]:
    """How rows stand, in the order given; `floors` says which of them are trivial predictors.

    The family of claims is what a reader chooses by: every pair of rows that are no floors, and for each of them whether
    it is better than all floors. Holm's correction runs over all of these, so that the chance of any false claim is at
    most `alpha`. "Better than all" is refused by the largest of its p-values (an intersection-union test, Berger 1982),
    nearly always that of the best floor, and needs no correction for the number of floors: adding floors to a board
    makes no claim between systems harder.
    """
    chosen = [place for place, floor in enumerate(floors) if not floor]
    lowest = [place for place, floor in enumerate(floors) if floor]
    pairs = [(one, other) for at, one in enumerate(chosen) for other in chosen[at + 1 :]]
    p_values = [_pair_p_value(rows[one], rows[other], metric) for one, other in pairs]
    p_values += [_p_above(rows[row], [rows[floor] for floor in lowest], metric) for row in chosen if lowest]
    rejected = holm(p_values) <= alpha
    better, worse = dict.fromkeys(chosen, 0), dict.fromkeys(chosen, 0)
    for (one, other), different in zip(pairs, rejected, strict=False):
        if different:
            winner, loser = (one, other) if _is_better(rows[one], rows[other], metric) else (other, one)
            better[loser] += 1
            worse[winner] += 1
    above = dict(zip(chosen, map(bool, rejected[len(pairs) :]), strict=False))
    found = []
    for place, floor in enumerate(floors):
        rank = "" if floor else _span(1 + better[place], len(chosen) - worse[place])
        found.append(Standing(rank, above.get(place)))
    return found


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def ranks(rows: Sequence[Estimate], metric: Metric = MICRO_F1, *, alpha: float = ALPHA) -> list[str]:
    """The rank of every row, in the order given, where none of them is a floor."""
    return [standing.rank for standing in standings(rows, [False] * len(rows), metric, alpha=alpha)]


def _pair_p_value(one: Estimate, other: Estimate, metric: Metric) -> float:
    paired = _paired(one, other, metric)
    return _p_value(paired.value, paired.standard_error, paired.degrees_of_freedom, dialogues=one.dialogues)


def _p_above(row: Estimate, floors: Sequence[Estimate], metric: Metric) -> float:
    return max(_pair_p_value(row, floor, metric) if _is_better(row, floor, metric) else 1.0 for floor in floors)


def _is_better(one: Estimate, other: Estimate, metric: Metric) -> bool:
    return metric.best_first(one.score[metric.name]) < metric.best_first(other.score[metric.name])

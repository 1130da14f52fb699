"""Cluster bootstrap over dialogues: how far a score would move on other dialogues of the same kind.

The utterances of a dialogue are not independent, so whole dialogues are drawn (`erc_bench.scoring.resampling`). Standard
errors of differences come from these draws. Intervals of scores come from `erc_bench.scoring.limits`, in which nothing is
drawn: the limits of a percentile or BCa interval lie where few resamples do, and change with the draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.limits import LEVEL as LEVEL
from erc_bench.scoring.limits import Interval as Interval
from erc_bench.scoring.limits import Measured, degrees_of_freedom, influences, measured, seed_terms
from erc_bench.scoring.limits import student_quantile as student_quantile
from erc_bench.scoring.metric import Margins
from erc_bench.scoring.metrics import row_margins
from erc_bench.scoring.resampling import Replicates, Resampling, Weights


@dataclass(frozen=True, eq=False)
class Sampling:
    """What is known of how one number varies: a score, or the difference of two.

    `replicates` (resamples,) are its bootstrap values, `leave_one_out` (dialogues,) its values without each
    dialogue, and `seed_terms` the variance that the seeds of each row add, with its degrees of freedom.
    """

    value: float
    replicates: NDArray[np.float64]
    leave_one_out: NDArray[np.float64]
    seed_terms: tuple[tuple[float, float], ...]

    @cached_property
    def standard_error(self) -> float:
        """Standard deviation of the replicates."""
        return float(self.replicates.std())

    @cached_property
    def degrees_of_freedom(self) -> float:
        """Effective degrees of freedom of the standard error; see `erc_bench.scoring.limits`."""
        return degrees_of_freedom(influences(self.leave_one_out), self.seed_terms)

    def symmetric_interval(self, level: float = LEVEL) -> Interval:
        """Value plus and minus Student's quantile of standard errors: the one that agrees with a t test."""
        reach = student_quantile((1 + level) / 2, self.degrees_of_freedom) * self.standard_error
        return Interval(self.value - reach, self.value + reach)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A row of the board: its scores, their spread over seeds, and how they vary with the dialogues.

    `score` is the mean over seeds, `intervals` its 95% interval; `deviation` the standard deviation over seeds (None with
    one seed), `seed_variance` what the seeds add to the variance of the mean (0 with one seed), and `seed_moves` (seeds,)
    how far each lies from the mean, shrunk to that variance; `leave_one_out` (dialogues,) and `replicates` (resamples,) are
    float64 arrays by metric, of which the latter are drawn when they are asked for. Keys and units are those of
    `erc_bench.scoring.metrics.scores`.
    """

    score: Mapping[str, float]
    intervals: Mapping[str, Interval]
    deviation: Mapping[str, float] | None
    seed_variance: Mapping[str, float]
    seed_moves: Mapping[str, NDArray[np.float64]]
    leave_one_out: Mapping[str, NDArray[np.float64]]
    seeds: int
    dialogues: int
    replicates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def sampling(self, metric: str) -> Sampling:
        """How a metric of this row varies."""
        deviation = None if self.deviation is None else self.deviation[metric]
        terms = seed_terms(self.seed_variance[metric], deviation, self.seeds)
        return Sampling(self.score[metric], self.replicates[metric], self.leave_one_out[metric], terms)

    def interval(self, metric: str) -> Interval:
        """95% interval of the mean over seeds; no resample has a part in it."""
        return self.intervals[metric]


def estimate(runs: Sequence[NDArray[np.int64]], labels: LabelSet, weights: Weights) -> Estimate:
    """Scores of a row and how they vary, from one array of confusion counts (D, K, K + 1) a seed.

    A replicate is the mean over seeds on resampled dialogues, plus, where there are several seeds, what the mean
    moves when S - 1 of the S seeds are drawn anew with replacement. (S - 1 draws, since S would underestimate the
    variance of a mean of S by the factor (S - 1)/S.) Seeds also score differently because they err on different
    dialogues, which resampling dialogues already counts: that part is taken off the move of the seeds. Seeds of
    different rows are drawn independently.

    Raises
    ------
    ValueError
        No run, or runs and weights that count different dialogues.
    """
    return estimates([runs], labels, weights)[0]


def estimates(rows: Sequence[Sequence[NDArray[np.int64]]], labels: LabelSet, weights: Weights) -> list[Estimate]:
    """`estimate` of several rows, which is faster together: a resample is drawn once for all of them.

    Raises
    ------
    ValueError
        As `estimate`.
    """
    for runs in rows:
        if not runs or any(len(run) != weights.dialogues for run in runs):
            raise ValueError(f"runs must each cover {weights.dialogues} dialogues, got {[len(run) for run in runs]}")
    return estimates_of_margins([row_margins(runs) for runs in rows], labels, weights)


def estimates_of_margins(columns: Sequence[NDArray[np.int64]], labels: LabelSet, weights: Weights) -> list[Estimate]:
    """`estimates` from the margins of each row, int64 (D, S, 3K + 1)."""
    found = [without_replicates(own, labels) for own in columns]
    return with_replicates(found, Resampling(columns, [row.seed_moves for row in found], labels, weights))


def without_replicates(columns: NDArray[np.int64], labels: LabelSet) -> Estimate:
    """A row from its margins (D, S, 3K + 1), as far as nothing is drawn."""
    seeds = columns.shape[1]
    total = columns.sum(axis=0)
    whole, without = Margins.of(total, labels), Margins.of(total - columns, labels)
    found = {name: measured(metric, whole, without) for name, metric in METRICS.items()}
    return Estimate(
        score={name: one.value for name, one in found.items()},
        intervals={name: one.interval() for name, one in found.items()},
        deviation={name: float(one.by_seed.std(ddof=1)) for name, one in found.items()} if seeds > 1 else None,
        seed_variance={name: one.between_seeds / seeds for name, one in found.items()},
        seed_moves={name: _seed_moves(one) for name, one in found.items()},
        leave_one_out={name: one.mean_without for name, one in found.items()},
        seeds=seeds,
        dialogues=len(columns),
    )


def with_replicates(rows: Sequence[Estimate], resampling: Resampling) -> list[Estimate]:
    """The rows, in the order of the resampling, with what it draws."""
    return [replace(row, replicates=Replicates(resampling, place)) for place, row in enumerate(rows)]


def _seed_moves(found: Measured) -> NDArray[np.float64]:
    """Deviations of the seeds from their mean, shrunk to the variance that seeds add."""
    deviations = found.by_seed - found.by_seed.mean()
    variance = found.between_seeds
    return deviations * np.sqrt(variance / found.by_seed.var(ddof=1)) if variance > 0 else np.zeros_like(deviations)

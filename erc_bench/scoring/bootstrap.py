"""Cluster bootstrap over dialogues: how far a score would move on other dialogues of the same kind.

The utterances of a dialogue are not independent, so whole dialogues are drawn. A resample of D dialogues is a
vector of how often each was drawn; times the counts of the dialogues it gives the resample's confusion counts.
All rows of a board share these vectors, so that the difference of two rows is bootstrapped pair by pair.

Intervals are bias-corrected and accelerated (Efron 1987) and widened by Student's quantile at the number of
dialogues that in effect carry the score. The plain percentile interval does as well for micro F1 and MCC; for macro
F1, where a label that 12 dialogues hold weighs as much as one of 405, it covers too rarely
(docs/protocols-and-metrics.md has the simulation).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.catalogue import METRICS, MICRO_F1
from erc_bench.scoring.metric import Margins
from erc_bench.scoring.metrics import margins, scores_of_counts, scores_of_margins

RESAMPLES = 10_000
LEVEL = 0.95
RESAMPLES_AT_ONCE = 500
RUNS_AT_ONCE = 48
LARGEST_BLOCK = 2**22
LARGEST_KEPT = 2**26
LARGEST_EXACT_FLOAT32 = 2**24


class Interval(NamedTuple):
    """Lower and upper limit, in the unit of the metric."""

    low: float
    high: float


@dataclass(frozen=True)
class Weights:
    """How often each dialogue is drawn: `resamples` rows of `dialogues` counts, every row of which sums to `dialogues`.

    Rows are drawn block by block, so that a large test split needs no more memory than a block of them.
    """

    dialogues: int
    resamples: int
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        """Resamples, dialogues."""
        return self.resamples, self.dialogues

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for block in self.blocks():
            yield from block

    def blocks(self) -> Iterable[NDArray[np.uint8]]:
        """The rows in blocks, uint8 (rows, dialogues); those of a small test split are drawn once and kept."""
        small = self.resamples * self.dialogues <= LARGEST_KEPT
        return _kept_blocks(self) if small else _drawn_blocks(self)


def resample_weights(dialogues: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Weights:
    """How often each dialogue is drawn in each resample.

    The same arguments give the same weights. Rows of a board that share them can be compared pair by pair.

    Raises
    ------
    ValueError
        Fewer than one dialogue or resample.
    """
    if dialogues < 1 or resamples < 1:
        raise ValueError(f"dialogues and resamples must be at least 1, got {dialogues} and {resamples}")
    return Weights(dialogues, resamples, seed)


@lru_cache(maxsize=4)
def _kept_blocks(weights: Weights) -> tuple[NDArray[np.uint8], ...]:
    return tuple(_drawn_blocks(weights))


def _drawn_blocks(weights: Weights) -> Iterator[NDArray[np.uint8]]:
    generator = np.random.default_rng(weights.seed)
    dialogues = weights.dialogues
    rows = min(RESAMPLES_AT_ONCE, max(1, LARGEST_BLOCK // dialogues))
    for start in range(0, weights.resamples, rows):
        count = min(rows, weights.resamples - start)
        drawn = generator.integers(dialogues, size=(count, dialogues))
        drawn += np.arange(count)[:, None] * dialogues
        yield np.bincount(drawn.ravel(), minlength=count * dialogues).reshape(count, dialogues).astype(np.uint8)


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
        """Effective degrees of freedom of the standard error (Satterthwaite 1946).

        The dialogues' share comes from the kurtosis of their influences: it is about D where all dialogues
        matter alike, and falls to 2 where a single one decides.
        """
        influences = self._influences
        squares = float((influences**2).sum())
        terms = list(self.seed_terms)
        if squares > 0:
            kurtosis = len(influences) * float((influences**4).sum()) / squares**2
            if kurtosis > 1:
                terms.append((squares, 2 * len(influences) / (kurtosis - 1)))
        spread = sum(variance**2 / freedom for variance, freedom in terms)
        return sum(variance for variance, _ in terms) ** 2 / spread if spread > 0 else float("inf")

    def symmetric_interval(self, level: float = LEVEL) -> Interval:
        """Value plus and minus Student's quantile of standard errors: the one that agrees with a t test."""
        reach = student_quantile((1 + level) / 2, self.degrees_of_freedom) * self.standard_error
        return Interval(self.value - reach, self.value + reach)

    def interval(self, level: float = LEVEL) -> Interval:
        """Bias-corrected accelerated interval at Student's quantiles."""
        normal = NormalDist()
        count = len(self.replicates)
        below = float((self.replicates < self.value).sum() + (self.replicates <= self.value).sum()) / (2 * count)
        bias = normal.inv_cdf(min(max(below, 0.5 / count), 1 - 0.5 / count))
        influences = self._influences
        variance = float((influences**2).sum()) + sum(variance for variance, _ in self.seed_terms)
        acceleration = float((influences**3).sum()) / (6 * variance**1.5) if variance > 0 else 0.0
        reach = student_quantile((1 + level) / 2, self.degrees_of_freedom)
        levels = []
        for shift in (bias - reach, bias + reach):
            slope = 1 - acceleration * shift
            levels.append(normal.cdf(bias + shift / slope) if slope > 0 else float(shift > 0))
        low, high = np.quantile(self.replicates, levels)
        return Interval(float(low), float(high))

    @cached_property
    def _influences(self) -> NDArray[np.float64]:
        mean = self.leave_one_out.mean()
        influences: NDArray[np.float64] = mean - self.leave_one_out
        return influences


@lru_cache(maxsize=1024)
def student_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t distribution, of the normal one for infinite `freedom`."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability)) if np.isfinite(freedom) else NormalDist().inv_cdf(probability)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A row of the board: its scores, their spread over seeds, and how they vary with the dialogues.

    `score` is the mean over seeds; `deviation` the standard deviation over seeds (None with one seed), and
    `seed_variance` what the seeds add to the variance of the mean (0 with one seed); `replicates` (resamples,) and
    `leave_one_out` (dialogues,) are float64 arrays by metric. Keys and units are those of
    `erc_bench.scoring.metrics.scores`.
    """

    score: Mapping[str, float]
    deviation: Mapping[str, float] | None
    seed_variance: Mapping[str, float]
    replicates: Mapping[str, NDArray[np.float64]]
    leave_one_out: Mapping[str, NDArray[np.float64]]
    seeds: int
    dialogues: int

    def sampling(self, metric: str) -> Sampling:
        """How a metric of this row varies."""
        own = self.seed_variance[metric]
        terms: tuple[tuple[float, float], ...] = ()
        if self.deviation is not None and own > 0:
            # The part that dialogues explain was taken off, but its uncertainty stays.
            terms = ((own, (self.seeds - 1) * (own * self.seeds / self.deviation[metric] ** 2) ** 2),)
        return Sampling(self.score[metric], self.replicates[metric], self.leave_one_out[metric], terms)

    def interval(self, metric: str, *, level: float = LEVEL) -> Interval:
        """Interval of the mean over seeds."""
        return self.sampling(metric).interval(level)


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
    found: list[Estimate] = []
    for part in _parts(rows):
        columns = [np.stack([margins(run) for run in runs], axis=1) for runs in part]
        resampled = _resampled_scores(np.concatenate(columns, axis=1), labels, weights)
        first = 0
        for own in columns:
            seeds = slice(first, first := first + own.shape[1])
            # Contiguous, so that means over seeds are rounded alike everywhere: accuracies tie with the score itself.
            by_resample = {name: np.ascontiguousarray(values[seeds].T) for name, values in resampled.items()}
            found.append(_estimate(own, by_resample, labels))
    return found


def _parts(rows: Sequence[Sequence[NDArray[np.int64]]]) -> Iterator[list[Sequence[NDArray[np.int64]]]]:
    """The rows in order, as many at once as have `RUNS_AT_ONCE` runs between them, and at least one."""
    part: list[Sequence[NDArray[np.int64]]] = []
    for runs in rows:
        if part and sum(map(len, part)) + len(runs) > RUNS_AT_ONCE:
            yield part
            part = []
        part.append(runs)
    if part:
        yield part


def _estimate(columns: NDArray[np.int64], resampled: Mapping[str, NDArray[np.float64]], labels: LabelSet) -> Estimate:
    """A row from its margins (D, S, 3K + 1) and the scores of every resample and seed (resamples, S)."""
    seeds = columns.shape[1]
    total = columns.sum(axis=0)
    by_seed = scores_of_margins(total, labels)
    without = scores_of_margins(total - columns, labels)
    own = {name: _own_variance(by_seed[name], resampled[name]) for name in METRICS}
    drawn = _seed_weights(columns, len(resampled[MICRO_F1.name]))
    return Estimate(
        score={name: float(by_seed[name].mean()) for name in METRICS},
        deviation={name: float(by_seed[name].std(ddof=1)) for name in METRICS} if seeds > 1 else None,
        seed_variance={name: own[name] / seeds for name in METRICS},
        replicates={
            name: np.clip(resampled[name].mean(axis=1) + drawn @ _rescaled(by_seed[name], own[name]), *metric.limits)
            for name, metric in METRICS.items()
        },
        leave_one_out={name: without[name].mean(axis=1) for name in METRICS},
        seeds=seeds,
        dialogues=len(columns),
    )


def _own_variance(by_seed: NDArray[np.float64], resampled: NDArray[np.float64]) -> float:
    """Variance between seeds beyond what their errors on different dialogues explain, from (S,) and (resamples, S)."""
    seeds = len(by_seed)
    if seeds == 1:
        return 0.0
    apart = resampled - resampled.mean(axis=1, keepdims=True)
    explained = float(apart.var(axis=0).sum()) / (seeds - 1)
    return max(0.0, float(by_seed.var(ddof=1)) - explained)


def _rescaled(by_seed: NDArray[np.float64], variance: float) -> NDArray[np.float64]:
    """Deviations of the seeds from their mean, shrunk to a variance."""
    deviations = by_seed - by_seed.mean()
    return deviations * np.sqrt(variance / by_seed.var(ddof=1)) if variance > 0 else np.zeros_like(deviations)


def _seed_weights(columns: NDArray[np.int64], resamples: int) -> NDArray[np.float64]:
    """Change of every seed's weight in the mean, (resamples, seeds).

    The generator is seeded with the row's content: rows get draws of their own, whatever their place on a board.
    """
    seeds = columns.shape[1]
    if seeds == 1:
        return np.zeros((resamples, 1))
    generator = np.random.default_rng(zlib.crc32(columns.tobytes()))
    drawn = generator.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=resamples)
    change: NDArray[np.float64] = drawn / (seeds - 1) - 1 / seeds
    return change


def _resampled_scores(columns: NDArray[np.int64], labels: LabelSet, weights: Weights) -> dict[str, NDArray[np.float64]]:
    """Scores of every run and resample, each (runs, resamples), from margins (dialogues, runs, 3K + 1)."""
    dialogues, runs, _ = columns.shape
    size = len(labels)
    largest = dialogues * int(columns.max(initial=0))
    exact: type[Any] = np.float32 if largest < LARGEST_EXACT_FLOAT32 else np.float64
    gold = columns[:, :, size : 2 * size]
    if (gold == gold[:, :1]).all():
        gold = gold[:, :1]  # runs on the same utterances share their gold counts
    answers = np.concatenate([columns[:, :, :size], columns[:, :, 2 * size :]], axis=2)
    factors = [np.ascontiguousarray(part.T.reshape(-1, dialogues).astype(exact)) for part in (gold, answers)]
    found = {name: np.empty((runs, weights.resamples)) for name in METRICS}
    start = 0
    for block in weights.blocks():
        drawn = block.astype(exact).T
        # Laid out count by count, so that sums over labels run along memory.
        of_gold, of_answers = (
            np.moveaxis((factor @ drawn).astype(np.float64).reshape(-1, members, len(block)), 0, -1)
            for factor, members in zip(factors, (gold.shape[1], runs), strict=True)
        )
        counts = Margins(of_answers[..., :size], of_gold, of_answers[..., size:], Margins.positions(labels))
        for name, values in scores_of_counts(counts).items():
            found[name][:, start : start + len(block)] = values
        start += len(block)
    return found

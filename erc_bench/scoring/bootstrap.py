"""Cluster bootstrap over dialogues: how far a score would move on other dialogues of the same kind.

The utterances of a dialogue are not independent, so whole dialogues are drawn. A resample of D dialogues is a
vector of how often each was drawn; times the counts of the dialogues it gives the resample's confusion counts.
All rows of a board share these vectors, so that the difference of two rows is bootstrapped pair by pair.

Its standard errors are what differences are tested with. Intervals of scores come from `erc_bench.scoring.limits`, in
which nothing is drawn: the limits of a percentile or BCa interval lie where few resamples do, and change with the draw.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.catalogue import METRICS, MICRO_F1
from erc_bench.scoring.limits import LEVEL as LEVEL
from erc_bench.scoring.limits import Interval as Interval
from erc_bench.scoring.limits import Measured, degrees_of_freedom, influences, measured, seed_terms
from erc_bench.scoring.limits import student_quantile as student_quantile
from erc_bench.scoring.metric import Margins
from erc_bench.scoring.metrics import margins, scores_of_counts

RESAMPLES = 10_000
RESAMPLES_AT_ONCE = 500
RUNS_AT_ONCE = 48
LARGEST_BLOCK = 2**22
LARGEST_KEPT = 2**26
LARGEST_EXACT_FLOAT32 = 2**24


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
    one seed), and `seed_variance` what the seeds add to the variance of the mean (0 with one seed); `replicates`
    (resamples,) and `leave_one_out` (dialogues,) are float64 arrays by metric. Keys and units are those of
    `erc_bench.scoring.metrics.scores`.
    """

    score: Mapping[str, float]
    intervals: Mapping[str, Interval]
    deviation: Mapping[str, float] | None
    seed_variance: Mapping[str, float]
    replicates: Mapping[str, NDArray[np.float64]]
    leave_one_out: Mapping[str, NDArray[np.float64]]
    seeds: int
    dialogues: int

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
    whole, without = Margins.of(total, labels), Margins.of(total - columns, labels)
    found = {name: measured(metric, whole, without) for name, metric in METRICS.items()}
    drawn = _seed_weights(columns, len(resampled[MICRO_F1.name]))
    return Estimate(
        score={name: one.value for name, one in found.items()},
        intervals={name: one.interval() for name, one in found.items()},
        deviation={name: float(one.by_seed.std(ddof=1)) for name, one in found.items()} if seeds > 1 else None,
        seed_variance={name: one.between_seeds / seeds for name, one in found.items()},
        replicates={name: _replicates(one, resampled[name], drawn) for name, one in found.items()},
        leave_one_out={name: one.leave_one_out.mean(axis=1) for name, one in found.items()},
        seeds=seeds,
        dialogues=len(columns),
    )


def _replicates(found: Measured, resampled: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a score on other dialogues (resamples, S) and, with `drawn`, other seeds: (resamples,)."""
    moved = drawn @ _rescaled(found.by_seed, found.between_seeds)
    return np.asarray(np.clip(resampled.mean(axis=1) + moved, *found.metric.limits), np.float64)


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

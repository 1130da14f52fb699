"""Cluster bootstrap over dialogues: how far a score would move on other dialogues of the same kind.

The utterances of a dialogue are not independent, so whole dialogues are drawn. A resample of D dialogues is a
vector of how often each was drawn; times the counts of the dialogues it gives the resample's confusion counts.
All rows of a board share the vectors, so that the difference of two rows is bootstrapped pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erc_bench.domain import LabelSet
from erc_bench.metrics import margins, scores_of_margins

RESAMPLES = 10_000
LEVEL = 0.95
RESAMPLES_AT_ONCE = 500
LARGEST_EXACT_FLOAT32 = 2**24


class Interval(NamedTuple):
    """Lower and upper limit, in the unit of the metric."""

    low: float
    high: float


def resample_weights(dialogues: int, *, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.uint8]:
    """How often each dialogue is drawn in each resample, uint8 (resamples, dialogues); every row sums to `dialogues`.

    The same arguments give the same weights. Rows that share them can be compared pair by pair.

    Raises
    ------
    ValueError
        Fewer than one dialogue or resample.
    """
    if dialogues < 1 or resamples < 1:
        raise ValueError(f"dialogues and resamples must be at least 1, got {dialogues} and {resamples}")
    generator = np.random.default_rng(seed)
    weights = np.empty((resamples, dialogues), np.uint8)
    for start in range(0, resamples, RESAMPLES_AT_ONCE):
        rows = min(RESAMPLES_AT_ONCE, resamples - start)
        drawn = generator.integers(dialogues, size=(rows, dialogues))
        drawn += np.arange(rows)[:, None] * dialogues
        counts = np.bincount(drawn.ravel(), minlength=rows * dialogues)
        weights[start : start + rows] = counts.reshape(rows, dialogues)
    return weights


@dataclass(frozen=True, eq=False)
class Estimate:
    """A row of the board: its scores, their spread over seeds, and their bootstrap replicates.

    `score` is the mean over seeds; `deviation` the standard deviation over seeds (None with one seed);
    `replicates` one float64 array (resamples,) a metric. Units as in `erc_bench.metrics.scores`.
    """

    score: Mapping[str, float]
    deviation: Mapping[str, float] | None
    replicates: Mapping[str, NDArray[np.float64]]
    seeds: int
    dialogues: int

    def interval(self, metric: str, *, level: float = LEVEL) -> Interval:
        """Percentile interval of a metric."""
        return percentile_interval(self.replicates[metric], level=level)


def percentile_interval(replicates: NDArray[np.float64], *, level: float = LEVEL) -> Interval:
    """The central `level` of the replicates."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def estimate(runs: Sequence[NDArray[np.int64]], labels: LabelSet, weights: NDArray[np.uint8]) -> Estimate:
    """Scores of a row and their replicates, from one array of confusion counts (D, K, K + 1) a seed.

    Raises
    ------
    ValueError
        No run, or runs and weights that count different dialogues.
    """
    if not runs or any(len(run) != weights.shape[1] for run in runs):
        raise ValueError(f"runs must each cover {weights.shape[1]} dialogues, got {[len(run) for run in runs]}")
    columns = np.concatenate([margins(run) for run in runs], axis=1)
    per_seed = scores_of_margins(columns.sum(axis=0).reshape(len(runs), -1), labels)
    resampled = _resampled_scores(columns, len(runs), labels, weights)
    replicates = {name: values.mean(axis=1) for name, values in resampled.items()}
    return Estimate(
        score={name: float(values.mean()) for name, values in per_seed.items()},
        deviation={name: float(values.std(ddof=1)) for name, values in per_seed.items()} if len(runs) > 1 else None,
        replicates=replicates,
        seeds=len(runs),
        dialogues=weights.shape[1],
    )


def _resampled_scores(
    columns: NDArray[np.int64], seeds: int, labels: LabelSet, weights: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:
    """Scores of every resample and seed, each (resamples, seeds)."""
    largest = weights.shape[1] * int(columns.max(initial=0))
    exact: type[Any] = np.float32 if largest < LARGEST_EXACT_FLOAT32 else np.float64
    counts = columns.astype(exact)
    parts = []
    for start in range(0, len(weights), RESAMPLES_AT_ONCE):
        product = weights[start : start + RESAMPLES_AT_ONCE].astype(exact) @ counts
        parts.append(scores_of_margins(product.reshape(len(product), seeds, -1), labels))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

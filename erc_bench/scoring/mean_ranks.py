"""Mean ranks of systems over several corpora, and how far other dialogues would move them: one joint bootstrap.

Corpora have metrics of different scales, so that scores cannot be averaged; ranks can. A replicate draws the dialogues
of every corpus anew, ranks the systems on each, and averages the ranks. The resamples of one corpus must know nothing of
those of another, but all are drawn from one seed: the replicates of each corpus are put into an order of its own, the
same for every system.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erc_bench.scoring.bootstrap import LEVEL, Estimate, Interval
from erc_bench.scoring.metric import Metric

TIE_DECIMALS = 9


@dataclass(frozen=True, slots=True, eq=False)
class CorpusScores:
    """The same systems, in the same order, on one corpus, by the metric that ranks them there."""

    name: str
    metric: Metric
    rows: Sequence[Estimate]


@dataclass(frozen=True, slots=True)
class MeanRank:
    """The mean of a system's ranks on all corpora (1: best everywhere; equal scores share a rank) and its 95% interval."""

    value: float
    interval: Interval


def mean_ranks(corpora: Sequence[CorpusScores], level: float = LEVEL) -> list[MeanRank]:
    """The mean rank of every system, in the order given.

    The interval holds the middle of the replicates, and always the mean rank itself: replicates mix systems that are close,
    so that the best of many may be best in few of them.

    Raises
    ------
    ValueError
        No corpus, corpora with different numbers of systems, or replicates of different numbers.
    """
    if not corpora or len({len(corpus.rows) for corpus in corpora}) > 1:
        raise ValueError(f"every corpus must have the same systems, got {[len(corpus.rows) for corpus in corpora]}")
    if not corpora[0].rows:
        return []
    replicates = [_replicates(corpus) for corpus in corpora]
    if len({values.shape for values in replicates}) > 1:
        raise ValueError(f"corpora must be resampled equally often, got {[values.shape[1] for values in replicates]}")
    observed = np.mean([ranks_of(_scores(corpus)) for corpus in corpora], axis=0)[:, 0]
    resampled = np.mean([ranks_of(values) for values in replicates], axis=0)
    low, high = np.quantile(resampled, ((1 - level) / 2, (1 + level) / 2), axis=1)
    return [
        MeanRank(float(value), Interval(float(min(value, below)), float(max(value, above))))
        for value, below, above in zip(observed, low, high, strict=True)
    ]


def ranks_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of systems (S, N) in each column, 1 for the smallest value; equal ones share the mean of their places."""
    values = values.round(TIE_DECIMALS)
    found = np.empty(values.shape)
    for place, own in enumerate(values):
        found[place] = (values < own).sum(axis=0) + ((values == own).sum(axis=0) + 1) / 2
    return found


def _scores(corpus: CorpusScores) -> NDArray[np.float64]:
    name = corpus.metric.name
    return np.array([[corpus.metric.best_first(row.score[name])] for row in corpus.rows])


def _replicates(corpus: CorpusScores) -> NDArray[np.float64]:
    """Replicates (S, resamples), smallest best, in the order of this corpus."""
    name = corpus.metric.name
    values = np.stack([row.replicates[name] for row in corpus.rows])
    order = np.random.default_rng(zlib.crc32(corpus.name.encode())).permutation(values.shape[1])
    shuffled = values[:, order]
    return -shuffled if corpus.metric.higher_is_better else shuffled

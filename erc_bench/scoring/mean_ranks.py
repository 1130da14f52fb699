"""Mean ranks of systems over several corpora, and how sure they are: one joint bootstrap.

Corpora have metrics of different scales, so that scores cannot be averaged; ranks can. Ranks that are drawn anew in each
resample would not do for intervals: where systems are close, the best of them is best in few resamples, and its true
rank often lies outside of their middle 95% (docs/protocols-and-metrics.md has the simulation). The interval of a system
counts instead which others the resamples tell apart from it, on all corpora at once (Mogstad et al. 2024).
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
ROUNDING = 1e-9


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

    On each corpus a system ranks at best behind those that are shown to be better, and at worst before those that are shown to
    be worse; the interval is the mean of these bounds over corpora. Better and worse are shown by differences of scores, each
    over its standard error, that exceed what the largest of all of them (every other system, every corpus) has in `level`
    of the resamples: so that the bounds of a system hold together in that share of test sets.

    Raises
    ------
    ValueError
        No corpus, corpora with different numbers of systems, or replicates of different numbers.
    """
    if not corpora or len({len(corpus.rows) for corpus in corpora}) > 1:
        raise ValueError(f"every corpus must have the same systems, got {[len(corpus.rows) for corpus in corpora]}")
    if not corpora[0].rows:
        return []
    scores = np.stack([_scores(corpus) for corpus in corpora])
    replicates = [_replicates(corpus) for corpus in corpora]
    if len({values.shape for values in replicates}) > 1:
        raise ValueError(f"corpora must be resampled equally often, got {[values.shape[1] for values in replicates]}")
    observed = np.mean([ranks_of(values[:, None])[:, 0] for values in scores], axis=0)
    drawn = np.stack(replicates)
    return [MeanRank(float(observed[own]), _bounds(own, scores, drawn, level)) for own in range(scores.shape[1])]


def _bounds(own: int, scores: NDArray[np.float64], drawn: NDArray[np.float64], level: float) -> Interval:
    """From scores (corpora, S) and replicates (corpora, S, resamples), smallest best."""
    others = np.arange(scores.shape[1]) != own
    if not others.any():
        return Interval(1.0, 1.0)
    ahead = (scores[:, others] - scores[:, [own]]).round(TIE_DECIMALS)  # positive: the system is better than the other
    moved = (drawn[:, others] - drawn[:, [own]]) - ahead[:, :, None]
    errors = np.sqrt((moved**2).mean(axis=2))
    sure = errors > ROUNDING  # two rows that no resample moves apart differ for sure, or not at all
    largest = np.zeros(drawn.shape[2])
    for part, error in zip(moved[sure], errors[sure], strict=True):
        np.maximum(largest, np.abs(part) / error, out=largest)
    apart = np.abs(ahead) > np.where(sure, np.quantile(largest, level) * errors, 0.0)
    worse, better = (apart & (ahead > 0)).sum(axis=1), (apart & (ahead < 0)).sum(axis=1)
    return Interval(float((1 + better).mean()), float((scores.shape[1] - worse).mean()))


def ranks_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of systems (S, N) in each column, 1 for the smallest value; equal ones share the mean of their places."""
    values = values.round(TIE_DECIMALS)
    found = np.empty(values.shape)
    for place, own in enumerate(values):
        found[place] = (values < own).sum(axis=0) + ((values == own).sum(axis=0) + 1) / 2
    return found


def _scores(corpus: CorpusScores) -> NDArray[np.float64]:
    name = corpus.metric.name
    return np.array([corpus.metric.best_first(row.score[name]) for row in corpus.rows])


def _replicates(corpus: CorpusScores) -> NDArray[np.float64]:
    """Replicates (S, resamples), smallest best, in an order of this corpus: all are drawn from one seed, and the resamples of
    one corpus must know nothing of those of another.
    """
    name = corpus.metric.name
    values = np.stack([row.replicates[name] for row in corpus.rows])
    order = np.random.default_rng(zlib.crc32(corpus.name.encode())).permutation(values.shape[1])
    shuffled = values[:, order]
    return -shuffled if corpus.metric.higher_is_better else shuffled

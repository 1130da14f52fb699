"""The resamples of a bootstrap: which dialogues are drawn, and what rows score on them.

All rows of a board share the draws, so that the difference of two rows is bootstrapped pair by pair. A resample of D
dialogues is a vector of how often each was drawn; times the counts of the dialogues it gives the resample's counts. Of
these only what a metric needs is computed, when it is first asked for, for all rows at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.domain import LabelSet
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.metric import Margins, Metric
from erc_bench.scoring.metrics import pooled

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


class Resampling:
    """Rows that are resampled together, each metric when it is first asked for.

    Parameters
    ----------
    columns
        The margins of each row, int64 (D, S, 3K + 1).
    moves
        By metric, how far each of its seeds lies from their mean, shrunk to what seeds add: float64 (S,).
    labels
        Those of the margins.
    weights
        The resamples.
    """

    def __init__(
        self,
        columns: Sequence[NDArray[np.int64]],
        moves: Sequence[Mapping[str, NDArray[np.float64]]],
        labels: LabelSet,
        weights: Weights,
    ) -> None:
        # Seeded with the row's content: rows get draws of their own, whatever their place on a board.
        self._seeds = [zlib.crc32(own.tobytes()) for own in columns]
        self._columns = [own.astype(np.min_scalar_type(own.max(initial=0))) for own in columns]
        self._moves = moves
        self._labels = labels
        self._weights = weights
        self._found: dict[str, list[NDArray[np.float64]]] = {}

    def of(self, metric: str) -> list[NDArray[np.float64]]:
        """The bootstrap values of every row, float64 (resamples,)."""
        if metric not in self._found:
            self._found[metric] = self.draw(metric, range(len(self._columns)))
        return self._found[metric]

    def draw(self, metric: str, places: Sequence[int]) -> list[NDArray[np.float64]]:
        """The bootstrap values of some rows."""
        found: list[NDArray[np.float64]] = []
        for part in self._parts(places):
            columns = np.concatenate([self._columns[place] for place in part], axis=1)
            values = resampled_scores(columns, METRICS[metric], self._labels, self._weights)
            first = 0
            for place in part:
                moves = self._moves[place][metric]
                # Contiguous, so that means over seeds are rounded alike everywhere: accuracies tie with the score itself.
                own = np.ascontiguousarray(values[first : first + len(moves)].T)
                first += len(moves)
                moved = _seed_weights(self._seeds[place], len(moves), self._weights.resamples) @ moves
                found.append(np.clip(own.mean(axis=1) + moved, *METRICS[metric].limits))
        return found

    def _parts(self, places: Sequence[int]) -> Iterator[list[int]]:
        """The rows in order, as many at once as have `RUNS_AT_ONCE` runs between them, and at least one."""
        part: list[int] = []
        runs = 0
        for place in places:
            own = self._columns[place].shape[1]
            if part and runs + own > RUNS_AT_ONCE:
                yield part
                part, runs = [], 0
            part.append(place)
            runs += own
        if part:
            yield part


class Replicates(Mapping[str, NDArray[np.float64]]):
    """The bootstrap values of one row by metric, float64 (resamples,), drawn when they are asked for."""

    def __init__(self, resampling: Resampling, place: int) -> None:
        self._resampling = resampling
        self._place = place

    def __getitem__(self, metric: str) -> NDArray[np.float64]:
        return self._resampling.of(metric)[self._place]

    def __iter__(self) -> Iterator[str]:
        return iter(METRICS)

    def __len__(self) -> int:
        return len(METRICS)


def _seed_weights(content: int, seeds: int, resamples: int) -> NDArray[np.float64]:
    """Change of every seed's weight in the mean, (resamples, seeds)."""
    if seeds == 1:
        return np.zeros((resamples, 1))
    change: NDArray[np.float64] = _drawn_seeds(content, seeds, resamples) / (seeds - 1) - 1 / seeds
    return change


@lru_cache(maxsize=256)
def _drawn_seeds(content: int, seeds: int, resamples: int) -> NDArray[np.unsignedinteger[Any]]:
    """How often each seed is drawn, (resamples, seeds): the same for every metric of a row."""
    drawn = np.random.default_rng(content).multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=resamples)
    return drawn.astype(np.min_scalar_type(seeds))


def resampled_scores(columns: NDArray[Any], metric: Metric, labels: LabelSet, weights: Weights) -> NDArray[np.float64]:
    """A metric of every run and resample, (runs, resamples), from margins (dialogues, runs, 3K + 1).

    Raises
    ------
    ValueError
        A metric that is not computed from counts.
    """
    if metric.of is None:
        raise ValueError(f"a metric must be computed from counts to be resampled, got {metric.name}")
    size, emotions = len(labels), Margins.positions(labels)
    if metric.pooled:
        columns, size, emotions = pooled(columns, emotions), 1, slice(0, 1)
    dialogues, runs, _ = columns.shape
    largest = dialogues * int(columns.max(initial=0))
    exact: type[Any] = np.float32 if largest < LARGEST_EXACT_FLOAT32 else np.float64
    gold = columns[:, :, size : 2 * size]
    if (gold == gold[:, :1]).all():
        gold = gold[:, :1]  # runs on the same utterances share their gold counts
    answers = np.concatenate([columns[:, :, :size], columns[:, :, 2 * size :]], axis=2)
    factors = [_Counts(part.T.reshape(-1, dialogues).astype(exact)) for part in (gold, answers)]
    found = np.empty((runs, weights.resamples))
    start = 0
    for block in weights.blocks():
        drawn = block.astype(exact).T
        # Laid out count by count, so that sums over labels run along memory.
        of_gold, of_answers = (
            np.moveaxis(factor.of(drawn).reshape(-1, members, len(block)), 0, -1)
            for factor, members in zip(factors, (gold.shape[1], runs), strict=True)
        )
        counts = Margins(of_answers[..., :size], of_gold, of_answers[..., size:], emotions)
        found[:, start : start + len(block)] = metric.of(counts)
        start += len(block)
    return found


class _Counts:
    """Counts of dialogues (N, D), to be summed over the dialogues of resamples."""

    def __init__(self, counts: NDArray[Any]) -> None:
        # Many have no unusable answer, or never one of the labels: sums of nothing need no product.
        self._places = np.flatnonzero(counts.any(axis=1))
        self._counts = np.ascontiguousarray(counts[self._places])
        self._number = len(counts)

    def of(self, drawn: NDArray[Any]) -> NDArray[np.float64]:
        """The sums of resamples (D, R), float64 (N, R)."""
        sums = np.zeros((self._number, drawn.shape[1]))
        sums[self._places] = self._counts @ drawn
        return sums

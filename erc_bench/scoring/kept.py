"""Estimates kept by what they follow from: a board is resampled anew only where its runs changed.

An estimate follows from the counts of its runs, the resamples, the labels, and the code of this folder; all of these
are in the name of its entry. Metrics of other packages follow from code that is not seen here, so that with one of
them installed nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erc_bench.content_cache import ContentCache
from erc_bench.contract.domain import LabelSet
from erc_bench.paths import cache_dir
from erc_bench.scoring import catalogue
from erc_bench.scoring.bootstrap import Estimate, estimates_of_margins, with_replicates, without_replicates
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.limits import Interval
from erc_bench.scoring.resampling import Resampling, Weights

FOLDER = "estimates"
SCALARS = 5


def kept_estimates(
    columns: Sequence[NDArray[np.int64]], labels: LabelSet, weights: Weights, folder: Path | None = None
) -> list[Estimate]:
    """`estimates_of_margins`, computing only those that were not computed before, and drawing only what was not drawn.

    Parameters
    ----------
    columns
        The margins of each row, int64 (D, S, 3K + 1).
    folder
        Where to keep them; default the user's cache folder, which is safe to delete.
    """
    if any(metric.of is None or metric.of.__module__ != catalogue.__name__ for metric in METRICS.values()):
        return estimates_of_margins(columns, labels, weights)
    kept = ContentCache((folder or cache_dir()) / FOLDER)
    keys = [_key(own, labels, weights) for own in columns]
    found = [_estimate(kept, key, own, labels) for key, own in zip(keys, columns, strict=True)]
    return with_replicates(found, _KeptResampling(kept, keys, columns, found, labels, weights))


class _KeptResampling(Resampling):
    """A resampling that keeps the values of each row and metric."""

    def __init__(
        self,
        kept: ContentCache,
        keys: Sequence[str],
        columns: Sequence[NDArray[np.int64]],
        found: Sequence[Estimate],
        labels: LabelSet,
        weights: Weights,
    ) -> None:
        super().__init__(columns, [row.seed_moves for row in found], labels, weights)
        self._kept = kept
        self._keys = keys

    def draw(self, metric: str, places: Sequence[int]) -> list[NDArray[np.float64]]:
        """The bootstrap values of some rows, as kept or drawn."""
        keys = {place: _sha256(f"{self._keys[place]} {metric}".encode()) for place in places}
        kept = {place: self._kept.get(key) for place, key in keys.items()}
        found = {place: None if content is None else np.frombuffer(content, "<f8") for place, content in kept.items()}
        missing = [place for place, values in found.items() if values is None]
        for place, values in zip(missing, super().draw(metric, missing), strict=True):
            self._kept.put(keys[place], values.astype("<f8").tobytes())
            found[place] = values
        return [values for values in found.values() if values is not None]


def _estimate(kept: ContentCache, key: str, columns: NDArray[np.int64], labels: LabelSet) -> Estimate:
    dialogues, seeds, _ = columns.shape
    found = _read(kept.get(key), dialogues, seeds)
    if found is None:
        found = without_replicates(columns, labels)
        kept.put(key, _written(found))
    return found


def _key(columns: NDArray[np.int64], labels: LabelSet, weights: Weights) -> str:
    said = [_code(), labels.names, labels.neutral, list(METRICS), weights.shape, weights.seed, columns.shape]
    return _sha256(json.dumps(said).encode() + columns.tobytes())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def _code() -> str:
    """SHA-256 of everything that decides how an estimate is computed."""
    return _digest(Path(__file__).parent)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256(np.__version__.encode())
    for path in sorted(folder.glob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _written(estimate: Estimate) -> bytes:
    """Score, limits, deviation (nan: none) and seed variance by metric; moves of the seeds and leave-one-out values."""
    deviation = estimate.deviation or dict.fromkeys(METRICS, np.nan)
    limits = [{name: estimate.intervals[name][end] for name in METRICS} for end in (0, 1)]
    rows = (estimate.score, *limits, deviation, estimate.seed_variance)
    arrays = [np.array([values[name] for name in METRICS]) for values in rows]
    arrays += [values[name] for values in (estimate.seed_moves, estimate.leave_one_out) for name in METRICS]
    return b"".join(np.asarray(values, "<f8").tobytes() for values in arrays)


def _read(content: bytes | None, dialogues: int, seeds: int) -> Estimate | None:
    count = len(METRICS)
    if content is None or len(content) != 8 * count * (SCALARS + seeds + dialogues):
        return None
    values = np.frombuffer(content, "<f8").astype(np.float64)
    scalars, moves, without = np.split(values, np.cumsum([SCALARS * count, seeds * count]))
    score, low, high, deviation, variance = (
        dict(zip(METRICS, map(float, row), strict=True)) for row in scalars.reshape(SCALARS, count)
    )
    return Estimate(
        score=score,
        intervals={name: Interval(low[name], high[name]) for name in METRICS},
        deviation=deviation if seeds > 1 else None,
        seed_variance=variance,
        seed_moves=dict(zip(METRICS, moves.reshape(count, seeds), strict=True)),
        leave_one_out=dict(zip(METRICS, without.reshape(count, dialogues), strict=True)),
        seeds=seeds,
        dialogues=dialogues,
    )

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
from erc_bench.scoring.bootstrap import Estimate, Weights, estimates
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.limits import Interval
from erc_bench.scoring.metrics import margins

FOLDER = "estimates"
SCALARS = 5


def kept_estimates(
    rows: Sequence[Sequence[NDArray[np.int64]]], labels: LabelSet, weights: Weights, folder: Path | None = None
) -> list[Estimate]:
    """`estimates`, computing only those that were not computed before.

    Parameters
    ----------
    folder
        Where to keep them; default the user's cache folder, which is safe to delete.
    """
    if any(metric.of is None or metric.of.__module__ != catalogue.__name__ for metric in METRICS.values()):
        return estimates(rows, labels, weights)
    kept = ContentCache((folder or cache_dir()) / FOLDER)
    keys = [_key(runs, labels, weights) for runs in rows]
    found = [_read(kept.get(key), weights) for key in keys]
    missing = [place for place, estimate in enumerate(found) if estimate is None]
    for place, estimate in zip(missing, estimates([rows[place] for place in missing], labels, weights), strict=True):
        kept.put(keys[place], _written(estimate))
        found[place] = estimate
    return [estimate for estimate in found if estimate is not None]


def _key(runs: Sequence[NDArray[np.int64]], labels: LabelSet, weights: Weights) -> str:
    said = [_code(), labels.names, labels.neutral, list(METRICS), weights.shape, weights.seed, [len(r) for r in runs]]
    digest = hashlib.sha256(json.dumps(said).encode())
    for run in runs:
        digest.update(np.ascontiguousarray(margins(run)).tobytes())
    return digest.hexdigest()


@cache
def _code() -> str:
    """SHA-256 of everything that decides how an estimate is computed."""
    digest = hashlib.sha256(np.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _written(estimate: Estimate) -> bytes:
    """Seeds; score, limits, deviation (nan: none) and seed variance by metric; replicates and leave-one-out values."""
    deviation = estimate.deviation or dict.fromkeys(METRICS, np.nan)
    limits = [{name: estimate.intervals[name][end] for name in METRICS} for end in (0, 1)]
    rows = (estimate.score, *limits, deviation, estimate.seed_variance)
    scalars = [[values[name] for name in METRICS] for values in rows]
    arrays = [np.float64(estimate.seeds), *scalars]
    arrays += [values[name] for values in (estimate.replicates, estimate.leave_one_out) for name in METRICS]
    return b"".join(np.asarray(values, "<f8").tobytes() for values in arrays)


def _read(content: bytes | None, weights: Weights) -> Estimate | None:
    resamples, dialogues = weights.shape
    count = len(METRICS)
    if content is None or len(content) != 8 * (1 + count * (SCALARS + resamples + dialogues)):
        return None
    values = np.frombuffer(content, "<f8").astype(np.float64)
    seeds, arrays = int(values[0]), values[1 + SCALARS * count :]
    scalars = values[1 : 1 + SCALARS * count].reshape(SCALARS, count)
    score, low, high, deviation, variance = (dict(zip(METRICS, map(float, row), strict=True)) for row in scalars)
    replicates = arrays[: count * resamples].reshape(count, resamples)
    without = arrays[count * resamples :].reshape(count, dialogues)
    return Estimate(
        score=score,
        intervals={name: Interval(low[name], high[name]) for name in METRICS},
        deviation=deviation if seeds > 1 else None,
        seed_variance=variance,
        replicates=dict(zip(METRICS, replicates, strict=True)),
        leave_one_out=dict(zip(METRICS, without, strict=True)),
        seeds=seeds,
        dialogues=dialogues,
    )

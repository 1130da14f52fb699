"""Ten seeds of `sentemocontext` on the sample, side by side on all cores against one after the other, embeddings cached.

`wall_to_ideal` is the time side by side over that of one after the other divided by the cores: 1 is perfect. Half of the
seeds go one after the other before all of them side by side, the other half after that, so that a machine that grows busy
slows both; one that is busy blurs it all the same. `work_to_alone`, the processor's seconds of one way over those of the
other, hardly depends on that: it is what starting processes and sharing caches cost, and on an idle machine the same ratio
if the runs are equally long. Both ways must predict the same bytes.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from erc_bench.contract.config import build_config
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import Runtime
from erc_bench.data import load_dataset
from erc_bench.paths import cache_dir
from erc_bench.progress import SilentProgress
from erc_bench.running.executors import Local
from erc_bench.running.request import RunOutcome, RunRequest
from erc_bench.toolkit.threads import available_threads

LIMITS = {"wall_to_ideal": ("<=", 1.2), "work_to_alone": ("<=", 1.2)}
SEEDS, EPOCHS = 10, 60  # as many epochs as make a run last, as one on a corpus does


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the clock, and of the processor in this process and in those that it started."""

    wall: float
    work: float

    def __add__(self, other: Took) -> Took:
        return Took(self.wall + other.wall, self.work + other.work)


def processor_seconds() -> float:
    """Of this process and of those of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def timed(results: Path, seeds: Iterable[int], *, epochs: int, jobs: int) -> Took:
    """Make the runs, and say what they took."""
    dataset, system = load_dataset("sample"), system_class("sentemocontext")
    config = build_config(system.Config, {"epochs": epochs}, owner="sentemocontext")
    runtime = Runtime(offline=True, cache_dir=cache_dir())
    requests = [RunRequest(system, config, dataset, results, seed=seed, runtime=runtime) for seed in seeds]
    started, before = time.perf_counter(), processor_seconds()
    outcomes = [outcome for _, outcome in Local(jobs).make(requests, SilentProgress())]
    took = Took(time.perf_counter() - started, processor_seconds() - before)
    if not all(isinstance(outcome, RunOutcome) and not outcome.already_complete for outcome in outcomes):
        raise RuntimeError(f"every run must be made, got {outcomes}")
    return took


def predictions(results: Path) -> dict[str, bytes]:
    """What each run predicted, by its place in the folder."""
    return {str(path.relative_to(results)): path.read_bytes() for path in results.rglob("predictions.jsonl")}


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Both ways, and their ratios."""
    seeds, epochs = (2, 1) if tiny else (SEEDS, EPOCHS)
    jobs = min(max(2, available_threads()), seeds)
    with tempfile.TemporaryDirectory() as name:
        first, one, side = (Path(name) / each for each in ("first", "alone", "beside"))
        timed(first, range(1), epochs=1, jobs=1)  # fills the cache of embeddings, imports libraries
        alone = timed(one, range(seeds // 2), epochs=epochs, jobs=1)
        beside = timed(side, range(seeds), epochs=epochs, jobs=jobs)
        alone += timed(one, range(seeds // 2, seeds), epochs=epochs, jobs=1)
        if predictions(one) != predictions(side) or len(predictions(one)) != seeds:
            raise RuntimeError("runs side by side must predict the same bytes as one after the other")
    return {
        "jobs": float(jobs),
        "seeds": float(seeds),
        "alone_seconds": alone.wall,
        "beside_seconds": beside.wall,
        "alone_processor_seconds": alone.work,
        "beside_processor_seconds": beside.work,
        "wall_to_ideal": beside.wall / (alone.wall / jobs),
        "work_to_alone": beside.work / alone.work,
    }

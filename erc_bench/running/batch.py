"""Making several runs: one after the other, side by side in processes, or on a cluster."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from erc_bench.errors import ErcBenchError
from erc_bench.progress import Progress
from erc_bench.running.parcels import Failure, Result, resources_of
from erc_bench.running.request import RunRequest
from erc_bench.running.runner import execute


def make_runs(requests: Sequence[RunRequest], progress: Progress, *, jobs: int = 1) -> Generator[Result]:
    """Make runs and yield each as it ends; one that fails stops no other.

    Parameters
    ----------
    jobs
        Cores to use: as many runs go side by side, in processes of their own, as ask for that many together. With 1 they
        go one after the other in this process. What a run leaves does not depend on it.
    """
    if jobs > 1 and len(requests) > 1:
        from erc_bench.running.processes import make_in_processes

        yield from make_in_processes(requests, progress, jobs=jobs)
        return
    for request in requests:
        try:
            yield request, execute(request, progress)
        except ErcBenchError as error:
            yield request, Failure(request, error)


def automatic_jobs(requests: Sequence[RunRequest]) -> int:
    """The cores to use where nobody says: all, unless the memory that is free suffices for fewer runs."""
    import psutil

    from erc_bench.toolkit.threads import available_threads

    needs = [resources_of(request) for request in requests]
    free_gib = psutil.virtual_memory().available / 2**30
    most = max(1, int(free_gib / max((need.memory_gib for need in needs), default=1)))
    return max(1, min(available_threads(), most * min((need.cpus for need in needs), default=1)))

"""Where runs are made: one after the other, side by side in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from erc_bench.contract.registry import is_foreign
from erc_bench.errors import ErcBenchError, UsageError
from erc_bench.progress import Progress
from erc_bench.running.parcels import Failure, Result, resources_of
from erc_bench.running.request import RunRequest
from erc_bench.running.runner import execute

ExecutorName = Literal["local", "ray"]
Jobs = int | Literal["auto"]
EXECUTORS: tuple[ExecutorName, ...] = get_args(ExecutorName)


class Executor(Protocol):
    """Makes runs somewhere. What a run leaves does not depend on where."""

    def make(self, requests: Sequence[RunRequest], progress: Progress) -> Generator[Result]:
        """Make runs and yield each as it ends; one that fails stops no other. Closing the generator stops them."""
        ...


@dataclass(frozen=True, slots=True)
class Local:
    """The machine of this process.

    `jobs` are cores to use: as many runs go side by side, in processes of their own, as ask for that many together. With
    1 they go one after the other: those of systems that other packages register in a process beside this one, the others
    in this one. "auto": all, if the memory suffices.
    """

    jobs: Jobs = 1

    def make(self, requests: Sequence[RunRequest], progress: Progress) -> Generator[Result]:
        """As `Executor.make`."""
        jobs = automatic_jobs(requests) if self.jobs == "auto" else self.jobs
        if jobs > 1 and len(requests) > 1:
            from erc_bench.running.processes import make_in_processes

            yield from make_in_processes(requests, progress, jobs=jobs)
            return
        for foreign, group in itertools.groupby(requests, lambda request: is_foreign(request.system)):
            if foreign:  # whatever it does to its process, it does to no other run
                from erc_bench.running.processes import make_in_processes

                yield from make_in_processes(list(group), progress, jobs=1)
                continue
            for request in group:
                try:
                    yield request, execute(request, progress)
                except ErcBenchError as error:
                    yield request, Failure(request, error)


@dataclass(frozen=True, slots=True)
class OnRay:
    """The Ray cluster at an address (`host:port`, or `auto` on a machine that belongs to one).

    Without an address, a cluster of this machine that lasts as long as the runs, with `jobs` cores.
    """

    address: str | None = None
    jobs: Jobs = "auto"

    def make(self, requests: Sequence[RunRequest], progress: Progress) -> Generator[Result]:
        """As `Executor.make`."""
        from erc_bench.running.cluster import make_on_ray
        from erc_bench.toolkit.threads import available_threads

        cores = available_threads() if self.jobs == "auto" else self.jobs
        yield from make_on_ray(requests, progress, address=self.address, cores=cores)


def executor_named(name: str, *, jobs: Jobs | None = None, address: str | None = None) -> Executor:
    """The executor of a name; what is None has the executor's default.

    Raises
    ------
    UsageError
        No such executor, or something that it has no use for.
    """
    if name not in EXECUTORS:
        raise UsageError(f"an executor must be one of {', '.join(EXECUTORS)}, got {name!r}.")
    if name == "local":
        if address is not None:
            raise UsageError(
                f"an address must be given for the executor ray only, got {address!r}. Add: --executor ray"
            )
        return Local() if jobs is None else Local(jobs)
    if jobs is not None and address is not None:
        raise UsageError("jobs and an address exclude each other: a cluster knows how many cores it has.")
    return OnRay(address, "auto" if jobs is None else jobs)


def automatic_jobs(requests: Sequence[RunRequest]) -> int:
    """The cores to use where nobody says: all, unless the memory that is free suffices for fewer runs.

    One where a run asks for a GPU: runs side by side would share it, and each take as much longer.
    """
    import psutil

    from erc_bench.toolkit.threads import available_threads

    needs = [resources_of(request) for request in requests]
    if any(need.gpus for need in needs):
        return 1
    free_gib = psutil.virtual_memory().available / 2**30
    most = max(1, int(free_gib / max((need.memory_gib for need in needs), default=1)))
    return max(1, min(available_threads(), most * min((need.cpus for need in needs), default=1)))

"""Runs side by side in processes of this machine, watched from one place.

A worker makes one run after another; it takes the datasets once and sends back how far it is. It stops when it is
asked to, and when the process that started it is gone; the record it was making can then be resumed.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pickle import UnpicklingError
from types import FrameType
from typing import Never

from erc_bench.contract.domain import Dataset
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress
from erc_bench.running.parcels import Failure, Parcel, Result, SentError, datasets_of, made, resources_of
from erc_bench.running.relay import Message, Playback, RelayProgress
from erc_bench.running.request import RunOutcome, RunRequest
from erc_bench.running.runner import give_up
from erc_bench.spawned import end_with_parent, spawn

ATTEMPTS = 2
SECONDS_TO_STOP = 15.0


@dataclass(slots=True)
class _Worker:
    """A process and the run it is making."""

    process: SpawnProcess
    connection: Connection[Parcel | None, Message | Ended]
    index: int = -1
    cores: int = 0
    playback: Playback | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a run."""

    outcome: RunOutcome | SentError


def make_in_processes(requests: Sequence[RunRequest], progress: Progress, *, jobs: int) -> Iterator[Result]:
    """Make runs side by side on `jobs` cores and yield each as it ends.

    A process that dies costs its own run only, which is made again once.
    """
    pool = _Pool(requests, progress, jobs)
    try:
        with progress.task("Runs", total=len(requests), unit="runs") as task:
            for result in pool.results():
                task.advance()
                yield result
    finally:
        pool.stop()


@dataclass
class _Pool:
    requests: Sequence[RunRequest]
    progress: Progress
    jobs: int
    busy: list[_Worker] = field(default_factory=list)
    idle: list[_Worker] = field(default_factory=list)
    attempts: Counter[int] = field(default_factory=Counter)

    def results(self) -> Iterator[Result]:
        """Hand out runs and yield what becomes of them, until none is left."""
        cores = [min(resources_of(request).cpus, self.jobs) for request in self.requests]
        waiting = deque(range(len(self.requests)))
        while waiting or self.busy:
            free = self.jobs - sum(worker.cores for worker in self.busy)
            while (index := next((i for i in waiting if cores[i] <= free), None)) is not None:
                waiting.remove(index)
                self._hand_out(index, cores[index])
                free -= cores[index]
            for worker in self._heard():
                yield from self._listen(worker, waiting)

    def _heard(self) -> list[_Worker]:
        # A process that a system forked may hold the connection open when its worker is gone: the sentinel tells then.
        ready = wait([end for worker in self.busy for end in (worker.connection, worker.process.sentinel)])
        return [worker for worker in self.busy if {worker.connection, worker.process.sentinel}.intersection(ready)]

    def _hand_out(self, index: int, cores: int) -> None:
        worker = self.idle.pop() if self.idle else self._start()
        request = self.requests[index]
        worker.index, worker.cores, worker.playback = index, cores, Playback(self.progress, request.title)
        self.attempts[index] += 1
        self.busy.append(worker)
        with contextlib.suppress(OSError):  # it died while it was idle: listening to it finds that out
            worker.connection.send(Parcel.of(request))

    def _start(self) -> _Worker:
        process, ours = spawn(work, datasets_of(self.requests), name="erc-bench run")
        return _Worker(process, ours)

    def _listen(self, worker: _Worker, waiting: deque[int]) -> Iterator[Result]:
        request = self.requests[worker.index]
        assert worker.playback is not None
        try:
            if not worker.process.is_alive() and not worker.connection.poll():
                raise EOFError
            received = worker.connection.recv()
        except (EOFError, OSError, UnpicklingError):
            self.busy.remove(worker)
            worker.playback.close()
            yield from self._lost(worker, request, waiting)
            return
        if not isinstance(received, Ended):
            worker.playback.show(received)
            return
        worker.playback.close()
        self.busy.remove(worker)
        self.idle.append(worker)
        outcome = received.outcome
        yield request, Failure(request, outcome.received()) if isinstance(outcome, SentError) else outcome

    def _lost(self, worker: _Worker, request: RunRequest, waiting: deque[int]) -> Iterator[Result]:
        worker.process.join()
        worker.connection.close()
        how = f"its process ended with status {worker.process.exitcode}"
        if self.attempts[worker.index] < ATTEMPTS:
            self.progress.note(f"[{request.title}] {how}: the run is made again where it stopped")
            waiting.appendleft(worker.index)
            return
        why = f"{how}, {ATTEMPTS} times (-9: killed, as an operating system does when memory runs out)"
        give_up(request, why, self.progress)
        error = SystemFailedError(
            f"the system {request.system.info.name} must leave its process alone, got this: {why}. What it had finished is "
            "kept; the same command resumes there, with fewer --jobs if memory was short."
        )
        yield request, Failure(request, error)

    def stop(self) -> None:
        """Ask all workers to stop, and end what does not."""
        workers = [*self.busy, *self.idle]
        try:
            for worker in self.idle:
                with contextlib.suppress(OSError):
                    worker.connection.send(None)
            for worker in self.busy:
                worker.process.terminate()
            deadline = time.monotonic() + SECONDS_TO_STOP
            for worker in workers:
                self._drain(worker, deadline)
        finally:
            for worker in workers:
                if worker.process.is_alive():
                    worker.process.kill()
                worker.process.join()
                worker.connection.close()
                if worker.playback is not None:
                    worker.playback.close()
            self.busy, self.idle = [], []

    def _drain(self, worker: _Worker, deadline: float) -> None:
        """Wait for a worker's end; what it still says goes nowhere, so that it never waits for a reader."""
        while worker.process.is_alive() and (left := deadline - time.monotonic()) > 0:
            if worker.connection in wait([worker.connection, worker.process.sentinel], left):
                try:
                    worker.connection.recv()
                except (EOFError, OSError):
                    worker.process.join(max(0.0, deadline - time.monotonic()))


def work(connection: Connection[Message | Ended, Parcel | None], datasets: Mapping[str, Dataset]) -> None:
    """What a worker process does: make the runs it is sent until it is told to stop."""
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGINT, _ignored)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with_parent()
    try:
        while (parcel := connection.recv()) is not None:
            connection.send(Ended(made(parcel.opened(datasets), RelayProgress(connection.send))))
    except (KeyboardInterrupt, EOFError, OSError):
        return


def _ignored(_signal: int, _frame: FrameType | None) -> None:
    """Ctrl-C reaches every process of a terminal; the one that started us decides what it means."""


def _interrupted(_signal: int, _frame: FrameType | None) -> Never:
    signal.signal(signal.SIGTERM, _ignored)
    raise KeyboardInterrupt

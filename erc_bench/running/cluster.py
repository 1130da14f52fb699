"""Runs as tasks of a Ray cluster, each where the cores, GPUs and memory that its system asks for are free.

This process hands out runs, shows how far all of them are and learns what became of them. Datasets travel once to each
machine. A run whose worker or machine is lost is made again, on another machine if need be: where the lost one stopped,
if the records lie in a folder that all machines share; from the start, if they go to a bucket.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Resources
from erc_bench.errors import MissingDependencyError, StorageError, SystemFailedError, UsageError
from erc_bench.files import storage_errors
from erc_bench.paths import cache_dir
from erc_bench.progress import Progress
from erc_bench.records.record import Run, run_folder
from erc_bench.running.channel import Channel, Sender
from erc_bench.running.parcels import Failure, Parcel, Result, SentError, datasets_of, made, resources_of
from erc_bench.running.relay import Note, Playback, RelayProgress
from erc_bench.running.request import RunOutcome, RunRequest

ATTEMPTS = 2  # of a run whose process dies: it may be the run that kills it
MACHINES = 10  # that a run may lose: no fault of its own, but an end there must be
SECONDS_TO_STOP = 15.0
SECONDS_TO_REACH = 10.0
SECONDS_TO_SEE = 10.0
# A cluster of this machine alone talks over the loopback interface and tells nobody that it exists.
LOCAL_ENVIRONMENT = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
GIB = 2**30


def make_on_ray(
    requests: Sequence[RunRequest], progress: Progress, *, address: str | None, cores: int
) -> Iterator[Result]:
    """Make runs on the cluster at an address, or on one of this machine with so many cores; yield each as it ends.

    Raises
    ------
    MissingDependencyError
        Ray is not installed.
    UsageError
        No cluster at the address.
    """
    with (
        connected(address, cores) as ray,
        marked({request.results for request in requests if request.bucket is None}) as markers,
    ):
        work = _Work(ray, requests, progress, markers, own=address is None)
        try:
            with progress.task("Runs", total=len(requests), unit="runs") as task:
                for result in work.results():
                    task.advance()
                    yield result
        finally:
            work.stop()


@contextlib.contextmanager
def connected(address: str | None, cores: int) -> Iterator[Any]:
    """The module ray, connected to a cluster: the one this process already uses, else as `make_on_ray`."""
    if address is None:
        for name, value in LOCAL_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise MissingDependencyError(
            "ray", needed_for="--executor ray", install="pip install 'erc-bench[ray]'"
        ) from None
    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        try:
            ray.init(address="local", num_cpus=cores, include_dashboard=False, **quiet)
        except Exception as error:  # Ray has no class of its own for it
            raise SystemFailedError(
                f"a Ray cluster of this machine must start, got {type(error).__name__}: {error}"
            ) from error
    else:
        _reach(address)
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _no_cluster(address, str(error)) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Ask whether anybody listens, since Ray asks for minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host.removeprefix("ray://").strip("[]"), int(port)), SECONDS_TO_REACH).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str, why: str) -> UsageError:
    return UsageError(
        f"--address must lead to a running Ray cluster, got {address!r}: {why}. Start one with `ray start --head`, or leave "
        "--address out to use this machine."
    )


@contextlib.contextmanager
def marked(folders: set[Path]) -> Iterator[dict[Path, Path]]:
    """A file in each results folder for the time of the runs: a machine that sees it writes to the same storage."""
    markers: dict[Path, Path] = {}
    try:
        for folder in folders:
            marker = folder.absolute() / f".shared-{secrets.token_hex(8)}"
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                marker.touch()
            markers[folder] = marker
        yield markers
    finally:
        for marker in markers.values():
            marker.unlink(missing_ok=True)


def check_shared(marker: Path, seconds: float = SECONDS_TO_SEE) -> None:
    """Refuse to make a run in a folder that is not the one that was marked; network storage may show it a little late.

    Raises
    ------
    StorageError
        It is another folder of the same name.
    """
    deadline = time.monotonic() + seconds
    while not marker.exists():
        if time.monotonic() > deadline:
            raise StorageError(
                f"the results folder must be shared by all machines of the cluster, got {marker.parent}, which "
                f"{socket.gethostname()} does not share. Name a folder on shared storage, or a bucket (s3://…)."
            )
        time.sleep(0.1)


def make_remotely(
    parcel: Parcel, marker: Path | None, channel: Any, index: int, attempt: int, *datasets: Dataset
) -> RunOutcome | SentError:
    """What a worker does: make one run, with the caches of its own machine."""
    request = parcel.opened(dict(zip(parcel.fingerprints, datasets, strict=True)))
    if request.runtime.cache_dir is not None:
        request = replace(request, runtime=replace(request.runtime, cache_dir=cache_dir()))
    if request.bucket is not None:
        request = replace(request, results=request.bucket.folder)
    sender = Sender(channel, index, attempt)
    try:
        if marker is not None:
            check_shared(marker)
    except StorageError as error:
        return SentError.of(error)
    outcome = made(request, RelayProgress(sender.send))
    sender.finish()
    return outcome


@dataclass(slots=True)
class _Sent:
    """A run that was handed out."""

    index: int
    attempt: int
    playback: Playback


@dataclass
class _Work:
    ray: Any
    requests: Sequence[RunRequest]
    progress: Progress
    markers: Mapping[Path, Path]
    own: bool
    sent: dict[Any, _Sent] = field(default_factory=dict)
    crashes: Counter[int] = field(default_factory=Counter)
    machines: Counter[int] = field(default_factory=Counter)
    channel: Any = None
    listening: Any = None

    def results(self) -> Iterator[Result]:
        """Hand out all runs, and yield what becomes of them until none is left."""
        ray = self.ray
        self.datasets = {name: ray.put(dataset) for name, dataset in datasets_of(self.requests).items()}
        self.channel = Channel.on_this_machine(ray)
        self.needs = [self._need(request) for request in self.requests]
        self._note_unmet()
        for index in range(len(self.requests)):
            self._hand_out(index)
        self.listening = self.channel.take.remote()
        while self.sent:
            ready, _ = ray.wait([self.listening, *self.sent], fetch_local=False)
            if self.listening in ready:
                self._hear(ray.get(self.listening))
                self.listening = self.channel.take.remote()
            for task in [task for task in ready if task in self.sent]:
                self._hear(ray.get(self.channel.drain.remote()))
                yield from self._ended(task)

    def _need(self, request: RunRequest) -> Resources:
        """What a run asks for; of a cluster that is this machine, at most what it has, since no other joins it."""
        need = resources_of(request)
        if not self.own:
            return need
        there = self.ray.cluster_resources()
        if need.gpus > (gpus := there.get("GPU", 0)):
            raise UsageError(
                f"{request.title} must have a GPU, got a machine on which Ray sees {gpus:g} of {need.gpus:g}. Leave "
                "--device out, or name a cluster that has one with --address."
            )
        cpus = min(need.cpus, int(there.get("CPU", 1)))
        return replace(need, cpus=cpus, memory_gib=min(need.memory_gib, there.get("memory", GIB) / GIB))

    def _note_unmet(self) -> None:
        """Say which runs no machine of today's cluster can take: they wait for one that joins."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        for need in dict.fromkeys(self.needs):
            asked = {"CPU": need.cpus, "GPU": need.gpus, "memory": need.memory_gib * GIB}
            if not any(all(there.get(kind, 0) >= amount for kind, amount in asked.items()) for there in nodes):
                self.progress.note(
                    f"No machine of the cluster has {need.cpus} cores, {need.gpus:g} GPUs and {need.memory_gib:g} GiB of "
                    f"memory: {self.needs.count(need)} runs wait until one joins"
                )

    def _hand_out(self, index: int) -> None:
        request, need = self.requests[index], self.needs[index]
        task = self.ray.remote(make_remotely).options(
            num_cpus=need.cpus,
            num_gpus=need.gpus,
            memory=int(need.memory_gib * GIB),
            max_retries=0,  # `_lost` decides, and says so
            name=request.title,
        )
        attempt = self.crashes[index] + self.machines[index]
        parcel = Parcel.of(replace(request, results=request.results.absolute()))
        datasets = [self.datasets[name] for name in parcel.fingerprints]
        sent = task.remote(parcel, self.markers.get(request.results), self.channel, index, attempt, *datasets)
        self.sent[sent] = _Sent(index, attempt, Playback(self.progress, request.title))

    def _hear(self, messages: Sequence[Any]) -> None:
        playbacks = {(sent.index, sent.attempt): sent.playback for sent in self.sent.values()}
        for index, attempt, message in messages:
            if (index, attempt) in playbacks:
                playbacks[index, attempt].show(message)

    def _ended(self, task: Any) -> Iterator[Result]:
        sent = self.sent.pop(task)
        sent.playback.close()
        request = self.requests[sent.index]
        try:
            outcome = self.ray.get(task)
        except self.ray.exceptions.RayTaskError as error:  # of our own code, or of what could not be sent
            yield request, Failure(request, SystemFailedError(f"{request.title} failed on the cluster: {error}"))
        except self.ray.exceptions.RayError as error:
            yield from self._lost(sent.index, error)
        else:
            if isinstance(outcome, SentError):
                yield request, Failure(request, outcome.received())
                return
            record = outcome.run.record  # the folder is that of this machine
            yield request, replace(outcome, run=Run(run_folder(request.results, record), record))

    def _lost(self, index: int, error: Exception) -> Iterator[Result]:
        request = self.requests[index]
        machine = isinstance(error, self.ray.exceptions.NodeDiedError)
        lost, most = (self.machines, MACHINES) if machine else (self.crashes, ATTEMPTS)
        lost[index] += 1
        how = "its machine was lost" if machine else f"its process was lost ({type(error).__name__})"
        if lost[index] < most:
            self.progress.note(f"[{request.title}] {how}: the run is made again")
            self._hand_out(index)
            return
        message = (
            f"{request.title} failed {lost[index]} times: {how}. What it had finished is kept; the same command resumes there. "
            f"Ray says: {str(error).splitlines()[0]}"
        )
        yield request, Failure(request, SystemFailedError(message))

    def stop(self) -> None:
        """Ask the runs under way to stop, which leaves records that can be resumed, and wait a little for it."""
        left = [*self.sent]
        for task in reversed(left):  # those that wait for a place first, or they would begin
            with contextlib.suppress(Exception):
                self.ray.cancel(task)
        if left:
            with contextlib.suppress(Exception):
                self.ray.wait(left, num_returns=len(left), timeout=SECONDS_TO_STOP)
        for sent in self.sent.values():
            sent.playback.close()
        self.sent = {}
        if self.listening is not None:
            with contextlib.suppress(Exception):
                self.channel.put.remote(-1, 0, Note(""))  # what still listens gets an answer, else Ray complains of it
                self.ray.get(self.listening, timeout=SECONDS_TO_STOP)

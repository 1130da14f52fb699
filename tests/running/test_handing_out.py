"""What becomes of runs on a cluster whose machines and processes are lost when a test says so; it stands for Ray."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import Resources
from erc_bench.errors import SystemFailedError, UsageError
from erc_bench.progress import SilentProgress
from erc_bench.records.record import read_record
from erc_bench.running import cluster
from erc_bench.running.channel import Addressed, Channel
from erc_bench.running.cluster import ATTEMPTS, GIB, MACHINES, connected, make_on_ray
from erc_bench.running.parcels import Failure, Parcel, Result, SentError
from erc_bench.running.relay import Message
from erc_bench.running.request import RunRequest


class RayError(Exception):
    """Of a process that is lost."""


class NodeDiedError(RayError):
    """Of a machine that is lost."""


class RayTaskError(RayError):
    """Of what a task raised."""


@dataclass(eq=False)
class Reference:
    """What stands for a value that is or will be there."""

    value: Any = None
    error: Exception | None = None


class Messages:
    """The actor that collects messages."""

    def __init__(self) -> None:
        self.kept: list[Addressed] = []
        self.put, self.take, self.drain = (
            SimpleNamespace(remote=call) for call in (self._put, lambda: self, lambda: Reference(self.taken()))
        )

    def _put(self, index: int, attempt: int, message: Message) -> Reference:
        self.kept.append((index, attempt, message))
        return Reference()

    def taken(self) -> list[Addressed]:
        """What came since the last time."""
        taken, self.kept = self.kept, []
        return taken


@dataclass
class FakeRay:
    """Runs a task where it is handed out, unless a loss is due for it; the rest of the module `ray` as far as it is used."""

    losses: dict[str, list[Exception]] = field(default_factory=dict)
    machines: Sequence[dict[str, float]] = ({"CPU": 4, "memory": 16 * GIB},)
    initialized: bool = True
    refuses: Exception | None = None
    calls: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, NodeDiedError=NodeDiedError)

    def is_initialized(self) -> bool:
        return self.initialized

    def init(self, **options: Any) -> None:
        self.calls.append(options)
        if self.refuses is not None:
            raise self.refuses

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def put(self, value: Any) -> Any:
        return value

    def get(self, reference: Any, timeout: float | None = None) -> Any:
        if isinstance(reference, Messages):
            return reference.taken()
        if reference.error is not None:
            raise reference.error
        return reference.value

    def wait(self, references: Sequence[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        ready = [each for each in references if not isinstance(each, Messages) or each.kept]
        return ready, [each for each in references if each not in ready]

    def cancel(self, reference: Any) -> None:
        self.calls.append(("cancel", reference))

    def cluster_resources(self) -> dict[str, float]:
        return {kind: sum(each.get(kind, 0) for each in self.machines) for kind in ("CPU", "memory")}

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": each} for each in self.machines]

    def remote(self, function: Callable[..., Any]) -> Any:
        def options(*, name: str, **asked: Any) -> Any:
            self.options[name] = asked

            def start(*arguments: Any) -> Reference:
                if self.losses.get(name):
                    return Reference(error=self.losses[name].pop(0))
                return Reference(function(*arguments))

            return SimpleNamespace(remote=start)

        return SimpleNamespace(options=options)


class Notes(SilentProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    messages = Messages()
    monkeypatch.setattr(Channel, "on_this_machine", lambda ray: messages)
    return fake


@pytest.fixture
def notes() -> Notes:
    return Notes()


def requests(sample: Dataset, results: Path, count: int = 1) -> list[RunRequest]:
    system = system_class("prior")
    return [RunRequest(system, system.Config(), sample, results, seed=seed) for seed in range(count)]


def made(wanted: list[RunRequest], notes: Notes, address: str | None = "auto", cores: int = 4) -> list[Result]:
    return list(make_on_ray(wanted, notes, address=address, cores=cores))


def error_of(result: Result) -> str:
    outcome = result[1]
    assert isinstance(outcome, Failure)
    assert isinstance(outcome.error, SystemFailedError)
    return str(outcome.error)


def test_every_run_is_made_and_leaves_its_record(ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path) -> None:
    wanted = requests(sample, tmp_path, 3)
    found = made(wanted, notes)
    assert [request for request, _ in found] == wanted
    for _, outcome in found:
        assert not isinstance(outcome, Failure)
        assert outcome.run.folder.is_relative_to(tmp_path)
        assert read_record(outcome.run.folder).status == "complete"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_run_of_a_lost_process_is_made_again(ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path) -> None:
    (wanted,) = requests(sample, tmp_path)
    ray.losses[wanted.title] = [RayError("it died")] * (ATTEMPTS - 1)
    ((_, outcome),) = made([wanted], notes)
    assert not isinstance(outcome, Failure)
    assert f"[{wanted.title}] its process was lost (RayError): the run is made again" in notes.lines


def test_a_run_that_kills_its_process_each_time_costs_itself_only(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path
) -> None:
    killing, other = requests(sample, tmp_path, 2)
    ray.losses[killing.title] = [RayError("it died\nof something")] * 99
    by_seed = {request.seed: (request, outcome) for request, outcome in made([killing, other], notes)}
    said = error_of(by_seed[0])
    assert said.startswith(f"{killing.title} failed {ATTEMPTS} times: its process was lost")
    assert said.endswith("the same command resumes there. Ray says: it died")
    assert not isinstance(by_seed[1][1], Failure)


def test_a_run_may_lose_more_machines_than_processes(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path
) -> None:
    one, other = requests(sample, tmp_path, 2)
    ray.losses = {one.title: [NodeDiedError("gone")] * (MACHINES - 1), other.title: [NodeDiedError("gone")] * MACHINES}
    by_seed = {request.seed: (request, outcome) for request, outcome in made([one, other], notes)}
    assert not isinstance(by_seed[0][1], Failure)
    assert notes.lines.count(f"[{one.title}] its machine was lost: the run is made again") == MACHINES - 1
    assert f"failed {MACHINES} times: its machine was lost" in error_of(by_seed[1])


def test_what_could_not_be_sent_is_a_failure_of_its_run(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path
) -> None:
    (wanted,) = requests(sample, tmp_path)
    ray.losses[wanted.title] = [RayTaskError("no pickle")]
    (found,) = made([wanted], notes)
    assert error_of(found) == f"{wanted.title} failed on the cluster: no pickle"


def test_an_error_of_a_run_arrives_with_what_it_says(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_class("prior"), "fit", lambda *_, **__: 1 / 0)
    (found,) = made(requests(sample, tmp_path), notes)
    assert "ZeroDivisionError" in error_of(found)


def test_a_worker_that_does_not_share_the_folder_makes_nothing(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = cluster.check_shared
    monkeypatch.setattr(cluster, "check_shared", lambda marker: check(tmp_path / "elsewhere" / marker.name, 0.0))
    ((_, outcome),) = made(requests(sample, tmp_path), notes)
    assert isinstance(outcome, Failure)
    assert "must be shared by all machines of the cluster" in str(outcome.error)


def test_runs_that_no_machine_can_take_are_named(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "resources_of", lambda request: Resources(cpus=8, gpus=0.5, memory_gib=2))
    made(requests(sample, tmp_path, 2), notes)
    assert notes.lines[0] == (
        "No machine of the cluster has 8 cores, 0.5 GPUs and 2 GiB of memory: 2 runs wait until one joins"
    )


def test_a_cluster_of_this_machine_is_asked_for_no_more_than_it_has(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "resources_of", lambda request: Resources(cpus=8, memory_gib=64))
    ray.initialized = False
    (wanted,) = requests(sample, tmp_path)
    made([wanted], notes, address=None, cores=4)
    asked = ray.options[wanted.title]
    assert (asked["num_cpus"], asked["memory"]) == (4, 16 * GIB)
    assert not any(line.startswith("No machine") for line in notes.lines)
    assert (ray.calls[0]["address"], ray.calls[0]["num_cpus"], ray.calls[-1]) == ("local", 4, "shutdown")


def test_a_gpu_that_this_machine_lacks_is_not_waited_for(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path
) -> None:
    ray.initialized = False
    (wanted,) = requests(sample, tmp_path)
    wanted = replace(wanted, runtime=replace(wanted.runtime, device="cuda"))
    with pytest.raises(UsageError, match="must have a GPU, got a machine on which Ray sees 0 of 1"):
        made([wanted], notes, address=None, cores=4)
    assert ray.calls[-1] == "shutdown"


def test_runs_under_way_are_cancelled_when_nobody_wants_more(
    ray: FakeRay, notes: Notes, sample: Dataset, tmp_path: Path
) -> None:
    for _ in make_on_ray(requests(sample, tmp_path, 3), notes, address="auto", cores=4):
        break
    assert [call[0] for call in ray.calls] == ["cancel", "cancel"]


def test_a_cluster_that_does_not_start_is_refused_in_words(ray: FakeRay) -> None:
    ray.initialized, ray.refuses = False, RuntimeError("no room")
    with (
        pytest.raises(SystemFailedError, match="a Ray cluster of this machine must start, got RuntimeError: no room"),
        connected(None, 1),
    ):
        pass
    with (
        pytest.raises(UsageError, match="--address must lead to a running Ray cluster, got 'auto': no room"),
        connected("auto", 1),
    ):
        pass


def test_runs_for_a_bucket_need_no_shared_folder(ray: FakeRay, sample: Dataset, tmp_path: Path) -> None:
    (wanted,) = requests(sample, tmp_path)
    parcel = Parcel.of(replace(wanted, results=tmp_path))
    outcome = cluster.make_remotely(parcel, None, Channel.on_this_machine(ray), 0, 0, sample)
    assert not isinstance(outcome, SentError)
    assert read_record(outcome.run.folder).status == "complete"

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_class
from erc_bench.errors import UsageError
from erc_bench.progress import SilentProgress
from erc_bench.running.executors import Local, OnRay, automatic_jobs, executor_named
from erc_bench.running.parcels import Failure
from erc_bench.running.request import RunOutcome, RunRequest
from erc_bench.toolkit import threads


def request(name: str, dataset: Dataset, results: Path, seed: int = 0, **settings: object) -> RunRequest:
    system = system_class(name)
    return RunRequest(system, system.Config(**settings), dataset, results, seed=seed)


def test_one_after_the_other_and_a_failure_stops_none(sample: Dataset, tmp_path: Path) -> None:
    requests = [
        request("prior", sample, tmp_path),
        request("constant", sample, tmp_path, label="no such label"),
        request("prior", sample, tmp_path, seed=1),
    ]
    found = list(Local().make(requests, SilentProgress()))
    assert [made for made, _ in found] == requests
    assert [type(result) for _, result in found] == [RunOutcome, Failure, RunOutcome]


@pytest.mark.parametrize(("free_gib", "cores", "jobs"), [(100, 8, 8), (10, 8, 3), (1, 8, 1), (100, 1, 1)])
def test_automatic_jobs_count_cores_and_memory(
    free_gib: int, cores: int, jobs: int, sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Memory:
        available = free_gib * 2**30

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory)
    monkeypatch.setattr(threads, "_GRANTED", cores)
    assert automatic_jobs([request("prior", sample, tmp_path, seed) for seed in range(9)]) == jobs
    assert automatic_jobs([]) == max(1, min(cores, free_gib))


def test_runs_on_a_gpu_do_not_share_it_unasked(
    sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = request("prior", sample, tmp_path)
    on_gpu = replace(made, runtime=replace(made.runtime, device="cuda"))

    class Memory:
        available = 100 * 2**30

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory)
    monkeypatch.setattr(threads, "_GRANTED", 8)
    assert [automatic_jobs(requests) for requests in ([made], [on_gpu], [on_gpu, made])] == [8, 1, 1]


def test_an_executor_by_name_has_what_it_can_use() -> None:
    assert executor_named("local") == Local(1)
    assert executor_named("local", jobs="auto") == Local("auto")
    assert executor_named("ray") == OnRay(None, "auto")
    assert executor_named("ray", jobs=2) == OnRay(None, 2)
    assert executor_named("ray", address="10.0.0.1:6379") == OnRay("10.0.0.1:6379", "auto")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("slurm", {}, "an executor must be one of local, ray, got 'slurm'"),
        ("local", {"address": "auto"}, "an address must be given for the executor ray only, got 'auto'"),
        ("ray", {"address": "auto", "jobs": 3}, "jobs and an address exclude each other"),
    ],
)
def test_an_executor_refuses_what_it_cannot_use(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        executor_named(name, **options)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.progress import SilentProgress
from erc_bench.records.record import find_runs
from erc_bench.running.executors import Local
from erc_bench.running.parcels import Failure
from erc_bench.running.request import RunOutcome, RunRequest

TOYS = """
import os, signal, time
from dataclasses import dataclass
from pathlib import Path

from erc_bench import Prediction, System, SystemInfo, option
from erc_bench.contract.system import Resources
from erc_bench.errors import SystemFailedError

class Numbers(System):
    '''Learns sums whose last bits depend on the number of threads.'''

    info = SystemInfo("numbers", "sums", "none", "utterance", "CC0-1.0")

    def fit(self, train, validation, *, seed, progress):
        import torch
        with progress.task("Adding", total=1) as task:
            self.sums = torch.randn(64, 40_000, generator=torch.Generator().manual_seed(seed)).sum().item()
            task.advance()

    def save(self, folder):
        (folder / "sums").write_text(repr(self.sums))

    def load(self, folder):
        self.sums = float((folder / "sums").read_text())

    def predict(self, dialogues, targets, *, progress):
        for target in targets:
            yield Prediction(*target, self.labels.neutral, {"anger": self.sums})

class Mortal(Numbers):
    '''Seed 1 dies once, seed 2 each time; seed 3 fails; seed 4 takes forever.'''

    info = SystemInfo("mortal", "dies", "none", "utterance", "CC0-1.0")

    def fit(self, train, validation, *, seed, progress):
        self.sums = float(seed)
        died = self.runtime.run_dir.parent / f"died-{seed}"
        if seed == 2 or (seed == 1 and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if seed == 3:
            raise SystemFailedError("an unlucky seed")
        while seed == 4:
            time.sleep(0.01)
"""


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "plug-ins"
    folder.mkdir()
    (folder / "toys_of_processes.py").write_text(TOYS)
    monkeypatch.syspath_prepend(folder)
    return folder


def requests(name: str, sample: Dataset, results: Path, seeds: range) -> list[RunRequest]:
    import importlib

    system = getattr(importlib.import_module("toys_of_processes"), name)
    return [RunRequest(system, system.Config(), sample, results, seed=seed) for seed in seeds]


@pytest.mark.usefixtures("toys")
def test_the_same_bytes_side_by_side(sample: Dataset, tmp_path: Path) -> None:
    for jobs in (1, 3):
        asked = requests("Numbers", sample, tmp_path / str(jobs), range(4))
        found = list(Local(jobs).make(asked, SilentProgress()))
        assert sorted(request.seed for request, _ in found) == [0, 1, 2, 3]
        assert all(isinstance(result, RunOutcome) and not result.already_complete for _, result in found)
    alone, beside = (list(find_runs(tmp_path / jobs)) for jobs in ("1", "3"))
    for one, other in zip(alone, beside, strict=True):
        for name in ("predictions.jsonl", "model/sums"):
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()
    assert len({run.record.predictions_sha256 for run in beside}) == 4


class Noted(SilentProgress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.mark.usefixtures("toys")
def test_a_process_that_dies_costs_its_own_run_only(sample: Dataset, tmp_path: Path) -> None:
    progress = Noted()
    asked = requests("Mortal", sample, tmp_path / "results", range(4))
    found = {request.seed: result for request, result in Local(2).make(asked, progress)}
    assert isinstance(found[0], RunOutcome)
    assert isinstance(found[1], RunOutcome), "it died once and was made again"
    assert isinstance(found[2], Failure)
    assert "got this: its process ended with status -9, 2 times" in str(found[2].error)
    assert isinstance(found[3], Failure)
    assert str(found[3].error) == "an unlucky seed"
    assert sum("made again where it stopped" in note for note in progress.notes) == 2
    assert not psutil.Process().children(recursive=True) or all(
        "resource_tracker" in " ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)
    )


SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from erc_bench.data import load_dataset
    from erc_bench.progress import LineProgress
    from erc_bench.running.executors import Local
    from erc_bench.running.request import RunRequest
    from toys_of_processes import Mortal

    if __name__ == "__main__":
        data, results = load_dataset("sample"), Path(sys.argv[1])
        asked = [RunRequest(Mortal, Mortal.Config(), data, results, seed=seed) for seed in (4, 0, 5)]
        for request, result in Local(2).make(asked, LineProgress()):
            print(request.seed, flush=True)
    """
)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(ending: signal.Signals, toys: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    results = tmp_path / "results"
    process = subprocess.Popen(
        [sys.executable, str(script), str(results)],
        env=os.environ | {"PYTHONPATH": str(toys)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert [process.stdout.readline().strip(), process.stdout.readline().strip()] == [b"0", b"5"]
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.send_signal(ending)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while (left := [worker for worker in workers if worker.is_running()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert {run.record.seed: run.record.status for run in find_runs(results)} == {
        0: "complete",
        4: "running",
        5: "complete",
    }
    assert not list(results.glob("**/error.txt"))

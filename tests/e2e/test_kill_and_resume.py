"""kill -9 at any moment of a run, then the same command: the predictions of an unbroken run, to the byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from erc_bench.records.record import read_record

COMMAND = [sys.executable, "-c", "from erc_bench.cli import main; main()", "run", "--dataset", "sample"]


def start(folder: Path, system: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "--system", system, "--offline"],
        cwd=folder,
        env=os.environ | {"ERC_BENCH_HOME": str(folder / "home")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def run_folder(folder: Path) -> Path:
    return next(folder.glob("results/sample/*/*/seed-0"))


def kill_when(process: subprocess.Popen[bytes], path: Path, pattern: str, delay: float, since: float) -> None:
    """Kill the process `delay` seconds after a path that matches the pattern is written."""
    deadline = time.monotonic() + 120
    while not any(found.stat().st_mtime >= since for found in path.glob(pattern)):
        assert process.poll() is None, "the run ended before the moment it was to be killed at"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()


# What lies on disk tells where a run is: while embedding, while training, after training, while predicting.
MOMENTS = [
    ("results/sample/*/*/seed-0/run.json", 0.0),
    ("home/cache/embeddings/**/*", 0.3),
    ("results/sample/*/*/seed-0/model.unfinished", 1.0),
    ("results/sample/*/*/seed-0/model/*", 0.0),
    ("results/sample/*/*/seed-0/predictions.jsonl", 0.02),
]


@pytest.mark.slow
def test_a_trained_system_killed_at_any_moment(tmp_path: Path) -> None:
    unbroken = tmp_path / "unbroken"
    unbroken.mkdir()
    assert start(unbroken, "sentemocontext").wait() == 0
    expected = (run_folder(unbroken) / "predictions.jsonl").read_bytes()
    killed = tmp_path / "killed"
    killed.mkdir()
    trained_at: float | None = None
    for pattern, delay in MOMENTS:
        since = time.time()
        kill_when(start(killed, "sentemocontext"), killed, pattern, delay, since)
        model = run_folder(killed) / "model"
        if model.is_dir():
            changed = max(path.stat().st_mtime for path in model.iterdir())
            assert trained_at in (None, changed), "a trained run must not train again"
            trained_at = changed
    assert read_record(run_folder(killed)).status == "running"
    assert start(killed, "sentemocontext").wait() == 0
    assert (run_folder(killed) / "predictions.jsonl").read_bytes() == expected
    record = read_record(run_folder(killed))
    assert record.status == "complete"
    assert record.scores == read_record(run_folder(unbroken)).scores

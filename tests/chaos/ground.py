"""The ground on which faults are tried: folders, the real command line in a process group of its own, what must be true after."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

COMMAND = [sys.executable, "-c", "from erc_bench.cli import main; main()"]
VOLATILE = {
    "git",
    "started",
    "finished",
    "timings",
    "peak_memory_mb",
    "utterances_per_second",
    "hardware",
    "measurements",
}
LEFTOVERS = (".tmp", ".unfinished", ".part", ".npz.tmp")


class BrokenPromiseError(Exception):
    """Something that must hold after a fault does not."""


def must(condition: object, what: str) -> None:
    """Raise where a promise does not hold."""
    if not condition:
        raise BrokenPromiseError(what)


@dataclass
class Ground:
    """A folder with results, a home of the harness, and the package that the corpus comes from."""

    folder: Path
    site: Path
    source: Path
    port: int
    rng: random.Random
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What commands see."""
        known = {name: value for name, value in os.environ.items() if not name.startswith("ERC_BENCH")}
        return known | {
            "PYTHONPATH": str(self.site),
            "CHAOS_SOURCE": str(self.source),
            "ERC_BENCH_HOME": str(self.folder / "home"),
            "ERC_BENCH_DATA_URL": f"http://127.0.0.1:{self.port}",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            **self.extra,
        }

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A command under way, in a process group of its own."""
        given: dict[str, Any] = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": self.environment,
        } | options
        self.folder.mkdir(parents=True, exist_ok=True)
        process: subprocess.Popen[str] = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            text=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            **given,
        )
        return process

    def run(self, *arguments: str, expected: Sequence[int] = (0,), **options: Any) -> str:
        """A command until it ends; its standard error."""
        process = self.start(*arguments, **options)
        _, err = process.communicate(timeout=900)
        text = err or ""
        must(
            process.returncode in expected,
            f"{arguments} must end with {expected}, got {process.returncode}: {text[-2000:]}",
        )
        must("Traceback" not in text, f"{arguments} must end without a traceback, got {text[-2000:]}")
        return text

    def kill(self, *arguments: str, after: float, how: int = signal.SIGKILL) -> bool:
        """Start a command and send its group a signal after some seconds; False where it was done before that."""
        process = self.start(*arguments)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, how)
            if how == signal.SIGINT and self.rng.random() < 0.5:
                time.sleep(0.05)
                signal_group(process.pid, how)
            _, err = process.communicate(timeout=120)
            must(
                how != signal.SIGINT or process.returncode in (130, -2, 0),
                f"SIGINT must end with 130, got {process.returncode}: {err}",
            )
            return True
        must(process.returncode == 0, f"{arguments} must complete after a fault, got {process.returncode}")
        return False

    def check_clean(self) -> None:
        """No temporary file, no lock that is held, no process is left."""
        left = [str(path) for path in self.folder.rglob("*") if path.name.endswith(LEFTOVERS) or _is_temporary(path)]
        must(not left, f"no temporary file must be left, got {left}")
        deadline = time.monotonic() + 20
        while (running := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        must(not running, f"no process must be left, got {running}")

    def _processes(self) -> list[int]:
        return [each.pid for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(self.folder)]

    def clear(self, *names: str) -> None:
        """Remove folders of the ground, by default all of it."""
        for path in [self.folder / name for name in names] or [self.folder]:
            shutil.rmtree(path, ignore_errors=True)


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.is_file()


def signal_group(group: int, how: int) -> None:
    """Send a signal to what may be gone."""
    try:
        os.killpg(group, how)
    except ProcessLookupError:
        return


def digests(folder: Path, pattern: str) -> dict[str, str]:
    """SHA-256 of files by path; of run records what must be the same in every run."""
    found = {}
    for path in sorted(folder.glob(pattern)):
        if path.is_file():
            found[str(path.relative_to(folder))] = hashlib.sha256(_stable(path)).hexdigest()
    return found


def _stable(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name != "run.json":
        return data
    record = {name: value for name, value in json.loads(data).items() if name not in VOLATILE}
    return json.dumps(record, sort_keys=True).encode()


Check = Callable[[Ground], Mapping[str, str]]
"""The digests of what an operation leaves."""


def results_of(ground: Ground) -> Mapping[str, str]:
    """Runs: predictions, embeddings, evidence and what records say."""
    found = digests(ground.folder, "results/*/*/*/seed-*/*")
    return {path: digest for path, digest in found.items() if not path.endswith(("error.txt", "fit.json"))}


def boards_of(ground: Ground) -> Mapping[str, str]:
    """Board files."""
    return digests(ground.folder, "board/*")


def copies_of(ground: Ground) -> Mapping[str, str]:
    """Exported runs."""
    return digests(ground.folder, "copies/**/*")


def download_of(ground: Ground) -> Mapping[str, str]:
    """Downloaded files."""
    return digests(ground.folder, "home/data/chaos/*.csv")

"""The board of the committed records, anew and again: what is kept by content is not computed twice.

Without DailyDialog the board of some runs on the sample, made here. Each build is a process of its own with its own cache
folder; the second finds that of the first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import erc_bench
from erc_bench.data import load_dataset
from erc_bench.errors import DataError
from erc_bench.records.record import find_runs

LEADERBOARD = Path(__file__).resolve().parents[2] / "leaderboard"
LIMITS = {"anew_times_again": (">=", 1.0)}


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Seconds of both builds, their ratio, and seconds a run of the first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = folder / "results" if tiny or not _real_labels() else LEADERBOARD
        if results != LEADERBOARD:
            erc_bench.run("prior", dataset="sample", seeds=range(2 if tiny else 50), results_dir=results)
        anew, again = (_build(results, folder) for _ in range(2))
        runs = sum(1 for _ in find_runs(results))
    return {
        "runs": runs,
        "anew_seconds": anew,
        "anew_milliseconds_a_run": 1000 * anew / runs,
        "again_seconds": again,
        "anew_times_again": anew / again,
    }


def _real_labels() -> bool:
    try:
        return bool(load_dataset("dailydialog"))
    except DataError:
        return False


def _build(results: Path, folder: Path) -> float:
    command = ["leaderboard", "--results-dir", str(results), "--output-dir", str(folder / "out")]
    code = f"from erc_bench.cli import main; main({command!r})"
    start = time.perf_counter()
    environment = os.environ | {"ERC_BENCH_HOME": str(folder / "home")}
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
    return time.perf_counter() - start

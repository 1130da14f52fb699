"""A disk that takes no more, a folder that is none: exit code 3 with the path, nothing half written, nothing lost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.contract.domain import Dataset

if TYPE_CHECKING:
    from tests.conftest import WriteRun

COMMAND = [sys.executable, "-c", "from erc_bench.cli import main; main()"]


def without_coverage() -> dict[str, str]:
    """This environment; `make coverage` would measure the process, and its own files cannot be written either."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def run(folder: Path, *arguments: str, largest: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command; no file that it writes may have more than `largest` bytes."""

    def limit() -> None:
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=without_coverage() | {"ERC_BENCH_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )


PRIOR = ("run", "--system", "prior", "--dataset", "sample")


def test_a_run_resumes_when_there_is_space_again(tmp_path: Path) -> None:
    (tmp_path / "unbroken").mkdir()
    assert run(tmp_path / "unbroken", *PRIOR).returncode == 0
    for largest in (100, 4000, 8000):
        stopped = run(tmp_path, *PRIOR, largest=largest)
        assert stopped.returncode == 3, stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert "got File too large" in stopped.stderr
    assert run(tmp_path, *PRIOR).returncode == 0
    (folder,) = tmp_path.glob("results/sample/prior/*/seed-0")
    (unbroken,) = tmp_path.glob("unbroken/results/sample/prior/*/seed-0")
    assert {path.name for path in folder.iterdir()} == {path.name for path in unbroken.iterdir()}
    assert (folder / "predictions.jsonl").read_bytes() == (unbroken / "predictions.jsonl").read_bytes()


def test_a_board_stays_as_it_was(
    tmp_path: Path, sample: Dataset, gold: Callable[[Dataset], list[str]], write_run: WriteRun
) -> None:
    results = tmp_path / "results"
    write_run(results, sample, gold(sample))
    assert run(tmp_path, "leaderboard").returncode == 0
    before = {path.name: path.read_bytes() for path in results.glob("*.*")}
    write_run(results, sample, gold(sample), system="other")
    stopped = run(tmp_path, "leaderboard", largest=100)
    assert stopped.returncode == 3, stopped.stderr
    assert str(Path("results/leaderboard.md")) in stopped.stderr
    assert {path.name: path.read_bytes() for path in results.glob("*.*")} == before
    assert not list(results.glob(".*"))


def test_a_file_where_a_folder_must_be(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "sample").write_text("")
    stopped = run(tmp_path, *PRIOR)
    assert stopped.returncode == 3, stopped.stderr
    assert "results/sample" in stopped.stderr
    assert "Traceback" not in stopped.stderr

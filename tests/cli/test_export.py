from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.contract.domain import Dataset
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def test_all_complete_runs_are_copied(
    tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun, command: Command
) -> None:
    results, public = tmp_path / "results", tmp_path / "public"
    for seed in (0, 1):
        write_run(results, sample, gold(sample), seed=seed)
    write_run(results, sample, gold(sample), system="running", status="running")
    done = command("export", "--results-dir", results, "--to", public)
    assert done.code == 0
    copies = [str(run.folder) for run in find_runs(public)]
    assert done.out.splitlines() == copies
    assert len(copies) == 2
    assert done.err.splitlines() == ["not complete, left out: 1", f"runs copied to {public}: 2"]
    assert command("verify", "--results-dir", public).code == 0


def test_boards_of_the_copies_are_the_same(
    tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun, command: Command
) -> None:
    write_run(tmp_path / "results", sample, gold(sample))
    command("export", "--results-dir", tmp_path / "results", "--to", tmp_path / "public")
    boards = []
    for name in ("results", "public"):
        command("leaderboard", "--results-dir", tmp_path / name, "--format", "md,csv,html,latex")
        boards.append({path.name: path.read_bytes() for path in (tmp_path / name).glob("leaderboard.*")})
    assert boards[0] == boards[1]
    assert len(boards[0]) == 4


def test_named_runs_are_copied_alone(
    tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun, command: Command
) -> None:
    first, _ = (write_run(tmp_path / "results", sample, gold(sample), seed=seed) for seed in (0, 1))
    assert command("export", first.folder, "--to", tmp_path / "public").code == 0
    assert [run.record.seed for run in find_runs(tmp_path / "public")] == [0]


def test_wrong_requests_are_refused(
    tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun, command: Command
) -> None:
    run = write_run(tmp_path / "results", sample, gold(sample), status="failed")
    assert command("export", run.folder, "--to", tmp_path / "public").code == 2
    assert command("export", "--results-dir", tmp_path / "results", "--to", tmp_path / "public").code == 3
    assert command("export", tmp_path / "nowhere", "--to", tmp_path / "public").code == 3
    assert command("export", "--results-dir", tmp_path / "results").code == 2

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.records.predictions import PREDICTIONS_FILE
from erc_bench.records.record import EMBEDDINGS_FILE, RUN_FILE, Run

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def runs(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> list[Run]:
    return [
        write_run(tmp_path, sample, gold(sample), system="perfect"),
        write_run(tmp_path, sample, ["happiness"] * len(gold(sample)), system="happy"),
    ]


def test_sound_results_pass(runs: list[Run], tmp_path: Path, command: Command) -> None:
    command("leaderboard", "--results-dir", tmp_path, "--format", "md,csv")
    command("leaderboard", "--results-dir", tmp_path, "--output-dir", tmp_path / "boards", "--format", "html,latex")
    done = command("verify", "--results-dir", tmp_path, "--output-dir", tmp_path / "boards")
    assert (done.code, done.out) == (0, "No difference. Recomputed runs: 2, board files: 4.\n")


def test_unfinished_runs_are_counted(
    runs: list[Run], tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun, command: Command
) -> None:
    unfinished = write_run(tmp_path, sample, gold(sample), system="running", status="running")
    done = command("verify", "--results-dir", tmp_path)
    assert done.out == "No difference. Recomputed runs: 2, board files: 0. Not complete, left out: 1.\n"
    done = command("verify", unfinished.folder)
    assert done.code == 2
    assert "must be complete to be verified, got status 'running'" in done.err


def test_altered_predictions_end_with_6(runs: list[Run], tmp_path: Path, command: Command) -> None:
    command("leaderboard", "--results-dir", tmp_path)
    path = runs[1].folder / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes().replace(b'"happiness"', b'"anger"', 1))
    done = command("verify", "--results-dir", tmp_path)
    assert done.code == 6
    assert all(line.startswith(f"{runs[1].folder}: ") for line in done.out.splitlines())
    assert "the SHA-256 of the predictions" in done.out
    assert "Boards were not recomputed" in done.err


def test_altered_records_end_with_6(runs: list[Run], tmp_path: Path, command: Command) -> None:
    path = runs[0].folder / RUN_FILE
    content = json.loads(path.read_text())
    content["scores"]["macro_f1"] = 99.0
    path.write_text(json.dumps(content))
    done = command("verify", "--results-dir", tmp_path, "--json")
    assert done.code == 6
    assert json.loads(done.out)["differences"] == [
        {"where": str(runs[0].folder), "what": "macro_f1 is recorded as 99.0, recomputed 100.0"}
    ]


def test_altered_boards_end_with_6(runs: list[Run], tmp_path: Path, command: Command) -> None:
    command("leaderboard", "--results-dir", tmp_path)
    board = tmp_path / "leaderboard.md"
    board.write_text(board.read_text().replace("perfect", "superb"))
    done = command("verify", "--results-dir", tmp_path)
    assert done.code == 6
    assert done.out.startswith(f"{board}: differs from the board of these runs, first on line ")
    assert "superb" in done.out


def test_truncated_embeddings_end_with_6_and_no_board_is_made_of_them(
    runs: list[Run], tmp_path: Path, command: Command
) -> None:
    (runs[0].folder / EMBEDDINGS_FILE).write_bytes(b"PK\x03\x04 and no more")
    done = command("verify", "--results-dir", tmp_path)
    assert done.code == 6
    assert "embeddings.npz must hold embeddings" in done.out
    for name in ("leaderboard", "paper"):
        done = command(name, "--results-dir", tmp_path, "--dataset", "sample")
        assert done.code == 3
        assert "error: " in done.err
        assert "embeddings.npz must hold embeddings" in done.err


def test_one_run_is_verified_alone(runs: list[Run], tmp_path: Path, command: Command) -> None:
    (runs[1].folder / PREDICTIONS_FILE).unlink()
    done = command("verify", runs[0].folder)
    assert done.out == "No difference. Recomputed runs: 1, board files: 0.\n"
    assert command("verify", runs[1].folder).code == 6


def test_missing_and_damaged_data_end_with_3(
    runs: list[Run], tmp_path: Path, mini: Dataset, write_run: WriteRun, command: Command, home: Path
) -> None:
    assert command("verify", "--results-dir", tmp_path / "nowhere").code == 3
    (tmp_path / "empty").mkdir()
    assert command("verify", "--results-dir", tmp_path / "empty").code == 3
    write_run(tmp_path, replace(mini, name="dailydialog"), ["anger"] * 96)
    done = command("verify", "--results-dir", tmp_path)
    assert done.code == 3
    assert "erc-bench data download dailydialog" in done.err
    (runs[0].folder / RUN_FILE).write_text("{")
    assert command("verify", runs[0].folder).code == 3


def test_a_board_across_corpora_is_compared_too(two_corpora: Path, command: Command) -> None:
    command("leaderboard", "--across", "--results-dir", two_corpora, "--protocol", "last-turn", "--format", "csv,html")
    assert command("verify", "--results-dir", two_corpora).code == 0
    path = two_corpora / "across-last-turn.csv"
    path.write_text(path.read_text().replace("perfect", "perfekt"))
    done = command("verify", "--results-dir", two_corpora)
    assert done.code == 6
    assert done.out.startswith(f"{path}: differs from the board of these runs, first on line 2")

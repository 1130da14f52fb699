from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.cli.conftest import Command

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def answers(tmp_path: Path, sample: Dataset) -> Path:
    path = tmp_path / "answers.csv"
    lines = [f"{d.id},{turn},{d.utterances[turn].label}" for d in sample.test for turn in range(len(d))]
    path.write_text("\n".join(["dialogue,turn,label", *lines]) + "\n")
    return path


def test_a_file_becomes_a_row_of_the_board(answers: Path, tmp_path: Path, command: Command) -> None:
    results = tmp_path / "results"
    done = command(
        *("score", answers, "--name", "mine", "--dataset", "sample", "--results-dir", results),
        *("--source", "Doe et al., ACL 2025", "--context", "past"),
    )
    assert done.code == 0, done.err
    assert done.out == "mine on sample, seed 0: micro F1 100.00, macro F1 100.00, MCC 1.000 (201 predictions)\n"
    (run,) = find_runs(results)
    assert done.err.endswith(f"wrote {run.folder}\n")
    board = command("leaderboard", "--results-dir", results)
    assert "predictions" in board.out
    assert "Doe et al., ACL 2025" in (results / "leaderboard.csv").read_text()
    assert command("verify", "--results-dir", results).code == 0


def test_json_is_the_record(answers: Path, tmp_path: Path, command: Command) -> None:
    done = command(
        *("score", answers, "--name", "mine", "--dataset", "sample", "--results-dir", tmp_path / "results", "--json")
    )
    content = json.loads(done.out)
    assert content["evidence"] == "predictions"
    assert content["scores"]["micro_f1"] == 100
    assert Path(content["folder"]).is_dir()


def test_problems_are_listed_and_nothing_is_written(answers: Path, tmp_path: Path, command: Command) -> None:
    text = answers.read_text().replace(",no emotion", ",neutral")
    answers.write_text(text)
    done = command("score", answers, "--name", "mine", "--dataset", "sample", "--results-dir", tmp_path / "results")
    assert done.code == 3
    first = next(number for number, line in enumerate(text.splitlines(), start=1) if line.endswith(",neutral"))
    assert f"- line {first}: label must be one of" in done.err
    assert done.err.count("\n- line ") == 20
    assert f"- and {text.count(',neutral') - 20} more" in done.err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["lookup", "../mine", "a b"])
def test_bad_names_are_usage_errors(answers: Path, tmp_path: Path, command: Command, name: str) -> None:
    done = command("score", answers, "--name", name, "--dataset", "sample", "--results-dir", tmp_path / "results")
    assert done.code == 2
    assert "--name must" in done.err
    assert not (tmp_path / "results").exists()


def test_a_missing_file_is_missing_data(tmp_path: Path, command: Command) -> None:
    done = command("score", tmp_path / "none.csv", "--name", "mine", "--dataset", "sample")
    assert done.code == 3
    assert "must exist" in done.err


def test_last_turns(answers: Path, tmp_path: Path, sample: Dataset, command: Command) -> None:
    path = tmp_path / "last.jsonl"
    lines = [{"dialogue": d.id, "turn": len(d) - 1, "label": None} for d in sample.test]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = command(
        *("score", path, "--name", "mine", "--dataset", "sample", "--targets", "last", "--seed", "4"),
        *("--results-dir", tmp_path / "results"),
    )
    assert done.out == (
        "mine (targets=last) on sample, seed 4: micro F1 0.00, macro F1 0.00, MCC 0.000, 100.0% unusable (30 predictions)\n"
    )


def test_help_has_an_example(command: Command) -> None:
    assert "erc-bench score answers.jsonl --name my-model" in command("score", "--help").out

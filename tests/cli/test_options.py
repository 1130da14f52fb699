from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--system", "constant", "--dataset", "sample", "--dataset", "dailydialog"),
        ("run", "--system", "constant", "--dataset", "sample", "--results-dir", "a", "--results-dir", "b"),
        ("run", "--system", "constant", "--seed", "1", "--seed=2"),
        ("leaderboard", "--results-dir", "a", "--results-dir", "b"),
        ("data", "verify", "sample", "--data-dir", "a", "--data-dir", "b"),
    ],
)
def test_an_option_with_one_value_is_given_once(
    arguments: tuple[str, ...], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command(*arguments)
    assert outcome.code == 2
    assert "must be given once, got it 2 times" in outcome.err
    assert not list(tmp_path.iterdir())


def test_results_in_a_bucket(command: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bucket = ("--results-dir", f"memory://{tmp_path.name}/results")
    made = command("run", "--system", "constant", "--dataset", "sample", *bucket)
    assert made.code == 0
    assert f"(complete, memory://{tmp_path.name}/results/sample/constant/" in made.out
    assert (
        '"constant"'
        in command("run", "--system", "constant", "--dataset", "sample", *bucket, "--dry-run", "--json").out
    )
    refused = command("leaderboard", *bucket)
    assert refused.code == 2
    assert "--output-dir must name a folder where --results-dir is a bucket" in refused.err
    board = command("leaderboard", *bucket, "--output-dir", "board", "--format", "csv")
    assert board.code == 0
    assert "constant" in Path("board/leaderboard.csv").read_text("utf-8")
    Path("labels.csv").write_text("dialogue,turn,label\n", "utf-8")
    score = command("score", "labels.csv", "--name", "x", "--dataset", "sample", *bucket)
    assert score.code == 2
    assert "must be a folder for predictions made elsewhere" in score.err

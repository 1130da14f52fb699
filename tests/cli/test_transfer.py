from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import erc_bench
from erc_bench.data.skeleton import write_skeleton

if TYPE_CHECKING:
    from tests.cli.conftest import Command


@pytest.fixture
def results(home: Path, tmp_path: Path) -> Path:
    corpus, folder = tmp_path / "mine", tmp_path / "results"
    write_skeleton(corpus)
    for train in ("sample", corpus):
        erc_bench.run("lookup", dataset=corpus, train_on=train, results_dir=folder)
    return folder


def test_the_matrix_is_printed_written_and_verified(results: Path, command: Command) -> None:
    done = command("transfer", "--results-dir", results, "--format", "md,csv,html,svg")
    assert done.code == 0
    lines = done.out.splitlines()
    assert any(line.startswith("mine ") for line in lines)
    assert next(line for line in lines if line.startswith("sample ")).count("/") == 1
    assert [Path(line.removeprefix("wrote ")).name for line in done.err.splitlines() if line.startswith("wrote")] == [
        "transfer.md",
        "transfer.csv",
        "transfer.html",
        "transfer-lookup.svg",
    ]
    assert command("verify", "--results-dir", results).code == 0
    path = results / "transfer.md"
    path.write_text(path.read_text().replace("sample", "simple"))
    altered = command("verify", "--results-dir", results)
    assert altered.code == 6
    assert "transfer.md: differs from the board of these runs" in altered.out


def test_for_programs_and_one_system(results: Path, command: Command) -> None:
    done = command("transfer", "--results-dir", results, "--system", "lookup", "--json")
    pairs = json.loads(done.out)["pairs"]
    assert [(pair["trained_on"], pair["tested_on"]) for pair in pairs] == [("mine", "mine"), ("sample", "mine")]
    frame = erc_bench.transfer(results, system="lookup")
    assert frame["score"].tolist() == [pair["score"] for pair in pairs]
    assert command("transfer", "--results-dir", results, "--system", "prior").code == 2


def test_without_such_runs(home: Path, tmp_path: Path, command: Command) -> None:
    erc_bench.run("lookup", dataset="sample", results_dir=tmp_path)
    done = command("transfer", "--results-dir", tmp_path)
    assert done.code == 3
    assert "--train-on" in done.err

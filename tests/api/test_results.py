from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

import erc_bench
from erc_bench import cli
from erc_bench.data.skeleton import write_skeleton
from erc_bench.errors import DataCorruptError, DataMissingError, UnknownNameError, UsageError
from erc_bench.progress import default_progress
from erc_bench.records.record import write_record


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    erc_bench.run("lookup", dataset="sample", results_dir=folder)
    erc_bench.run("prior", dataset="sample", seeds=[0, 1], results_dir=folder)
    return folder


def command(*arguments: str | Path) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    assert not caught.value.code


def test_the_leaderboard_is_that_of_the_command_line(results: Path, tmp_path: Path) -> None:
    board = erc_bench.leaderboard(results, dataset="sample")
    assert str(board["seeds"].dtype) == "Int64"
    assert board["micro_f1"].dtype == float
    command("leaderboard", "--results-dir", results, "--output-dir", tmp_path, "--dataset", "sample")
    written = list(csv.DictReader((tmp_path / "leaderboard-sample.csv").read_text("utf-8").splitlines()))
    assert list(written[0]) == list(board.columns)[: len(written[0])]
    assert [row["system"] for row in written] == list(board["system"])
    assert [float(row["micro_f1"]) for row in written if row["micro_f1"]] == list(board["micro_f1"].dropna())
    assert pd.isna(board["parameters"]).any()


def test_a_board_can_be_ranked_by_another_metric(results: Path) -> None:
    board = erc_bench.leaderboard(results, dataset="sample", protocol="utterance", rank_by="macro_f1")
    scores = board[board["subset"] == "all"]["macro_f1"]
    assert list(scores) == sorted(scores, reverse=True)
    with pytest.raises(UnknownNameError, match="metric"):
        erc_bench.leaderboard(results, dataset="sample", rank_by="f1")


def test_what_cannot_be_read_is_left_out_with_a_warning(tmp_path: Path) -> None:
    whole, broken = erc_bench.run("prior", dataset="sample", seeds=[0, 1], results_dir=tmp_path)
    (broken.folder / "run.json").write_text("{")
    with pytest.warns(UserWarning, match="seed-1"):
        board = erc_bench.leaderboard(tmp_path)
    assert list(board["seeds"].dropna().unique()) == [1]
    (whole.folder / "run.json").write_text("{")
    with pytest.raises(DataCorruptError):
        erc_bench.leaderboard(tmp_path)


def test_a_comparison_is_that_of_the_command_line(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = erc_bench.compare("lookup", "prior", metric="mcc", results_dir=results)
    command("compare", "lookup", "prior", "--metric", "mcc", "--results-dir", results, "--json")
    printed = json.loads(capsys.readouterr().out)
    assert (printed["difference"], printed["p_value"]) == (pair.comparison.difference, pair.comparison.p_value)
    assert printed["different"] is pair.different
    assert pair.dataset == "sample"


def test_dialogues_side_by_side(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = erc_bench.show("lookup", errors=True, results_dir=results)
    compared = erc_bench.show("prior", compare="lookup", seed=1, results_dir=results, progress=default_progress())
    assert alone.selected == alone.labelled - alone.right
    assert compared.other is not None
    assert (compared.run.record.seed, compared.other.record.seed) == (1, 0)
    assert "seed" in capsys.readouterr().err, "that another seed is shown must be said"


def test_what_is_verified_is_counted(results: Path, tmp_path: Path) -> None:
    command("leaderboard", "--results-dir", results, "--output-dir", tmp_path, "--dataset", "sample")
    found = erc_bench.verify(results_dir=results, output_dir=tmp_path)
    assert (found.runs, found.boards, found.incomplete_runs, found.differences) == (3, 2, 0, ())
    board = tmp_path / "leaderboard-sample.csv"
    board.write_text(board.read_text().replace("lookup", "look-up"))
    (difference,) = erc_bench.verify(results_dir=results, output_dir=tmp_path).differences
    assert difference.where == board


def test_only_complete_runs_are_verified(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match="must hold a complete run to be verified"):
        erc_bench.verify(results_dir=tmp_path)
    whole, broken = erc_bench.run("prior", dataset="sample", seeds=[0, 1], results_dir=tmp_path)
    write_record(broken.folder, broken.record.model_copy(update={"status": "running"}))
    assert erc_bench.verify(results_dir=tmp_path).incomplete_runs == 1
    assert erc_bench.verify([whole.folder]).runs == 1
    with pytest.raises(UsageError, match="must be complete to be verified, got status 'running'"):
        erc_bench.verify([broken.folder])


def test_the_board_across_corpora_is_that_of_the_command_line(
    results: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataMissingError, match="two datasets at least"):
        erc_bench.across(results)
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(tmp_path / "corpora"))
    write_skeleton(tmp_path / "corpora" / "mine")
    both = tmp_path / "both"
    for dataset in ("sample", "mine"):
        erc_bench.run("lookup", dataset=dataset, results_dir=both)
        erc_bench.run("prior", dataset=dataset, results_dir=both)
    board = erc_bench.across(both)
    assert [corpus.name for corpus in board.corpora] == ["mine", "sample"]
    assert {row.title for row in board.ranked} == {"lookup", "prior"}
    command("leaderboard", "--across", "--results-dir", both, "--format", "csv")
    written = pd.read_csv(both / "across.csv", keep_default_na=False)
    table = board.table()
    assert list(written.columns) == list(table.columns)
    assert list(written["mean_rank"]) == list(table["mean_rank"])
    (next(both.glob("sample/prior/*/seed-0")) / "run.json").write_text("{")
    with pytest.warns(UserWarning, match="seed-0"):
        assert [row.title for row in erc_bench.across(both).ranked] == ["lookup"]

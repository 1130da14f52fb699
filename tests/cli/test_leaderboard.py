from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board.formats.csv_file import columns
from erc_bench.contract.domain import Dataset
from erc_bench.records.predictions import PREDICTIONS_FILE
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.cli.conftest import Command
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def results(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    write_run(tmp_path, sample, gold(sample), system="perfect")
    write_run(tmp_path, sample, ["happiness"] * len(gold(sample)), system="happy", floor=True)
    write_run(tmp_path, sample, gold(sample), system="unfinished", status="running")
    return tmp_path


def test_writes_and_prints_the_board(results: Path, command: Command) -> None:
    done = command("leaderboard", "--results-dir", results)
    assert done.code == 0
    lines = done.out.splitlines()
    header = next(line for line in lines if line.startswith("rank"))
    assert header.split()[-1] == "evidence"
    assert any(line.split()[:2] == ["1", "perfect"] for line in lines)
    assert any("happy (floor)" in line for line in lines)
    unfinished = next(run.folder for run in find_runs(results) if run.record.status == "running")
    progress, *told = done.err.splitlines()
    assert progress.startswith("Reading runs on sample: 2/2 (100%) runs")
    assert told == [
        f"not complete, left out: 1, for example {unfinished}",
        f"wrote {results / 'leaderboard.md'}",
        f"wrote {results / 'leaderboard.csv'}",
    ]
    assert sorted(path.name for path in results.iterdir()) == ["leaderboard.csv", "leaderboard.md", "sample"]


def test_output_folder_and_formats(results: Path, command: Command) -> None:
    output = results / "deep" / "boards"
    done = command("leaderboard", "--results-dir", results, "--output-dir", output, "--format", "latex,html")
    assert done.code == 0
    assert sorted(path.name for path in output.iterdir()) == ["leaderboard.html", "leaderboard.tex"]


def test_the_board_of_a_part_leaves_the_whole_one_alone(results: Path, command: Command) -> None:
    command("leaderboard", "--results-dir", results)
    whole = (results / "leaderboard.csv").read_bytes()
    narrow = ["--dataset", "sample", "--protocol", "utterance", "--rank-by", "accuracy"]
    done = command("leaderboard", "--results-dir", results, *narrow, "--format", "csv")
    assert f"wrote {results / 'leaderboard-sample-utterance-by-accuracy.csv'}" in done.err
    assert (results / "leaderboard.csv").read_bytes() == whole
    verified = command("verify", "--results-dir", results)
    assert "board files: 3" in verified.out


def test_one_protocol(results: Path, command: Command) -> None:
    assert command("leaderboard", "--results-dir", results, "--protocol", "last-turn").code == 0
    rows = list(csv.DictReader(io.StringIO((results / "leaderboard-last-turn.csv").read_text())))
    assert {row["protocol"] for row in rows} == {"last-turn"}
    assert {row["subset"] for row in rows} == {"all", "not-verbatim", "novel"}


def test_json_has_the_columns_and_nothing_else_on_stdout(results: Path, command: Command) -> None:
    content = json.loads(command("leaderboard", "--results-dir", results, "--json").out)
    assert [tuple(row)[: len(columns())] for row in content["rows"]] == [columns()] * 21
    assert content["rows"][0]["micro_f1"] == 100
    assert len(content["incomplete_runs"]) == 1
    assert content["files"] == [str(results / "leaderboard.md"), str(results / "leaderboard.csv")]


def test_published_rows_need_no_run_of_their_dataset(results: Path, command: Command, home: Path) -> None:
    assert "COSMIC" not in command("leaderboard", "--results-dir", results).out
    done = command("leaderboard", "--results-dir", results, "--dataset", "dailydialog")
    assert done.code == 0
    assert "COSMIC" in done.out
    assert "perfect" not in done.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--dataset", "dailydialogue"], "Did you mean 'dailydialog'?"),
        (["--protocol", "utterances"], "Did you mean 'utterance'?"),
        (["--format", "pdf"], "a format must be one of"),
        (["--format", ""], "--format must name at least one"),
    ],
)
def test_wrong_choices_are_usage_errors(results: Path, command: Command, arguments: list[str], problem: str) -> None:
    done = command("leaderboard", "--results-dir", results, *arguments)
    assert done.code == 2
    assert problem in done.err
    assert not (results / "leaderboard.md").exists()


def test_no_runs_is_missing_data(tmp_path: Path, command: Command) -> None:
    done = command("leaderboard", "--results-dir", tmp_path / "nowhere")
    assert done.code == 3
    assert "Make a run first" in done.err


def test_altered_runs_are_refused_by_name(results: Path, command: Command) -> None:
    run = next(iter(find_runs(results)))
    path = run.folder / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes().replace(b'"happiness"', b'"anger"', 1))
    done = command("leaderboard", "--results-dir", results)
    assert done.code == 3
    assert str(run.folder) in done.err
    assert not (results / "leaderboard.md").exists()


def test_runs_on_other_data_are_refused_by_name(
    results: Path, sample: Dataset, gold: Gold, write_run: WriteRun, command: Command
) -> None:
    run = write_run(results, sample, gold(sample), system="elsewhere", dataset_fingerprint="0" * 64)
    done = command("leaderboard", "--results-dir", results)
    assert done.code == 3
    assert str(run.folder) in done.err


def test_missing_data_say_what_to_do(
    results: Path, mini: Dataset, write_run: WriteRun, command: Command, home: Path
) -> None:
    write_run(results, replace(mini, name="dailydialog"), ["anger"] * 96)
    done = command("leaderboard", "--results-dir", results, "--dataset", "dailydialog")
    assert done.code == 3
    assert "erc-bench data download dailydialog" in done.err
    assert command("leaderboard", "--results-dir", results, "--dataset", "sample").code == 0


def test_what_cannot_be_scored_is_named_and_hides_no_other_run(
    results: Path, mini: Dataset, sample: Dataset, gold: Gold, write_run: WriteRun, command: Command, home: Path
) -> None:
    command("leaderboard", "--results-dir", results)
    board = (results / "leaderboard.csv").read_bytes()
    write_run(results, replace(mini, name="dailydialog"), ["anger"] * 96)
    unknown = write_run(results, replace(mini, name="nobodys"), ["anger"] * 96)
    broken = write_run(results, sample, gold(sample), system="broken")
    (broken.folder / "run.json").write_bytes(b'{"status": "comp\xff')
    done = command("leaderboard", "--results-dir", results)
    assert done.code == 5
    assert (results / "leaderboard.csv").read_bytes() == board
    assert any(line.split()[:2] == ["1", "perfect"] for line in done.out.splitlines())
    problems = [line for line in done.err.splitlines() if line.startswith("- ")]
    assert len(problems) == 3
    assert str(broken.folder / "run.json") in problems[0]
    assert "dailydialog" in problems[1]
    assert str(unknown.folder) in problems[2]
    listed = json.loads(command("leaderboard", "--results-dir", results, "--json").out)["problems"]
    assert [f"- {problem}".splitlines()[0] for problem in listed] == problems
    (results / "leaderboard.csv").unlink()
    (results / "leaderboard.md").unlink()
    assert command("leaderboard", "--results-dir", results, "--dataset", "sample").code == 5
    assert command("leaderboard", "--results-dir", results, "--dataset", "dailydialog").code == 3


def test_one_board_across_corpora(two_corpora: Path, command: Command) -> None:
    done = command("leaderboard", "--across", "--results-dir", two_corpora, "--format", "md,csv,html")
    assert done.code == 0, done.err
    assert "2 corpora, protocol utterance: 3 of 4 systems have rows on all" in done.out
    table = done.out.partition("Differences that hold")[0]
    lines = {cells[0]: cells for line in table.splitlines() if (cells := line.split())}
    assert lines["perfect"][1:4] == ["1.00", "[1.00,", "1.00]"]
    assert lines["only-there"][1] == "–"
    assert [line for line in done.err.splitlines() if line.startswith("wrote")] == [
        f"wrote {two_corpora / name}" for name in ("across.md", "across.csv", "across.html")
    ]
    rows = list(csv.DictReader(io.StringIO((two_corpora / "across.csv").read_text())))
    assert [row["system"] for row in rows] == ["perfect", "half", "neutral", "only-there"]
    assert {"sample_micro_f1", "mine_weighted_f1_all"} <= set(rows[0])
    assert command("verify", "--results-dir", two_corpora).out.endswith("board files: 3.\n")


def test_the_board_across_corpora_as_json(two_corpora: Path, command: Command) -> None:
    content = json.loads(command("leaderboard", "--across", "--results-dir", two_corpora, "--json").out)
    assert {name: each["metric"] for name, each in content["datasets"].items()} == {
        "mine": "weighted_f1_all",
        "sample": "micro_f1",
    }
    assert content["protocol"] == "utterance"
    assert [system["mean_rank"] for system in content["systems"]] == [1, 2, 3, None]
    assert {(pair["a"], pair["b"]) for pair in content["pairs"]} == {
        ("perfect", "half"),
        ("perfect", "neutral"),
        ("half", "neutral"),
    }
    assert content["files"] == [str(two_corpora / "across.md"), str(two_corpora / "across.csv")]


def test_a_board_across_corpora_by_another_metric_and_protocol(two_corpora: Path, command: Command) -> None:
    arguments = ("--across", "--results-dir", two_corpora, "--rank-by", "accuracy", "--protocol", "last-turn")
    done = command("leaderboard", *arguments)
    assert "2 corpora, protocol last-turn" in done.out
    assert "mine accuracy" in done.out
    written = sorted(path.name for path in two_corpora.glob("across*"))
    assert written == ["across-last-turn-by-accuracy.csv", "across-last-turn-by-accuracy.md"]
    assert command("verify", "--results-dir", two_corpora).out.endswith("board files: 2.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--dataset", "sample"], 2, "--dataset must not be given with --across"),
        (["--contrasts", "mine.toml"], 2, "--contrasts must not be given with --across"),
        (["--format", "md,latex"], 2, "must be among md, csv, html, got latex"),
        (["--protocol", "triplet"], 2, "whose rows are ranked, got triplet"),
        (["--protocol", "utterances"], 2, "Did you mean 'utterance'?"),
        ([], 3, "two datasets at least, got rows on sample only"),
    ],
)
def test_what_no_board_across_corpora_can_be_made_of(
    results: Path, command: Command, arguments: list[str], code: int, problem: str
) -> None:
    done = command("leaderboard", "--across", "--results-dir", results, *arguments)
    assert done.code == code
    assert problem in done.err
    assert not list(results.glob("across.*"))


IMPORTS = """
import sys
from erc_bench.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
heavy = [name for name in ("torch", "transformers", "sentence_transformers", "matplotlib") if name in sys.modules]
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["leaderboard", "--format", "md,csv,html,latex"],
        ["verify"],
        ["compare", "perfect", "happy"],
        ["leaderboard", "--help"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_boards_import_no_torch(results: Path, arguments: list[str]) -> None:
    folder = [] if "--help" in arguments else ["--results-dir", str(results)]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *arguments, *folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.data
def test_constant_on_real_data_is_the_oracle(
    tmp_path: Path, dailydialog: Dataset, dailydialog_dir: Path, write_run: WriteRun, command: Command
) -> None:
    write_run(tmp_path, dailydialog, ["happiness"] * 7740, system="constant", floor=True)
    done = command("leaderboard", "--results-dir", tmp_path, "--data-dir", dailydialog_dir)
    assert done.code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "leaderboard.csv").read_text())))
    measured = {(row["protocol"], row["subset"]): row for row in rows if row["evidence"] == "measured"}
    found = measured["utterance", "all"]
    assert [round(float(found[name]), 2) for name in ("macro_f1", "micro_f1", "mcc")] == [3.88, 22.25, 0]
    found = measured["last-turn", "all"]
    assert [round(float(found[name]), 2) for name in ("macro_f1", "micro_f1", "mcc")] == [7.37, 42.80, 0]
    assert sum(row["evidence"] == "published" for row in rows) == 24
    kinds = [row["evidence"] for row in rows]
    assert kinds == ["measured"] * 3 + ["annotation"] + ["measured"] * 7 + ["published"] * 24

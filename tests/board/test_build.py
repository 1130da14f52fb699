from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board.build import (
    FORMATS,
    build_boards,
    measured_board,
    narrowed,
    parse_formats,
    published_board,
    rendered,
    stem_of,
    write_boards,
)
from erc_bench.contract.domain import Dataset
from erc_bench.data import load_dataset
from erc_bench.data.skeleton import write_skeleton
from erc_bench.errors import DataCorruptError, DataMissingError, UnknownNameError, UsageError
from erc_bench.records.groups import group_runs
from erc_bench.records.record import RUN_FILE, find_runs, read_record

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def results(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    answers = gold(sample)
    write_run(tmp_path, sample, answers, system="perfect")
    write_run(tmp_path, sample, ["happiness"] * len(answers), system="happy", floor=True)
    write_run(tmp_path, sample, [None, *answers[1:]], system="unsure", status="running", seed=7)
    return tmp_path


def test_boards_of_all_datasets_with_runs(results: Path, sample: Dataset) -> None:
    found = build_boards(results)
    (board,) = found.boards
    assert board.dataset == "sample"
    assert board.fingerprint == sample.fingerprint
    assert board.sizes["test"] == (len(sample.test), sum(map(len, sample.test)))
    assert board.published == ()
    assert board.protocols() == ("utterance", "last-turn", "emotional")
    assert [row.title for row in board.rows("utterance")] == ["perfect", "happy"]
    assert [run.record.system for run in found.incomplete] == ["unsure"]


def test_narrowing_is_the_same_before_and_after(results: Path) -> None:
    (whole,) = build_boards(results).boards
    (part,) = build_boards(results, protocol="last-turn").boards
    assert part.protocols() == ("last-turn",)
    assert rendered([part], "csv") == rendered([narrowed(whole, "last-turn")], "csv")


def test_published_results_need_no_runs_and_no_data(results: Path, home: Path) -> None:
    (board,) = build_boards(results, dataset="dailydialog").boards
    assert board.sections == ()
    assert len(board.published) == 24
    assert board.sizes["test"] == (1000, 7740)
    (triplet,) = build_boards(results, dataset="dailydialog", protocol="triplet").boards
    assert [row.title for row in triplet.published] == ["SentEmoContext"]
    assert narrowed(published_board("dailydialog"), "triplet").published == triplet.published


def test_measured_and_published_rows_stand_on_one_board(mini: Dataset, tmp_path: Path, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, ["anger"] * 96)
    board = measured_board(mini, group_runs(find_runs(tmp_path)), published=published_board("dailydialog").published)
    assert len(board.sections) == 10
    assert len(board.published) == 24


def test_unknown_names_are_refused(results: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dailydialog'"):
        build_boards(results, dataset="dailydialogue")
    with pytest.raises(UnknownNameError, match="Did you mean 'last-turn'"):
        build_boards(results, protocol="last_turn")


def test_no_complete_run_is_an_error_with_a_way_out(tmp_path: Path, sample: Dataset, write_run: WriteRun) -> None:
    with pytest.raises(DataMissingError, match="the results folder must exist"):
        build_boards(tmp_path / "nowhere")
    with pytest.raises(DataMissingError, match="must hold a complete run, got none"):
        build_boards(tmp_path)
    write_run(tmp_path, sample, ["anger"] * sum(map(len, sample.test)), status="failed")
    with pytest.raises(DataMissingError, match=r"got none \(1 runs found\)") as caught:
        build_boards(tmp_path)
    assert "erc-bench run --system" in str(caught.value)


def test_a_protocol_that_no_run_can_have_rows_of_says_what_it_needs(
    tmp_path: Path, home: Path, gold: Gold, write_run: WriteRun
) -> None:
    write_skeleton(tmp_path / "mine")
    settings = tmp_path / "mine" / "dataset.toml"
    settings.write_text(settings.read_text().replace('neutral = "calm"\n', ""))
    mine = load_dataset(str(tmp_path / "mine"))
    write_run(tmp_path / "results", mine, gold(mine))
    with pytest.raises(
        UsageError, match=r"does not apply to the dataset mine: the test split must hold .* neutral label"
    ):
        build_boards(tmp_path / "results", dataset="mine", protocol="emotional")
    with pytest.raises(DataMissingError, match="for the protocol few-shot, got none"):
        build_boards(tmp_path / "results", dataset="mine", protocol="few-shot")


def test_missing_gold_labels_name_the_results_and_the_ways_out(
    tmp_path: Path, home: Path, mini: Dataset, write_run: WriteRun
) -> None:
    write_run(tmp_path, replace(mini, name="dailydialog"), ["anger"] * 96)
    with pytest.raises(DataMissingError, match="erc-bench data download dailydialog") as caught:
        build_boards(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert str(caught.value).endswith("To leave them out, name a results folder without them with --results-dir.")


def test_dataset_that_nobody_knows_is_refused(tmp_path: Path, mini: Dataset, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, ["anger"] * 96)
    with pytest.raises(DataCorruptError, match="got 'mini'") as caught:
        build_boards(tmp_path)
    assert str(run.folder) in str(caught.value)


def test_formats_are_parsed() -> None:
    assert parse_formats("md, csv,md") == ("md", "csv")
    assert parse_formats(",".join(FORMATS)) == ("md", "csv", "html", "latex", "contrasts")
    with pytest.raises(UnknownNameError, match="a format must be one of"):
        parse_formats("md,pdf")
    with pytest.raises(UsageError, match="--format must name at least one"):
        parse_formats(" , ")


def test_every_format_is_written(results: Path) -> None:
    boards = build_boards(results).boards
    paths = write_boards(boards, results / "new" / "folder", tuple(FORMATS))
    assert [path.name for path in paths] == [
        *("leaderboard.md", "leaderboard.csv", "leaderboard.html", "leaderboard.tex"),
        "leaderboard.contrasts.csv",
    ]
    for path, name in zip(paths, FORMATS, strict=True):
        assert path.read_bytes() == rendered(boards, name)
        assert (b"perfect" in path.read_bytes()) == (name != "contrasts")
    assert sorted(path.name for path in (results / "new" / "folder").iterdir()) == sorted(path.name for path in paths)


def test_half_a_surrogate_pair_does_not_stop_the_board(
    tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    run = write_run(tmp_path, sample, gold(sample), settings={"name": "HALF"}, notes=["a HALF note"])
    path = run.folder / RUN_FILE
    path.write_text(path.read_text().replace("HALF", "\\ud800"))
    assert "\ufffd" in read_record(run.folder).title
    boards = build_boards(tmp_path).boards
    for name in FORMATS:
        rendered(boards, name).decode("utf-8")


def test_same_records_give_the_same_bytes_in_every_process(results: Path, tmp_path: Path) -> None:
    outputs = []
    for number, seed in enumerate(("1", "31337")):
        output = tmp_path / f"board-{number}"
        subprocess.run(
            [
                *(sys.executable, "-c", "from erc_bench.cli import main; main()"),
                *("leaderboard", "--results-dir", str(results)),
                *("--output-dir", str(output), "--format", ",".join(FORMATS)),
            ],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
        outputs.append({path.name: path.read_bytes() for path in output.iterdir()})
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == len(FORMATS)
    for content in outputs[0].values():
        assert str(tmp_path).encode() not in content


def test_a_configuration_has_one_row_under_last_turn_and_says_why(
    mini: Dataset, gold: Gold, tmp_path: Path, write_run: WriteRun
) -> None:
    last = [str(dialogue.utterances[-1].label) for dialogue in mini.test]
    write_run(tmp_path, mini, gold(mini), system="talker")
    write_run(tmp_path, mini, last, system="talker", targets="last", config_hash="aaaa")
    write_run(tmp_path, mini, last, system="other", targets="last", config_hash="aaaa")
    board = measured_board(mini, group_runs(find_runs(tmp_path)))
    note = "its runs with targets=last are the same configuration and no row of their own"
    assert {row.title: (row.rank, row.notes) for row in board.rows("last-turn")} == {
        "talker": ("1-2", (note,)),
        "other (targets=last)": ("1-2", ()),
    }
    assert [row.notes for row in board.rows("utterance")] == [()]


@pytest.mark.parametrize(
    ("choice", "stem"),
    [
        ({}, "leaderboard"),
        ({"dataset": "sample"}, "leaderboard-sample"),
        ({"dataset": "sample", "protocol": "triplet"}, "leaderboard-sample-triplet"),
        ({"rank_by": "mcc"}, "leaderboard-by-mcc"),
    ],
)
def test_files_of_a_part_have_names_of_their_own(choice: dict[str, str], stem: str) -> None:
    assert stem_of(**choice) == stem

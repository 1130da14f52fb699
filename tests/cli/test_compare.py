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
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def results(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    truth = gold(sample)
    half = [label if position % 2 else "anger" for position, label in enumerate(truth)]
    other_half = ["anger" if position % 2 else label for position, label in enumerate(truth)]
    write_run(tmp_path, sample, truth, system="perfect", seed=0)
    write_run(tmp_path, sample, truth, system="perfect", seed=1)
    write_run(tmp_path, sample, half, system="half")
    write_run(tmp_path, sample, other_half, system="other-half")
    write_run(tmp_path, sample, ["anger"] * len(sample.test), system="last", targets="last")
    return tmp_path


def test_a_clear_difference(results: Path, command: Command) -> None:
    done = command("compare", "half", "perfect", "--results-dir", results)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "sample, protocol utterance, subset all: 30 dialogues, 10,000 paired resamples of them"
    assert lines[1].startswith("A  half: Micro F1 ")
    assert lines[2] == "B  perfect: Micro F1 100.00 [100.00, 100.00], mean of 2 seeds"
    assert lines[3].startswith("A - B: −")
    assert lines[4] == "perfect is better than half (p at most 0.05)."
    assert "this test set would show in 80% of cases" in lines[5]


def test_rows_that_cannot_be_told_apart(results: Path, command: Command) -> None:
    done = command("compare", "half", "other-half", "--results-dir", results)
    assert "cannot be told apart on these 30 dialogues" in done.out
    assert "no proof that they are equal" in done.out


def test_a_row_against_itself(results: Path, command: Command) -> None:
    done = command("compare", "half", "half", "--results-dir", results, "--json")
    found = json.loads(done.out)
    assert (found["difference"], found["p_value"], found["different"]) == (0, 1, False)


def test_json_states_everything(results: Path, command: Command) -> None:
    arguments = ("--metric", "mcc", "--subset", "not-verbatim", "--protocol", "last-turn", "--json")
    found = json.loads(command("compare", "perfect", "half", "--results-dir", results, *arguments).out)
    assert (found["dataset"], found["protocol"], found["subset"], found["metric"]) == (
        "sample",
        "last-turn",
        "not-verbatim",
        "mcc",
    )
    assert found["a"] == {"title": "perfect", "seeds": 2, "score": 1.0}
    assert found["difference"] == pytest.approx(found["a"]["score"] - found["b"]["score"])
    assert found["low"] < found["difference"] < found["high"]
    assert found["detectable"] > 0


def test_the_old_name_of_a_subset_is_read_with_a_note(results: Path, command: Command) -> None:
    done = command("compare", "perfect", "half", "--results-dir", results, "--subset", "unseen")
    assert "subset not-verbatim: " in done.out
    assert "note: the subset unseen is now called not-verbatim (without the test dialogues that stand" in done.err


def test_run_folders_compare_single_seeds(results: Path, command: Command) -> None:
    folder = next(run.folder for run in find_runs(results) if (run.record.system, run.record.seed) == ("perfect", 1))
    found = json.loads(command("compare", folder, "half", "--results-dir", results, "--json").out)
    assert found["a"] == {"title": "perfect, seed 1", "seeds": 1, "score": 100.0}


def test_runs_on_last_turns_are_compared_there(results: Path, command: Command) -> None:
    assert "protocol last-turn" in command("compare", "half", "last (targets=last)", "--results-dir", results).out
    done = command("compare", "half", "last (targets=last)", "--results-dir", results, "--protocol", "utterance")
    assert done.code == 2
    assert "Use --protocol last-turn" in done.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["half", "perfekt"], "Did you mean 'perfect'?"),
        (["half", "COSMIC"], "Published rows have no predictions here"),
        (["half", "perfect", "--metric", "f1"], "a metric must be one of"),
        (["half", "perfect", "--protocol", "triplet"], "a protocol must be one of"),
        (["half", "perfect", "--subset", "seen"], "a subset must be one of"),
        (["half", "perfect", "--dataset", "dailydialog"], "a row must be one of"),
    ],
)
def test_wrong_names_are_usage_errors(results: Path, command: Command, arguments: list[str], problem: str) -> None:
    done = command("compare", *arguments, "--results-dir", results)
    assert done.code == 2
    assert problem in done.err


def test_a_name_on_several_datasets_needs_one_of_them(
    results: Path, mini: Dataset, gold: Gold, write_run: WriteRun, command: Command
) -> None:
    for system in ("perfect", "half"):
        write_run(results, mini, gold(mini), system=system)
    write_run(results, mini, gold(mini), system="mini-only")
    done = command("compare", "half", "perfect", "--results-dir", results)
    assert done.code == 2
    assert "mini, sample: name one with --dataset" in done.err
    assert command("compare", "half", "perfect", "--results-dir", results, "--dataset", "sample").code == 0
    done = command("compare", "other-half", "mini-only", "--results-dir", results)
    assert done.code == 2
    assert "must be on the same dataset" in done.err


def test_unfinished_runs_are_refused(
    results: Path, sample: Dataset, gold: Gold, write_run: WriteRun, command: Command
) -> None:
    run = write_run(results, sample, gold(sample), system="running", status="running")
    done = command("compare", run.folder, "half", "--results-dir", results)
    assert done.code == 2
    assert "got status 'running'" in done.err


def test_by_phenomenon_every_group_has_its_line(results: Path, command: Command) -> None:
    done = command("compare", "half", "perfect", "--by", "shift", "--results-dir", results)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    heading = lines.index("") + 1
    assert lines[heading].startswith("By shift. Whether the gold label is that of one of the two utterances before")
    assert [line.split(" (")[0] for line in lines[heading + 1 :]] == ["continues", "shifts", "first"]
    assert all(", B 100.00, A - B −" in line for line in lines[heading + 1 :])
    found = json.loads(command("compare", "half", "perfect", "--by", "label", "--results-dir", results, "--json").out)
    assert found["by"] == "label"
    assert {
        "group",
        "support",
        "dialogues",
        "metric",
        "a",
        "b",
        "difference",
        "low",
        "high",
        "p_value",
        "p_corrected",
    } == set(found["groups"][0])
    assert command("compare", "half", "perfect", "--by", "speaker", "--results-dir", results).code == 2

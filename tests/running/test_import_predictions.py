from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError, DataMissingError, UsageError
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import find_runs, read_record
from erc_bench.running.import_predictions import Scoring, check_name, import_predictions, read_predictions_file

Gold = Callable[[Dataset], list[str]]


def lines_of(dataset: Dataset, *, last: bool = False) -> list[dict[str, Any]]:
    """One right answer a target."""
    return [
        {"dialogue": dialogue.id, "turn": turn, "label": dialogue.utterances[turn].label}
        for dialogue in dataset.test
        for turn in range(len(dialogue) - 1 if last else 0, len(dialogue))
    ]


def as_jsonl(folder: Path, lines: list[Any]) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def as_csv(folder: Path, rows: list[str], header: str = "dialogue,turn,label") -> Path:
    path = folder / "answers.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def problems(path: Path, dataset: Dataset, **options: Any) -> list[str]:
    with pytest.raises(DataCorruptError) as caught:
        read_predictions_file(path, dataset, **options)
    return [line.removeprefix("- ") for line in str(caught.value).splitlines() if line.startswith("- ")]


def test_jsonl_is_read_in_the_order_of_the_test_split(tmp_path: Path, mini: Dataset, gold: Gold) -> None:
    found = read_predictions_file(as_jsonl(tmp_path, lines_of(mini)[::-1]), mini)
    assert [prediction.label for prediction in found] == gold(mini)
    assert [prediction.target for prediction in found] == [t for d in mini.test for t in d.targets()]


def test_csv_gives_the_same_as_jsonl(tmp_path: Path, mini: Dataset) -> None:
    lines = lines_of(mini)
    lines[3] |= {"label": None, "raw": "I, for one,\ncannot tell", "scores": {"anger": 0.5, "fear": -1}}
    rows = [f"{line['turn']},{line['dialogue']},{line['label']},," for line in lines]
    rows[3] = (
        f'{lines[3]["turn"]},{lines[3]["dialogue"]},,"I, for one,\ncannot tell","{{""anger"": 0.5, ""fear"": -1}}"'
    )
    table = as_csv(tmp_path, rows, header="\ufeffturn,dialogue,label,raw,scores")
    assert read_predictions_file(table, mini) == read_predictions_file(as_jsonl(tmp_path, lines), mini)


def test_empty_and_null_are_unusable_answers(tmp_path: Path, mini: Dataset) -> None:
    rows = [f"{line['dialogue']},{line['turn']}," for line in lines_of(mini)]
    assert {p.label for p in read_predictions_file(as_csv(tmp_path, rows), mini)} == {None}
    lines = [line | {"label": None} for line in lines_of(mini)]
    assert {p.label for p in read_predictions_file(as_jsonl(tmp_path, lines), mini)} == {None}


def test_last_turns_only(tmp_path: Path, mini: Dataset) -> None:
    found = read_predictions_file(as_jsonl(tmp_path, lines_of(mini, last=True)), mini, "last")
    assert [p.turn for p in found] == [len(dialogue) - 1 for dialogue in mini.test]
    shown = problems(as_jsonl(tmp_path, lines_of(mini)), mini, targets="last")
    assert shown[0] == "line 1: with --targets last, turn of test-00000 must be 2 (its last), got 0"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"label": "joy"},
            "label must be one of no emotion, anger, disgust, fear, happiness, sadness, surprise or empty",
        ),
        ({"label": ""}, "label must be one of"),
        ({"label": ["anger"]}, "label must be one of"),
        (
            {"dialogue": "train-00000"},
            "dialogue must be one of the test split, for example test-00000, got 'train-00000'",
        ),
        ({"dialogue": 3}, "dialogue must be one of the test split"),
        ({"turn": 3}, "turn of test-00000 must be a whole number from 0 to 2, got 3"),
        ({"turn": -1}, "turn of test-00000 must be a whole number"),
        ({"turn": "1"}, "turn of test-00000 must be a whole number"),
        ({"turn": 1.0}, "turn of test-00000 must be a whole number"),
        ({"turn": True}, "turn of test-00000 must be a whole number"),
        ({"raw": 5}, "raw must be a text, got 5"),
        ({"scores": {"joy": 1}}, "scores must be an object from labels to finite numbers"),
        ({"scores": {"anger": "high"}}, "scores must be an object from labels to finite numbers"),
        ({"scores": {"anger": 10**400}}, "scores must be an object from labels to finite numbers"),
        ({"scores": [1, 2]}, "scores must be an object from labels to finite numbers"),
        ({"confidence": 1}, "a field must be one of dialogue, turn, label, raw, scores, got 'confidence'"),
        ({"turn": 0}, "every target must stand once, got test-00000 turn 0 again after line 1"),
    ],
)
def test_each_problem_is_named_with_its_line(
    tmp_path: Path, mini: Dataset, change: dict[str, Any], problem: str
) -> None:
    lines = lines_of(mini)
    lines[1] |= change
    shown = problems(as_jsonl(tmp_path, lines), mini)
    assert shown[0].startswith(f"line 2: {problem}")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("not json", "a line must be a JSON object, got 'not json'"),
        ("[1, 2]", "a line must be a JSON object, got [1, 2]"),
        ('{"dialogue": "test-00000", "turn": 1}', "label must be given, got none"),
        ("[" * 100_000, "a line must be a JSON object, got '[[["),
        ('{"dialogue": "test-00000", "turn": 1, "label": null, "scores": {"fear": NaN}}', "scores must be an object"),
    ],
)
def test_damaged_lines_are_named(tmp_path: Path, mini: Dataset, line: str, problem: str) -> None:
    lines: list[Any] = lines_of(mini)
    lines[1] = line
    assert problems(as_jsonl(tmp_path, lines), mini)[0].startswith(f"line 2: {problem}")


def test_every_problem_is_listed_up_to_twenty(tmp_path: Path, mini: Dataset) -> None:
    lines = [line | {"label": "joy"} for line in lines_of(mini)[:15]]
    with pytest.raises(DataCorruptError) as caught:
        read_predictions_file(as_jsonl(tmp_path, lines), mini)
    shown = str(caught.value).splitlines()
    assert shown[0].endswith("must give every test utterance one known label (or none), but:")
    assert shown[15].startswith("- line 15: label must be one of")
    assert shown[16] == "- test-00004 turn 0 must have a prediction, got none"
    assert shown[21] == "- and 76 more"
    assert shown[22].startswith("Correct the file: 96 targets are expected, 15 were found. Nothing was written.")


def test_blank_lines_are_no_problem(tmp_path: Path, mini: Dataset) -> None:
    lines: list[Any] = [*lines_of(mini), "", "  "]
    assert len(read_predictions_file(as_jsonl(tmp_path, lines), mini)) == 96


@pytest.mark.parametrize(
    ("header", "row", "problem"),
    [
        ("dialogue,label", "test-00000,anger", "line 1: columns must be dialogue, turn, label"),
        ("dialogue,turn,label,label", "test-00000,0,anger,fear", "line 1: columns must be"),
        ("dialogue;turn;label", "test-00000;0;anger", "line 1: columns must be"),
        ("dialogue,turn,label", "test-00000,0", "line 2: a line must have 3 cells, got 2"),
        ("dialogue,turn,label", "test-00000,0,joy", "line 2: label must be one of"),
        ("dialogue,turn,label", "test-00000,first,anger", "line 2: turn of test-00000 must be a whole number"),
        (
            "dialogue,turn,label",
            'test-00000,0,"anger',
            "line 2: a line must be CSV, got an error: unexpected end of data",
        ),
        ("dialogue,turn,label,scores", "test-00000,0,anger,high", "line 2: scores must be an object"),
    ],
)
def test_problems_of_csv_are_named(tmp_path: Path, mini: Dataset, header: str, row: str, problem: str) -> None:
    assert problems(as_csv(tmp_path, [row], header), mini)[0].startswith(problem)


def test_other_files_are_refused(tmp_path: Path, mini: Dataset) -> None:
    with pytest.raises(UsageError, match=r"must end in \.jsonl or \.csv, got answers\.txt"):
        read_predictions_file(tmp_path / "answers.txt", mini)
    with pytest.raises(DataMissingError, match="a file of predictions must exist"):
        read_predictions_file(tmp_path / "answers.csv", mini)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("answers.csv", b"dialogue,turn,label\ntest-00000,0,anger\ntest-00000,1,\xff\n"),
        ("answers.jsonl", b'\n{"dialogue": "test-00000", "turn": 0, "label": "anger"}\n{"dialogue": "\xff"}\n'),
    ],
)
def test_bytes_that_are_not_utf8_are_named_with_their_line(
    name: str, content: bytes, tmp_path: Path, mini: Dataset
) -> None:
    (tmp_path / name).write_bytes(content)
    assert re.match("line 3: a line must be .*(UTF-8|utf-8)", problems(tmp_path / name, mini)[0])


def test_halves_of_surrogate_pairs_in_answers_are_replaced(tmp_path: Path, mini: Dataset) -> None:
    lines = lines_of(mini)
    lines[0]["raw"] = "\ud800!"
    assert read_predictions_file(as_jsonl(tmp_path, lines), mini)[0].raw == "\ufffd!"


@pytest.mark.parametrize("name", ["my-model", "a", "GPT_4o.mini+cot", "x" * 80, "7b"])
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "..", ".hidden", "a/b", "a\\b", "-x", "x" * 81, "a b", "dot.", "naïve", "a\n", "constant", "LOOKUP"]
)
def test_bad_names(name: str) -> None:
    with pytest.raises(UsageError, match="--name must"):
        check_name(name)


def test_import_makes_a_record(tmp_path: Path, mini: Dataset) -> None:
    lines = lines_of(mini)
    lines[0]["label"], lines[1]["raw"] = None, "text"
    scoring = Scoring("mine", seed=3, context="past", source="Doe, ACL 2025")
    run = import_predictions(as_jsonl(tmp_path, lines), scoring, mini, tmp_path / "results")
    assert run.folder.relative_to(tmp_path / "results").parts[:2] == ("mini", "mine")
    record = read_record(run.folder)
    assert record == run.record
    assert (record.status, record.evidence, record.reference) == ("complete", "predictions", "Doe, ACL 2025")
    assert (record.context, record.context_check and record.context_check.tested) == ("past", False)
    assert record.scores["unusable_rate"] == pytest.approx(1 / 96, abs=1e-6)
    assert record.command == "erc-bench score answers.jsonl --name mine --dataset mini --seed 3"
    assert str(tmp_path) not in (run.folder / "run.json").read_text()
    assert len(read_predictions(run.folder)) == record.predictions == 96


def test_seeds_of_one_name_share_a_configuration(tmp_path: Path, mini: Dataset) -> None:
    path = as_jsonl(tmp_path, lines_of(mini))
    for seed in (0, 1):
        import_predictions(path, Scoring("mine", seed=seed), mini, tmp_path / "results")
    import_predictions(
        as_jsonl(tmp_path, lines_of(mini, last=True)), Scoring("mine", "last"), mini, tmp_path / "results"
    )
    hashes = [run.record.config_hash for run in find_runs(tmp_path / "results")]
    assert len(hashes) == 3
    assert len(set(hashes)) == 2


def test_nothing_is_written_unless_all_is_sound(tmp_path: Path, mini: Dataset) -> None:
    results = tmp_path / "results"
    with pytest.raises(DataCorruptError):
        import_predictions(as_jsonl(tmp_path, lines_of(mini)[1:]), Scoring("mine"), mini, results)
    with pytest.raises(UsageError):
        import_predictions(as_jsonl(tmp_path, lines_of(mini)), Scoring("prior"), mini, results)
    assert not results.exists()


def test_other_predictions_are_not_replaced_by_accident(tmp_path: Path, mini: Dataset) -> None:
    results = tmp_path / "results"
    path = as_jsonl(tmp_path, lines_of(mini))
    first = import_predictions(path, Scoring("mine"), mini, results)
    before = (first.folder / "run.json").read_bytes()
    assert import_predictions(path, Scoring("mine"), mini, results).folder == first.folder
    other = as_jsonl(tmp_path, [line | {"label": "anger"} for line in lines_of(mini)])
    with pytest.raises(UsageError, match=r"must not be replaced by accident.*--overwrite"):
        import_predictions(other, Scoring("mine"), mini, results)
    assert (first.folder / "run.json").read_bytes() == before
    second = import_predictions(other, Scoring("mine"), mini, results, overwrite=True)
    assert second.record.scores != first.record.scores

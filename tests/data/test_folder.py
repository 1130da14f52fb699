from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.contract.domain import LabelSet
from erc_bench.data.folder import described, folder_spec, is_folder_dataset
from erc_bench.data.load import inspect_dataset
from erc_bench.errors import DataCorruptError, DataMissingError

SETTINGS = """\
labels = ["calm", "joy"]
neutral = "calm"
ranking_metric = "micro_f1"
licence = "CC0"
"""
LINE = '{"utterances": [{"speaker": "A", "text": "Hi.", "label": "joy"}]}\n'
ROWS = "dialogue,speaker,text,label\nd,A,Hi.,joy\n"


def write(folder: Path, settings: str = SETTINGS, ending: str = ".jsonl", content: str = LINE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "dataset.toml").write_text(settings, "utf-8")
    for split in ("train", "validation", "test"):
        (folder / f"{split}{ending}").write_text(content, "utf-8")
    return folder


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    spec = folder_spec(write(tmp_path / "mine"))
    assert (spec.name, spec.labels, spec.ranking_metric) == ("mine", LabelSet(("calm", "joy"), "calm"), "micro_f1")
    assert (spec.facts, spec.mirrors, spec.reference) == (None, (), "-")
    assert is_folder_dataset(tmp_path / "mine")
    assert not is_folder_dataset(tmp_path)


def test_a_corpus_may_have_no_neutral_label(tmp_path: Path) -> None:
    spec = folder_spec(write(tmp_path / "mine", SETTINGS.replace('neutral = "calm"\n', "")))
    assert spec.labels.neutral is None
    assert spec.labels.emotions == ("calm", "joy")


@pytest.mark.parametrize(
    ("settings", "ending", "content"),
    [
        (SETTINGS, ".jsonl", LINE),
        (SETTINGS, ".csv", ROWS),
        (f'{SETTINGS}[columns]\ndialogue = "Scene"\n', ".csv", ROWS.replace("dialogue", "Scene")),
    ],
)
def test_json_lines_and_csv_are_read(settings: str, ending: str, content: str, tmp_path: Path) -> None:
    dataset = inspect_dataset(folder_spec(write(tmp_path / "mine", settings, ending, content))).dataset
    assert dataset is not None
    assert [utterance.text for utterance in dataset.test[0].utterances] == ["Hi."]


def test_files_may_have_other_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", f'{SETTINGS}[files]\nvalidation = "dev.csv"\n')
    (folder / "dev.csv").write_text(ROWS)
    dataset = inspect_dataset(folder_spec(folder)).dataset
    assert dataset is not None
    assert (dataset.validation[0].id, dataset.test[0].id) == ("d", "test-00000")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["calm", "joy"]', '["calm"]', "line 1 of {}: labels must be a list of two names or more, got ['calm']."),
        ('["calm", "joy"]', '["calm", ""]', "line 1 of {}: the label must be a text that is not empty, got ''."),
        ('["calm", "joy"]', '["a", "a"]', "line 1 of {}: each label must stand once, got ['a', 'a']."),
        ('= "calm"', '= "none"', "line 2 of {}: neutral must be one of the labels or left out, got 'none'."),
        ('"micro_f1"', "7", "line 3 of {}: the ranking_metric must be a text that is not empty, got 7."),
        ('"micro_f1"', '"beauty"', "line 3 of {}: ranking_metric must be one of micro_f1, macro_f1, mcc, "),
        ('licence = "CC0"\n', "", "{}: licence must be given, got nothing."),
        (
            '"CC0"\n',
            '"CC0"\nname = "a/b"\n',
            "line 5 of {}: the name must be a letter or digit and then at most 63 letters, digits, '-', '_' and '.', got 'a/b'.",
        ),
        (
            '"CC0"\n',
            '"CC0"\nname = "meld"\n',
            "line 5 of {}: the name must be another than that of a registered dataset, got 'meld'.",
        ),
        ('"CC0"\n', '"CC0"\nlabel = 3\n', "line 5 of {}: a key must be one of name, title, neutral, "),
        ('"CC0"\n', '"CC0"\nfiles = 3\n', "line 5 of {}: files must be a table with the keys train, validation, test"),
        ('"CC0"\n', '"CC0"\n[columns]\nwho = "x"\n', "line 6 of {}: columns must give names for dialogue, speaker, "),
        (
            '"CC0"\n',
            '"CC0"\n[columns]\nlabel = "Emo"\ntext = "Emo"\n',
            "line 7 of {}: text and label must be different columns, got 'Emo' for each.",
        ),
        (
            '"CC0"\n',
            '"CC0"\n[columns]\ntext = "label"\n',
            "line 6 of {}: text and label must be different columns, got 'label' for each.",
        ),
        (
            '"CC0"\n',
            '"CC0"\n[files]\ntest = "a.txt"\n',
            "line 6 of {}: a file must end in .jsonl or .csv, got 'a.txt'.",
        ),
    ],
)
def test_every_problem_is_named_with_its_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in SETTINGS
    folder = write(tmp_path / "mine", SETTINGS.replace(old, new))
    _, problems = described(folder)
    expected = message.replace("{}", str(folder / "dataset.toml"))
    assert any(problem.startswith(expected) for problem in problems), problems


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", 'labels = ["a", "b"]\nneutral = "c"\ntitle = 3\n')
    with pytest.raises(DataCorruptError, match=r"must describe a dataset, but:(\n- .*){4}$"):
        folder_spec(folder)


def test_two_files_of_a_split_must_be_told_apart(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    (folder / "test.csv").write_text(ROWS)
    with pytest.raises(DataCorruptError, match="the test split must be one file, or be named under"):
        folder_spec(folder)


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    with pytest.raises(DataCorruptError, match=r"dataset\.toml must be TOML, got: Exceeds the limit"):
        folder_spec(write(tmp_path / "mine", f"labels = {'9' * 5_000}"))
    with pytest.raises(DataCorruptError, match=r"line 2 of .*dataset\.toml must be TOML, got"):
        folder_spec(write(tmp_path / "mine", 'labels = ["a"]\nneutral = calm\n'))


def test_a_folder_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"must hold dataset\.toml.* `erc-bench data new NAME`"):
        folder_spec(tmp_path)


def test_a_missing_file_may_be_of_either_form(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", f'{SETTINGS}[files]\ntest = "test.csv"\n')
    (folder / "train.jsonl").unlink()
    (folder / "train.csv").mkdir()
    assert inspect_dataset(folder_spec(folder)).problems == (
        f"{folder} must hold the file train.jsonl or train.csv, got neither.",
        f"{folder / 'test.csv'} must be readable, got: No such file or directory.",
    )


def test_a_missing_file_and_an_empty_one_are_problems_of_the_dataset(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    (folder / "train.jsonl").unlink()
    (folder / "test.jsonl").write_text("\n")
    inspection = inspect_dataset(folder_spec(folder))
    assert [part in problem for part, problem in zip(("train.jsonl", "test split"), inspection.problems, strict=True)]
    assert "erc-bench data check" in str(inspection.refusal())

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from erc_bench.contract.domain import Dialogue, LabelSet, Utterance
from erc_bench.data.jsonl import read_jsonl
from erc_bench.data.spec import SplitReading
from erc_bench.errors import DataMissingError

LABELS = LabelSet(("calm", "joy"), neutral="calm")
LINE = '{"id": "first", "utterances": [{"speaker": "A", "text": " Hi . ", "label": "joy"}]}'


def read(tmp_path: Path, *lines: str | bytes) -> SplitReading:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n")
    return read_jsonl(path, "train", LABELS)


def test_a_line_is_a_dialogue(tmp_path: Path) -> None:
    reading = read(tmp_path, "\ufeff" + LINE, LINE.replace('"id": "first", ', ""), "")
    utterances = (Utterance("Hi .", "A", "joy"),)
    assert reading.dialogues == (Dialogue("first", utterances), Dialogue("train-00001", utterances))
    assert reading.problems == ()
    assert reading.file_sha256 == hashlib.sha256((tmp_path / "train.jsonl").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINE[:-5], "a line must be a JSON object, got"),
        ("", "a line must be a JSON object, got ''"),
        ("[" * 100_000, "a line must be a JSON object"),
        ("9" * 5_000, "a line must be a JSON object"),
        ("[]", 'a line must be {"utterances": [...]} with one utterance or more, got []'),
        ('{"id": "b", "utterances": []}', "with one utterance or more"),
        ('{"id": "b", "utterances": ["Hi"]}', "utterance 1 must be an object, got 'Hi'"),
        (LINE.replace("speaker", "who"), "the speaker of utterance 1 must be a text that is not empty, got None"),
        (LINE.replace(" Hi . ", "  "), "the text of utterance 1 must be a text that is not empty, got '  '"),
        (LINE.replace(" Hi . ", "\\ud83d"), "the text of utterance 1 must be text, got half of a surrogate pair"),
        (LINE.replace("joy", "rage"), "the label of utterance 1 must be one of calm, joy, got 'rage'"),
        (LINE.replace('"joy"', "null"), "the label of utterance 1 must be a text that is not empty, got None"),
        (LINE.replace('"first"', "7"), "the id must be a text that is not empty, got 7"),
        (LINE, "an id must stand once in a split, got 'first' again"),
    ],
)
def test_a_malformed_line_is_named_and_left_out(line: str, message: str, tmp_path: Path) -> None:
    reading = read(tmp_path, LINE, line, LINE.replace("first", "last"))
    assert [dialogue.id for dialogue in reading.dialogues] == ["first", "last"]
    assert len(reading.problems) == 1
    assert reading.problems[0].startswith(f"line 2 of {tmp_path / 'train.jsonl'}: ")
    assert message in reading.problems[0]


def test_a_byte_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    reading = read(tmp_path, LINE, LINE.replace("first", "last").encode().replace(b"Hi", b"\xff"))
    assert reading.problems == (f"{tmp_path / 'train.jsonl'} must be UTF-8, got byte 0xff in line 2.",)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"train\.jsonl must be readable, got: No such file"):
        read_jsonl(tmp_path / "train.jsonl", "train", LABELS)

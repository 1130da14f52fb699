from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from erc_bench.contract.domain import Dialogue, LabelSet, Utterance
from erc_bench.data.spec import SplitReading
from erc_bench.data.table import Columns, read_csv
from erc_bench.errors import DataCorruptError

LABELS = LabelSet(("calm", "joy"), neutral=None)
HEAD = "dialogue,speaker,text,label\n"


def read(tmp_path: Path, text: str | bytes, *, keep_ids: bool = True, columns: Columns | None = None) -> SplitReading:
    path = tmp_path / "test.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, "test", LABELS, columns or Columns(), keep_ids=keep_ids)


def test_rows_of_a_dialogue_follow_each_other(tmp_path: Path) -> None:
    reading = read(tmp_path, f'\ufeff{HEAD}x,Ana," One,\ntwo ",joy\r\nx,Bo,Three,calm\n7,Ana,Four,calm\n')
    assert reading.problems == ()
    first = (Utterance("One,\ntwo", "Ana", "joy"), Utterance("Three", "Bo", "calm"))
    assert reading.dialogues == (Dialogue("x", first), Dialogue("7", (Utterance("Four", "Ana", "calm"),)))
    assert reading.file_sha256 == hashlib.sha256((tmp_path / "test.csv").read_bytes()).hexdigest()


def test_ids_can_count_dialogues_instead(tmp_path: Path) -> None:
    reading = read(tmp_path, f"{HEAD}x,A,One,joy\n7,A,Two,calm\n", keep_ids=False)
    assert [dialogue.id for dialogue in reading.dialogues] == ["test-00000", "test-00001"]


def test_columns_are_found_by_their_headings(tmp_path: Path) -> None:
    columns = Columns(dialogue="Scene", speaker="Who", text="Says", label="Feels")
    reading = read(tmp_path, "Feels,n,Says,Who,Scene\njoy,1,Hi,A,x\n", columns=columns)
    assert reading.dialogues == (Dialogue("x", (Utterance("Hi", "A", "joy"),)),)


def test_a_copy_in_the_encoding_of_windows_is_read(tmp_path: Path) -> None:
    reading = read(tmp_path, f"{HEAD}x,A,It\u2019s caf\u00e9,joy\n".encode("cp1252"))
    assert (reading.dialogues[0].utterances[0].text, reading.problems) == ("It\u2019s caf\u00e9", ())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x,A,Hi", "the label must be a text that is not empty, got None"),
        ("x,A,Hi,joy,joy", "a row must have 4 cells, got more"),
        ("x,,Hi,joy", "the speaker must be a text that is not empty, got ''"),
        ("x,A, ,joy", "the text must be a text that is not empty, got ' '"),
        ("x,A,Hi,rage", "the label must be one of calm, joy, got 'rage'"),
        ("a,A,Hi,joy", "the rows of a dialogue must follow each other, got 'a' again"),
    ],
)
def test_a_malformed_row_is_named_by_its_line_and_left_out(row: str, message: str, tmp_path: Path) -> None:
    reading = read(tmp_path, f'{HEAD}a,A,"One\nmore",joy\nb,A,Two,joy\n{row}\nc,A,Three,joy\n')
    assert [dialogue.id for dialogue in reading.dialogues] == ["a", "b", "c"]
    assert reading.problems == (f"line 5 of {tmp_path / 'test.csv'}: {message}.",)


def test_empty_lines_count_as_lines_and_are_no_rows(tmp_path: Path) -> None:
    reading = read(tmp_path, f'{HEAD}\n\na,A,"One\n\nmore",joy\n\na,A,Two,rage\n\n\na,A,"Three,joy\n')
    assert [len(dialogue) for dialogue in reading.dialogues] == [1]
    assert [problem.split(" of ")[0] for problem in reading.problems] == ["line 8", "line 11"]


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ('b,A,"Two,joy\n', "line 3 of .* must be CSV, got: unexpected end"),
        (f"b,A,{'x' * 200_000},joy\n", "field larger"),
    ],
)
def test_a_file_that_ends_inside_a_row(rest: str, message: str, tmp_path: Path) -> None:
    reading = read(tmp_path, f"{HEAD}a,A,One,joy\n{rest}")
    assert len(reading.dialogues) == 1
    assert len(reading.problems) == 1
    assert re.search(message, reading.problems[0])


@pytest.mark.parametrize(
    ("text", "got"), [("", "''"), ("dialogue,text\n", "'dialogue, text'"), ("<html>Moved</html>", "a web page")]
)
def test_other_files_are_refused(text: str, got: str, tmp_path: Path) -> None:
    with pytest.raises(DataCorruptError, match=f"line 1 of .*test.csv must name the columns .*, got {got}"):
        read(tmp_path, text)


def test_a_byte_of_neither_encoding_is_named(tmp_path: Path) -> None:
    reading = read(tmp_path, HEAD.encode() + b"x,A,\x81,joy\n")
    assert "must be UTF-8, got byte 0x81 in line 2" in reading.problems[0]

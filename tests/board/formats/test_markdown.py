from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from erc_bench.board.formats.markdown import escaped, render_markdown
from erc_bench.board.model import Board
from erc_bench.contract.domain import Split
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.rows import Row, Section

SIZES: dict[Split, tuple[int, int]] = {"train": (11118, 87170), "validation": (1000, 8069), "test": (1000, 7740)}


@pytest.fixture(scope="module")
def board(sections: Sequence[Section], published: Sequence[Row]) -> Board:
    return Board("dailydialog", "273c31422a3f" + "0" * 52, SIZES, LABELS, tuple(sections), tuple(published))


@pytest.fixture(scope="module")
def text(board: Board) -> str:
    return render_markdown([board])


def tables(text: str) -> list[list[list[str]]]:
    """Every table as lines of cells; a pipe after a backslash is part of its cell."""
    found = []
    for block in text.split("\n\n"):
        if block.startswith("|"):
            lines = block.splitlines()
            found.append([[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines])
    return found


def test_tables_are_whole(text: str) -> None:
    utterance, last, published = tables(text)
    assert len(utterance) == 3
    assert [row[1] for row in last[2:]] == ["large", "middle", "wasteful", "talker", "constant (floor)"]
    assert [row[0] for row in last[2:]] == ["1", "2–3", "2–3", "4", "5"]
    assert [row[0] for row in published[2:]] == ["Llama-2-13b", "SEC"]
    for table in (utterance, last, published):
        assert len({len(row) for row in table}) == 1


def test_a_row_says_all_that_the_board_must_say(text: str) -> None:
    header, _, *rows = tables(text)[1]
    row = dict(zip(header, rows[1], strict=True))
    assert re.fullmatch(r"\d+\.\d\d \[\d+\.\d\d, \d+\.\d\d\]", row["micro F1 [95%]"])
    assert re.fullmatch(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", row["MCC [95%]"])
    assert row["not-verbatim micro F1 [95%]"] == row["micro F1 [95%]"]
    assert row["unusable"] == "0.0%"
    assert row["seeds"] == "3 (± 0.80)"
    assert row["context"] == "dialogue ✓"
    assert row["parameters"] == "22.7 M"
    assert row["training"] == "2 min"
    assert row["utt/s"] == "190"
    assert row["evidence"] == "measured"


def test_a_row_without_the_subset_or_the_proof_has_a_dash(text: str) -> None:
    header, _, *rows = tables(text)[1]
    first, talker = (dict(zip(header, row, strict=True)) for row in (rows[0], rows[3]))
    assert first["not-verbatim micro F1 [95%]"] == "–"
    assert talker["context"] == "dialogue"
    assert talker["evidence"] == "predictions"


def test_provenance_and_notes_stand_beside_the_tables(text: str) -> None:
    assert "content SHA-256 273c31422a3f…: train 11,118 dialogues, 87,170 utterances" in text
    assert "95% intervals over whole dialogues and seeds" in text
    assert "[docs/protocols-and-metrics.md](../docs/protocols-and-metrics.md)" in text
    assert "No utterance has the label 'fear' (subset all, not-verbatim)" in text
    assert "- talker: with unusable answers read as 'no emotion', micro F1 61.25, macro F1 50.00, MCC 0.500." in text
    assert "- middle: Cached; see https://example.org/note." in text
    assert "- last turn only: scored on the last utterance of each dialogue." in text


def test_published_rows_are_in_a_table_of_their_own(text: str) -> None:
    header, _, *rows = tables(text)[2]
    row = dict(zip(header, rows[0], strict=True))
    assert row["protocol"] == "last-turn"
    assert (row["micro F1"], row["macro F1"]) == ("43.37", "22.26")
    assert "MCC" not in row, "no published row states it"
    assert row["checked"] == "–"
    assert row["flags"] == "last turn only"
    assert row["source"] == "Table 2 of https://example.org/paper.pdf."
    assert "### dailydialog: published results" in text


def test_hostile_texts_stay_in_their_cells(board: Board, attack: Sequence[Section]) -> None:
    hostile = [replace(section, subset="all", protocol="utterance") for section in attack]
    text = render_markdown([replace(board, sections=tuple(hostile), published=())])
    (table,) = tables(text)
    assert len(table) == 2 + len(hostile[0].rows)
    assert len({len(row) for row in table}) == 1
    assert not re.search(r"(?<!\\)<", text)
    assert "\u2028" not in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("minilm-classifier (fine_tune=true)", "minilm-classifier (fine_tune=true)"),
        ("a|b", r"a\|b"),
        ("two\nlines", "two lines"),
        ("_emphasis_ *strong* `code`", r"\_emphasis\_ \*strong\* \`code\`"),
        ("<b>&amp;", r"\<b>\&amp;"),
        ("R&D [12, 34]", "R&D [12, 34]"),
        ("[text](javascript:alert(1))", r"[text\](javascript:alert(1))"),
        (r"\|", r"\\\|"),
    ],
)
def test_markdown_is_shown_as_it_is(value: str, shown: str) -> None:
    assert escaped(value) == shown

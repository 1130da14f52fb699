from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from erc_bench.board.across import AcrossBoard
from erc_bench.board.formats.terminal import plain, print_across, print_boards
from erc_bench.board.model import Board
from erc_bench.board.published import published_rows
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.rows import Row, Section


@pytest.fixture
def board(sections: Sequence[Section], published: Sequence[Row]) -> Board:
    return Board("dailydialog", "0" * 64, {}, LABELS, tuple(sections), tuple(published))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(board: Board, file: io.StringIO) -> str:
    print_boards([board], file)
    return file.getvalue()


def on_terminal(board: Board, monkeypatch: pytest.MonkeyPatch, columns: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    text = printed(board, Terminal())
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def test_nothing_is_cut_outside_a_terminal(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "a-very-long-name " * 20
    section = replace(board.sections[0], rows=(replace(board.sections[0].rows[0], title=name.strip()),))
    text = printed(replace(board, sections=(section,), published=published_rows("dailydialog")), io.StringIO())
    assert "\x1b" not in text
    assert "…" not in text.replace(f"{'0' * 12}…", "")
    assert name.strip() in text
    assert "macro: its released code, erc-training/train_dailydialog.py:116" in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_every_table_and_note_is_printed(board: Board) -> None:
    lines = printed(board, io.StringIO()).splitlines()
    assert any(
        line.startswith("dailydialog, protocol last-turn. All: 1,000 dialogues, 1,000 utterances;") for line in lines
    )
    assert "dailydialog, published results (not measured here, not ranked)" in lines
    assert any(line.split()[:2] == ["2–3", "middle"] for line in lines)
    assert any(line.startswith("note: talker: with unusable answers") for line in lines)


@pytest.mark.parametrize("columns", [80, 100, 130, 180])
def test_tables_fit_a_terminal(board: Board, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    lines = on_terminal(board, monkeypatch, columns)
    tables = [line for line in lines if re.match(r" *(rank|\d|system|Llama|SEC|─)", line)]
    assert len(tables) > 8
    assert max(map(len, tables)) <= columns
    assert any("micro F1 [95%]" in line and "MCC" in line for line in lines)


def test_a_narrow_terminal_is_told_what_is_left_out(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, told, *_) = [line for line in on_terminal(board, monkeypatch, 66) if line.startswith("left out")]
    assert "intervals of macro F1" in told
    assert "intervals of not-verbatim micro F1" not in told
    assert ", not-verbatim micro F1" in told


def test_a_wide_terminal_shows_all(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_terminal(board, monkeypatch, 400)
    assert not any(line.startswith("left out") for line in lines)
    assert any("evidence" in line and "utt/s" in line for line in lines)


def test_texts_of_records_cannot_steer_a_terminal(board: Board, attack: Sequence[Section]) -> None:
    hostile = replace(board, sections=tuple(replace(s, subset="all", protocol="utterance") for s in attack))
    assert "\x1b" not in printed(hostile, io.StringIO())
    assert plain("a\x1b[31m\x07b\nc\ud800\u202e") == "a[31mb c"
    markup = replace(board.sections[0].rows[0], title="[bold]name[/bold]")
    shown = printed(replace(board, sections=(replace(board.sections[0], rows=(markup,)),)), io.StringIO())
    assert "[bold]name[/bold]" in shown


@pytest.mark.parametrize("columns", [60, 100, 200])
def test_the_board_across_corpora_fits_a_terminal(
    across: AcrossBoard, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    print_across(across, file)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines()
    table = [line for line in lines if re.match(r" *(system|good|first|second|floor|else|only|─)", line)]
    assert max(len(line) for line in table if " is better than " not in line) <= columns
    assert any("mean rank [95%]" in line for line in table)
    assert "first is better than floor-high." in lines


def test_titles_across_corpora_cannot_steer_a_terminal(hostile_across: AcrossBoard) -> None:
    file = io.StringIO()
    print_across(hostile_across, file)
    assert "\x1b" not in file.getvalue()
    assert "<script>" in file.getvalue()

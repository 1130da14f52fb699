from __future__ import annotations

import contextlib
import io
import sys

import pytest

from erc_bench.progress import BarProgress, LineProgress, PrintedBySystem


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_of_several_tasks_share_one_display(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    progress = BarProgress()
    with progress.task("All runs", total=2, unit="runs") as outer:
        with progress.task("[one] Training", total=3) as first, progress.task("[two] Training", total=4) as second:
            first.advance(3)
            second.advance(2)
            progress.note("a line between")
        outer.advance(2)
    shown = terminal.getvalue()
    assert "a line between" in shown
    assert "[one] Training" in shown, "brackets are text, not markup"
    assert "[two] Training" in shown
    assert "2/2" in shown
    with progress.task("Again", total=1) as task:
        task.advance()
    assert "Again" in terminal.getvalue()


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_lines_that_nobody_reads_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Closed())
    progress = LineProgress()
    with progress.task("Counting", total=1) as task:
        task.advance()
    progress.note("nobody reads this")


def test_what_a_system_prints_is_shown_as_text_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.redirect_stdout(PrintedBySystem()):
        print("\x1b[2Jhere")  # noqa: T201
    assert capsys.readouterr() == ("", "\\u001b[2Jhere\n")

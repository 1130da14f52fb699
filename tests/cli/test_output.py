"""What commands print."""

from __future__ import annotations

import json

import pytest

from erc_bench.cli.output import say, say_columns


def test_a_text_cannot_move_the_cursor_or_tell_a_key(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-marked-0123")
    say("one\nsk-marked-0123 \x1b[1A\x9b2K", err=True)
    say(json.dumps({"name": "\x9bé"}, ensure_ascii=False))
    out, err = capfd.readouterr()
    assert err == "one\n*** \\u001b[1A\\u009b2K\n"
    assert json.loads(out) == {"name": "\x9bé"}
    assert "\x9b" not in out


@pytest.mark.parametrize("columns", ["40", "10"])
def test_the_last_column_takes_the_width_that_is_left(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    rows = [("a-long-name", "past", "One two three four five six seven.\n\x1b[2J"), ("b", "", ""), ("c", 1, ["a", "b"])]
    say_columns(["name", "context", "what it is"], rows)
    assert capsys.readouterr().out.splitlines() == [
        "name         context  what it is",
        "a-long-name  past     One two three four",
        "                      five six seven.",
        "                      \\u001b[2J",
        "b",
        "c            1        ['a', 'b']",
    ]

"""Texts from outside as people see them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erc_bench.shown import cell, environment_secrets, masked, on_one_line, shown, visible

ANY = st.text(st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2J\rforged", r"\u001b[2J\rforged"),
        ("\x9b31m", r"\u009b31m"),
        ("right\u202eleft", r"right\u202eleft"),
        ("half \ud800", r"half \ud800"),
        ("two\nlines\tand ± 漢字 of\u00a0a café", "two\nlines\tand ± 漢字 of\u00a0a café"),
        ("\U000e0001", r"\udb40\udc01"),
    ],
)
def test_control_characters_are_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen


@given(ANY)
def test_json_means_the_same_when_it_is_made_visible(text: str) -> None:
    line = visible(json.dumps([text], ensure_ascii=False))
    assert json.loads(line) == json.loads(json.dumps([text]))
    assert all(character.isprintable() or character.isspace() for character in line)


@given(ANY)
def test_what_is_visible_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    visible(text).encode()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("+1+1", "'+1+1"),
        ("\t=1", "'\t=1"),
        ("-", "-"),
        ("-0.123", "-0.123"),
        ("a=b\x00", r"a=b\u0000"),
        (-1.5, -1.5),
        (None, None),
    ],
)
def test_no_cell_of_a_spreadsheet_is_a_formula(value: object, written: object) -> None:
    assert cell(value) == written


def test_secrets_of_the_environment_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-marked-0123")
    monkeypatch.setenv("HF_TOKEN", "sk-marked-0123-longer")
    monkeypatch.setenv("SHORT_KEY", "no")
    monkeypatch.setenv("MONKEY", "bananabanana")
    assert {"sk-marked-0123", "sk-marked-0123-longer"} <= set(environment_secrets())
    text = "no sk-marked-0123-longer, sk-marked-0123, bananabanana, and --pass word"
    assert masked(text, ["word"]) == "no ***, ***, bananabanana, and --pass ***"
    assert shown(ValueError("sk-marked-0123\x1b")) == r"***\u001b"
    assert on_one_line("a\n  sk-marked-0123 " + "b" * 50, 10) == "a *** bbbb…"

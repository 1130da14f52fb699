from __future__ import annotations

import math

import pytest

from erc_bench.board.words import Piece, count_text, duration_text, linked, p_in_files, p_text, section_id


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (3.3, "3.3"),
        (0.25, "0.25"),
        (190.4, "190"),
        (999.7, "1 k"),
        (22_713_216, "22.7 M"),
        (158_528_135, "159 M"),
        (999_600_000, "1 B"),
    ],
)
def test_counts_have_three_digits(value: float | None, text: str) -> None:
    assert count_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.4, "0.4 s"), (42, "42 s"), (300, "5 min"), (5400, "90 min"), (16_000, "4.4 h")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


def test_section_ids_are_safe_in_anchors_and_file_names() -> None:
    assert section_id("Daily Dialog", "../x", "<b>") == "daily-dialog-x-b"
    assert section_id("…", "a", "b") == "x-a-b"


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "data:text/html,x", "ftp://a.b", "//a.b", "https://", "http://user@evil.org", "no"]
)
def test_nothing_but_plain_web_addresses_becomes_a_link(text: str) -> None:
    assert list(linked(text)) == [Piece(text, None)]


def test_links_end_before_punctuation() -> None:
    assert list(linked("See https://a.org/b, (http://c.org).")) == [
        Piece("See ", None),
        Piece("https://a.org/b", "https://a.org/b"),
        Piece(", (", None),
        Piece("http://c.org", "http://c.org"),
        Piece(").", None),
    ]


@pytest.mark.parametrize("p_value", [0.17249801, 0.17250199, 0.01234501, 1.23456789e-7, 1.0])
def test_a_p_value_of_a_file_rounds_to_what_the_p_value_rounds_to(p_value: float) -> None:
    held = p_in_files(p_value)
    assert (p_text(held), f"{held:.3f}") == (p_text(p_value), f"{p_value:.3f}")

from __future__ import annotations

from erc_bench.data.text import decoded, shortened, split_lines


def test_a_byte_that_is_not_utf_8_is_named_once() -> None:
    problems: list[str] = []
    assert decoded(b"\xef\xbb\xbfone\ntwo \xe9\n\xff", "here", problems) == "one\ntwo \ufffd\n\ufffd"
    assert problems == ["here must be UTF-8, got byte 0xe9 in line 2."]


def test_only_line_feeds_break_lines() -> None:
    assert split_lines("a\x85b\u2028c\nd\n\n") == ["a\x85b\u2028c", "d"]
    assert split_lines(" \n") == []


def test_values_are_shown_short() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert shortened("x" * 90) == f"'{'x' * 39}…"
    assert shortened(7) == "7"
    assert shortened(deep) == "a list nested too deep"

"""Text files read line by line, so that every problem can be named with its line."""

from __future__ import annotations

import codecs


def decoded(data: bytes, what: str, problems: list[str]) -> str:
    """The text of a UTF-8 file, a byte order mark left out; a byte that is not UTF-8 goes into `problems`."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(f"{what} must be UTF-8, got byte 0x{data[error.start]:02x} in line {line:,}.")
        return data.decode("utf-8", errors="replace")


def split_lines(text: str) -> list[str]:
    """The lines of a file without the empty ones at its end.

    Not `str.splitlines`, which also breaks at characters that stand inside utterances.
    """
    return text.rstrip().split("\n") if text.strip() else []


def shortened(value: object, length: int = 40) -> str:
    """A value as it is shown in a message: at most `length` characters of its representation."""
    try:
        shown = repr(value)
    except RecursionError:
        return f"a {type(value).__name__} nested too deep"
    return shown if len(shown) <= length else f"{shown[:length]}…"

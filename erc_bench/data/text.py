"""Text files whose every problem is named with its line."""

from __future__ import annotations

import codecs

from erc_bench.contract.domain import LabelSet


def decoded(data: bytes, what: str, problems: list[str], *, otherwise: str | None = None) -> str:
    """The text of a UTF-8 file, a byte order mark left out; a byte that is not UTF-8 goes into `problems`.

    `otherwise` names an encoding that a file may have instead.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if otherwise is not None:
            try:
                return data.decode(otherwise)
            except UnicodeDecodeError:
                pass
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


def checked_text(value: object, what: str) -> str:
    """A string that is not blank, without the white space around it.

    Raises
    ------
    ValueError
        It is something else, or holds half a surrogate pair, which no file can.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the {what} must be a text that is not empty, got {shortened(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the {what} must be text, got half of a surrogate pair in {shortened(value)}") from None
    return value.strip()


def checked_label(label: str, labels: LabelSet, where: str = "") -> str:
    """A label of the dataset; `where` says whose it is.

    Raises
    ------
    ValueError
        It is another.
    """
    if label not in labels.names:
        raise ValueError(
            f"the label{f' of {where}' if where else ''} must be one of {', '.join(labels.names)}, got {shortened(label)}"
        )
    return label

"""Texts from outside as people see them: no control characters, no secrets.

A server, a plug-in or a file may put anything into an error, a name or a note. On a terminal an escape sequence could hide
or forge lines, and a key that a server repeats would end up in a log.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable

MASK = "***"
SHORTEST_SECRET = 8  # what is shorter stands in ordinary texts by chance
SECRET_NAME = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)

FORMULA = re.compile(r"\s*[=+\-@]")
NUMBER = re.compile(r"[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?)?%?", re.IGNORECASE)


def visible(text: str) -> str:
    r"""A text whose control characters are written out, `\u001b`; lines and tabs stay.

    Control characters are also those that turn the direction of writing, and halves of surrogate pairs. Inside a string of
    JSON they are written as JSON writes them.
    """
    if text.isprintable() or (text.isascii() and text.replace("\n", "").replace("\t", "").isprintable()):
        return text
    import json

    return "".join(character if _is_plain(character) else json.dumps(character)[1:-1] for character in text)


def _is_plain(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without these secrets and those of the environment: its variables named …_KEY, …_TOKEN, …_SECRET or …_PASSWORD."""
    found = {*secrets, *environment_secrets()}
    for secret in sorted(found, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def environment_secrets() -> list[str]:
    """The secrets that the environment holds; values too short to be one are none."""
    return [value for name, value in os.environ.items() if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET]


def shown(text: object, secrets: Iterable[str] = ()) -> str:
    """Anything as a message may show it: `visible` and `masked`."""
    return visible(masked(str(text), secrets))


def cell(value: object) -> object:
    """A value of a CSV file: a text is `visible`, and none that a spreadsheet would take for a formula; others stay."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def on_one_line(text: object, limit: int) -> str:
    """The beginning of a text as part of a sentence: as `shown`, white space as single spaces, at most `limit` characters."""
    line = visible(" ".join(masked(str(text)).split()))
    return line if len(line) <= limit else f"{line[:limit]}…"

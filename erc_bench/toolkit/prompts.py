"""Prompt templates: text files whose placeholders are checked both ways when they are loaded.

A placeholder is a name in braces, `{dialogue}`; a literal brace is doubled. Nothing else of Python's format
language is allowed, so that a template is text and no program.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from erc_bench.errors import ConfigError, UnknownNameError

__all__ = [
    "PromptTemplate",
    "load_prompt",
    "prompt_names",
]

PACKAGE = "erc_bench.prompts"


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A text with placeholders. `name` is how it was asked for, `fields` the placeholders it holds."""

    name: str
    text: str
    fields: frozenset[str]

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def render(self, **values: str) -> str:
        """The text with its placeholders filled in; values it has no place for are left out.

        Raises
        ------
        KeyError
            A placeholder has no value.
        """
        return self.text.format_map({name: values[name] for name in self.fields})


def prompt_names() -> list[str]:
    """Names of the templates that come with the package, sorted."""
    names = (resource.name for resource in files(PACKAGE).iterdir())
    return sorted(name.removesuffix(".txt") for name in names if name.endswith(".txt"))


def load_prompt(name: str, *, required: Collection[str], optional: Collection[str] = ()) -> PromptTemplate:
    """Load a template by its name in the package, or from a text file.

    Parameters
    ----------
    name
        A name of `prompt_names()`, or the path of a UTF-8 file that ends in `.txt`. Line breaks at its end are no
        part of the prompt.
    required, optional
        Placeholders that the template must and may hold.

    Raises
    ------
    UnknownNameError
        No template of that name, and no such file.
    ConfigError
        The file is not UTF-8, a placeholder is unknown or missing, or the braces do not match.
    """
    text = _read(name).rstrip("\n")
    fields = _placeholders(name, text)
    allowed = {*required, *optional}
    unknown = sorted(fields - allowed)
    if unknown:
        raise ConfigError(
            f"placeholders of the prompt {name} must be among {_braced(allowed)}, got {_braced(unknown)}. "
            "Double a brace that is meant literally."
        )
    missing = sorted(set(required) - fields)
    if missing:
        raise ConfigError(
            f"the prompt {name} must hold {_braced(missing)}, got only {_braced(fields) or 'plain text'}."
        )
    return PromptTemplate(name, text, fields)


def _read(name: str) -> str:
    names = prompt_names()
    if name in names:
        return files(PACKAGE).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    path = Path(name).expanduser()
    if path.suffix != ".txt" or not path.is_file():
        raise UnknownNameError("a prompt", name, names, advice="Or give the path of a .txt file that exists.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"the prompt {name} must be UTF-8 text, got {error}.") from None


def _placeholders(name: str, text: str) -> frozenset[str]:
    found = set()
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ConfigError(f"braces of the prompt {name} must match, got: {error}. Double a literal brace.") from None
    for _, field, form, conversion in parts:
        if field is None:
            continue
        if not field.isidentifier() or form or conversion:
            raise ConfigError(
                f"a placeholder of the prompt {name} must be a plain name in braces, got "
                f"{{{field}{'!' + conversion if conversion else ''}{':' + form if form else ''}}}."
            )
        found.add(field)
    return frozenset(found)


def _braced(names: Collection[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))

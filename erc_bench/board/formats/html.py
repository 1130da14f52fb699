"""From a template to one HTML file: autoescaping, the one style sheet, and a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from erc_bench.board.words import MISSING
from erc_bench.shown import visible

TEMPLATES = "templates"
STYLE = "board.css"
CELLS = "cells.html"


def render_template(template: str, *, script: str = "", **values: Any) -> str:
    """A page from the template of this name, with the style sheet and the script of this name (none: a page without).

    The same values give the same text. Besides `values` the template knows `style`, `script`, `policy` and `missing`, and
    can import the macros of `cells.html`.
    """
    import jinja2

    sources = {name: _read(name) for name in (template, CELLS)}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, code = _read(STYLE), _read(script) if script else ""
    return environment.get_template(template).render(
        **values, style=style, script=code, policy=_policy(style, code), missing=MISSING
    )


def _read(name: str) -> str:
    return (files("erc_bench.board.formats") / TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    scripts = f"script-src 'sha256-{_hash(script)}'; " if script else ""
    return f"default-src 'none'; style-src 'sha256-{_hash(style)}'; {scripts}img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

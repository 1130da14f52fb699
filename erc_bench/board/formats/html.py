"""From a template to one HTML file: autoescaping, the one style sheet, and a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from erc_bench.board.words import MISSING
from erc_bench.shown import visible

TEMPLATES = "templates"
STYLE = "board.css"
CELLS = "cells.html"


def render_template(template: str, *, scripts: Sequence[str] = (), data: Any = None, **values: Any) -> str:
    """A page from the template of this name, with the style sheet, the scripts of these names as one, and data for them.

    The same values give the same text. Besides `values` the template knows `style`, `script`, `data` (as JSON), `policy` and
    `missing`, and can import the macros of `cells.html`.
    """
    import jinja2
    from markupsafe import Markup

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
    style, script = _read(STYLE), "\n".join(map(_read, scripts))
    return environment.get_template(template).render(
        **values,
        style=style,
        script=script,
        data=Markup(data_block(data)),
        policy=_policy(style, script),
        missing=MISSING,
    )


def data_block(value: Any) -> str:
    """A value as JSON that may stand in a script element: no text in it can end the element or begin a comment.

    Each member of each list or mapping in the value stands on a line of its own. Texts are `visible`.
    """
    if isinstance(value, dict):
        members = [f"{_json(name)}:{_on_lines(each)}" for name, each in value.items()]
        return f"{{{','.join(members)}}}"
    return _on_lines(value)


def _on_lines(value: Any) -> str:
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{_json(name)}:{_json(each)}" for name, each in value.items()) + "\n}"
    return "[\n" + ",\n".join(map(_json, value)) + "\n]" if isinstance(value, list) else _json(value)


def _json(value: Any) -> str:
    text = json.dumps(_visible(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {_visible(name): _visible(each) for name, each in value.items()}
    return [_visible(each) for each in value] if isinstance(value, list | tuple) else value


def _read(name: str) -> str:
    return (files("erc_bench.board.formats") / TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    code = f"script-src 'sha256-{_hash(script)}'; " if script else ""
    return f"default-src 'none'; style-src 'sha256-{_hash(style)}'; {code}img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

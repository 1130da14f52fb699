from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from jinja2 import UndefinedError

from erc_bench.board.formats.html import data_block, render_template

VALUES: dict[str, Any] = {
    "lead": "l & l",
    **dict.fromkeys(("title", "provenance", "method", "claim", "holding"), "<b>"),
    **dict.fromkeys(("columns", "corpora", "lines", "pairs"), ()),
}


def hashed(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_texts_are_escaped_and_only_the_one_style_may_load() -> None:
    html = render_template("across.html", **VALUES)
    assert "l &amp; l" in html
    assert "<b>" not in html
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert f"style-src 'sha256-{hashed(style)}'" in policy.replace("&#39;", "'")
    assert "script-src" not in policy
    assert "default-src" in policy


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="lead"):
        render_template("across.html", **{name: value for name, value in VALUES.items() if name != "lead"})


@pytest.mark.parametrize(
    "text", ["</script><script>", "<!-- <script", "a & b > c", 'a "quoted" \\ name', "line\nline", "é ü 中"]
)
def test_no_text_in_data_ends_its_element_and_each_is_read_back(text: str) -> None:
    block = data_block({text: [text, [text, 1, None]], "more": {text: text}})
    assert not set("<>&") & set(block)
    assert json.loads(block) == {text: [text, [text, 1, None]], "more": {text: text}}


def test_members_of_data_stand_on_lines_of_their_own_with_control_characters_written_out() -> None:
    assert data_block({"a": ["x", [1, 2.5]], "b": {"c": "\x1b"}}).splitlines() == (
        ['{"a":[', '"x",', "[1,2.5]", '],"b":{', r'"c":"\\u001b"', "}}"]
    )

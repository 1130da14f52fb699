from __future__ import annotations

import re
from html.parser import HTMLParser

from erc_bench.board.across import AcrossBoard
from erc_bench.board.formats.across_page import render_page


class Page(HTMLParser):
    """The elements that a browser would find."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def test_the_page_shows_every_system_and_pair_without_a_script(across: AcrossBoard) -> None:
    html = render_page(across)
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.elements}
    entries = [attributes for tag, attributes in page.elements if tag == "tbody" and attributes.get("class")]
    assert len(entries) == len(across.rows)
    for row in across.rows:
        assert f"<bdi>{row.title}</bdi>" in html
    pairs = html.split("Every pair that was tested")[1]
    assert pairs.count("<tr>") == 1 + len(across.pairs)
    assert "5 of 7 systems have rows on all" in html
    assert html.count("floor-tag") > html.count('class="entry floor"') == 2
    assert render_page(across) == html
    assert html.endswith("\n")


def test_a_pair_that_holds_has_the_better_system_first(across: AcrossBoard) -> None:
    rows = re.findall(
        r"<tr><th scope=\"row\"><bdi>([^<]+)</bdi></th><td><bdi>([^<]+)</bdi></td><td>(\S+) .*?<td>(yes|no)</td>",
        render_page(across),
    )
    assert len(rows) == len(across.pairs)
    holding = {(pair.better, pair.worse) for pair in across.holding}
    assert {(first, second) for first, second, _, holds in rows if holds == "yes"} == holding
    assert all(float(difference) > 0 for *_, difference, holds in rows if holds == "yes")


def test_hostile_titles_stay_texts(hostile_across: AcrossBoard) -> None:
    page = Page(render_page(hostile_across))
    assert not {tag for tag, _ in page.elements} & {"script", "img", "iframe"}
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from erc_bench.board.formats.page import render_page
from erc_bench.board.published import CHECKED, published_rows
from erc_bench.protocols.rows import Row, Section
from tests.board.conftest import measured


class Page(HTMLParser):
    """What a browser would find: elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(sections: Sequence[Section], published: Sequence[Row]) -> str:
    return render_page(sections, published)


def part(html: str, section: str) -> str:
    return html.split(f'id="{section}"', 1)[1].split("</section>", 1)[0]


def data(html: str) -> dict[str, Any]:
    """What the script opens from the tables."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return dict(json.loads(text))


def opened(html: str, line: str) -> dict[str, Any]:
    """The details of a row."""
    found = data(html)
    return {kind: found[kind][place] for kind, place in found["lines"][line].items()}


def cells(html: str, title: str) -> str:
    """The text of the row of a system, white space folded."""
    entries = re.split(r'<tbody id="[^"]+" class="entry', html)[1:]
    body = next(entry for entry in entries if f"<bdi>{title}</bdi>" in entry.split("</th>")[0])
    return " ".join(re.sub(r"<[^>]+>", " ", body.split(">", 1)[1]).split())


def test_same_input_gives_the_same_bytes(sections: Sequence[Section], published: Sequence[Row], html: str) -> None:
    assert render_page(sections, published) == html


def test_page_needs_nothing_but_itself(html: str) -> None:
    page = Page(html)
    loads = [
        a for _, attributes in page.elements for a in attributes if a in ("src", "srcset", "data", "action", "style")
    ]
    assert loads == []
    assert [link["href"] for link in page.named("link")] == ["data:,"]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML|insertAdjacentHTML|eval\(", html)


def test_policy_allows_exactly_the_inline_style_and_script(html: str) -> None:
    page = Page(html)
    policy = next(meta["content"] for meta in page.named("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert page.named("style") == [{}]
    assert page.named("script") == [{}, {"type": "application/json", "id": "data"}], "the second is data and never runs"
    for kind in ("style", "script"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_published_rows_stand_below_the_measured_ones_of_their_protocol(html: str) -> None:
    section = part(html, "dailydialog-last-turn-all")
    assert section.index("<bdi>constant</bdi>") < section.index("<bdi>Llama-2-13b</bdi>")
    row = cells(section, "Llama-2-13b")
    assert "published" in row
    assert "43.37" in row
    assert "last turn only" in row
    assert 'class="entry published"' in section
    source = ["Table 2 of ", ["https://example.org/paper.pdf"], "."]
    assert opened(html, "dailydialog-last-turn-all-6")["words"]["source"] == source
    assert "SEC" in part(html, "dailydialog-triplet-all")


def test_ranks_show_ties_and_published_rows_have_none(html: str) -> None:
    section = part(html, "dailydialog-last-turn-all")
    assert cells(section, "middle").startswith("2–3 ● middle")
    assert cells(section, "Llama-2-13b").startswith("– ○ Llama-2-13b")


def test_measured_row_shows_score_deviation_interval_and_the_other_subset(
    html: str, sections: Sequence[Section]
) -> None:
    row = sections[1].rows[1]
    score = row.scores["micro_f1"]
    text = cells(part(html, "dailydialog-last-turn-all"), "middle")
    assert f"{score.value:.2f} ± 0.80 [{score.low:.2f}, {score.high:.2f}]" in text
    beside = sections[2].rows[0].scores["micro_f1"].value
    assert "On not-verbatim" in html
    assert f"{beside:.2f} 0.0%" in text


def test_floors_and_unusable_answers_are_marked(html: str) -> None:
    section = part(html, "dailydialog-last-turn-all")
    assert "constant floor" in cells(section, "constant")
    text = cells(section, "talker")
    assert "0.5% as neutral: 61.25" in text
    assert "dialogue untested" in text
    assert "sampled answers" in text
    assert "No utterance here has the label fear" in section


def test_details_stand_in_the_data_under_the_id_of_their_row(html: str, sections: Sequence[Section]) -> None:
    assert '<tbody id="dailydialog-last-turn-all-2" class="entry">' in html.split("<bdi>middle</bdi>")[1]
    found = opened(html, "dailydialog-last-turn-all-2")
    row = sections[1].rows[1]
    assert row.confusion is not None
    assert found["confusion"] == {"seeds": 3, "counts": row.confusion.tolist()}
    assert found["words"]["commands"] == ["erc-bench run --system middle --seeds 0-2"]
    assert set(data(html)["lines"]) == set(re.findall(r'<tbody id="([^"]+)"', html))


def test_the_front_of_a_picture_holds_only_systems_that_no_other_beats_on_both(
    html: str, sections: Sequence[Section]
) -> None:
    first = data(html)["pictures"]["dailydialog-last-turn-all"][0]
    assert (first["metric"], first["cost"]) == ("micro_f1", "parameters")
    front = [sections[1].rows[row].title for row, _, _, _, _, on_front, _ in first["marks"] if on_front]
    assert front == ["middle", "large"]


def size_of_a_row(before: Sequence[Section], after: Sequence[Section]) -> float:
    rows = sum(len(section.rows) for section in after) - sum(len(section.rows) for section in before)
    return (len(render_page(after).encode()) - len(render_page(before).encode())) / rows


def test_a_row_adds_little_to_the_page_and_less_where_another_section_has_it_already() -> None:
    """A page of a thousand rows must open from disk at once: what rows and sections have in common stands once."""
    rows = [
        measured(f"system {n}", 0.1 + n / 100, notes=(f"note {n} " + "x" * 200,), parameters=n + 1) for n in range(80)
    ]
    some, all_ = (Section("dailydialog", "last-turn", "all", 1000, 1000, tuple(rows[:end])) for end in (40, 80))
    assert size_of_a_row([some], [all_]) < 2_400
    again = replace(all_, protocol="utterance", rows=tuple(replace(row, protocol="utterance") for row in rows))
    assert size_of_a_row([all_], [all_, again]) < 1_400


def test_columns_without_any_value_are_left_out(html: str) -> None:
    assert 'data-key="parameters"' in part(html, "dailydialog-last-turn-all")
    assert 'data-key="parameters"' not in part(html, "dailydialog-triplet-all")


def test_attack_texts_add_no_element_attribute_or_link(attack: Sequence[Section], html: str) -> None:
    attacked = render_page(attack, title="</title><script>alert(1)</script>")
    page = Page(attacked)
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in Page(html).elements}
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    assert (len(page.named("script")), len(page.named("style"))) == (2, 1)
    assert all(str(link["href"]).startswith("#") for link in page.named("a"))
    words = data(attacked)["words"]
    assert "<script>alert('script')</script>" in words[0]["notes"][1]
    pieces = [piece for each in words for text in [*each["notes"], each.get("source", [])] for piece in text]
    targets = [piece[0] for piece in pieces if isinstance(piece, list)]
    assert targets
    assert all(target.startswith("https://example.org/") for target in targets)


def test_protocols_stand_in_their_order_wherever_their_rows_come_from(
    sections: Sequence[Section], published: Sequence[Row]
) -> None:
    html = render_page(sections[:1], [published[1], published[0]])
    assert re.findall(r'class="board" id="dailydialog-([a-z-]+)-all"', html) == ["utterance", "last-turn", "triplet"]


def test_board_without_runs_says_what_to_do() -> None:
    html = render_page([])
    assert "No finished run yet" in html
    assert "erc-bench run" in html


def test_ids_are_unique(html: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_published_rows_of_a_corpus_ranked_by_weighted_f1_stand_in_its_columns() -> None:
    html = render_page([], published_rows("meld"))
    page = part(html, "meld-utterance-all")
    assert [heading in page for heading in ("Weighted F1, all labels", "Accuracy", "Micro F1")] == [True, True, False]
    row = cells(html, "UniMSE")
    assert "65.51" in row.split("Details")[0]
    assert "multimodal input" in row
    checked = f"results page: {CHECKED['results page']}"
    (line,) = re.findall(r'<tbody id="([^"]+)"[^>]*>(?:(?!</tbody>).)*<bdi>UniMSE<', html, re.DOTALL)
    assert ["Checked", checked] in opened(html, line)["words"]["facts"]
    first = [re.findall(r"<td>([\d.]+)|<td data-sort=\"([\d.]+)\"", entry)[0] for entry in page.split("<tbody")[1:]]
    order = [float(text or sort) for text, sort in first]
    assert order == sorted(order, reverse=True)
    assert len(order) >= 12
    assert 'class="c-rank' not in page, "nothing published is ranked"

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest

from erc_bench.board.formats.page import render_page
from erc_bench.board.published import published_rows
from erc_bench.protocols.rows import Row, Section


class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and the text of each cell of the ranking tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in self.texts:
            self.texts[self._open[-1]].append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(sections: Sequence[Section], published: Sequence[Row]) -> str:
    return render_page(sections, published)


def part(html: str, section: str) -> str:
    return html.split(f'id="{section}"', 1)[1].split("</section>", 1)[0]


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
    for kind in ("style", "script"):
        assert len(page.named(kind)) == 1
        digest = base64.b64encode(hashlib.sha256("".join(page.texts[kind]).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_published_rows_stand_below_the_measured_ones_of_their_protocol(html: str) -> None:
    section = part(html, "dailydialog-last-turn-all")
    assert section.index("<bdi>constant</bdi>") < section.index("<bdi>Llama-2-13b</bdi>")
    row = cells(section, "Llama-2-13b")
    assert "published" in row
    assert "43.37" in row
    assert "last turn only" in row
    assert 'class="entry published"' in section
    assert '<a href="https://example.org/paper.pdf" rel="noopener noreferrer">' in section
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
    assert f"{score.value:.2f} ± 0.80 95% interval [{score.low:.2f}, {score.high:.2f}]" in text
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


def test_details_hold_counts_per_label_scores_notes_and_the_command(html: str, sections: Sequence[Section]) -> None:
    section = part(html, "dailydialog-last-turn-all")
    text = cells(section, "middle")
    confusion = sections[1].rows[1].confusion
    assert confusion is not None
    assert f"no emotion {confusion[0, 0]} 0 0 0 {confusion[0, 4]} 0 0 0 anger" in text
    assert "happiness 62.7 79.9 70.3 284" in text
    assert "erc-bench run --system middle --seeds 0-2" in text
    assert '<a href="https://example.org/note" rel="noopener noreferrer">https://example.org/note</a>.' in section


def test_front_holds_only_systems_that_no_other_beats_on_both(html: str) -> None:
    figure = part(html, "dailydialog-last-turn-all").split("<figure")[1]
    assert 'data-metric="micro_f1" data-cost="parameters"' in figure
    front = re.findall(r'class="point on-front" role="img" aria-label="([a-z]+):', figure)
    assert front == ["middle", "large"]
    assert "wasteful" in figure
    assert "Not drawn" in figure
    assert "constant" in figure.split("Not drawn")[1]


def test_columns_without_any_value_are_left_out(html: str) -> None:
    assert 'data-key="parameters"' in part(html, "dailydialog-last-turn-all")
    assert 'data-key="parameters"' not in part(html, "dailydialog-triplet-all")


def test_attack_texts_add_no_element_attribute_or_link(attack: Sequence[Section], html: str) -> None:
    page = Page(render_page(attack, title="</title><script>alert(1)</script>"))
    known = {tag for tag, _ in Page(html).elements} | {"a"}
    assert {tag for tag, _ in page.elements} <= known
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    assert len(page.named("script")) == len(page.named("style")) == 1
    targets = {str(link["href"]) for link in page.named("a")}
    assert all(target.startswith(("https://example.org/", "#")) for target in targets)
    assert any(target.startswith("https://example.org/") for target in targets)


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
    assert "Checked results page: the number was read on a page that lists the results of papers" in row
    order = [float(value) for value in re.findall(r'c-weighted_f1_all" data-sort="([\d.]+)"', page)]
    assert order == sorted(order, reverse=True)
    assert len(order) >= 12
    assert 'class="c-rank' not in page, "nothing published is ranked"

"""What opens from the tables of the page, in a real Chromium: details of rows, bars and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from erc_bench.board.formats.page import render_page
from erc_bench.protocols.rows import Breakdown, Score, Section, Sureness
from erc_bench.scoring.calibration import COVERAGES, curve, reliability, risks
from erc_bench.scoring.catalogue import MICRO_F1
from tests.board.conftest import measured
from tests.board.formats.conftest import SHOWN, find, keys, script, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # selenium leaves its connection to the garbage collector
]


def test_details_open_from_the_keyboard(page: Chrome) -> None:
    summary = find(page, f"{SHOWN} tbody.entry:nth-of-type(2) summary")
    script(page, "arguments[0].focus()", summary)
    keys(page, Keys.ENTER)
    panel = wait_for(page, f"{SHOWN} tbody.entry:nth-of-type(2) .panel")
    assert panel.is_displayed()
    text = " ".join(script(page, "return arguments[0].innerText", panel).split())
    assert "Confusion matrix, 3 seeds summed rows gold, columns predicted; darker: larger share of the row" in text
    assert "surprise unusable no emotion 538 0 0 0 135 0 0 0 anger 3 11 0 0 0 0 0 0" in text
    assert "happiness 62.7 79.9 70.3 284" in text
    assert "Micro F1 72.02 ± 0.80 [68.02, 76.02]" in text
    assert "Parameters 22,713,216 Training time 125.0 s" in text
    assert "Notes Cached; see https://example.org/note. Made by erc-bench run --system middle --seeds 0-2" in text
    (link,) = panel.find_elements(By.TAG_NAME, "a")
    assert link.get_dom_attribute("href") == "https://example.org/note"
    assert link.get_dom_attribute("rel") == "noopener noreferrer"
    keys(page, Keys.ENTER)
    keys(page, Keys.ENTER)
    assert len(page.find_elements(By.CSS_SELECTOR, f"{SHOWN} tbody.entry:nth-of-type(2) .panel")) == 1


def test_rows_say_by_phenomenon_and_how_sure_they_are(chromium: Chrome, tmp_path: Path) -> None:
    row = measured("sure", 0.8, sureness=Sureness(reliability(SURE, RIGHT), curve(risks(SURE, RIGHT))))
    row.scores.update(ece=Score(0.025), aurc=Score(0.1))
    shift = Breakdown(
        "shift", "same as before?", MICRO_F1, ("continues",), (1234,), (9,), {"sure": (Score(50, 40, 60),)}
    )
    path = tmp_path / "board.html"
    section = Section("dailydialog", "last-turn", "all", 9, 9, (row,), breakdowns=(shift,))
    path.write_text(render_page([section]), encoding="utf-8")
    chromium.get(path.as_uri())
    find(chromium, f"{SHOWN} summary").click()
    table = wait_for(chromium, ".phenomena")
    assert table.text.splitlines()[-2:] == ["shift", "continues 1,234 50.0 [40.0, 60.0]"]
    assert find(chromium, ".phenomena [scope=rowgroup]").get_dom_attribute("title") == "same as before?"
    figure = find(chromium, "figure.sureness")
    assert figure.text.startswith("How sure it is: calibration error 2.5% in 15 bins of equal width; wrong among")
    bars = figure.find_elements(By.CSS_SELECTOR, ".bins rect")
    assert [bar.get_dom_attribute("height") for bar in bars] == ["85", "170"]
    said = [script(chromium, "return arguments[0].textContent", bar) for bar in bars]
    assert said[1] == "confidence 0.93 to 1.00: 50.0% of answers, mean confidence 0.95, 100.0% right"
    points = str(find(chromium, ".sureness polyline").get_dom_attribute("points")).split()
    assert (len(points), points[0], points[-1].split(",")[0]) == (COVERAGES, "259.7,186", "428.0")


SURE = np.array([0.95, 0.95, 0.5, 0.5], np.float32)
RIGHT = np.array([True, True, True, False])


def test_bars_show_scores_intervals_and_the_best_floor(page: Chrome) -> None:
    row = f"{SHOWN} tbody.entry:nth-of-type(2)"
    bars = page.find_elements(By.CSS_SELECTOR, f"{row} svg.bar")
    assert len(bars) == 3
    box = script(page, "return ['x', 'width'].map((name) => arguments[0].firstChild.getAttribute(name))", bars[0])
    assert box == ["68.02%", "8.00%"]
    assert len(bars[0].find_elements(By.CSS_SELECTOR, "line.chance")) == 1
    assert not page.find_elements(By.CSS_SELECTOR, f"{row} svg.bar title")
    published = page.find_elements(By.CSS_SELECTOR, f"{SHOWN} tbody.published svg.bar")
    assert [len(bar.find_elements(By.TAG_NAME, "circle")) for bar in published] == [1, 1]


def test_picture_switches_and_its_points_are_read_from_the_keyboard(page: Chrome) -> None:
    figure = f"{SHOWN} .tradeoff > figure"
    assert len(page.find_elements(By.CSS_SELECTOR, figure)) == 1
    find(page, f"{SHOWN} select[data-chart=cost] option[value=utterances_per_second]").click()
    find(page, f"{SHOWN} select[data-chart=metric] option[value=macro_f1]").click()
    assert find(page, f"{figure} figcaption").text.startswith("Macro F1 against utterances per second.")
    stops = page.find_elements(By.CSS_SELECTOR, f"{figure} g.point[tabindex='0']")
    assert len(stops) == 1
    script(page, "arguments[0].focus()", stops[0])
    assert find(page, "#tip").text.startswith("wasteful: Macro F1 ")
    keys(page, Keys.ARROW_RIGHT)
    assert find(page, "#tip").text.startswith("large: Macro F1 ")
    assert find(page, "#tip").text.endswith("measured, on the front")
    keys(page, Keys.ESCAPE)
    assert not find(page, "#tip").is_displayed()
    find(page, f"{figure} summary").click()
    table = find(page, f"{figure} .alternative table").text.splitlines()
    assert table[1] == "System Evidence Utterances per second Macro F1 On the front"
    assert table[2:4] == ["large measured 7 78.02 yes", "middle measured 190 68.58 yes"]
    assert table[-1] == "constant measured 900 k 10.28 no"
    assert figure_says(page, "Not drawn, since one of the two numbers is not known: Llama-2-13b.")


def figure_says(page: Chrome, text: str) -> bool:
    return text in find(page, f"{SHOWN} .tradeoff > figure").text

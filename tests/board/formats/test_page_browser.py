"""The page in a real Chromium: what a reader does with it, and what hostile texts do not do to the reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from erc_bench.board.formats.page import render_page
from erc_bench.protocols.rows import Section
from tests.board.formats.conftest import SHOWN, find, keys, open_all, screen, script

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # selenium leaves its connection to the garbage collector
]


def names(page: Chrome) -> list[str]:
    found = page.find_elements(By.CSS_SELECTOR, f"{SHOWN} tbody.entry:not([hidden]) > tr:first-child bdi")
    return [name.text for name in found]


def status(page: Chrome) -> str:
    return find(page, "#status").text


def choose(page: Chrome, name: str, value: str) -> None:
    find(page, f'input[name="{name}"][value="{value}"]').click()


def head(page: Chrome, key: str) -> WebElement:
    return find(page, f'{SHOWN} th[data-key="{key}"]')


def test_one_section_is_shown_at_a_time_and_the_switch_changes_it(page: Chrome) -> None:
    assert len(page.find_elements(By.CSS_SELECTOR, SHOWN)) == 1
    assert status(page) == "Showing 6 of 6 rows."
    choose(page, "subset", "not-verbatim")
    assert find(page, f"{SHOWN} h2").text == "dailydialog, last-turn, not-verbatim"
    assert status(page) == "dailydialog, last-turn, not-verbatim. Showing 4 of 4 rows."
    assert page.current_url.endswith("#dailydialog-last-turn-not-verbatim")
    choose(page, "protocol", "triplet")
    assert find(page, f"{SHOWN} h2").text == "dailydialog, triplet, all"
    assert find(page, 'input[name="subset"][value="all"]').is_selected()
    assert not find(page, 'input[name="subset"][value="not-verbatim"]').is_enabled()


def test_every_column_sorts_both_ways_from_the_keyboard(page: Chrome) -> None:
    for key in script(page, f"return [...document.querySelectorAll('{SHOWN} th[data-key]')].map(h => h.dataset.key)"):
        first = head(page, key).get_dom_attribute("data-first")
        other = {"ascending": "descending", "descending": "ascending"}[str(first)]
        seen = []
        for expected in (first, other):
            script(page, "arguments[0].focus()", head(page, key).find_element(By.TAG_NAME, "button"))
            keys(page, Keys.ENTER)
            assert head(page, key).get_dom_attribute("aria-sort") == expected
            assert status(page).startswith("Sorted by ")
            assert f", {expected}. Showing 6 of 6 rows." in status(page)
            seen.append(values(page, key))
        known = [[value for value in column if value] for column in seen]
        assert known[0] == known[1][::-1]
        assert all(column == [*filter(None, column), *[""] * column.count("")] for column in seen)
    assert len(page.find_elements(By.CSS_SELECTOR, f"{SHOWN} th[aria-sort]")) == 1


def values(page: Chrome, key: str) -> list[str]:
    code = f"""const place = document.querySelector('{SHOWN} th[data-key="{key}"]').cellIndex;
    return [...document.querySelectorAll('{SHOWN} tbody.entry')].map(e => sortValue(e.rows[0].cells[place]))"""
    return list(script(page, code))


def test_numbers_sort_as_numbers_and_missing_ones_last(page: Chrome) -> None:
    head(page, "parameters").find_element(By.TAG_NAME, "button").click()
    assert names(page) == ["middle", "talker", "wasteful", "large", "constant", "Llama-2-13b"]
    head(page, "micro_f1").find_element(By.TAG_NAME, "button").click()
    assert names(page)[0] == "large"
    choose(page, "subset", "not-verbatim")
    assert head(page, "micro_f1").get_dom_attribute("aria-sort") == "descending"


def test_filter_narrows_by_every_word_and_says_how_many_are_left(page: Chrome) -> None:
    field = find(page, "#filter")
    field.send_keys("Measured wast")
    assert names(page) == ["wasteful"]
    assert status(page) == "Showing 1 of 6 rows."
    field.clear()
    field.send_keys("published")
    assert names(page) == ["Llama-2-13b"]
    field.clear()
    field.send_keys("sampled answers", Keys.ENTER)
    assert names(page) == ["talker"]
    field.clear()
    field.send_keys("nothing like it")
    assert names(page) == []
    assert find(page, f"{SHOWN} .nothing").is_displayed()


def test_tab_reaches_the_skip_link_first_and_it_leads_to_the_board(page: Chrome) -> None:
    page.get(page.current_url.partition("#")[0])
    keys(page, Keys.TAB)
    link = page.switch_to.active_element
    assert link.text == "Skip to the board"
    assert script(page, "return getComputedStyle(arguments[0]).outlineStyle", link) == "solid"
    keys(page, Keys.ENTER)
    assert page.switch_to.active_element.get_dom_attribute("id") == "board"


def test_theme_follows_the_reader_and_the_button_overrules_it(page: Chrome) -> None:
    def paper() -> str:
        return str(script(page, "return getComputedStyle(document.body).backgroundColor"))

    light = paper()
    screen(page, 1280, 900, scheme="dark")
    dark = paper()
    assert light != dark
    button = find(page, "[data-theme-button]")
    assert button.text == "Theme: automatic"
    button.click()
    assert (button.text, paper()) == ("Theme: light", light)
    page.refresh()
    button = find(page, "[data-theme-button]")
    assert (button.text, paper()) == ("Theme: light", light)
    button.click()
    assert (button.text, paper()) == ("Theme: dark", dark)
    button.click()
    assert (button.text, paper()) == ("Theme: automatic", dark)


def test_text_has_contrast_in_both_themes(page: Chrome) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for text, here for every pair of text and background colour that the page shows."""
    open_all(page)
    for scheme in ("light", "dark"):
        screen(page, 1280, 900, scheme=scheme)
        worst = script(page, CONTRAST)
        assert worst["ratio"] >= 4.5, worst


CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const rgb = (color) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = rgb(getComputedStyle(at).backgroundColor);
    if (color[3] === 255) return color;
  }
  throw new Error("no background");
};
let worst = {ratio: 99};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility() || element.closest("input, option")) continue;
  const style = getComputedStyle(element);
  const ink = light(rgb(element.closest("svg") ? style.fill : style.color)), paper = light(behind(element));
  const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  if (ratio < worst.ratio) worst = {ratio, text: node.data, ink: style.color};
}
return worst;
"""


def test_on_a_phone_only_the_table_scrolls_sideways_and_names_stay_in_view(page: Chrome) -> None:
    screen(page, 390, 844)
    page.refresh()
    open_all(page)
    assert script(page, "return [innerWidth, document.documentElement.scrollWidth]") == [390, 390]
    script(page, f"document.querySelector('{SHOWN} .scroll').scrollLeft = 300")
    left = script(page, f"return document.querySelector('{SHOWN} tbody th bdi').getBoundingClientRect().left")
    assert 0 <= left < 60
    panel = script(page, f"return document.querySelector('{SHOWN} .panel').getBoundingClientRect().toJSON()")
    assert panel["left"] >= 0
    assert panel["right"] <= 390


def test_without_javascript_every_table_is_there(chromium: Chrome, address: str) -> None:
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        chromium.get(address)
        tables = chromium.find_elements(By.CSS_SELECTOR, "table.ranking")
        assert len(tables) == 4
        assert all(table.is_displayed() for table in tables)
        assert "middle" in tables[1].text
        assert "last turn only" in tables[1].text
        assert "Without JavaScript" in find(chromium, "nav.plain").text
        assert not any(each.is_displayed() for each in chromium.find_elements(By.CSS_SELECTOR, ".tradeoff"))
        assert not find(chromium, ".controls").is_displayed()
        assert not find(chromium, "[data-theme-button]").is_displayed()
        assert len(chromium.find_elements(By.CSS_SELECTOR, "nav.plain a")) == 4
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_screen_reader_finds_landmarks_names_and_states(page: Chrome) -> None:
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    seen = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]]
    roles = {role for role, _ in seen}
    assert {"banner", "main", "contentinfo", "search", "status", "table", "rowheader", "columnheader"} <= roles
    assert ("searchbox", "Filter rows") in seen
    assert ("radio", "last-turn") in seen
    assert ("table", "Scores on dailydialog, protocol last-turn, subset all, with 95% intervals in brackets") in seen
    assert ("button", "Micro F1") in seen
    nameless = [role for role, name in seen if role in ("button", "link", "combobox", "radio", "img") and not name]
    assert nameless == []


def test_attack_texts_run_nothing_load_nothing_and_are_shown_as_text(
    chromium: Chrome, attack: Sequence[Section], tmp_path: Path
) -> None:
    path = tmp_path / "attack.html"
    path.write_bytes(render_page(attack, title="</title><script>alert('title')</script>").encode("utf-8", "replace"))
    chromium.get("about:blank")
    chromium.get_log("browser")
    spy = "window.alerts = []; window.alert = (text) => window.alerts.push(text);"
    hook = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": spy})
    try:
        chromium.get(path.as_uri())
        open_all(chromium)
        for element in chromium.find_elements(By.CSS_SELECTOR, f"{SHOWN} bdi, {SHOWN} a, {SHOWN} .flag")[:60]:
            script(
                chromium,
                """for (const kind of ["mouseover", "focus", "load", "error"])
                     arguments[0].dispatchEvent(new Event(kind, {bubbles: true}));""",
                element,
            )
        head(chromium, "system").find_element(By.TAG_NAME, "button").click()
        find(chromium, "#filter").send_keys("<script>")
        assert names(chromium)
        assert "<script>alert('script')</script>" in find(chromium, "main").text
        assert script(chromium, "return window.alerts") == []
        assert script(chromium, "return document.scripts.length") == 2
        assert script(chromium, "return performance.getEntriesByType('resource').length") == 0
        schemes = script(chromium, "return [...new Set([...document.links].map(link => link.protocol))].sort()")
        assert schemes == ["file:", "https:"]
        assert chromium.get_log("browser") == []
        assert script(chromium, "return document.documentElement.scrollWidth <= innerWidth")
    finally:
        chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", hook)


def test_policy_stops_a_script_that_got_in_all_the_same(chromium: Chrome, address: str, tmp_path: Path) -> None:
    html = render_page([]).replace("</main>", "<script>document.title = 'owned'</script><p onclick='x()'>p</p></main>")
    path = tmp_path / "broken.html"
    path.write_text(html, encoding="utf-8")
    chromium.get(path.as_uri())
    assert chromium.title == "Emotion Recognition in Conversation: leaderboard"
    refused = chromium.get_log("browser")
    assert any("Content Security Policy" in entry["message"] for entry in refused)

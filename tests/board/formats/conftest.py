"""The page in a real Chromium, freshly loaded, and how tests reach into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from erc_bench.board.formats.page import render_page
from erc_bench.protocols.rows import Row, Section

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900"),
)
SHOWN = "section.board:not([hidden])"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def address(sections: Sequence[Section], published: Sequence[Row], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "board.html"
    path.write_bytes(render_page(sections, published).encode())
    return path.as_uri()


@pytest.fixture
def page(chromium: Chrome, address: str) -> Iterator[Chrome]:
    """The page freshly loaded, on a screen of 1280 by 900, with a console that must stay silent."""
    screen(chromium, 1280, 900)
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get(f"{address}#dailydialog-last-turn-all")
    yield chromium
    assert chromium.get_log("browser") == []


def screen(chromium: Chrome, width: int, height: int, *, scheme: str = "light") -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def find(page: Chrome, selector: str) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, selector)


def script(page: Chrome, code: str, *arguments: Any) -> Any:
    return page.execute_script(code, *arguments)


def keys(page: Chrome, *pressed: str) -> None:
    ActionChains(page).send_keys(*pressed).perform()


def wait_for(page: Chrome, selector: str) -> WebElement:
    """An element that the script adds after an event."""
    return WebDriverWait(page, 10).until(lambda browser: browser.find_element(By.CSS_SELECTOR, selector))


def open_all(page: Chrome) -> None:
    """Open every row that is shown, and wait for what the script then adds."""
    script(page, "document.querySelectorAll('details').forEach(each => each.open = true)")
    closed = f"return document.querySelectorAll('{SHOWN} .more details:not(:has(.panel))').length"
    WebDriverWait(page, 10).until(lambda browser: browser.execute_script(closed) == 0)

"""The report in a real browser: by keyboard, narrow, dark, on paper; it loads nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from chromium import Tab, browsing
from reports import build

from afmsr_core.report import write_report

PAIRS = 4
WIDER = """[...document.querySelectorAll("body *")].filter(
  one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".table, svg svg"))
  .map(one => one.tagName + "." + one.className.baseVal + one.id)"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(
        build(tmp_path_factory.mktemp("browser") / "results", PAIRS, ("",), size=160, kept=1,
              methods=("bicubic", "lanczos4", "carn", "afm"), chosen=("psnr", "rmse", "sq"))
    )  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browsing(tmp_path_factory.mktemp("profile")) as tab:
        tab.call("Log.enable")
        yield tab


@pytest.fixture
def tab(browser: Tab, page: Path) -> Tab:
    """Return a tab with the page as it is opened."""
    browser.size(1280, 900)
    browser.call("Emulation.setEmulatedMedia", features=[])
    browser.go("about:blank")
    browser.requests.clear()
    browser.said.clear()
    browser.go(page.as_uri())
    browser.until("document.readyState === 'complete' && document.querySelector('h1')")
    return browser


def seen(tab: Tab) -> np.ndarray:
    data = tab.call("Page.captureScreenshot", format="png")["data"]
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


def test_it_loads_nothing_and_complains_of_nothing(tab: Tab, page: Path) -> None:
    told = [one["url"] for one in tab.requests if not one["url"].startswith("data:")]
    assert told == [page.as_uri()]
    assert tab.said == []


def test_the_first_screen_says_which_is_better_by_how_much_and_whether_by_chance(tab: Tab) -> None:
    shown = tab.js(
        "[...document.querySelectorAll('.first li, .first text')].filter(one => "
        "one.getBoundingClientRect().bottom < innerHeight).map(one => one.textContent).join('|')"
    )
    assert re.search(r"(beats|loses to|win) .* pairs, .*[+−]\d.* dB", shown)
    assert "bicubic better" in shown and re.search(r"chance|too few pairs", shown)
    assert tab.js("document.querySelectorAll('.first:first-of-type .dot').length") == 3 * PAIRS


def test_a_table_sorts_by_keyboard_and_by_click(tab: Tab) -> None:
    table = "#table-means-nm-scores table, #table-means-nm table"
    tab.js(f"window.table = document.querySelector('{table}'); table.querySelector("
           "'th:nth-child(2) button').focus()")  # fmt: skip
    column = "[...table.tBodies[0].rows].map(row => Number(row.cells[1].dataset.value))"
    before = tab.js(column)
    tab.key("Enter")
    assert tab.js(column) == sorted(before)
    assert tab.js("table.querySelector('th:nth-child(2)').ariaSort") == "ascending"
    tab.key("Enter")
    assert tab.js(column) == sorted(before, reverse=True)
    tab.js("table.querySelector('th button').click()")
    names = tab.js("[...table.tBodies[0].rows].map(row => row.cells[0].textContent)")
    assert names == sorted(names, key=str.lower) and len(names) == 4


def test_pairs_are_filtered_and_links_unfold_them(tab: Tab) -> None:
    tab.js("document.querySelector('#filter').focus()")
    tab.call("Input.insertText", text="scan 02")
    shown = "[...document.querySelectorAll('.pair:not([hidden])')].map(one => one.dataset.name)"
    assert tab.js(shown) == ["scan 02 scored"]
    assert tab.js("document.querySelector('.filter output').textContent") == f"1 of {PAIRS + 2}"
    assert tab.js("document.querySelectorAll('.listed tbody tr:not([hidden])').length") == 1
    tab.js("document.querySelector('#filter').value = ''; "
           "document.querySelector('#filter').dispatchEvent(new Event('input'))")  # fmt: skip
    assert len(tab.js(shown)) == PAIRS + 2
    tab.js("location.hash = '#pair-scan-03'")
    tab.until("document.querySelector('#pair-scan-03').open")


def test_the_tab_key_reaches_links_heads_and_folded_parts(tab: Tab) -> None:
    reached = set()
    for _ in range(60):
        tab.key("Tab")
        reached.add(tab.js("document.activeElement.tagName"))
    assert {"A", "BUTTON", "SUMMARY"} <= reached
    tab.js("document.querySelector('.pair summary').focus()")
    tab.key("Enter")
    tab.until("document.querySelector('.pair').open")


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(tab: Tab, width: int) -> None:
    tab.size(width, 900)
    tab.js("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.until("innerWidth > 0")
    assert tab.js("document.documentElement.scrollWidth <= innerWidth")
    assert tab.js(WIDER) == []


def test_light_and_dark_show_the_same_in_other_colours(tab: Tab) -> None:
    light = seen(tab)
    dark_scheme = {"name": "prefers-color-scheme", "value": "dark"}
    tab.call("Emulation.setEmulatedMedia", features=[dark_scheme])
    dark = seen(tab)
    assert np.median(light) > 200 and np.median(dark) < 60
    for picture in (light, dark):  # text stands out against its ground
        assert 0.01 < (np.abs(picture.astype(float) - np.median(picture)) > 90).mean() < 0.4
    contrast = tab.js(
        "[...document.querySelectorAll('.chart text:not(.on), td:not([class^=p]), p, caption')]"
        ".map(one => "
        "getComputedStyle(one)[one.tagName === 'text' ? 'fill' : 'color'])"
        ".filter(one => Number(one.match(/\\d+/)[0]) < 100).length"
    )
    assert contrast == 0


def test_on_paper_there_are_two_pages_and_one_for_each_pair(tab: Tab) -> None:
    data = base64.b64decode(tab.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert PAIRS + 1 <= len(re.findall(rb"/Type\s*/Page\b", data)) <= PAIRS + 2

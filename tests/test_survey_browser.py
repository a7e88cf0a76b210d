"""Three raters walk through a whole study in a real browser, as people do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("flask")
pytest.importorskip("waitress")

from chromium import Tab, browsing
from surveys import Server, serving, small_study

from afmsr_core.survey.study import Study

SAVED = "document.querySelector('#state').textContent === 'Saved.'"
READY = "document.querySelector('#board') && [...document.images].every(one => one.naturalWidth)"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("browser")
    return small_study(folder, pairs=2, raters=["anna", "ben", "carl", "dora"]).study


@pytest.fixture(scope="module")
def server(study: Study) -> Iterator[Server]:
    with serving(study.folder) as running:
        yield running


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with browsing(tmp_path / "profile") as one:
        one.size(1366, 768)
        yield one


def join(tab: Tab, server: Server, rater: str) -> None:
    tab.go(server.links[rater])
    tab.until("document.activeElement.matches('.lead a')")  # which may be after it is there


def at(tab: Tab, number: int) -> None:
    tab.until(f"location.pathname === '/set/{number}' && {READY}")


def held(study: Study, rater: str) -> list[dict[str, list[int]]]:
    """Return the scores of a rater by set and question, in the rater's order of the items."""
    scores = {(s.item, s.question): s.score for s in study.store.scores() if s.rater == rater}
    return [
        {q: [scores.get((item, q), 0) for item in one.items] for q in study.questions}
        for one in study.store.plan(rater)
    ]


def test_three_raters_walk_through_a_study(
    study: Study, server: Server, tab: Tab, tmp_path: Path
) -> None:
    # Anna, by keyboard alone: the focus is on the way on, and each digit goes to the next question.
    join(tab, server, "anna")
    assert tab.js("location.pathname") == "/"  # the token has left the address
    assert tab.js("document.activeElement.textContent.trim()") == "Begin"
    tab.key("Enter")
    at(tab, 1)
    for digit in "162534":
        tab.key(digit)
    tab.until(f"{SAVED} && document.activeElement.id === 'next'")
    tab.key("Enter")
    at(tab, 2)
    for digit in "11":
        tab.key(digit)
    tab.until(SAVED)
    assert held(study, "anna") == [
        {"fidelity": [1, 2, 3], "quality": [6, 5, 4]},
        {"fidelity": [1, 0, 0], "quality": [1, 0, 0]},
    ]
    # She stops, and goes on in another browser, where she was.
    tab.click("#pause button")
    tab.until("location.pathname === '/paused'")
    tab.go(f"http://127.0.0.1:{server.port}/set/2")
    tab.until("document.body.innerText.includes('link of your invitation')")
    with browsing(tmp_path / "elsewhere") as other:
        # Ben begins at the same time, in the browser that she left, with the mouse.
        join(tab, server, "ben")
        join(other, server, "anna")
        assert other.js("document.querySelector('.lead').innerText") == "Go on with set 2"
        other.key("Enter")
        tab.click(".lead a")
        at(other, 2)
        at(tab, 1)
        assert other.js("document.querySelectorAll('input:checked').length") == 2
        for digit, place in (("4", 1), ("5", 2), ("6", 3)):
            other.key(digit)
            for question in study.questions:
                group = f".pane:nth-of-type({place + 1}) fieldset[data-question={question}]"
                tab.click(f"{group} label:nth-of-type({digit}) span")
        for digit in "22":
            other.key(digit)
        other.until(f"{SAVED} && document.querySelector('#done').textContent === '12'")
        tab.until(f"{SAVED} && document.querySelector('#done').textContent === '6'")
        # Anna goes back and changes an answer; the last one holds.
        other.key("b")
        at(other, 1)
        other.click("fieldset label:nth-of-type(5) span")
        other.until(SAVED)
        other.click("#comment")
        for letter in "16 ok":
            other.key(letter)  # digits in a comment are no scores
        other.click("#overview")
        other.until("document.querySelector('.told')")
        assert "All 12 answers" in other.js("document.querySelector('.told').innerText")
    assert held(study, "anna") == [
        {"fidelity": [5, 2, 3], "quality": [6, 5, 4]},
        {"fidelity": [1, 4, 6], "quality": [1, 5, 2]},
    ]
    assert study.store.comments() == {("anna", study.store.plan("anna")[0].set): "16 ok"}
    assert held(study, "ben")[0] == {"fidelity": [4, 5, 6], "quality": [4, 5, 6]}
    # Carl, on a tablet, in the browser that Ben used.
    tab.size(768, 1024, touch=True)
    join(tab, server, "carl")
    tab.click(".lead a")
    for number in (1, 2):
        at(tab, number)
        for question in study.questions:
            for place in (1, 2, 3):
                group = f".pane:nth-of-type({place + 1}) fieldset[data-question={question}]"
                tab.click(f"{group} label:nth-of-type({place + number}) span")
        tab.until(SAVED)
        tab.click("#next")
    tab.until("document.querySelector('.told')")
    assert held(study, "carl") == [
        {"fidelity": [n + 1, n + 2, n + 3], "quality": [n + 1, n + 2, n + 3]} for n in (1, 2)
    ]
    # What the browser was ever asked to load is the page's own, and tells nothing.
    asked = [one["url"] for one in tab.requests]
    allowed = re.compile(
        rf"http://127\.0\.0\.1:{server.port}/(i/[\w-]+|set/\d|image/\w{{32}}|click|comment|pause|"
        r"paused|favicon\.ico|static/survey\.(js|css))?$"
    )
    assert asked and [url for url in asked if not allowed.match(url)] == []


def test_all_images_zoom_and_move_together(study: Study, server: Server, tab: Tab) -> None:
    join(tab, server, "dora")
    tab.go(f"http://127.0.0.1:{server.port}/set/1")
    at(tab, 1)
    moved = (
        "[...new Set([...document.querySelectorAll('.window img')].map(i => i.style.transform))]"
    )
    (whole,) = tab.js(moved)
    x, y = tab.js(
        "(() => { const box = document.querySelectorAll('.window')[1].getBoundingClientRect();"
        "return [box.x + box.width / 4, box.y + box.height / 2]; })()"
    )
    tab.mouse("mouseWheel", x, y, deltaX=0, deltaY=-120)
    tab.until("document.querySelector('#zoom').textContent === '1.3×'")
    (zoomed,) = tab.js(moved)
    tab.mouse("mousePressed", x, y, button="left", clickCount=1)
    tab.mouse("mouseMoved", x + 20, y, button="left", buttons=1)
    tab.mouse("mouseReleased", x + 20, y, button="left", clickCount=1)
    (dragged,) = tab.js(moved)
    tab.key("+")
    tab.key("l")
    (keyed,) = tab.js(moved)
    assert len({whole, zoomed, dragged, keyed}) == 4
    tab.key("0")
    assert tab.js(moved) == [whole]
    assert held(study, "dora")[0]["fidelity"] == [0, 0, 0]  # 0 is the whole image, no score


def test_a_click_that_cannot_be_saved_is_told_and_tried_again(
    study: Study, server: Server, tab: Tab
) -> None:
    join(tab, server, "dora")
    tab.go(f"http://127.0.0.1:{server.port}/set/2")
    at(tab, 2)
    server.kill()
    tab.key("3")
    tab.key("4")
    tab.until("document.querySelector('#state').textContent.startsWith('Not saved yet')")
    assert tab.js("document.querySelectorAll('fieldset[data-state=unsaved]').length") == 2
    server.start()
    tab.until(f"{SAVED} && !document.querySelector('fieldset[data-state]')")
    assert held(study, "dora")[1] == {"fidelity": [3, 0, 0], "quality": [4, 0, 0]}


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (768, 1024)])
def test_the_page_fits_and_can_be_used(
    study: Study, server: Server, tab: Tab, width: int, height: int
) -> None:
    tab.size(width, height)
    join(tab, server, "dora")
    for path in ("/", "/set/1"):
        tab.go(f"http://127.0.0.1:{server.port}{path}")
        tab.until(f"location.pathname === '{path}' && document.readyState === 'complete'")
        assert tab.js("document.documentElement.scrollWidth <= innerWidth")
        small = tab.js(
            "[...document.querySelectorAll('a.button, button, .scores label, .sets a')]"
            ".map(one => one.getBoundingClientRect())"
            ".filter(box => box.height < 44 || box.width < 36).length"
        )
        assert small == 0  # for fingers
    # Every control has a name, and can be reached by Tab with a mark that can be seen.
    names = tab.js(
        "[...document.querySelectorAll('a, button, textarea, fieldset, img, progress')].map(one =>"
        " one.getAttribute('aria-label') || one.alt || one.innerText || (one.labels || [])[0]"
        "?.innerText || '').filter(name => !name.trim()).length"
    )
    assert names == 0
    reached, seen = [], []
    for _ in range(18):
        tab.key("Tab")
        reached.append(tab.js("document.activeElement.id || document.activeElement.name || "
                              "document.activeElement.dataset.tool || ''"))  # fmt: skip
        seen.append(tab.js(
            "(() => { const one = document.activeElement;"
            "return getComputedStyle(one.nextElementSibling && one.type === 'radio' ?"
            " one.nextElementSibling : one).outlineWidth; })()"
        ))  # fmt: skip
    assert {"back", "overview", "next", "in", "out", "whole", "comment"} <= set(reached)
    assert sum("-fidelity" in name or "-quality" in name for name in reached) == 6
    inside = [mark for name, mark in zip(reached, seen, strict=True) if name]
    assert set(inside) == {"3px"}
    assert contrasts(tab) == []


def contrasts(tab: Tab) -> list[str]:
    """Return the texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, AA)."""
    return json.loads(
        tab.js(
            """(() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = text => rgb(text).slice(0, 3).map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = one => { for (; one; one = one.parentElement) {
    const c = getComputedStyle(one).backgroundColor;
    if (rgb(c).length < 4 || rgb(c)[3] > 0.5) return c; } return 'rgb(255, 255, 255)'; };
  return JSON.stringify([...document.querySelectorAll('body *')].filter(one =>
    [...one.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
    && one.offsetParent).filter(one => {
      const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
    }).map(one => one.outerHTML.slice(0, 80)));
})()"""
        )
    )


def test_a_comment_that_is_refused_stays_until_it_is_mended(
    study: Study, server: Server, tab: Tab
) -> None:
    """Half of a character, as a program may leave it that cuts emojis in two."""
    join(tab, server, "dora")
    tab.go(f"http://127.0.0.1:{server.port}/set/1")
    at(tab, 1)
    tab.js("document.querySelector('#comment').value = 'Grains \\ud83d merge'")
    tab.js("document.querySelector('#comment').dispatchEvent(new Event('change'))")
    state = "document.querySelector('#state').textContent"
    tab.until(f"{state}.startsWith('Not saved: The comment holds half of a character')")
    tab.click("#next")
    tab.until("document.activeElement.id === 'comment'")
    assert tab.js("location.pathname") == "/set/1"
    assert tab.js("document.querySelector('#comment').value.length") == 14
    tab.js("document.querySelector('#comment').value = 'Grains merge'")
    tab.click("#next")
    at(tab, 2)
    assert study.store.comments()["dora", study.store.plan("dora")[0].set] == "Grains merge"

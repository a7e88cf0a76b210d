"""The documentation site builds without a warning, knows every command, and asks no server."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from chromium import browsing

import afmsr
from afmsr_cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
# Attributes by which a page makes a browser fetch something; links to click are no such.
FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr  # a broken link or anchor is a warning, and so an end
    return folder


class Fetched(HTMLParser):
    """What a page has a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if (tag, name) in FETCHED]


def test_no_page_fetches_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        reader = Fetched()
        reader.feed(page.read_text(encoding="utf-8"))
        assert [x for x in reader.addresses if "://" in x or x.startswith("//")] == [], page


def test_every_command_and_every_name_of_the_front_door_is_in_the_reference(site: Path) -> None:
    commands = (site / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    titles = re.findall(r'<h\d id="[^"]*">([^<]*)<', commands)
    assert [name for name in COMMANDS if f"afmsr {name}" not in titles] == []
    python = (site / "reference" / "python" / "index.html").read_text(encoding="utf-8")
    names = {name for name in afmsr.__all__ if not name.startswith("__")}
    assert [name for name in sorted(names) if f'.{name}"' not in python] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_window_in_light_and_dark(site: Path, tmp_path: Path, scheme: str) -> None:
    with browsing(tmp_path / "profile") as tab:
        tab.size(400, 800, touch=True)
        tab.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        grounds = set()
        for page in ("index.html", "tutorial/index.html", "reference/commands/index.html"):
            tab.go((site / page).as_uri())
            tab.until("document.readyState == 'complete' && document.querySelector('h1')")
            assert tab.js("document.documentElement.scrollWidth") <= 400, page
            grounds.add(tab.js("getComputedStyle(document.body).backgroundColor"))
        (ground,) = grounds
        bright = sum(map(float, re.findall(r"[\d.]+", ground)[:3])) / 3
        assert (bright > 128) == (scheme == "light"), ground
        assert {one["url"].split(":")[0] for one in tab.requests} <= {"file", "data", "blob"}

"""In the real window of Gwyddion 3: dialog, Cancel, result, Ctrl+F, progress, and the saved file.

Pictures of the screen are kept in AFMSR_TEST_PICTURES (default: runs/pictures in the checkout).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gwyddion3 import DIALOG, FIX_ZERO, Program
from screen import missing_tools, wait_for

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile
from afmsr_core.realisations import Realiser
from afmsr_core.upscale import Settings, upscale

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "afmsr_core" / "data" / "example_low.gwy"
PICTURES = Path(os.environ.get("AFMSR_TEST_PICTURES", ROOT / "runs" / "pictures"))

pytestmark = pytest.mark.skipif(
    bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}"
)


SLOW = 1200  # pixels a side, for which the network needs seconds


@pytest.fixture
def program(newer, installed_module, screen, tmp_path) -> Iterator[Callable[[Path], Program]]:
    running = []

    def start(scan: Path) -> Program:
        running.append(Program(installed_module, newer, screen, tmp_path, scan))
        return running[-1]

    yield start
    for each in running:
        each.end()
        assert "CRITICAL" not in each.said.read_text()
    wait_for(lambda: not screen.windows("Gwyddion|Super"), "a clean screen")


def test_the_dialog_its_cancel_its_result_and_ctrl_f(program, screen, installed_module):
    running = program(EXAMPLE)
    dialog = running.start()
    running.preview()
    screen.photograph(PICTURES / "gwyddion3-dialog.png", dialog)
    screen.key("Right", pause=0.5)  # from the result to the difference
    screen.photograph(PICTURES / "gwyddion3-difference.png", dialog)
    screen.key("Escape")
    wait_for(lambda: not screen.windows(DIALOG), "the end of the dialog")
    assert running.images == 1 and installed_module.left_over == []
    running.start()
    running.preview()
    screen.key("Return")
    wait_for(lambda: running.images == 2, "a new image")
    screen.sleep(1.0)
    screen.photograph(PICTURES / "gwyddion3-result.png")
    running.repeat()
    wait_for(lambda: running.images == 3, "another new image")
    assert not screen.windows(DIALOG)
    original, first, second = running.save().channels()
    assert first.title == second.title == "Height (simulated) (x4 afm)"
    np.testing.assert_array_equal(first.heights, second.heights)
    np.testing.assert_allclose(first.heights, upscale(original).heights, rtol=0, atol=1e-6)
    assert (first.xreal, first.xoff) == (original.xreal, original.xoff)
    assert installed_module.left_over == []


def test_sharpness_is_chosen_warned_of_and_repeated(program, screen, installed_module):
    running = program(EXAMPLE)
    running.start()  # Ctrl+F of 3.11 and 3.12 wants a second call, of Gwyddion's own functions too
    screen.key("Escape")
    wait_for(lambda: not screen.windows(DIALOG), "the end of the dialog")
    dialog = running.start()
    running.preview()
    screen.key("alt+a", *["Up"] * 10)  # half of the way, in steps of 0.05
    screen.key("alt+e", "Up", pause=0.5)  # and a realisation
    screen.key("alt+d", "Up", "Up", "Up", pause=0.5)  # of the seed 3
    screen.sleep(1.5)
    screen.photograph(PICTURES / "gwyddion3-sharpness.png", dialog)
    screen.key("alt+o")
    wait_for(lambda: running.images == 2, "a new image")
    screen.sleep(0.5)
    running.repeat()
    wait_for(lambda: running.images == 3, "another new image")
    original, *made = running.save().channels()
    surfaces, results = made[::2], made[1::2]
    realiser = Realiser(original, upscale(original), Settings(), 3)
    for one in results:
        assert one.title == "Height (simulated) (x4 afm@0.5)"
        np.testing.assert_allclose(one.heights, realiser.sharpened(0.5).heights, rtol=0, atol=1e-5)
    for one in surfaces:
        assert one.title == realiser.surface(1, 1).title
    running.start()
    running.preview()
    screen.key("alt+f", pause=0.5)  # confidence, which is about the best guess
    screen.photograph(PICTURES / "gwyddion3-not-sharper.png", screen.window(DIALOG))
    screen.key("alt+o")
    wait_for(lambda: running.images == 4, "an image that is none sharper")
    assert running.save().channels()[-1].title == "Height (simulated) (x4 afm)"
    assert installed_module.left_over == []


def test_help_opens_its_page(program, screen, module, installed_module, tmp_path):
    browser, asked = tmp_path / "browser", tmp_path / "asked"
    browser.write_text(f'#!/bin/sh\necho "$@" >"{asked}"\n')
    browser.chmod(0o755)
    installed_module.variables["BROWSER"] = str(browser)
    running = program(EXAMPLE)
    running.start()
    running.preview()
    screen.key("alt+h")
    wait_for(lambda: asked.exists() and asked.read_text(), "a page in a browser")
    page = module / "afmsr" / "help.html"  # where it was compiled
    assert asked.read_text().strip() == page.as_uri() and "Sharpness" in page.read_text()
    assert screen.windows(DIALOG)  # and one can go on


def test_undo_is_of_what_was_done_to_the_scan_before(program, screen):
    """The result is an image of its own; undo neither removes nor changes it, nor is it lost."""
    running = program(EXAMPLE)
    (given,) = GwyFile.open(EXAMPLE).channels()
    screen.activate(running.window)
    screen.key(FIX_ZERO, pause=0.5)
    (shifted,) = running.save().channels()
    assert shifted.heights.min() == 0 < given.heights.min()
    running.start()
    running.preview()
    screen.key("Return")
    wait_for(lambda: running.images == 2, "a new image")
    screen.sleep(1.0)
    screen.key("ctrl+z", pause=0.5)  # in the window of the result, which has nothing to undo
    screen.activate(running.window)
    screen.key("ctrl+z", pause=0.5)
    assert running.images == 2
    original, result = running.save().channels()
    np.testing.assert_array_equal(original.heights, given.heights)
    expected = upscale(shifted).heights
    np.testing.assert_allclose(result.heights, expected, rtol=0, atol=1e-6)


def test_choices_are_kept_and_reset_and_a_run_is_cancelled(
    program, screen, installed_module, tmp_path
):
    big = tmp_path / "big.gwy"
    rng = np.random.default_rng(0)
    heights = rng.normal(0, 1, (SLOW, SLOW)).cumsum(axis=1)
    GwyFile.new([Channel(heights, 5000.0, 5000.0, title="Height")]).save(big)
    running = program(big)
    running.start()
    running.preview()
    screen.key("alt+m", "Down", "alt+t", pause=0.5)  # another method, no background
    screen.key("Escape")
    wait_for(lambda: not screen.windows(DIALOG), "the end of the dialog")
    dialog = running.start()
    running.preview()
    screen.photograph(PICTURES / "gwyddion3-kept.png", dialog)
    screen.key("alt+r", pause=0.5)
    screen.photograph(PICTURES / "gwyddion3-reset.png", dialog)
    screen.key("Return")
    progress = screen.window("^Please wait$")
    screen.photograph(PICTURES / "gwyddion3-progress.png", progress)
    screen.key("Escape")
    wait_for(lambda: not screen.windows("^Please wait$"), "the end of the run")
    screen.sleep(0.5)
    assert running.images == 1
    wait_for(lambda: not installed_module.left_over, "tidy temporary files")

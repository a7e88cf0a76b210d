"""In the real window of Gwyddion 3: dialog, Cancel, result, Ctrl+F, progress, and the saved file.

Pictures of the screen are kept in AFMSR_TEST_PICTURES (default: runs/pictures in the checkout).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gwyddion3 import DIALOG, Program
from screen import missing_tools, wait_for

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile
from afmsr_core.upscale import upscale

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "afmsr_core" / "data" / "example_low.gwy"
PICTURES = Path(os.environ.get("AFMSR_TEST_PICTURES", ROOT / "runs" / "pictures"))

pytestmark = pytest.mark.skipif(
    bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}"
)


SLOW = 1200  # pixels a side, for which the network needs seconds


@pytest.fixture
def program(forky, installed_module, screen, tmp_path) -> Iterator[Callable[[Path], Program]]:
    running = []

    def start(scan: Path) -> Program:
        running.append(Program(installed_module, forky, screen, tmp_path, scan))
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

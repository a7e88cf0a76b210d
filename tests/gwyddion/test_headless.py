"""The installed plug-in in the real Gwyddion: a new channel at 4x, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import gwyfile
import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile
from afmsr_core.upscale import upscale


def scan(yres: int = 24, xres: int = 40, **changes) -> Channel:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:yres, :xres]
    heights = 20 * np.sin(x / 5) * np.cos(y / 4) + 0.3 * x - 0.1 * y + 900
    heights = heights + rng.normal(0, 0.2, heights.shape)
    given = {"xreal": 50.0 * xres, "yreal": 37.5 * yres, "title": "Height"} | changes
    return Channel(given.pop("heights", heights), **given)


def pair(path: Path, first: int = 0, second: int = 1) -> tuple[Channel, Channel]:
    file = GwyFile.open(path)
    return file.channel(first), file.channel(second)


def test_adds_a_channel_at_4x_of_the_same_size(installed, run_in_gwyddion, scan_file, tmp_path):
    source, target = scan_file(scan(xoff=-300.0, yoff=40.0)), tmp_path / "out.gwy"
    answer = run_in_gwyddion(installed, source, target)
    assert answer.menu == "/_Plug-Ins/_AFM Super-Resolution..."
    assert (answer.before, answer.after) == ([0], [0, 1])
    original, added = pair(target)
    assert (added.yres, added.xres) == (96, 160)
    for name in ("xreal", "yreal", "unit", "lateral_unit"):
        assert getattr(added, name) == getattr(original, name)
    given = GwyFile.open(source).channel(0)
    np.testing.assert_array_equal(original.heights, given.heights)
    assert (original.title, original.xoff) == (given.title, given.xoff)
    assert added.mask is None
    assert installed.left_over == [] and not installed.log.exists()


def test_the_heights_are_those_of_the_library(installed, run_in_gwyddion, scan_file, tmp_path):
    target = tmp_path / "out.gwy"
    run_in_gwyddion(installed, scan_file(scan()), target)
    original, added = pair(target)
    expected = upscale(original).heights
    assert np.isfinite(added.heights).all()
    np.testing.assert_allclose(added.heights, expected, rtol=0, atol=1e-6)
    assert added.heights.mean() == pytest.approx(original.heights.mean(), rel=1e-12)


def test_the_mask_comes_back_upscaled(installed, run_in_gwyddion, scan_file, tmp_path):
    mask = np.zeros((24, 40), bool)
    mask[3:9, 20:31] = True
    target = tmp_path / "out.gwy"
    run_in_gwyddion(installed, scan_file(scan(mask=mask)), target)
    original, added = pair(target)
    np.testing.assert_array_equal(original.mask, mask)
    np.testing.assert_array_equal(added.mask, mask.repeat(4, 0).repeat(4, 1))


@pytest.mark.parametrize("unit", ["V", "deg", "", "A", "m/V"])
def test_units_survive(installed, run_in_gwyddion, scan_file, tmp_path, unit):
    installed.choose(method="bicubic")
    heights = scan().heights * 1e-3
    target = tmp_path / "out.gwy"
    source = scan_file(scan(heights=heights, unit=unit, mask=heights > 0.9))
    run_in_gwyddion(installed, source, target)
    original, added = pair(target)
    assert original.unit == added.unit == unit
    assert added.lateral_unit == "nm"
    np.testing.assert_allclose(added.heights, upscale(original, method="bicubic").heights)


def test_lateral_units_that_are_no_lengths_survive(installed, run_in_gwyddion, scan_file, tmp_path):
    installed.choose(method="bicubic")
    target = tmp_path / "out.gwy"
    source = scan_file(scan(lateral_unit="", unit="V", xreal=10.0, yreal=6.0))
    run_in_gwyddion(installed, source, target)
    original, added = pair(target)
    assert (added.lateral_unit, added.xreal) == (original.lateral_unit, 10.0)


def test_several_channels_of_a_file(installed, run_in_gwyddion, scan_file, tmp_path):
    installed.choose(method="bicubic")
    channels = [scan(title="Height"), scan(16, 16, title="Phase", unit="deg"), scan(9, 7)]
    target = tmp_path / "out.gwy"
    answer = run_in_gwyddion(installed, scan_file(*channels), target, (2, 1))
    assert answer.added == [3, 4]
    assert [c.heights.shape for c in GwyFile.open(target).channels()[3:]] == [(36, 28), (64, 64)]
    assert GwyFile.open(target).channel(4).unit == "deg"


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (2, 3)])
def test_tiny_fields(installed, run_in_gwyddion, scan_file, tmp_path, shape):
    target = tmp_path / "out.gwy"
    run_in_gwyddion(installed, scan_file(scan(*shape)), target)
    added = pair(target)[1]
    assert added.heights.shape == (4 * shape[0], 4 * shape[1])
    assert np.isfinite(added.heights).all()


def test_512_by_512(installed, run_in_gwyddion, scan_file, tmp_path):
    target = tmp_path / "out.gwy"
    run_in_gwyddion(installed, scan_file(scan(512, 512)), target, limit=120)
    assert pair(target)[1].heights.shape == (2048, 2048)


def test_a_real_scan_of_128_lines(installed, run_in_gwyddion, tmp_path):
    example = Path(__file__).parents[2] / "afmsr_core" / "data" / "example_low.gwy"
    target = tmp_path / "out.gwy"
    run_in_gwyddion(installed, example, target)
    assert pair(target)[1].heights.shape == (512, 512)


def test_remembered_settings_are_used(installed, run_in_gwyddion, scan_file, tmp_path):
    installed.choose(
        method="bilinear", background="poly2", rows="rows-median", restore_background=False
    )
    target = tmp_path / "out.gwy"
    run_in_gwyddion(installed, scan_file(scan()), target)
    original, added = pair(target)
    chosen = {"method": "bilinear", "level": "poly2+rows-median", "restore_background": False}
    np.testing.assert_allclose(added.heights, upscale(original, **chosen).heights, atol=1e-9)


def test_an_infinite_pixel_is_no_nan_in_the_result(installed, run_in_gwyddion, scan_file, tmp_path):
    """Gwyddion reads NaN from a file as it is; what comes back must be numbers."""
    heights = scan().heights.copy()
    heights[5, 6] = np.inf
    target = tmp_path / "out.gwy"
    source = scan_file(scan(heights=heights))
    run_in_gwyddion(installed, source, target)
    held = gwyfile.load(str(target))["/1/data"].data
    assert held.shape == (96, 160) and np.isfinite(held).all()

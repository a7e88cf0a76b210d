"""Lengths and heights in sentences, tables and messages have the prefix that leaves 1 to 999."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import afmsr
from afmsr_cli.main import main
from afmsr_core.channel import Channel
from afmsr_core.errors import PairError
from afmsr_core.grid import choose
from afmsr_core.pairing.checks import check_pair
from afmsr_core.quantity import between, readable, sides
from afmsr_core.scan_page.page import page
from afmsr_core.scan_page.subject import subject_of

LENGTH = re.compile(
    r"(?<![\w.^⁻])(-?−?\d+(?:\.\d+)?) (?:x|×)?(?: ?[\d.]+ )?(fm|pm|nm|µm|mm|m)\b(?!/)"
)
FACTORS = (2e-3, 0.05, 1.0, 70.0, 900.0)


def scan(factor: float, rows: int = 64, columns: int = 64, size: float = 1280.0) -> Channel:
    """Return hills of the root mean square `factor` nm, with noise, tilt and datum."""
    rng = np.random.default_rng(5)
    down, across = (
        np.mgrid[:rows, :columns]
        * (size / 20.0 / np.array([rows, columns]))[:, None, None]
        / (size / 1280.0)
    )
    hills = np.sin(across / 3.0) + np.cos(down / 4.0) * np.sin(across / 7.0)
    heights = hills + 0.03 * rng.normal(size=hills.shape) + 0.01 * down + 50.0
    return Channel(factor * heights, size, size, title="Height")


def assert_readable(told: str) -> None:
    """Assert that of each length 1 to 999 is said, and that lengths are told at all."""
    found = LENGTH.findall(told)
    assert found, told
    for number, unit in found:
        value = abs(float(number.replace("−", "-")))
        assert value == 0 or 1 <= value < 1000, f"{number} {unit} in: {told}"


def test_the_check_sees_a_wrong_prefix() -> None:
    for wrong in ("0.051 µm", "-1200 nm", "by 0.32 nm (rms)", "1000 nm"):
        with pytest.raises(AssertionError):
            assert_readable(f"heights off by {wrong}.")


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_no_rounding_leaves_1000(digits: int) -> None:
    for power in range(-4, 8):
        for value in (0.99951, 0.9994, 1.0, 9.9996, 999.96, 999.9, 999.4, 512.3):
            assert_readable(readable(value * 10.0**power, "nm", digits))
    assert readable(999.6, "nm", 3) == "1 µm"
    assert between(-0.0, 999.96, "nm") == "0 to 1 µm"
    assert between(-999.6, 0.0, "nm", 3) == "-1 to 0 µm"
    assert readable(51.2, "nm", 2) == "51 nm"
    assert readable(0.0512, "nm", 2) == "51 pm"
    assert sides(0.5, 2.0, "nm") == "500 pm x 2 nm"
    assert sides(3.0, 4.0, "") == "3 x 4"


@pytest.mark.parametrize("factor", FACTORS)
def test_page_history_and_plan(factor: float) -> None:
    given = scan(factor)
    result = afmsr.upscale(given, method="bilinear", scale=3, level="plane+rows-median")
    for step in result.history:
        assert_readable(step.effect.replace("mean moved by", ""))
    html = page(subject_of(result, given))
    shown = re.sub(r"<script.*?</script>|<style.*?</style>", "", html, flags=re.DOTALL)
    sentence = re.search(r'<p class="sentence">(.*?)</p>', shown, re.DOTALL)
    assert sentence is not None
    assert_readable(re.sub("<[^>]*>", "", sentence[1]))
    places = re.findall(r'data-place="\d+">([^<]*)<', shown)
    assert places
    for place in places:
        assert_readable(place)
    for line in str(afmsr.plan(given)).splitlines():
        if LENGTH.search(line):
            assert_readable(line)


@pytest.mark.parametrize("size", [20.0, 640.0, 3e4, 4e5])
def test_the_shape_of_a_pixel(size: float) -> None:
    why = choose(scan(1.0, 16, 64, size)).why
    assert "lines x4" in why
    first, second = re.findall(r"([\d.]+)(?: [np]m| µm)? x ([\d.]+)", why.partition(" of ")[2])[0]
    assert 1 <= float(first) < 1000 and 1 <= float(second) < 1000


def test_pairs_of_different_areas() -> None:
    low, high = scan(1.0, 32, 32), scan(1.0, 64, 64, size=2560.0)
    with pytest.raises(PairError, match=r"the width is 1\.28 µm and 2\.56 µm, more than"):
        check_pair(low, high)


def test_what_verify_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hill of 30 pm that only the result has."""
    rng = np.random.default_rng(1)
    down, across = np.mgrid[:256, :256]
    relief = 0.004 * np.sin(across / 9) * np.cos(down / 11 + across / 40)
    relief += 0.003 * np.sin(down / 6.0) * np.cos(across / 31.0)
    zoom = Channel(relief + 2e-4 * rng.normal(size=relief.shape), 512.0, 512.0, title="Height")
    hill = 0.03 * np.exp(-((down - 100.0) ** 2 + (across - 60.0) ** 2) / 50.0)
    afmsr.write(tmp_path / "zoom.gwy", zoom)
    afmsr.write(tmp_path / "fine.gwy", zoom.replace(heights=relief + hill, title="Height (x4 afm)"))
    assert main(["verify", str(tmp_path / "fine.gwy"), str(tmp_path / "zoom.gwy")]) == 0
    told = capsys.readouterr().out
    place = re.search(r"not confirmed: \+([\d.]+) pm at x ([\d.]+) nm, y ([\d.]+) nm", told)
    assert place is not None, told
    height, x, y = map(float, place.groups())
    assert 5.0 < height < 31.0  # above what is wider than the hill
    assert x == pytest.approx(121.0, abs=3.0) and y == pytest.approx(201.0, abs=3.0)
    assert re.search(r"root mean square difference [\d.]+ pm", told)


def test_what_the_dialog_says() -> None:
    pytest.importorskip("tkinter", reason="the dialog needs tkinter")
    from afmsr_core.grid import LINES_X4, SQUARE
    from gwyddion_plugin.window.preview_pane import _facts

    field = {"xres": 512, "yres": 128, "xreal": 2e-7, "yreal": 8e-7, "unit_xy": "m"}
    assert _facts(field, LINES_X4) == [
        "200 × 800 nm, 512 × 128 px  →  512 × 512 px",
        "Pixels of 390.6 pm × 6.25 nm  →  390.6 pm × 1.562 nm",
    ]
    square = field | {"xres": 100, "yres": 400}
    assert _facts(square, SQUARE)[1] == "Pixels of 2 nm  →  500 pm"
    bare = {"xres": 4, "yres": 2, "xreal": 8e-6, "yreal": 8e-6, "unit_xy": ""}
    assert _facts(bare, SQUARE)[1] == "Pixels of 2 × 10⁻⁶ × 4 × 10⁻⁶  →  5 × 10⁻⁷ × 1 × 10⁻⁶"

"""Fewer pixels than 4x: means over areas of the 4x result, on the same place, and told so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import afmsr
from afmsr_cli.main import main
from afmsr_core import io, large_field
from afmsr_core.averaging import averaged, fineness
from afmsr_core.channel import Channel
from afmsr_core.data import example_pair
from afmsr_core.errors import UsageError
from afmsr_core.large_field import LargeField

QUICK: dict[str, Any] = {"method": "bicubic", "threads": 1}


def field(shape: tuple[int, int], **changes: Any) -> Channel:
    heights = np.random.default_rng(0).normal(50, 20, shape).cumsum(axis=1)
    made = Channel(
        heights, 50.0 * shape[1], 45.0 * shape[0], xoff=-30.0, yoff=4.0, title="Height (x4 afm)"
    )
    return made.replace(**changes)


def shares(before: int, after: int) -> np.ndarray:
    """Return how much of each larger pixel each smaller one covers, from their edges."""
    fine, large = np.arange(before + 1) / before, np.arange(after + 1) / after
    left = np.maximum(large[:-1, None], fine[:-1])
    return (np.minimum(large[1:, None], fine[1:]) - left).clip(0) * after


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_pixel_is_the_mean_of_the_area_that_it_covers(data: st.DataObject) -> None:
    fine = field((data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))))
    shape = data.draw(st.integers(1, fine.yres)), data.draw(st.integers(1, fine.xres))
    made = averaged(fine, shape)
    want = shares(fine.yres, shape[0]) @ fine.heights @ shares(fine.xres, shape[1]).T
    np.testing.assert_allclose(made.heights, want, rtol=1e-12, atol=1e-12 * np.ptp(fine.heights))
    assert made.heights.mean() == pytest.approx(fine.heights.mean(), rel=1e-12)
    for name in ("xreal", "yreal", "xoff", "yoff", "unit", "lateral_unit"):
        assert getattr(made, name) == getattr(fine, name)


def test_whole_blocks_are_exact() -> None:
    fine = field((8, 12))
    blocks = fine.heights.reshape(4, 2, 6, 2)
    want = (blocks.sum(axis=(1, 3))) / 4
    np.testing.assert_allclose(averaged(fine, (4, 6)).heights, want, rtol=4e-16)
    assert averaged(fine, (8, 12)) is fine


def test_what_was_not_measured_stays_so_and_marks_need_half_the_area() -> None:
    heights, mask = np.ones((8, 12)), np.zeros((8, 12), bool)
    heights[:4, :4] = np.nan  # one measured pixel
    mask[4:, 4:8] = True
    fine = field((8, 12), heights=heights, mask=mask)
    half = averaged(fine, (4, 6))
    np.testing.assert_array_equal(np.isnan(half.heights), np.isnan(heights[::2, ::2]))
    np.testing.assert_array_equal(half.mask, mask[::2, ::2])
    odd = averaged(fine, (6, 9))  # 4/3 of a pixel each: those that the gap touches are gaps
    assert np.argwhere(np.isnan(odd.heights)).tolist() == [
        [y, x] for y in range(3) for x in range(3)
    ]
    # The marks are columns 3 to 6 of 9, from row 3 of 6 on.
    np.testing.assert_array_equal(np.flatnonzero(odd.mask.any(axis=0)), [3, 4, 5])
    np.testing.assert_array_equal(np.flatnonzero(odd.mask.any(axis=1)), [3, 4, 5])


def test_a_field_on_the_disk_is_averaged_by_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = field((700, 600), mask=np.random.default_rng(1).random((700, 600)) < 0.5)
    monkeypatch.setattr(large_field, "LARGE", 1000)
    kept = LargeField((700, 600), datum=50.0)
    kept[:] = fine.heights
    made = averaged(fine.replace(heights=kept), (525, 450))
    want = averaged(fine, (525, 450))
    assert isinstance(made.heights, LargeField) and made.heights.datum == 50.0
    np.testing.assert_allclose(np.asarray(made), np.asarray(want), atol=1e-6 * np.ptp(fine.heights))
    np.testing.assert_array_equal(made.mask, want.mask)


@pytest.mark.parametrize(
    ("grid", "shape"),
    [({"scale": 1}, (9, 20)), ({"scale": 3}, (27, 60)), ({"pixels": 33}, (15, 33)), ({}, (36, 80))],
)
def test_python_gives_as_many_as_were_asked_for(
    grid: dict[str, int], shape: tuple[int, int]
) -> None:
    scan = field((9, 20), title="Height")
    fine = afmsr.upscale(scan, **QUICK)
    made = afmsr.upscale(scan, **grid, **QUICK)
    assert made.heights.shape == shape
    np.testing.assert_array_equal(made.heights, averaged(fine, shape).heights)
    assert fineness(made) == pytest.approx((shape[0] / 9, shape[1] / 20))
    if grid:
        size = f"{shape[1]} x {shape[0]} px"
        assert made.title == f"Height (x4 bicubic, averaged to {size})"
        step = made.history[-1]
        assert step.name == "average" and step.settings["from_columns"] == 80
        assert f"80 x 36 px averaged by area to {size}" in step.effect


def test_upscaled_twice_it_is_as_fine_as_both_make_it() -> None:
    scan = Channel(np.eye(8), 80.0, 160.0)  # lines x2
    once = afmsr.upscale(scan, method="bilinear", pixels=12)
    assert once.heights.shape == (12, 6) and fineness(once) == (1.5, 0.75)
    twice = afmsr.upscale(once, method="bilinear", scale=2)
    assert twice.heights.shape == (24, 12) and fineness(twice) == (3.0, 1.5)


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ({"scale": 5}, "scale 5: the methods make 4x.*choose auto, 1, 2, 3, 4"),
        ({"scale": 0}, "choose auto, 1, 2, 3, 4"),
        ({"scale": 2, "pixels": 30}, "choose one of them"),
        ({"pixels": 0}, "positive"),
        ({"pixels": 81}, r"channel 'Height': 81 pixels are more than 4 times the 20.*80 or fewer"),
        ({"pixels": 19}, "fewer than the 20 that were measured; give 20 or more"),
    ],
)
def test_more_than_4x_is_refused_with_the_reason(grid: dict[str, int], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        afmsr.upscale(field((9, 20), title="Height"), **grid, **QUICK)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans at 4x and with fewer pixels, with all that the command line adds."""
    folder = tmp_path_factory.mktemp("made")
    (low,) = io.read(example_pair()[0])
    crop = low.replace(
        heights=low.heights[:48, :64], xreal=low.dx * 64, yreal=low.dy * 48, mask=None
    )
    gap = crop.heights.copy()
    gap[3:5, 7:9] = np.nan
    for name, heights in (("a", crop.heights), ("b", gap)):
        io.write(folder / f"{name}.gwy", crop.replace(heights=heights, mask=heights > 20))
    extras = ["--threads", "1", "--confidence", "--residual", "--preview"]
    for more in ([], ["--scale", "2", "--jobs", "2"], ["--pixels", "100"]):
        assert main(["upscale", str(folder), *extras, *more]) == 0
    return folder


def channels(path: Path) -> dict[str, Channel]:
    """Return the channels by what they are, without what they are of."""
    return {one.title.partition(",")[0].partition(" (")[0]: one for one in io.read(path)[1:]}


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_command_line_averages_result_and_interval(made: Path, name: str) -> None:
    fine, half = channels(made / f"{name}_x4.gwy"), channels(made / f"{name}_x2.gwy")
    other = channels(made / f"{name}_100px.gwy")
    assert half["Height"].heights.shape == (96, 128) and other["Height"].heights.shape == (75, 100)
    for one in ("Height", "Half-width of the 90 % interval"):
        for result in (half, other):
            want = averaged(fine[one], result[one].heights.shape)
            np.testing.assert_allclose(result[one].heights, want.heights, rtol=1e-14)
            np.testing.assert_array_equal(result[one].mask, want.mask)
        assert half[one].title.endswith("(x4 afm, averaged to 128 x 96 px)")
    for one in ("Residual", "Residual in sigma"):  # of what the method made
        np.testing.assert_array_equal(half[one].heights, fine[one].heights)
        assert half[one].title.endswith("(x4 afm)")
    assert (made / f"{name}_x2.png").is_file()
    assert half["Height"].history[-1].name == "average"


def test_results_of_any_size_are_no_scans_of_the_next_run(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--method", "bicubic", "--scale", "2"]
    assert main(["upscale", str(made), "-o", str(tmp_path), *options]) == 0
    assert "to 128 x 96 px (bicubic, averaged from 256 x 192)" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_x2.gwy", "b_x2.gwy"]


def test_records_tell_and_one_scan_too_small_costs_no_other(made: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.gsf"
    io.write(small, field((5, 6)))
    records = afmsr.upscale_many([small, made / "a.gwy"], tmp_path / "out", pixels=96, **QUICK)
    assert [one.status for one in records] == ["failed", "done"]
    assert "more than 4 times the 6" in str(records[0].error)
    (channel,) = records[1].channels
    assert (channel["xres"], channel["yres"]) == (96, 72)
    assert channel["averaged_from"] == {"xres": 256, "yres": 192}


def test_verify_knows_the_measured_pixels(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its features are as large as on the 4x result; told, not taken for granted."""
    (high,) = io.read(example_pair()[1])
    zoom = high.replace(
        heights=high.heights[:192, :256], xreal=high.dx * 256, yreal=high.dy * 192, mask=None
    )
    io.write(tmp_path / "zoom.gwy", zoom)
    found = []
    for result, more in (("a_x4.gwy", []), ("a_x2.gwy", []), ("a_x2.gwy", ["--scale", "2"])):
        capsys.readouterr()
        command = ["verify", str(made / result), str(tmp_path / "zoom.gwy"), "--json", *more]
        assert main(command) == 0
        found.append(json.loads(capsys.readouterr().out))
    four, two, given = found
    assert two == given and two["features_truth"] == four["features_truth"]
    assert two["within_interval"] == pytest.approx(four["within_interval"], abs=0.1)

"""``afmsr verify`` compares only what can be compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.averaging import fineness
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import FieldError
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, scale_of, scales_of
from afmsr_core.planning import plan

SIDE = 128
HEIGHTS = 20 * ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(SIDE, SIDE)), 3)
RESULT = Channel(HEIGHTS, 1280.0, 1280.0, title="Height (x4 afm)")
PART = np.s_[32:96, 32:96]
ZOOM = Channel(HEIGHTS[PART], 640.0, 640.0, xoff=320.0, yoff=320.0, title="Zoom")


def verify(folder: Path, zoom: Channel, *options: str) -> int:
    io.write(folder / "result.gwy", RESULT, force=True)
    io.write(folder / "zoom.npy", zoom, force=True)
    names = (str(folder / name) for name in ("result.gwy", "zoom.npy"))
    return main(["verify", *names, "--zoom-channel", "0", *options])


@pytest.mark.parametrize(
    "zoom, told",
    [
        (ZOOM.replace(unit="V"), "the unit is 'nm' in one and 'V' in the other"),
        (ZOOM.replace(lateral_unit="V"), "the lateral unit is 'nm' in one and 'V' in the other"),
    ],
)
def test_other_units_are_refused(
    zoom: Channel, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(tmp_path, ZOOM) == 0
    capsys.readouterr()
    assert verify(tmp_path, zoom) == 1
    said = capsys.readouterr()
    assert told in said.err and "--zoom-channel" in said.err and said.out == ""


@pytest.mark.parametrize("flat", ["result", "zoom"])
def test_what_cannot_be_aligned_is_named(
    flat: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, one in (("result", RESULT), ("zoom", ZOOM)):
        heights = np.full(one.heights.shape, 3.0) if name == flat else one.heights
        io.write(tmp_path / f"{name}.gwy", one.replace(heights=heights))
    assert main(["verify", *(str(tmp_path / f"{name}.gwy") for name in ("result", "zoom"))]) == 1
    assert f"afmsr: {tmp_path / flat}.gwy: all heights are the same" in capsys.readouterr().err


DRAWN = {
    "Realisation 2 of 8, seed 7, Height (x4 afm)": "realise",
    "Height (x4 afm@0.5)": "sharpen",
    "Height (x4 afm@0.5, averaged to 64 x 64 px)": "sharpen",
    "Height (x4 afm)": "",
}


@pytest.mark.parametrize("title", DRAWN)
@pytest.mark.parametrize("has_history", [True, False], ids=["history", "title"])
def test_a_surface_drawn_at_random_is_no_best_guess(
    title: str, has_history: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = RESULT.replace(title=title)
    if has_history and DRAWN[title]:
        result = result.replace(title="a").after(Step(DRAWN[title], "1", {}, "50 % drawn"))
    io.write(tmp_path / "drawn.gwy", result)
    io.write(tmp_path / "zoom.npy", ZOOM)
    command = ["verify", str(tmp_path / "drawn.gwy"), str(tmp_path / "zoom.npy"), "--channel", "0"]
    assert main([*command, "--scale", "4"]) == 0
    said = capsys.readouterr().out
    assert main([*command, "--scale", "4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["drawn"]
    assert ("This is not the best guess of the heights." in told) == bool(DRAWN[title])
    assert (f"{told} A feature" in said) == bool(told)


@pytest.mark.parametrize("scale", ["0", "-4"])
def test_a_scale_below_one_makes_no_sense(
    scale: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(tmp_path, ZOOM, "--scale", scale) == 2
    assert f"--scale {scale}: give a positive number" in capsys.readouterr().err


def test_a_scale_that_leaves_nothing_measured_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for scale in ("100", "1x1000000"):
        assert verify(tmp_path, ZOOM, "--scale", scale) == 2
        assert "that were measured; give how many were made of one" in capsys.readouterr().err


def test_a_zoom_of_no_finer_pixels_is_told_to_confirm_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, told in (((), False), (("--scale", "1"), True)):  # 10 nm; measured 40 and 10
        assert verify(tmp_path, ZOOM, *options, "--json") == 0
        said = capsys.readouterr()
        assert ("no finer than those that were upscaled" in said.err) == told
        assert bool(json.loads(said.out)["warnings"]) == told


@pytest.mark.parametrize(
    ("title", "too_coarse", "unknown"),
    [
        ("Height (x4 afm)", False, False),  # pixels of 10 nm, made of 40; the zoom has 20
        ("Height (lines x4, afm)", False, False),
        ("Height (lines x2, afm)", True, False),
        ("Height (x4 afm, averaged to 128 x 128 px)", False, True),
        ("Height (xyz)", False, True),
    ],
)
def test_a_result_without_history_has_the_scale_of_its_title(
    title: str, too_coarse: bool, unknown: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    relief = np.kron(HEIGHTS, np.ones((2, 2)))
    part = slice(64, 192, 2), slice(64, 192, 2)  # as much as ZOOM of relief that is twice as wide
    io.write(tmp_path / "result.gwy", Channel(relief, 2560.0, 2560.0, title=title))
    zoom = Channel(relief[part], 1280.0, 1280.0, xoff=640.0, yoff=640.0, title="Zoom")
    io.write(tmp_path / "zoom.npy", zoom)
    names = [str(tmp_path / name) for name in ("result.gwy", "zoom.npy")]
    assert main(["verify", *names, "--zoom-channel", "0", "--channel", "0"]) == 0
    told = capsys.readouterr().err
    assert ("no finer than those that were upscaled" in told) == too_coarse
    assert ("nothing in it tells how many pixels were made of one" in told) == unknown


def test_a_title_tells_every_scale() -> None:
    lost = RESULT.replace(title="Height (lines x2, afm) (x4 bicubic)")
    assert scales_of(lost) == (LINES_X2, SQUARE) and fineness(lost) == (8.0, 4.0)
    assert scale_of(RESULT.replace(title="Height (lines x4, edsr)")) == LINES_X4
    assert scales_of(RESULT.replace(title="Height (x)")) == ()
    assert scales_of(RESULT.replace(title=f"Height (x4 afm@{1e-5:g})")) == (SQUARE,)
    with pytest.raises(FieldError, match="it was upscaled"):
        plan(lost)

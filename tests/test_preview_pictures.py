"""The dialog's pictures have the proportions of the area, and the colours of all pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.grid import SQUARE
from afmsr_core.picture.palettes import palette, unmeasured_colour
from afmsr_core.picture.ranges import Range
from gwyddion_plugin.worker.preview_pictures import Crop, write


def picture(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1]


@pytest.mark.parametrize(
    ("size", "crop", "overview"),
    [
        ((640.0, 480.0), (256, 256), (128, 96)),
        ((640.0, 60.0), (256, 32), (128, 12)),  # pixels 8 times as wide as high
        ((80.0, 480.0), (32, 256), (21, 128)),
    ],
)
def test_the_pictures_show_the_area_as_it_is(
    tmp_path: Path, size: tuple[float, float], crop: tuple[int, int], overview: tuple[int, int]
) -> None:
    heights = np.tile(np.linspace(0.0, 2150.0, 160), (120, 1))
    heights[60:64] = np.nan
    relief = Channel(heights, *size)
    shown = Crop.around(relief, SQUARE)
    seen = shown.seen(relief)
    fine = seen.replace(heights=seen.heights.repeat(4, axis=0).repeat(4, axis=1))
    names = write(tmp_path, relief, shown, fine, fine, "afm")
    before, after, whole = (
        picture(tmp_path / names[name]) for name in ("before", "after", "overview")
    )
    assert before.shape[1::-1] == after.shape[1::-1] == crop
    assert whole.shape[1::-1] == overview
    assert np.array_equal(before, after), "nothing but pixels repeated, in the same colours"
    part = shown.of(relief)
    low, high = Range.of([part]).low, Range.of([part]).high
    assert low < part[0, 8] and high > part[0, -8]
    assert (before[0, 0] <= palette("afm")[4]).all() and (
        before[0, -1] >= palette("afm")[251]
    ).all()
    assert (before[crop[1] // 2] == unmeasured_colour("afm")).all()

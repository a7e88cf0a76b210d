"""The rival on photographs: anti-aliased, in place, and only from images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage

from afmsr_core.errors import UsageError
from training.photographs import photographs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One smooth image in a folder of its own, of odd size."""
    grey = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(131, 163)), 5)
    grey = 255 * (grey - grey.min()) / np.ptp(grey)
    (tmp_path / "deep").mkdir()
    cv2.imwrite(str(tmp_path / "deep" / "one.png"), grey.astype(np.uint8))
    return tmp_path


def test_the_coarse_image_lies_where_the_fine_one_does(folder: Path) -> None:
    (field,) = photographs(folder)[str(Path("deep") / "one.png")]
    assert field.fine.shape == (128, 160)
    assert field.coarse.shape == (32, 40)
    upscaled = cv2.resize(field.coarse, (160, 128), interpolation=cv2.INTER_CUBIC)

    def error(down: float, right: float) -> float:
        moved = ndimage.shift(upscaled, (down, right), mode="nearest")
        return float(np.std((moved - field.fine)[8:-8, 8:-8]))

    here = error(0, 0)
    assert all(here < error(*by) for by in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)))


def test_down_sampling_is_anti_aliased(tmp_path: Path) -> None:
    """A chequerboard of single pixels becomes grey, where a scan line would keep it."""
    board = 255 * (np.indices((64, 64)).sum(axis=0) % 2)
    cv2.imwrite(str(tmp_path / "board.png"), board.astype(np.uint8))
    (field,) = photographs(tmp_path)["board.png"]
    assert np.ptp(field.coarse[4:-4, 4:-4]) < 0.02


def test_no_image_or_a_broken_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no photographs"):
        photographs(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    with pytest.raises(UsageError, match=r"broken\.jpg"):
        photographs(tmp_path)

"""The result, scanned again, is held against what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.trust.consistency import consistency, projected, sampled
from afmsr_core.trust.noise import Noise
from afmsr_core.upscale import upscale

RNG = np.random.default_rng(0)
NOISE = Noise(0.5, 0.0, None, "scan")


def smooth(side: int, period: float) -> np.ndarray:
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side
    return 10 * np.sin(2 * np.pi * side * x / period) * np.cos(2 * np.pi * side * y / period)


def test_scanning_again_gives_the_line_through_the_middle_of_the_pixels() -> None:
    fine = smooth(256, 64.0)
    y, x = (np.mgrid[0:64, 0:64] + 0.5) * 4
    line = 10 * np.sin(2 * np.pi * x / 64) * np.cos(2 * np.pi * y / 64)
    dwell = np.cos(np.pi / 64)  # of a sine, the mean of two pixels
    assert np.abs(sampled(fine) - line * dwell).max() < 2e-3


def test_a_smooth_scan_is_given_back_by_interpolation() -> None:
    scan = Channel(smooth(64, 16.0), 64.0, 64.0)
    found = consistency(scan.heights, upscale(scan, method="bicubic"), NOISE)
    assert np.abs(found.residual[2:-2, 2:-2]).max() < 0.5
    assert found.as_dict()["beyond_3_sigma"] < 0.01


def test_a_bump_that_was_not_measured_stands_out_in_nm_and_sigma() -> None:
    scan = Channel(smooth(64, 16.0), 64.0, 64.0)
    result = upscale(scan, method="bicubic")
    heights = result.heights.copy()
    heights[100:104, 60:64] += 5.0
    found = consistency(scan.heights, result.replace(heights=heights), NOISE)
    change = found.residual - consistency(scan.heights, result, NOISE).residual
    assert change[25, 15] == pytest.approx(5.0) and np.count_nonzero(np.abs(change) > 1e-9) == 1
    assert np.abs(found.sigma - found.residual / 0.5).max() < 1e-12


def test_the_projection_moves_towards_the_data_only_beyond_the_noise() -> None:
    scan = Channel(smooth(64, 16.0), 64.0, 64.0)
    result = upscale(scan, method="bicubic")
    off = result.heights + 4.0  # a constant error of eight sigma
    found = consistency(scan.heights, result.replace(heights=off), NOISE)
    moved = projected(off, found)
    assert abs(np.mean(moved - result.heights)) < 0.15
    quiet = consistency(scan.heights, result, Noise(50.0, 0.0, None, "scan"))
    assert np.array_equal(projected(result.heights, quiet), result.heights)


def test_another_scan_is_refused() -> None:
    with pytest.raises(FieldError, match="give the scan that it was made from"):
        consistency(np.zeros((16, 16)), Channel(np.zeros((64, 60)), 1.0, 1.0), NOISE)
    with pytest.raises(FieldError, match="no multiple"):
        sampled(np.zeros((63, 64)))

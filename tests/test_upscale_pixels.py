"""Pixels are areas: the grids share the outer edge, and nothing moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.upscale import upscale

FLAGS = {
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos4": cv2.INTER_LANCZOS4,
}
PLAIN = {"level": "none", "restore_background": False}


@pytest.mark.parametrize("method", FLAGS)
@pytest.mark.parametrize("shape", [(16, 16), (9, 31), (300, 7)])
def test_interpolations_are_those_of_opencv(method: str, shape: tuple[int, int]) -> None:
    heights = np.random.default_rng(0).normal(5, 3, shape)
    size = (4 * shape[1], 4 * shape[0])
    theirs = cv2.resize(heights, size, interpolation=FLAGS[method])
    ours = upscale(Channel(heights, *heights.shape[::-1]), method=method, **PLAIN).heights
    # On [0, 1], not on nm: OpenCV's weights of Lanczos4 are float32 and do not quite sum to one.
    tolerance = 1e-6 if method == "lanczos4" else 1e-12
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.ptp(heights))


def test_a_ramp_inside_the_edges_has_the_value_of_the_place() -> None:
    ramp = np.add.outer(3.0 * np.arange(12), 7.0 * np.arange(20))
    result = upscale(Channel(ramp, 20.0, 12.0), method="bilinear", **PLAIN).heights
    fine_y, fine_x = (np.mgrid[0:48, 0:80] + 0.5) / 4 - 0.5  # centres, in coarse pixels
    inside = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(result[inside], (3 * fine_y + 7 * fine_x)[inside], atol=1e-12)


@pytest.mark.parametrize("method", [*FLAGS, "afm"])
def test_a_ramp_is_a_ramp_up_to_the_edges_once_levelled(method: str) -> None:
    ramp = np.add.outer(3.0 * np.arange(12), 7.0 * np.arange(20))
    result = upscale(Channel(ramp, 20.0, 12.0), method=method).heights
    fine_y, fine_x = (np.mgrid[0:48, 0:80] + 0.5) / 4 - 0.5
    np.testing.assert_allclose(result, 3 * fine_y + 7 * fine_x, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("method", "tolerance"), [*((name, 1e-5) for name in FLAGS), ("afm", 0.1)])
@pytest.mark.parametrize("centre", [(16.0, 16.0), (15.5, 15.5), (13.25, 20.0)])
def test_a_bump_stays_at_its_place(
    method: str, tolerance: float, centre: tuple[float, float]
) -> None:
    """The centre of mass of a bump, in fine pixels from the common edge, moves by a trifle."""
    y, x = np.mgrid[0:32, 0:32] + 0.5
    bump = np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * 2.0**2))
    result = upscale(Channel(bump, 32.0, 32.0), method=method, **PLAIN).heights
    weights = np.where(result > 0.2, result - 0.2, 0.0)  # of the bump, not of the ground
    fine_y, fine_x = np.mgrid[0:128, 0:128] + 0.5
    found = (weights * fine_y).sum() / weights.sum(), (weights * fine_x).sum() / weights.sum()
    slack = tolerance + (0.02 if centre == (13.25, 20.0) else 0.0)  # a threshold on a grid
    assert found == pytest.approx((4 * centre[0], 4 * centre[1]), abs=slack)


def test_the_network_treats_both_axes_and_directions_alike() -> None:
    """Its best-fit shift against the flipped and turned results is below 0.05 fine pixels."""
    y, x = np.mgrid[0:48, 0:48]
    field = np.sin(x / 3.1) + np.cos(y / 4.3) + np.sin((x + y) / 7.7)
    field += 0.05 * np.random.default_rng(1).normal(size=x.shape)
    plain = upscale(Channel(field, 1.0, 1.0), method="afm", threads=1).heights
    for turn in (np.fliplr, np.flipud, np.transpose):
        turned = turn(upscale(Channel(turn(field), 1.0, 1.0), method="afm", threads=1).heights)
        dy, dx = np.gradient(plain)
        inside = np.s_[16:-16, 16:-16]
        design = np.stack([dy[inside].ravel(), dx[inside].ravel()], axis=1)
        shift, *_ = np.linalg.lstsq(design, (turned - plain)[inside].ravel(), rcond=None)
        assert np.abs(shift).max() < 2 * 0.05  # a flip doubles what a method moves

"""Alignment, proven on the virtual truth: it finds where the pixels of two scans really were."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.alignment import Alignment, align
from afmsr_core.alignment.maps import apply
from afmsr_core.levelling import level
from afmsr_core.simulation import SimulatedPair, simulate_pair

ndimage = pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

Field = NDArray[np.float64]

SIZE = 256
SURFACES = ("film", "grains", "membrane", "particles", "chains", "flakes")
CLOSE = 0.3  # pixels of the fine scan, in the median over pixels and pairs
FAR = 1.0  # a quarter of a coarse pixel: what no pair may miss by


def true_map(pair: SimulatedPair, side: str) -> tuple[Field, Field]:
    """Return where every pixel of the high trace lies on the upscaled coarse trace: x, y."""
    low, high = pair.scans[side].trace, pair.high_scan.trace
    dx, dy = pair.channels[side][0].dx, pair.channels[side][0].dy
    across, down = round(dx / pair.high[0].dx), round(dy / pair.high[0].dy)
    x, y = high.x / dx - 0.5, high.y / dy - 0.5
    for _ in range(8):  # the map is nearly the identity: a fixed point
        found_x, found_y = (
            ndimage.map_coordinates(one, [y, x], order=1, mode="nearest") for one in (low.x, low.y)
        )
        x, y = x + (high.x - found_x) / dx, y + (high.y - found_y) / dy
    return across * x + (across - 1) / 2, down * y + (down - 1) / 2


def aligned(pair: SimulatedPair, side: str) -> Alignment:
    low, high = (level(pair.channels[one][0], "plane").channel.heights for one in (side, "high"))
    # As OpenCV's bicubic interpolation, along one axis or both.
    return align(cv2.resize(low, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), high)


@pytest.fixture(scope="module", params=["low", "lines"])
def errors(request: pytest.FixtureRequest) -> dict[str, tuple[float, float]]:
    """Median distance from the true map of every pair, and that of no alignment at all."""
    found, shape = {}, (SIZE // 4, {"low": SIZE // 4, "lines": SIZE}[request.param])
    for seed, name in enumerate(SURFACES, 40):
        pair = simulate_pair(name, size=SIZE, low=[shape], seed=seed)
        alignment = aligned(pair, request.param)
        assert alignment.accepted, f"{name}: {alignment.verdict}"
        inside = alignment.crop.slices
        pixels = np.meshgrid(np.arange(SIZE, dtype=float), np.arange(SIZE, dtype=float))
        right = true_map(pair, request.param)
        off = [
            float(np.median(np.hypot(x - right[0], y - right[1])[inside]))
            for x, y in (apply(alignment.matrix, *pixels), pixels)
        ]
        found[name] = off[0], off[1]
    return found


def test_shift_rotation_and_drift_are_found_to_a_third_of_a_pixel(
    errors: dict[str, tuple[float, float]],
) -> None:
    assert np.median([off for off, _ in errors.values()]) < CLOSE, errors


def test_no_pair_is_a_quarter_of_a_coarse_pixel_off(errors: dict[str, tuple[float, float]]) -> None:
    assert max(off for off, _ in errors.values()) < FAR, errors


def test_there_was_something_to_find(errors: dict[str, tuple[float, float]]) -> None:
    assert np.median([before for _, before in errors.values()]) > 5 * CLOSE, errors

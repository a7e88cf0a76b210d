"""Alignment, proven on the virtual truth: it finds where the pixels of two scans really were."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.alignment import Alignment, align
from afmsr_core.alignment.maps import apply
from afmsr_core.levelling import level
from afmsr_core.methods import get
from afmsr_core.methods.interpolation import interpolate
from afmsr_core.simulation import SimulatedPair, simulate_pair

ndimage = pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

Field = NDArray[np.float64]

SIZE = 256
SURFACES = ("film", "grains", "membrane", "particles", "chains", "flakes")
CLOSE = 0.3  # pixels of the fine scan, in the median over pixels and pairs
FAR = 1.0  # a quarter of a coarse pixel: what no pair may miss by


def true_map(pair: SimulatedPair) -> tuple[Field, Field]:
    """Return where every pixel of the high trace lies on the upscaled low trace: x, y."""
    low, high = pair.low_scan.trace, pair.high_scan.trace
    dx, dy = pair.low[0].dx, pair.low[0].dy
    x, y = high.x / dx - 0.5, high.y / dy - 0.5
    for _ in range(8):  # the map is nearly the identity: a fixed point
        found_x, found_y = (
            ndimage.map_coordinates(one, [y, x], order=1, mode="nearest") for one in (low.x, low.y)
        )
        x, y = x + (high.x - found_x) / dx, y + (high.y - found_y) / dy
    return 4 * x + 1.5, 4 * y + 1.5


def aligned(pair: SimulatedPair) -> Alignment:
    low, high = (level(one[0], "plane").channel.heights for one in (pair.low, pair.high))
    return align(np.asarray(interpolate(low, get("bicubic")), dtype=float), high)


@pytest.fixture(scope="module")
def errors() -> dict[str, tuple[float, float]]:
    """Median distance from the true map of every pair, and that of no alignment at all."""
    found = {}
    for seed, name in enumerate(SURFACES, 40):
        pair = simulate_pair(name, size=SIZE, seed=seed)
        alignment = aligned(pair)
        assert alignment.accepted, f"{name}: {alignment.verdict}"
        inside = alignment.crop.slices
        pixels = np.meshgrid(np.arange(SIZE, dtype=float), np.arange(SIZE, dtype=float))
        right = true_map(pair)
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

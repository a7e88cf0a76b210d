"""What a tip makes of a surface: exact, however it is computed."""

from __future__ import annotations

import numpy as np
import pytest

from afmsr_core.errors import UsageError
from afmsr_core.simulation.tip import SHAPES, Tip, dilate

NAMES = [kind.name for kind in SHAPES]


def brute_force(surface: np.ndarray, tip: Tip, dx: float, dy: float) -> np.ndarray:
    """The definition: at every pixel, over all pixels of the surface."""
    rows, columns = surface.shape
    y, x = np.mgrid[1 - rows : rows, 1 - columns : columns]
    height = tip.height(x * dx, y * dy)
    traced = np.empty_like(surface)
    for i in range(rows):
        for j in range(columns):
            over = height[rows - 1 - i : 2 * rows - 1 - i, columns - 1 - j : 2 * columns - 1 - j]
            traced[i, j] = (surface - over).max()
    return traced


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("radius", "height"), [(3.0, 20.0), (30.0, 40.0), (0.5, 300.0)])
def test_dilation_is_the_largest_of_all(name: str, radius: float, height: float) -> None:
    rng = np.random.default_rng(3)
    surface = height * rng.random((57, 71)) ** 4  # beyond one block; spikes and plains
    surface[20:, 30:] += height  # and a wall
    tip = Tip(name, radius=radius, half_angle=25.0)
    traced = dilate(surface, tip, dx=2.0, dy=3.0)
    assert np.array_equal(traced, brute_force(surface, tip, 2.0, 3.0))
    assert (traced >= surface).all() and (traced > surface).mean() > 0.5


def test_a_spike_shows_the_tip() -> None:
    surface = np.zeros((41, 41))
    surface[20, 20] = 50.0
    tip = Tip("cone", radius=5.0, half_angle=30.0)
    y, x = np.mgrid[-20:21, -20:21].astype(float)
    assert np.allclose(dilate(surface, tip, 1.0, 1.0), np.maximum(50.0 - tip.height(x, y), 0))


def test_a_cone_is_a_sphere_and_then_a_flank() -> None:
    tip, zero = Tip("cone", radius=10.0, half_angle=30.0), np.zeros(3)
    assert np.allclose(tip.height(np.array([0.0, 2.0, 5.0]), zero),
                       10 - np.sqrt(100 - np.array([0.0, 4.0, 25.0])))  # fmt: skip
    far = tip.height(np.array([100.0, 101.0]), zero[:2])
    assert np.diff(far) == pytest.approx(1 / np.tan(np.deg2rad(30)))


def test_a_pyramid_has_four_faces_and_lies_within_its_cone() -> None:
    tip, cone = (Tip(name, radius=10.0, half_angle=35.0) for name in ("pyramid", "cone"))
    y, x = np.mgrid[-60:61, -60:61].astype(float)
    height = tip.height(x, y)
    assert np.allclose(height, height.T) and np.allclose(height, height[::-1])
    assert (height <= cone.height(x, y) + 1e-9).all()  # the square holds the circle
    assert np.allclose(height[60], cone.height(x, y)[60])  # and touches it on the axes
    assert height[60, 60] == 0 and np.ptp(height[:30, 0]) < height[60, 0]


def test_no_tip_changes_nothing() -> None:
    surface = np.random.default_rng(0).normal(size=(9, 9))
    traced = dilate(surface, Tip(radius=0.0), 1.0, 1.0)
    assert np.array_equal(traced, surface) and traced is not surface


@pytest.mark.parametrize(
    "wrong", [{"shape": "ball"}, {"radius": -1.0}, {"half_angle": 0.0}, {"half_angle": 90.0}]
)
def test_what_is_no_tip_is_usage(wrong: dict) -> None:
    with pytest.raises(UsageError):
        Tip(**wrong)


def test_a_tip_larger_than_the_scan_is_said() -> None:
    with pytest.raises(UsageError, match="sharper tip or a surface with larger pixels"):
        dilate(np.array([[0.0, 1e6]]), Tip(radius=100.0), 1.0, 1.0)

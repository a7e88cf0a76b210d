"""Promise: the short way to a plane over a complete field gives the least-squares plane."""

from __future__ import annotations

import numpy as np
import pytest

from afmsr_core.surfaces import Plane, fit_plane


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (31, 64)])
@pytest.mark.parametrize("datum", [0.0, -7e6])
def test_it_is_that_of_the_equations(shape: tuple[int, int], datum: float) -> None:
    yres, xres = shape
    relief = np.random.default_rng(0).normal(size=shape)
    y, x = np.mgrid[:yres, :xres] + 0.5
    columns = [np.ones(shape), x / xres - 0.5, y / yres - 0.5]
    used = [True, xres > 1, yres > 1]
    terms = np.stack([c.ravel() for c, use in zip(columns, used, strict=True) if use], axis=1)
    expected = np.zeros(3)
    expected[used] = np.linalg.lstsq(terms, relief.ravel(), rcond=None)[0]
    found = fit_plane(relief + datum)
    slack = 1e-12 + 1e-15 * abs(datum)
    np.testing.assert_allclose(found.datum - datum, expected[0], rtol=0, atol=4 * slack)
    np.testing.assert_allclose((found.slope_x, found.slope_y), expected[1:], rtol=0, atol=4 * slack)


def test_a_constant_field_has_exactly_its_plane() -> None:
    assert fit_plane(np.full((7, 11), 0.1)) == Plane(0.1, 0.0, 0.0)


def test_a_pixel_less_changes_little() -> None:
    """The long way takes over; on a plane it must agree."""
    plane = Plane(3.0, -2.0, 0.5)
    heights = plane.on_grid(20, 30)
    whole = fit_plane(heights)
    heights[4, 5] = np.nan
    for found in (whole, fit_plane(heights)):
        values = found.datum, found.slope_x, found.slope_y
        np.testing.assert_allclose(values, (3.0, -2.0, 0.5), rtol=0, atol=1e-13)

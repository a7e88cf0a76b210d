"""Scars: moments in which the tip slipped or the loop lost the surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afmsr_core.simulation.acquisition import (
    SCAR_HEIGHT,
    SCAR_HEIGHT_SPREAD,
    SCAR_LENGTH,
    SCAR_LENGTH_SPREAD,
)

__all__ = ["draw_scars"]

LINES = 256  # that the expected number refers to
HIGHEST = 1.0  # of the range


def draw_scars(
    lines: int, steps: int, per_256_lines: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw what scars add to the height under the tip.

    Parameters
    ----------
    lines, steps : int
        Scan lines, and positions along each.
    per_256_lines : float
        Expected number.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of float64, shape (lines, steps)
        In units of the range of the surface, up or down; lengths and heights as on real scans.
    """
    added = np.zeros((lines, steps))
    n = rng.poisson(per_256_lines * lines / LINES)
    lengths = SCAR_LENGTH * np.exp(rng.normal(0, SCAR_LENGTH_SPREAD, n)) * steps
    heights = SCAR_HEIGHT * np.exp(rng.normal(0, SCAR_HEIGHT_SPREAD, n))
    heights = np.minimum(heights, HIGHEST) * rng.choice([-1, 1], n)
    for length, height in zip(
        np.clip(np.rint(lengths), 1, steps).astype(int), heights, strict=True
    ):
        start = rng.integers(steps - length + 1)
        added[rng.integers(lines), start : start + length] += height
    return added

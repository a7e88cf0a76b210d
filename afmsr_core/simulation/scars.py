"""Scars: moments in which the tip slipped or the loop lost the surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_scars"]

# Scars on real scans: length along the line and height; medians and spread over 233 raw AFM
# fields with their quartiles (4 % [2-5 %] of a line, 0.36 [0.12-0.54] of the range).
LENGTH = 0.04
LENGTH_SPREAD = 0.7
HEIGHT = 0.30
HEIGHT_SPREAD = 0.9

LINES = 256  # that the expected number refers to
HIGHEST = 1.0  # of the range


def draw_scars(
    lines: int, steps: int, per_256_lines: float, rng: np.random.Generator, shortest: int = 1
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
    shortest : int
        Positions that a scar has at the least.

    Returns
    -------
    ndarray of float64, shape (lines, steps)
        In units of the range of the surface, up or down; lengths and heights as on real scans.
    """
    added = np.zeros((lines, steps))
    for _ in range(rng.poisson(per_256_lines * lines / LINES)):
        length = round(steps * LENGTH * np.exp(rng.normal(0, LENGTH_SPREAD)))
        length = int(np.clip(length, shortest, steps))
        height = HEIGHT * np.exp(rng.normal(0, HEIGHT_SPREAD)) * rng.choice([-1, 1])
        start = rng.integers(0, max(1, steps - length + 1))
        added[rng.integers(lines), start : start + length] += np.clip(height, -HIGHEST, HIGHEST)
    return added

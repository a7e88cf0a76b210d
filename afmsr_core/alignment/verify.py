"""Whether a map is right: what it leaves, measured block by block on the heights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.surfaces import fit_polynomial

__all__ = ["Check", "check_map"]

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]

LOW_RESOLUTION = 2.0
"""Gaussian sigma in pixels: what a 4x result cannot hold does not speak against the map."""

BLOCKS = 5
"""Blocks along the longer side; they overlap by half.

Enough to see hysteresis, and large enough to be found precisely: with a map that is exact, the
residual of 26 noisy virtual scans is 0.20 px in the median; with one that is 1 px off, 1.03 px.
"""
MIN_BLOCK = 24  # pixels; smaller ones match anywhere
SEARCH = 8  # pixels each way: two of the low resolution
FOUND = 0.5  # correlation at which a block counts as found again
SHARP = 2e-3
"""Least curvature of a block's correlation along its flattest direction, per pixel squared.

Along a straight edge or a groove a block matches wherever it is; such a block says nothing. At
this curvature a displacement of 5 pixels lowers the correlation by 0.025.
"""
FLAT = 1e-9  # of the field's own spread: a block without relief


@dataclass(frozen=True)
class Check:
    """What is left after the map.

    Attributes
    ----------
    correlation : float
        Of the two over the common area, background taken off; NaN if one has no relief there.
    gains : tuple of float or None
        Least and most of the height of the truth per height of the result. Noise and detail that
        only one of the two has part them, and what is true lies between. None if they do not
        correlate.
    displacements : ndarray of float64, shape (n, 2)
        (x, y) in pixels of the truth, by which each block that was found is still off.
    blocks : int
        Blocks with relief in both directions.
    found : int
        Those found again within the search range.
    """

    correlation: float
    gains: tuple[float, float] | None
    displacements: Field
    blocks: int
    found: int

    def residual(self, pixel: tuple[float, float] = (1.0, 1.0)) -> float | None:
        """Return the median length of the displacements, None if no block was found."""
        if not len(self.displacements):
            return None
        return float(np.median(np.hypot(*(self.displacements * pixel).T)))


def check_map(warped: Field, truth: Field, valid: Mask, background: int) -> Check:
    """Compare a warped result with its truth.

    Parameters
    ----------
    warped, truth : ndarray of float64, shape (yres, xres)
        On the pixels of the truth; finite where `valid`.
    valid : ndarray of bool, shape (yres, xres)
        The common area.
    background : int
        Total degree of the polynomial by which they may differ.

    Notes
    -----
    The blocks are matched by the normalised correlation of heights, which knows neither gain nor
    offset, and refined by a parabola through the peak.
    """
    import cv2

    if not valid.any():
        return Check(math.nan, None, np.zeros((0, 2)), 0, 0)
    sheets = []
    weight = np.maximum(cv2.GaussianBlur(valid.astype(np.float64), (0, 0), LOW_RESOLUTION), 1e-6)
    for field in (warped, truth):
        rest = fit_polynomial(field, background, valid).subtracted_from(field)
        # Smoothed to the low resolution; what is not valid has no weight.
        total = cv2.GaussianBlur(np.where(valid, rest, 0.0), (0, 0), LOW_RESOLUTION)
        sheets.append(np.where(valid, total / weight, 0.0))
    one, two = (sheet[valid] for sheet in sheets)
    of_one, of_two = float(np.std(one)), float(np.std(two))
    correlation, gains = math.nan, None
    if of_one * of_two > 0:
        products = (one - one.mean()) * (two - two.mean())
        correlation = float(np.mean(products) / (of_one * of_two))
    if correlation > 0:
        # The slopes of the two regressions, of truth on result and of result on truth.
        gain = of_two / of_one
        gains = gain * correlation, gain / correlation

    moved, known = (sheet.astype(np.float32) for sheet in sheets)
    least = FLAT * of_one
    side = max(MIN_BLOCK, round(max(truth.shape) / BLOCKS))
    displacements, blocks = [], 0
    for top in range(SEARCH, truth.shape[0] - side - SEARCH + 1, side // 2):
        for left in range(SEARCH, truth.shape[1] - side - SEARCH + 1, side // 2):
            around = np.s_[top - SEARCH : top + side + SEARCH, left - SEARCH : left + side + SEARCH]
            if not valid[around].all():
                continue
            block = known[top : top + side, left : left + side]
            closely = known[top - 1 : top + side + 1, left - 1 : left + side + 1]
            if cv2.meanStdDev(block)[1] <= least or not _is_sharp(closely, block):
                continue
            blocks += 1
            scores = cv2.matchTemplate(moved[around], block, cv2.TM_CCOEFF_NORMED)
            peak = _peak(scores.astype(np.float64))
            if peak is not None:
                displacements.append(peak)
    return Check(
        correlation, gains, np.array(displacements).reshape(-1, 2), blocks, len(displacements)
    )


def _is_sharp(around: NDArray[np.float32], block: NDArray[np.float32]) -> bool:
    """Whether a block matches itself at one place, and not along a line."""
    import cv2

    scores = cv2.matchTemplate(around, block, cv2.TM_CCOEFF_NORMED)
    return _flattest(*_bend(scores)) >= SHARP


def _peak(scores: Field) -> tuple[float, float] | None:
    """Return the displacement (x, y) at the peak, None if the block was not found."""
    row, column = divmod(int(scores.argmax()), scores.shape[1])
    last = scores.shape[0] - 1
    if scores[row, column] < FOUND or not (0 < row < last and 0 < column < last):
        return None
    near = scores[row - 1 : row + 2, column - 1 : column + 2]
    xx, xy, yy = bend = _bend(near)
    x, y = 0.0, 0.0
    if _flattest(*bend) > 0:
        (a, b, c), (d, _, f), (g, h, i) = near.tolist()
        right, down = ((c + f + i) - (a + d + g)) / 6, ((g + h + i) - (a + b + c)) / 6
        size = xx * yy - xy * xy
        x = min(1.0, max(-1.0, (yy * right - xy * down) / size))
        y = min(1.0, max(-1.0, (xx * down - xy * right) / size))
    return column - SEARCH + x, row - SEARCH + y


def _bend(near: NDArray[np.floating]) -> tuple[float, float, float]:
    """Return the curvature of 3x3 values along x, across and along y, positive for a peak.

    Per pixel squared; NumPy takes ten times as long for nine numbers.
    """
    (a, b, c), (d, e, f), (g, h, i) = near.tolist()
    xx = -((a - 2 * b + c) + (d - 2 * e + f) + (g - 2 * h + i)) / 3
    yy = -((a - 2 * d + g) + (b - 2 * e + h) + (c - 2 * f + i)) / 3
    return xx, -(a - c - g + i) / 4, yy


def _flattest(xx: float, xy: float, yy: float) -> float:
    """Return the curvature along the flattest direction: the smaller eigenvalue."""
    return (xx + yy) / 2 - math.hypot((xx - yy) / 2, xy)

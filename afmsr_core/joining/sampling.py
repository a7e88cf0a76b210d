"""A field between its pixels, by Lanczos's kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afmsr_core.gaps import filled

__all__ = ["sampled"]

Field = NDArray[np.float64]

TAPS = 3
"""Pixels on each side that a value between pixels is made of: Lanczos's kernel of 6 taps. OpenCV's
remap rounds places to 1/32 of a pixel, and SciPy is not in the base install."""

PORTION = 1 << 18
"""Pixels that are looked up at a time, so that large scans need little memory."""


def sampled(field: Field, x: Field, y: Field) -> Field:
    """Return a field at pixels ``(x, y)`` of it, by Lanczos's kernel of six taps a side.

    Parameters
    ----------
    field : ndarray of float64, shape (yres, xres)
        NaN where not measured.
    x, y : ndarray of float64, any one shape
        Columns and rows.

    Returns
    -------
    ndarray of float64, that shape
        NaN beyond the outer pixels' centres, and within a pixel of one that is NaN.

    Examples
    --------
    >>> sampled(np.arange(12.0).reshape(1, 12), np.array([3.0, 12.0]), np.zeros(2))
    array([ 3., nan])
    """
    rows, columns = field.shape
    missing = ~np.isfinite(field)
    if missing.all():
        return np.full(np.shape(x), np.nan)
    whole = np.pad(filled(field, missing), TAPS, mode="symmetric")
    gaps = np.pad(missing, ((0, 1), (0, 1)), mode="edge") if missing.any() else None
    shape = np.shape(x)
    x, y = np.ravel(x), np.ravel(y)
    found = np.empty(x.size)
    for first in range(0, x.size, PORTION):
        part = slice(first, first + PORTION)
        found[part] = _at(whole, gaps, (rows, columns), x[part], y[part])
    return found.reshape(shape)


def _at(
    whole: Field, gaps: NDArray[np.bool_] | None, size: tuple[int, int], x: Field, y: Field
) -> Field:
    rows, columns = size
    inside = (x >= 0) & (x <= columns - 1) & (y >= 0) & (y <= rows - 1)
    left, top = (
        np.clip(np.floor(place), 0, side - 1).astype(np.int64)
        for place, side in ((x, columns), (y, rows))
    )
    across, down = _lanczos(x - left), _lanczos(y - top)
    total = np.zeros(x.shape)
    for i in range(2 * TAPS):
        line = np.zeros(x.shape)
        for j in range(2 * TAPS):
            line += across[j] * whole[top + i + 1, left + j + 1]
        total += down[i] * line
    if gaps is not None:
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            inside &= ~gaps[top + i, left + j]
    return np.where(inside, total, np.nan)


def _lanczos(fraction: Field) -> Field:
    """Return the weights of the taps around a place between two pixels; their sum is 1."""
    distance = fraction - np.arange(1 - TAPS, TAPS + 1).reshape(-1, *(1,) * fraction.ndim)
    weights = np.sinc(distance) * np.sinc(distance / TAPS)
    return np.asarray(weights / weights.sum(axis=0))

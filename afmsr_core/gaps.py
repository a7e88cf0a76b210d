"""Gaps: what stands in for pixels that were not measured, where a method takes no NaN."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["filled", "measured_part", "middle"]

Real = TypeVar("Real", np.float64, np.float32)

BAND = 512
"""Columns that are looked at together: a few MB, which stay in the processor's cache."""


def filled(
    heights: NDArray[Real],
    missing: NDArray[np.bool_],
    pixel: tuple[float, float] = (1.0, 1.0),
) -> NDArray[Real]:
    """Give every missing pixel the value of its nearest measured one.

    Parameters
    ----------
    heights : ndarray of float64 or float32, shape (yres, xres)
        In any unit.
    missing : ndarray of bool, shape (yres, xres)
        What was not measured; not everything.
    pixel : (float, float)
        Height and width of a pixel, in one unit. Where lines are far apart, the nearest point is
        on the same line. Square ones for what then counts pixels, as kernels between pixels do.

    Returns
    -------
    ndarray of the same type, shape (yres, xres)
        `heights` itself if nothing is missing. Of measured pixels as near, the one further up,
        and of those in one row the left.

    Notes
    -----
    Exact, by the lower envelope of parabolas, in a time that goes with the number of pixels: P. F.
    Felzenszwalb and D. P. Huttenlocher, Theory of Computing 8 (2012) 415, doi
    10.4086/toc.2012.v008a019. OpenCV's distances are of square pixels only, and approximate.

    Examples
    --------
    >>> row = np.array([[1.0, np.nan, np.nan, 4.0]])
    >>> filled(row, np.isnan(row))
    array([[1., 1., 4., 4.]])
    >>> lines = np.array([[7.0, 7.0, 7.0], [1.0, np.nan, np.nan]])
    >>> filled(lines, np.isnan(lines))[1], filled(lines, np.isnan(lines), (4.0, 1.0))[1]
    (array([1., 7., 7.]), array([1., 1., 1.]))
    """
    if not missing.any():
        return heights
    whole = heights.copy()
    column = _nearest_in_row(~missing)
    gaps = np.flatnonzero(missing.any(axis=0))
    for first in range(0, gaps.size, BAND):
        band = gaps[first : first + BAND]
        beside = column[:, band]
        apart = pixel[1] / pixel[0] * (beside - band)
        rows = _nearest_row(np.where(beside < 0, np.inf, apart**2))
        values = heights[rows, column[rows, band]]
        whole[:, band] = np.where(missing[:, band], values, heights[:, band])
    return whole


def _nearest_in_row(measured: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the column of the nearest measured pixel in each row, -1 where a row has none."""
    columns = np.arange(measured.shape[1], dtype=np.int32)
    left = np.maximum.accumulate(np.where(measured, columns, np.int32(-1)), axis=1)
    none = np.int32(measured.shape[1])
    right = np.where(measured, columns, none)[:, ::-1]
    right = np.minimum.accumulate(right, axis=1)[:, ::-1]
    nearer = (right < none) & ((left < 0) | (right - columns < columns - left))
    return np.where(nearer, right, left)


def _nearest_row(square: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return, for each row and column, the row whose `square` plus that of its distance is least.

    A row's parabola is least in one run of rows. Those that are so far, and where each begins, are
    kept as a stack for each column.
    """
    count, width = square.shape
    every = np.arange(width)
    rows = np.zeros((count, width), dtype=np.int64)
    begins = np.full((count + 1, width), np.inf)
    top = np.full(width, -1)
    for row in range(count):
        todo = np.flatnonzero(np.isfinite(square[row]))
        fresh = todo
        begin = np.full(width, -np.inf)
        while todo.size:
            todo = todo[top[todo] >= 0]
            last = rows[top[todo], todo]
            rise = square[row, todo] - square[last, todo]
            begin[todo] = 0.5 * (rise / (row - last) + row + last)
            covered = begin[todo] <= begins[top[todo], todo]
            begin[todo[covered]] = -np.inf
            todo = todo[covered]
            top[todo] -= 1
        top[fresh] += 1
        rows[top[fresh], fresh] = row
        begins[top[fresh], fresh] = begin[fresh]
        begins[top[fresh] + 1, fresh] = np.inf
    found = np.empty((count, width), dtype=np.int64)
    at = np.zeros(width, dtype=np.int64)
    for row in range(count):
        while (later := begins[at + 1, every] < row).any():
            at += later
        found[row] = rows[at, every]
    return found


def measured_part(heights: NDArray[np.float64]) -> tuple[slice, slice]:
    """Return rows and columns of the smallest part that holds every measured pixel.

    Examples
    --------
    >>> field = np.full((4, 3), np.nan)
    >>> field[1:3, :2] = 7.0
    >>> measured_part(field)
    (slice(1, 3, None), slice(0, 2, None))
    """
    finite = np.isfinite(heights)
    rows, columns = (np.flatnonzero(finite.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def middle(heights: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Return the middle of what was measured, at most so many pixels a side.

    Examples
    --------
    >>> field = np.arange(20.0).reshape(4, 5)
    >>> field[0] = np.nan
    >>> middle(field, 3)
    array([[ 6.,  7.,  8.],
           [11., 12., 13.],
           [16., 17., 18.]])
    """
    measured = heights[measured_part(heights)]
    rows, columns = (max(0, n - side) // 2 for n in measured.shape)
    return measured[rows : rows + side, columns : columns + side]

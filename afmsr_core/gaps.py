"""Gaps: what stands in for pixels that were not measured, where a method takes no NaN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["filled", "measured_part", "middle"]


def filled(heights: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give every missing pixel the value of its nearest measured one.

    Parameters
    ----------
    heights : ndarray of float64, shape (yres, xres)
        In any unit.
    missing : ndarray of bool, shape (yres, xres)
        What was not measured; not everything.

    Returns
    -------
    ndarray of float64, shape (yres, xres)
        `heights` itself if nothing is missing.

    Examples
    --------
    >>> row = np.array([[1.0, np.nan, np.nan, 4.0]])
    >>> filled(row, np.isnan(row))
    array([[1., 1., 4., 4.]])
    """
    if not missing.any():
        return heights
    import cv2

    _, labels = cv2.distanceTransformWithLabels(
        missing.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value_of = np.zeros(int(labels.max()) + 1)
    measured = ~missing
    value_of[labels[measured]] = heights[measured]
    return np.where(missing, value_of[labels], heights)


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

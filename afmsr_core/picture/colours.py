"""Heights as pixels of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import OutputError
from afmsr_core.picture.palettes import DEFAULT, palette, unmeasured_colour
from afmsr_core.picture.ranges import Range

__all__ = ["MASK_COLOUR", "as_png", "colours", "in_proportion", "marked_in", "thinned"]

MASK_COLOUR = (255, 40, 60)
"""Of the pixels of a mask, mixed half and half with their own; a red, as in Gwyddion."""


def colours(heights: ArrayLike, shown: Range, name: str = DEFAULT) -> NDArray[np.uint8]:
    """Return heights as RGB.

    Parameters
    ----------
    heights : array-like of float, any shape
        NaN and infinity, which were not measured, get `unmeasured_colour` of the palette.
    shown : Range
        At the ends of the colours; where both are the same, a value there gets the middle.
    name : str
        As for `palette`.

    Returns
    -------
    ndarray of uint8, shape (*heights.shape, 3)

    Examples
    --------
    >>> colours([0.0, 1.0, 9.0, np.nan], Range(0.0, 1.0), "gray").tolist()
    [[0, 0, 0], [255, 255, 255], [255, 255, 255], [0, 160, 220]]
    """
    values = np.asarray(heights, dtype=np.float64)
    measured = np.isfinite(values)
    places = np.full(values.shape, 256, np.intp)
    places[measured] = _places(values[measured], shown)
    table = np.vstack([palette(name), np.array([unmeasured_colour(name)], np.uint8)])
    return np.asarray(table.take(places, axis=0))  # four times as fast as by an index


def _places(values: NDArray[np.float64], shown: Range) -> NDArray[np.intp]:
    """Return which of the 256 colours each value has."""
    span = shown.high - shown.low
    if not span > 0:
        return np.asarray(128 + 127 * np.sign(values - shown.low)).astype(np.intp)
    share = (values - shown.low) / span
    return np.rint(255 * np.clip(share, 0.0, 1.0)).astype(np.intp)


def marked_in(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a picture in which the pixels of a mask are tinted with `MASK_COLOUR`.

    Parameters
    ----------
    picture : ndarray of uint8, shape (yres, xres, 3)
    mask : ndarray of bool, shape (yres, xres)
    """
    tinted = picture.copy()
    tinted[mask] = (picture[mask].astype(np.uint16) + np.array(MASK_COLOUR, np.uint16)) // 2
    return tinted


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """Return an RGB picture, shape (yres, xres, 3), as the bytes of a PNG file.

    Raises
    ------
    OutputError
        If OpenCV was built without PNG.
    """
    import cv2

    done, data = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise OutputError("no picture: OpenCV cannot write PNG here; install opencv-python again")
    return data.tobytes()


def thinned(field: Any, largest: int) -> NDArray[Any]:
    """Return every so many pixels of a large field, so that no side exceeds `largest`."""
    step = max(1, -(-max(field.shape) // largest))
    return np.asarray(field[::step, ::step])


def in_proportion(
    field: NDArray[Any], aspect: float, smallest: int = 1, largest: int = 4096
) -> NDArray[Any]:
    """Return a field whose pixels are square: rows or columns repeated, until it fits its area.

    Parameters
    ----------
    field : ndarray, shape (yres, xres) or (yres, xres, n)
        Heights, mask or colours.
    aspect : float
        Width of the area over its height.
    smallest : int
        Of the longer side of what is returned: pixels are repeated so many times as that needs,
        and `largest` allows.
    largest : int
        Of the longer side: above it pixels are left out.

    Returns
    -------
    ndarray, shape (rows, columns) or (rows, columns, n)
        With columns over rows as near to `aspect` as whole pixels allow. Every value is one of
        the field's own: nothing is interpolated.

    Examples
    --------
    >>> in_proportion(np.zeros((8, 64)), 1.0).shape  # pixels of 1:8
    (64, 64)
    """
    rows, columns = field.shape[:2]
    # The finer of the two ways of scanning keeps its pixels, the other's are repeated.
    width = max(float(columns), rows * aspect)
    width = min(width, largest * min(1.0, aspect))
    height = width / aspect
    longer = max(width, height)
    times = max(1, int(min(-(-smallest // longer), largest // longer)))
    down = _nearest(max(1, round(height)) * times, rows)
    across = _nearest(max(1, round(width)) * times, columns)
    return np.asarray(field[down][:, across])


def _nearest(size: int, old: int) -> NDArray[np.intp]:
    """Return which of `old` pixels lies under the centre of each of `size`."""
    return (2 * np.arange(size) + 1) * old // (2 * size)

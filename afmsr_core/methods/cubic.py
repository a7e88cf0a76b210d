"""OpenCV's bicubic interpolation of doubles, to the bit, without OpenCV.

The default network adds to it. To import OpenCV takes 30 ms and 27 MB, more than the arithmetic
of a usual scan.

Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29
(1981) 1153, doi 10.1109/TASSP.1981.1163711, with OpenCV's parameter and its order of summation.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from afmsr_core.grid import Scale

__all__ = ["cubic"]

Field = NDArray[np.float64]

SHARPNESS = -0.75  # Keys' a, OpenCV's choice
REACH = 2  # pixels on each side
BLOCK = 8192  # numbers that are worked on at a time: with their products they fit a small cache


def cubic(field: Field, scale: Scale) -> Field:
    """Upscale a field; beyond its edge it goes on as the pixels there.

    Parameters
    ----------
    field : ndarray of float64, shape (yres, xres)
        Any unit.
    scale : Scale
        Output pixels per input pixel; along an axis with 1 nothing is done.

    Returns
    -------
    ndarray of float64, shape (scale.rows * yres, scale.columns * xres)
        The outer edges coincide.

    Examples
    --------
    >>> cubic(np.array([[0.0, 8.0]]), Scale(1, 2))
    array([[-0.84375,  1.8125 ,  6.1875 ,  8.84375]])
    """
    return _rows(_rows(field.T, scale.columns).T, scale.rows)


def _rows(field: Field, scale: int) -> Field:
    """Upscale along the first axis."""
    if scale == 1:
        return field
    count, width = field.shape
    edged = np.ascontiguousarray(field[np.clip(np.arange(-REACH, count + REACH), 0, count - 1)])
    fine = np.empty((count, scale, width))
    step = max(1, BLOCK // width)
    total, product = np.empty((2, min(step, count), width))
    for top in range(0, count, step):
        size = min(step, count - top)
        sums, more = total[:size], product[:size]
        for phase in range(scale):
            place = (phase + 0.5) / scale - 0.5
            first = top + math.floor(place) + REACH - 1
            before, *others = _weights(place - math.floor(place))
            np.multiply(edged[first : first + size], before, out=sums)
            for further, weight in enumerate(others, start=first + 1):
                np.multiply(edged[further : further + size], weight, out=more)
                np.add(sums, more, out=sums)
            fine[top : top + size, phase] = sums
    return fine.reshape(count * scale, width)


def _weights(beyond: float) -> tuple[float, float, float, float]:
    """Return the weights of four pixels around a place `beyond` the second of them, in pixels."""
    a, x, y = SHARPNESS, beyond, 1.0 - beyond
    outer = ((a * (x + 1.0) - 5.0 * a) * (x + 1.0) + 8.0 * a) * (x + 1.0) - 4.0 * a
    inner = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    next_inner = ((a + 2.0) * y - (a + 3.0)) * y * y + 1.0
    return outer, inner, next_inner, 1.0 - outer - inner - next_inner

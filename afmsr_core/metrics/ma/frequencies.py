"""Local frequencies: what the cosine transforms of small blocks say of a picture.

Section 3.1 of the paper, after M. A. Saad, A. C. Bovik, C. Charrier, IEEE Trans. Image Process.
21 (2012) 3339, doi 10.1109/TIP.2012.2191563.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from afmsr_core.metrics.ma.shapes import STEADY, gaussian_shape

__all__ = ["BLOCK", "STRIDE", "local_frequencies"]

BLOCK, STRIDE = 7, 3
"""Edge of a block and the distance to the next, in pixels."""

SECTORS = np.array(
    [
        [0, 1, 1, 1, 1, 1, 1],
        [3, 2, 1, 1, 1, 1, 1],
        [3, 3, 2, 2, 1, 1, 1],
        [3, 3, 2, 2, 2, 1, 1],
        [3, 3, 3, 2, 2, 2, 2],
        [3, 3, 3, 3, 2, 2, 2],
        [3, 3, 3, 3, 2, 2, 2],
    ]
)
"""Direction of every frequency of a block: along the lines, askew, across the lines; 0 is none."""

STEADY_SECTOR = 1e-8
"""As :data:`STEADY`, in a sector."""

Floats = NDArray[np.float64]


def local_frequencies(picture: Floats) -> Floats:
    """Return six features of a picture.

    Parameters
    ----------
    picture : ndarray of float64, shape (yres, xres)
        Values 0 to 1.

    Returns
    -------
    ndarray of float64, shape (6,)
        The shape of the coefficients of a block, their variation, and how much the variation
        depends on the direction: each for the tenth of the blocks that are worst, and for all.
    """
    coefficients = _transformed(picture)
    count = len(coefficients)
    shape = gaussian_shape(coefficients)
    magnitudes = np.abs(coefficients, out=coefficients)
    sectors = SECTORS.ravel()[1:]
    variation = _variation(magnitudes, STEADY)
    by_direction = [_variation(magnitudes[:, sectors == k], STEADY_SECTOR) for k in (1, 2, 3)]
    anisotropy = np.var(by_direction, axis=0, ddof=1)
    few, last = math.ceil(0.1 * count) + 1, math.floor(0.9 * count)
    return np.array(
        [
            np.partition(shape, few - 1)[:few].mean(),
            shape.mean(),
            np.partition(variation, last)[last:].mean(),
            variation.mean(),
            np.partition(anisotropy, last)[last:].mean(),
            anisotropy.mean(),
        ]
    )


def _transformed(picture: Floats) -> Floats:
    """Return all coefficients of every block but the first, shape (blocks, 48).

    Blocks cover the picture from edge to edge; what they lack outside is zero.
    """
    margins = []
    for n in picture.shape:
        lacking = (math.ceil(n / STRIDE) - 1) * STRIDE + BLOCK - n
        margins.append((lacking // 2, lacking - lacking // 2))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(picture, margins), (BLOCK, BLOCK))
    blocks = windows[::STRIDE, ::STRIDE].reshape(-1, BLOCK * BLOCK)
    return np.asarray(blocks @ _cosines())


@lru_cache(maxsize=1)
def _cosines() -> Floats:
    """Return the orthonormal cosine transform of a block as a matrix, shape (49, 48)."""
    from scipy.fft import dct

    along = dct(np.eye(BLOCK), norm="ortho", axis=0)
    return np.ascontiguousarray(np.kron(along, along)[1:].T)


def _variation(magnitudes: Floats, steady: float) -> Floats:
    """Return standard deviation over mean, row by row."""
    mean = magnitudes.mean(axis=1)
    return np.asarray(magnitudes.std(axis=1, ddof=1) / (mean + steady))

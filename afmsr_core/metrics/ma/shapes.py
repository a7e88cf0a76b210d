"""Shapes: the exponent of the generalised Gaussian that fits some values best, by its moments."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["STEADY", "gaussian_shape"]

STEADY = 1e-7
"""Added to denominators, so that a flat block has a number; for pictures from 0 to 1."""

FIRST, STEP, COUNT = 0.03, 0.001, 9971
"""The shapes that are tried: 0.03 to 10, in 32 bits as in pyiqa."""

Floats = NDArray[np.float64]


def gaussian_shape(values: Floats) -> Floats:
    """Return the shape of a generalised Gaussian, row by row.

    Parameters
    ----------
    values : ndarray of float64, shape (rows, number)

    Returns
    -------
    ndarray of float64, shape (rows,)
        2 for a normal distribution, 1 for Laplace's, 10 at the most: for values that are equal.

    References
    ----------
    K. Sharifi, A. Leon-Garcia, IEEE Trans. Circuits Syst. Video Technol. 5 (1995) 52,
    doi 10.1109/76.350779: variance over squared mean deviation is a function of the shape alone.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(1, 100_000))
    >>> gaussian_shape(noise).round(1)
    array([2.])
    """
    shapes, borders = _table()
    away = values - values.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", away, away) / (values.shape[1] - 1)
    deviation = np.abs(away, out=away).mean(axis=1)
    ratio = variance / (deviation**2 + STEADY)
    return np.asarray(shapes[len(borders) - np.searchsorted(borders, ratio, side="left")])


@lru_cache(maxsize=1)
def _table() -> tuple[Floats, Floats]:
    """Return the shapes, and the rising ratios at which the nearest one changes."""
    from scipy.special import gammaln

    shapes = (FIRST + STEP * np.arange(COUNT)).astype(np.float32).astype(np.float64)
    ratios = np.exp(gammaln(1 / shapes) + gammaln(3 / shapes) - 2 * gammaln(2 / shapes))
    return shapes, (0.5 * (ratios[1:] + ratios[:-1]))[::-1]

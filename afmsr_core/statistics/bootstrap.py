"""Bootstrap intervals of a mean, bias-corrected and accelerated (BCa)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.errors import UsageError
from afmsr_core.statistics.result import Floats, Result, library

__all__ = ["FEWEST_UNITS", "Settings", "bca_intervals"]

FEWEST_UNITS = 5
"""Fewer images (or samples) give no interval: 4 have 35 resamples that differ, 5 have 126."""

ROUNDING = 1e-12
"""Of the mean size of the values: a draw that is nearer to their mean hits it.

A draw of every image once does, of 8 images one in 400, and rounding would decide on which side it
lies: ends of intervals then differed by a hundredth from one processor to the next.
"""

CHUNK = 4_000_000
"""Resampling counts held at a time: 32 MB."""


@dataclass(frozen=True, kw_only=True)
class Settings(Result):
    """Choices of every analysis.

    Parameters
    ----------
    alpha : float
        Level of every test.
    confidence : float
        Of the bootstrap intervals.
    resamples, seed : int
        Of the bootstrap.

    Raises
    ------
    UsageError
        If a number makes no sense.
    """

    alpha: float = 0.05
    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("confidence", self.confidence)):
            if not 0 < value < 1:
                raise UsageError(f"{name} is {value!r}; give a number between 0 and 1, as 0.05")
        if self.resamples < 100:
            raise UsageError(f"resamples is {self.resamples}; give 100 or more, better 10000")
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}; give 0 or more")


def bca_intervals(
    means: ArrayLike,
    sizes: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Floats:
    """Return bootstrap intervals of the mean over all images, for several quantities at once.

    Images (or, with `sizes`, whole clusters of images) are drawn with replacement. All
    quantities see the same draws, so that none depends on which others were asked for.

    Parameters
    ----------
    means : array_like, shape (units, quantities)
        A value of each image, or the mean of each cluster.
    sizes : array_like, shape (units,), optional
        Number of images in each cluster; 1 if not given.
    confidence : float
        Between 0 and 1.
    resamples : int
        Number of draws.
    seed : int
        Of NumPy's PCG64; the same seed gives the same intervals.

    Returns
    -------
    ndarray, shape (2, quantities)
        Lower and upper ends, in the unit of `means`; NaN where there are fewer than
        `FEWEST_UNITS` units, or where they do not vary.

    References
    ----------
    B. Efron, J. Am. Stat. Assoc. 82 (1987) 171, doi 10.1080/01621459.1987.10478410.

    Examples
    --------
    >>> bca_intervals([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]], resamples=2000).round(1).T
    array([[2.2, 4.8]])
    """
    values = np.asarray(means, dtype=np.float64)
    units, quantities = values.shape
    weights = np.ones(units) if sizes is None else np.asarray(sizes, dtype=np.float64)
    if weights.shape != (units,):
        raise UsageError(f"there are {weights.size} sizes for {units} units; pass one for each")
    ends = np.full((2, quantities), np.nan)
    varies = np.ptp(values, axis=0) > 0 if units >= FEWEST_UNITS else np.zeros(quantities, bool)
    if not varies.any():
        return ends
    sums = values[:, varies] * weights[:, None]
    mean = sums.sum(axis=0) / weights.sum()
    draws = _resampled_means(sums, weights, resamples, seed)
    ndtr, ndtri = (getattr(library("scipy.special"), name) for name in ("ndtr", "ndtri"))
    # half of the draws that hit the mean lie on either side; one more draw keeps the share off 0
    hits = np.abs(draws - mean) <= ROUNDING * np.abs(sums).sum(axis=0) / weights.sum()
    share = ((draws < mean) & ~hits).sum(axis=0) + 0.5 * hits.sum(axis=0)
    below = (share + 0.5) / (resamples + 1)
    bias = ndtri(below)
    left_out = (sums.sum(axis=0) - sums) / (weights.sum() - weights)[:, None]
    away = left_out.mean(axis=0) - left_out
    acceleration = (away**3).sum(axis=0) / (6 * (away**2).sum(axis=0) ** 1.5)
    for end, tail in zip(ends, ((1 - confidence) / 2, (1 + confidence) / 2), strict=True):
        shifted = bias + ndtri(tail)
        level = ndtr(bias + shifted / (1 - acceleration * shifted))
        end[varies] = [np.quantile(d, a) for d, a in zip(draws.T, level, strict=True)]
    return ends


def _resampled_means(sums: Floats, weights: Floats, resamples: int, seed: int) -> Floats:
    """Return the mean of every draw, (resamples, quantities)."""
    units = len(sums)
    random = np.random.default_rng(seed)
    chunk = max(1, CHUNK // units)
    parts = []
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        drawn = random.multinomial(units, np.full(units, 1 / units), size=size).astype(np.float64)
        parts.append((drawn @ sums) / (drawn @ weights)[:, None])
    return np.concatenate(parts)

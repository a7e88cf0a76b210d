"""How far raters agree with each other, and with themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.statistics.result import Floats, Result

__all__ = ["Agreement", "Repeatability", "agreement", "krippendorff_alpha", "repeatability"]

FEWEST_IMAGES = 5
"""Fewer give no interval, as in `statistics.bootstrap`."""


@dataclass(frozen=True, kw_only=True)
class Agreement(Result):
    """Krippendorff's alpha for ordinal scores, with a bootstrap interval.

    Attributes
    ----------
    alpha : float
        1: the raters agree wholly; 0: as by chance; below 0: they contradict each other.
    low, high : float
        Percentile interval over images drawn with replacement.
    units, values : int
        Number of results that two raters or more have scored, and of their scores.
    reason : str
        Why a number is missing; empty if none is.
    """

    alpha: float
    low: float
    high: float
    units: int
    values: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Repeatability(Result):
    """What raters said of results that they were shown twice.

    Attributes
    ----------
    n : int
        Number of results with both scores.
    same, near : float
        Share of equal scores, and of scores that differ by 1 at the most.
    shift : float
        Mean of second less first score: whether the rater has become kinder.
    alpha : float
        Krippendorff's, ordinal, of first and second score.
    reason : str
        Why a number is missing; empty if none is.
    """

    n: int
    same: float
    near: float
    shift: float
    alpha: float
    reason: str


def krippendorff_alpha(values: ArrayLike) -> float:
    """Return Krippendorff's alpha for ordinal values; NaN if all values are the same.

    Parameters
    ----------
    values : array_like, shape (raters, units)
        Scores, NaN where there is none. A unit with a single score says nothing and is left out.

    References
    ----------
    K. Krippendorff, Computing Krippendorff's Alpha-Reliability, University of Pennsylvania 2011,
    repository.upenn.edu/asc_papers/43.

    Examples
    --------
    >>> round(krippendorff_alpha([[1, 2, 3, 4, np.nan], [1, 2, 4, 4, 2]]), 3)
    0.91
    """
    table = np.asarray(values, dtype=np.float64)
    return _alpha(_coincidences(table, _levels(table)).sum(axis=0))


def agreement(
    scores: Floats, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Agreement:
    """Return how far the raters agree on the scores of a question.

    Parameters
    ----------
    scores : ndarray, shape (raters, images, methods)
        NaN where there is none. A unit is the result of a method on an image.
    confidence, resamples, seed
        Of the bootstrap. Images are drawn, with all of their results: results of one image are
        not independent.
    """
    raters, images, methods = scores.shape
    table = scores.reshape(raters, images * methods)
    pairable = np.isfinite(table).sum(axis=0)
    units, count = int((pairable > 1).sum()), int(pairable[pairable > 1].sum())
    parts = _coincidences(table, _levels(table))
    by_image = parts.reshape(images, methods, *parts.shape[1:]).sum(axis=1)
    alpha = _alpha(by_image.sum(axis=0))
    low = high = math.nan
    some = int((by_image.sum(axis=(1, 2)) > 0).sum())
    if not units:
        reason = f"no result has the scores of two raters; there is {raters} with scores"
    elif math.isnan(alpha):
        reason = "all scores are the same: agreement cannot be told from indifference"
    elif some < FEWEST_IMAGES:
        reason = f"no interval: needs {FEWEST_IMAGES} images, there are {some}"
    else:
        reason = ""
        random = np.random.default_rng(seed)
        draws = random.multinomial(images, np.full(images, 1 / images), size=resamples)
        tables = np.tensordot(draws.astype(np.float64), by_image, axes=1)
        drawn = _alpha_of_each(tables)
        tail = (1 - confidence) / 2
        low, high = map(float, np.nanquantile(drawn, [tail, 1 - tail]))
    return Agreement(alpha=alpha, low=low, high=high, units=units, values=count, reason=reason)


def repeatability(first: ArrayLike, again: ArrayLike) -> Repeatability:
    """Return how far second scores of the same results agree with the first.

    Parameters
    ----------
    first, again : array_like, shape (n,)
        Scores of the same results, none missing.

    Examples
    --------
    >>> one = repeatability([1, 3, 5, 6], [1, 4, 5, 4])
    >>> one.same, one.near, one.shift
    (0.5, 0.75, -0.25)
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(again, dtype=np.float64)
    if not len(a):
        nothing = dict.fromkeys(("same", "near", "shift", "alpha"), math.nan)
        return Repeatability(n=0, reason="no result was scored twice", **nothing)
    alpha = krippendorff_alpha(np.stack([a, b]))
    return Repeatability(
        n=len(a),
        same=float((a == b).mean()),
        near=float((np.abs(a - b) <= 1).mean()),
        shift=float((b - a).mean()),
        alpha=alpha,
        reason="all scores are the same: no alpha" if math.isnan(alpha) else "",
    )


def _levels(table: Floats) -> Floats:
    return np.unique(table[np.isfinite(table)])


def _coincidences(table: Floats, levels: Floats) -> Floats:
    """Return the coincidence matrix of every unit, (units, levels, levels)."""
    counts = (table[:, :, None] == levels).sum(axis=0).astype(np.float64)  # (units, levels)
    given = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(len(levels))
    pairs[:, diagonal, diagonal] -= counts
    return pairs / np.maximum(given - 1, 1)[:, None, None]


def _alpha(coincidences: Floats) -> float:
    return float(_alpha_of_each(coincidences[None])[0])


def _alpha_of_each(coincidences: Floats) -> Floats:
    """Return alpha of every coincidence matrix, (n, levels, levels) -> (n,)."""
    totals = coincidences.sum(axis=2)  # of each level
    upto = np.cumsum(totals, axis=1) - totals / 2
    # half of the ends count, and all between them
    apart = (upto[:, :, None] - upto[:, None, :]) ** 2
    every = totals.sum(axis=1)
    observed = (coincidences * apart).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * apart).sum(axis=(1, 2))
    some = expected > 0
    alpha = np.full(len(coincidences), np.nan)
    alpha[some] = 1 - (every[some] - 1) * observed[some] / expected[some]
    return alpha

"""Tukey's honestly significant difference: as in the paper, and on images as blocks."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from afmsr_core.statistics.distributions import chi2_ends
from afmsr_core.statistics.result import P_FLOOR, Floats, PairMatrix, library, symmetric
from afmsr_core.statistics.scores import Scores, vanishes

__all__ = ["blocked_tukey", "one_way_tukey", "sphericity", "studentized_p", "studentized_q"]

NO_VARIATION = "the scores do not vary beyond what methods and images explain: nothing to test with"


VARIATE_NODES, DEVIATION_NODES = 120, 120
"""Of the quadratures of the studentized range: enough for 1e-10, for 2 to 20 groups."""

DIGITS = 12
"""Of a probability that are told: what follows is rounding, and 1 is 1."""

BEYOND = 8.5
"""No normal variate lies so many standard deviations away: its probability is 1e-17."""

FARTHEST = 1e6
"""No critical range is larger: with one degree of freedom and a level of 1e-4 it is 2e4."""

CLOSER = 100
"""Steps towards a critical range at the most; ten or so are needed."""

RARE = 1e-15
"""Probability of the standard deviations that are left out at either end."""


def one_way_tukey(scores: Scores, alpha: float = 0.05) -> PairMatrix:
    """Test all pairs of methods as the paper does: as if each method had images of its own.

    The spread between images is taken for noise, so that differences which every image shows
    can stay hidden behind it. Every score counts, also of images that another method lacks
    (Tukey and Kramer). The values are those of ``pairwise_tukeyhsd`` of statsmodels, at a tenth
    of its cost: see :func:`studentized_p`.

    Parameters
    ----------
    scores : Scores
        One metric on one data set.
    alpha : float
        Level of the critical difference, which is that for the harmonic mean of the numbers of
        images if methods differ in it.

    Returns
    -------
    PairMatrix
        `levels` are the means of the methods.

    References
    ----------
    J. W. Tukey, The problem of multiple comparisons, Princeton 1953; C. Y. Kramer, Biometrics 12
    (1956) 307, doi 10.2307/3001469.
    """
    values, compared = scores.values, list(scores.compared)
    counts = np.isfinite(values).sum(axis=0)
    means = np.full(len(scores.methods), np.nan)
    means[compared] = np.nanmean(values[:, compared], axis=0)
    dof = int(counts.sum()) - len(compared)
    rows, columns = np.nonzero(np.isfinite(values))
    endog = values[rows, columns]
    pooled = float(((endog - means[columns]) ** 2).sum() / dof) if dof > 0 else math.nan
    if len(compared) < 2:
        reason = f"a comparison needs 2 methods with scores; there is {len(compared)}"
    elif dof < 1:
        reason = "no method has 2 images: their spread is unknown"
    elif vanishes(math.sqrt(pooled), float(np.abs(endog).max())):
        reason = "no method's scores vary between images: nothing to test with"
    else:
        reason = ""
    p, critical = np.full((values.shape[1],) * 2, np.nan), math.nan
    if not reason:
        first, second = np.triu_indices(len(compared), 1)
        center, share = means[compared], 1 / counts[compared]
        error = np.sqrt(0.5 * pooled * (share[first] + share[second]))
        q = np.abs(center[first] - center[second]) / error
        p = symmetric(values.shape[1], compared, studentized_p(q, len(compared), dof))
        q_crit = studentized_q(alpha, len(compared), dof)
        critical = q_crit * math.sqrt(pooled * float(np.mean(1 / counts[compared])))
    return PairMatrix(
        test="one-way Tukey",
        methods=tuple(scores.methods),
        p=p,
        levels=means,
        higher_is_better=scores.higher_is_better,
        n=int(counts.max(initial=0)),
        alpha=alpha,
        spread=math.sqrt(pooled),
        dof=float(dof),
        critical_difference=critical,
        reason=reason,
    )


def blocked_tukey(scores: Scores, alpha: float = 0.05) -> PairMatrix:
    """Test all pairs of methods on the randomised block design: every image is a block.

    What an image adds to the scores of all methods is taken out first; the residual mean square
    with (b - 1)(k - 1) degrees of freedom is the noise. One SD is pooled for all pairs; where
    `sphericity` is far below 1 it fits none of them, and the paired tests are the ones to read.

    Parameters
    ----------
    scores : Scores
        One metric on one data set; images that lack a score are left out, clusters are averaged.
    alpha : float
        Level of the critical difference.

    Returns
    -------
    PairMatrix
        `levels` are the means of the methods over the blocks.

    References
    ----------
    J. W. Tukey, as above; D. C. Montgomery, Design and Analysis of Experiments, section 4.1.

    Examples
    --------
    >>> s = Scores(np.array([[20.0, 20.3], [30.0, 30.2], [40.0, 40.4]]),
    ...            ["bicubic", "afm"], ["interpolation", "network"], higher_is_better=True)
    >>> round(blocked_tukey(s).pair("afm", "bicubic"), 4)  # of two methods: the paired t test
    0.0351
    """
    blocks = scores.blocks
    units, size, reason = blocks.units, len(scores.methods), blocks.untestable
    levels, p = np.full(size, np.nan), np.full((size, size), np.nan)
    spread, critical, epsilon = (math.nan,) * 3
    b, k = units.shape
    dof = max(b - 1, 0) * max(k - 1, 0)
    if b and k:
        levels[list(blocks.columns)] = units.mean(axis=0)
    if not reason:
        spread = math.sqrt(float((_residuals(units) ** 2).sum() / dof))
        reason = NO_VARIATION if vanishes(spread, blocks.magnitude) else ""
    if not reason:
        error = spread / math.sqrt(b)
        means = units.mean(axis=0)
        first, second = np.triu_indices(k, 1)
        q = np.abs(means[first] - means[second]) / error
        p = symmetric(size, blocks.columns, studentized_p(q, k, dof))
        critical = studentized_q(alpha, k, dof) * error
        epsilon = sphericity(units)
    return PairMatrix(
        test="blocked Tukey",
        methods=tuple(scores.methods),
        p=p,
        levels=levels,
        higher_is_better=scores.higher_is_better,
        n=b,
        alpha=alpha,
        spread=spread,
        dof=float(dof),
        critical_difference=critical,
        sphericity=epsilon,
        reason=reason,
    )


def sphericity(units: Floats) -> float:
    """Return Greenhouse and Geisser's epsilon of blocks (b, k); NaN without variation.

    References
    ----------
    S. W. Greenhouse, S. Geisser, Psychometrika 24 (1959) 95, doi 10.1007/BF02289823.

    Examples
    --------
    >>> sphericity(np.array([[1.0, 2.0], [4.0, 3.0], [2.0, 5.0]]))  # of two methods: always
    1.0
    """
    residuals = _residuals(units)
    covariance = residuals.T @ residuals
    scale = float((covariance**2).sum()) * (units.shape[1] - 1)
    return round(float(np.trace(covariance)) ** 2 / scale, 12) if scale > 0 else math.nan


def studentized_p(q: Floats, groups: int, dof: float) -> Floats:
    """Return the probability that the studentized range of so many groups exceeds `q`.

    By Gauss-Legendre quadrature with fixed nodes: within 1e-10 of
    ``scipy.stats.studentized_range.sf``, which integrates adaptively, ten times as long.

    References
    ----------
    R. E. Lund, J. R. Lund, Appl. Stat. 32 (1983) 204, doi 10.2307/2347300: the range of normal
    variates, averaged over the distribution of their standard deviation.

    Examples
    --------
    >>> studentized_p(np.array([0.0, 3.633, 50.0]), 4, np.inf).round(3)
    array([1.  , 0.05, 0.  ])
    """
    return np.clip(_survival(q, groups, dof).round(DIGITS), P_FLOOR, 1.0)


def _survival(q: Floats, groups: int, dof: float) -> Floats:
    ndtr = library("scipy.special").ndtr
    z, largest, deviations, spread = _nodes(groups, dof)
    below = ndtr(z)
    survival = np.empty(len(q))
    for i, one in enumerate(q):
        # All others lie between the largest variate and q below it, or not: without cancellation.
        outside = np.minimum(ndtr(z - one * deviations[:, None]) / below, 1.0 - np.finfo(float).eps)
        survival[i] = spread @ -np.expm1((groups - 1) * np.log1p(-outside)) @ largest
    return survival


@lru_cache(maxsize=64)
def _nodes(groups: int, dof: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Return nodes and weights of the largest variate, and of the standard deviation."""
    x, weights = np.polynomial.legendre.leggauss(VARIATE_NODES)
    z = BEYOND * x
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    below = library("scipy.special").ndtr(z)
    largest = BEYOND * weights * groups * density * below ** (groups - 1)
    if math.isinf(dof):
        return z, largest, np.ones(1), np.ones(1)
    low, high = (math.sqrt(end / dof) for end in chi2_ends(RARE, dof))
    x, weights = np.polynomial.legendre.leggauss(DEVIATION_NODES)
    u = 0.5 * (x + 1.0)
    deviations = low + (high - low) * u**2  # closer at small ones, where ranges are large
    logarithm = (
        math.log(2.0)
        + 0.5 * dof * math.log(0.5 * dof)
        - math.lgamma(0.5 * dof)
        + (dof - 1.0) * np.log(deviations)
        - 0.5 * dof * deviations**2
    )
    return z, largest, deviations, (high - low) * u * weights * np.exp(logarithm)


@lru_cache(maxsize=64)  # the same for all metrics of a data set
def studentized_q(alpha: float, groups: int, dof: float) -> float:
    """Return what the studentized range exceeds with probability `alpha`.

    Within 1e-7 of ``scipy.stats.studentized_range.isf``, which takes fifty times as long.

    Examples
    --------
    >>> round(studentized_q(0.05, 4, 28.0), 3)
    3.861
    """

    def excess(q: float) -> float:
        return float(_survival(np.array([q]), groups, dof)[0]) - alpha

    low, high = 0.0, 8.0
    while excess(high) > 0 and high < FARTHEST:
        low, high = high, 2 * high
    above, below = excess(low), excess(high)
    # Regula falsi; an end that stays counts half the next time (Illinois), so both move.
    for _ in range(CLOSER):
        q = high - below * (high - low) / (below - above)
        found = excess(q)
        if found > 0:
            low, above, below = q, found, 0.5 * below
        else:
            high, below, above = q, found, 0.5 * above
        if abs(found) < 1e-12 or high - low < 1e-12 * high:
            break
    return q


def _residuals(units: Floats) -> Floats:
    """Return what neither the method nor the block explains."""
    centred = units - units.mean(axis=1, keepdims=True)
    return centred - centred.mean(axis=0)

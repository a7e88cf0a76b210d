"""Friedman's test on ranks within each image, with Nemenyi's comparison of all pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from afmsr_core.statistics.distributions import chi2_sf, ranks
from afmsr_core.statistics.result import PairMatrix, Result, symmetric
from afmsr_core.statistics.scores import Scores, rounded
from afmsr_core.statistics.tukey import studentized_p, studentized_q

__all__ = ["Friedman", "friedman"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Friedman(Result):
    """Whether methods differ at all in rank, and which.

    Attributes
    ----------
    statistic, dof, p : float
        Chi-square, corrected for ties, its degrees of freedom, and its asymptotic p-value.
    kendall_w : float
        Agreement of the images on the order of the methods, from 0 (none) to 1 (all the same).
    nemenyi : PairMatrix
        All pairs; `levels` are mean ranks, 1 is best.
    reason : str
        Why nothing could be tested; empty if it was.
    """

    statistic: float
    dof: int
    p: float
    kendall_w: float
    nemenyi: PairMatrix
    reason: str


def friedman(scores: Scores, alpha: float = 0.05) -> Friedman:
    """Rank the methods within each image and test whether the mean ranks differ.

    Only the order within an image counts: neither the size of a difference nor the shape of its
    distribution. Nemenyi's test then compares all pairs; it is cautious with many ties.

    Parameters
    ----------
    scores : Scores
        One metric on one data set; images that lack a score are left out, clusters are averaged.
    alpha : float
        Level of the critical difference of mean ranks.

    References
    ----------
    M. Friedman, J. Am. Stat. Assoc. 32 (1937) 675, doi 10.1080/01621459.1937.10503522; ties as
    in W. J. Conover, Practical Nonparametric Statistics, section 5.8; P. B. Nemenyi, thesis,
    Princeton 1963; J. Demšar, J. Mach. Learn. Res. 7 (2006) 1.

    Examples
    --------
    >>> s = Scores(np.array([[1.0, 2, 3], [2, 3, 5], [1, 5, 4], [0, 1, 2]]),
    ...            ["a", "b", "c"], ["interpolation"] * 3, higher_is_better=True)
    >>> result = friedman(s)
    >>> result.statistic, result.nemenyi.levels
    (6.5, array([3.  , 1.75, 1.25]))
    """
    blocks = scores.blocks
    size, reason = len(scores.methods), blocks.untestable
    levels, p_pairs = np.full(size, np.nan), np.full((size, size), np.nan)
    statistic = p = kendall = error = critical = math.nan
    n, k = blocks.units.shape
    if not reason:
        towards_best = -blocks.units if scores.higher_is_better else blocks.units
        placed = np.array([ranks(row) for row in rounded(towards_best, blocks.magnitude)])
        spread = float((placed**2).sum() - n * k * (k + 1) ** 2 / 4)
        mean_ranks = placed.mean(axis=0)
        levels[list(blocks.columns)] = mean_ranks
        if spread > 0:
            shift = float(((mean_ranks - (k + 1) / 2) ** 2).sum())
            statistic = n**2 * (k - 1) * shift / spread
            kendall = statistic / (n * (k - 1))
            p = chi2_sf(statistic, k - 1)
            error = math.sqrt(k * (k + 1) / (12 * n))
            first, second = np.triu_indices(k, 1)
            q = np.abs(mean_ranks[first] - mean_ranks[second]) / error
            p_pairs = symmetric(size, blocks.columns, studentized_p(q, k, math.inf))
            critical = studentized_q(alpha, k, math.inf) * error
        else:
            reason = "all methods tie in every image: nothing to rank"
    nemenyi = PairMatrix(
        test="Nemenyi",
        methods=tuple(scores.methods),
        p=p_pairs,
        levels=levels,
        higher_is_better=False,
        n=n,
        alpha=alpha,
        spread=error * math.sqrt(n),
        dof=math.inf,
        critical_difference=critical,
        reason=reason,
    )
    return Friedman(
        statistic=statistic,
        dof=max(k - 1, 0),
        p=p,
        kendall_w=kendall,
        nemenyi=nemenyi,
        reason=reason,
    )

"""Distributions and ranks, of ``scipy.special`` alone: ``scipy.stats`` takes a second to import."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.statistics.result import Floats, library

__all__ = ["chi2_ends", "chi2_sf", "ranks", "t_isf", "t_sf"]


def t_sf(t: float, dof: float) -> float:
    """Return the probability that Student's t exceeds a value.

    Examples
    --------
    >>> round(t_sf(2.0, 10), 4)
    0.0367
    """
    return float(library("scipy.special").stdtr(dof, -t))


def t_isf(p: float, dof: float) -> float:
    """Return what Student's t exceeds with a probability.

    Examples
    --------
    >>> round(t_isf(0.025, 10), 3)
    2.228
    """
    return -float(library("scipy.special").stdtrit(dof, p))


def chi2_sf(value: float, dof: float) -> float:
    """Return the probability that chi squared exceeds a value.

    Examples
    --------
    >>> round(chi2_sf(7.815, 3), 3)
    0.05
    """
    return float(library("scipy.special").chdtrc(dof, value))


def chi2_ends(p: float, dof: float) -> tuple[float, float]:
    """Return below what, and above what, chi squared lies with a probability.

    Examples
    --------
    >>> [round(end, 2) for end in chi2_ends(0.05, 3)]
    [0.35, 7.81]
    """
    special = library("scipy.special")
    return 2.0 * float(special.gammaincinv(0.5 * dof, p)), float(special.chdtri(dof, p))


def ranks(values: ArrayLike) -> Floats:
    """Return the ranks of values from 1 on; those that are equal share the mean of theirs.

    Examples
    --------
    >>> ranks([10.0, 30.0, 10.0])
    array([1.5, 3. , 1.5])
    """
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    mean = np.cumsum(counts) - 0.5 * (counts - 1)
    return np.asarray(mean[inverse], dtype=np.float64)

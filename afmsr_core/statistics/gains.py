"""By how much a method beats another, in dB, pair by pair and in the mean.

A decibel of gain is the same whether the error is 2 nm or 200 nm: the difference of two PSNRs, or
the ratio of two errors as ``20 log10``. So no pair decides the mean by the height of its relief.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.statistics.bootstrap import FEWEST_UNITS
from afmsr_core.statistics.distributions import t_isf, t_sf
from afmsr_core.statistics.paired import holm, signed_rank_p
from afmsr_core.statistics.result import Floats, Result
from afmsr_core.statistics.scores import Kind, vanishes

__all__ = [
    "BEYOND",
    "UNKNOWN",
    "WITHIN",
    "Gain",
    "Gains",
    "decibels",
    "gains",
    "gains_of_each",
    "ratio",
]

UNKNOWN, WITHIN, BEYOND = "unknown", "within", "beyond"
"""What chance allows of a gain: too few pairs to tell, that much, or less."""

EQUAL = 1e-9
"""dB below which a gain is rounding, and counts as a draw."""


def decibels(errors: ArrayLike) -> Floats:
    """Return errors as levels, whose differences are ratios; minus infinity for no error.

    Examples
    --------
    >>> decibels([1.0, 10.0, 0.0])
    array([  0.,  20., -inf])
    """
    with np.errstate(divide="ignore"):
        return np.asarray(20.0 * np.log10(np.abs(np.asarray(errors, dtype=np.float64))))


def ratio(level: float) -> float:
    """Return the ratio of two errors whose levels differ by so many dB.

    Examples
    --------
    >>> ratio(-20.0)
    0.1
    """
    return float(10.0 ** (level / 20.0))


@dataclass(frozen=True, kw_only=True)
class Gain(Result):
    """One method against another on the same pairs.

    Attributes
    ----------
    method, reference : str
        The two.
    images : tuple of str
        Pairs that have a score of both.
    gains : tuple of float
        Of each, in dB: above 0 the method is better. Infinite where one of the two has no error.
    wins, ties, losses : int
        Pairs in which the method is better, equal, worse.
    mean, low, high : float
        Mean of the finite gains and its interval from Student's t; NaN where there are too few.
    p : float
        Of the paired t test; after Holm where several methods are tried.
    tried : int
        Comparisons that `p` is corrected for.
    chance : str
        `UNKNOWN`, `WITHIN` or `BEYOND` what chance allows.
    """

    method: str
    reference: str
    images: tuple[str, ...]
    gains: tuple[float, ...]
    wins: int
    ties: int
    losses: int
    mean: float
    low: float
    high: float
    p: float
    tried: int
    chance: str


@dataclass(frozen=True, kw_only=True)
class Gains(Result):
    """What is said first of a data set.

    Attributes
    ----------
    metric : str
        Whose scores these are.
    reference : str
        Method that all others are compared with.
    images : int
        Number of scored pairs.
    against_reference : tuple of Gain
        All other methods; those of the networks are one family for Holm, and the others one.
    best : Gain or None
        The method with the best mean against the second best; its p is corrected for all pairs
        of methods, because these two were chosen for their means. None with less than two.
    """

    metric: str
    reference: str
    images: int
    against_reference: tuple[Gain, ...]
    best: Gain | None


def gains(
    levels: ArrayLike,
    methods: Sequence[str],
    kinds: Sequence[Kind],
    images: Sequence[str],
    *,
    metric: str,
    reference: str,
    alpha: float = 0.05,
    confidence: float = 0.95,
) -> Gains:
    """Compare all methods with a reference.

    Parameters
    ----------
    levels : array_like, shape (images, methods)
        In dB, higher is better: PSNR, or errors from `decibels` with the sign turned. NaN where
        there is no score, infinite where there is no error.
    methods, kinds : sequence of str
        Of the columns.
    images : sequence of str
        Names of the rows.
    metric, reference : str
        Whose scores these are; with which method the others are compared.
    alpha, confidence : float
        Of the tests and of the intervals.

    Examples
    --------
    >>> found = gains([[30.0, 30.2], [40.0, 40.4]], ["bicubic", "afm"],
    ...               ["interpolation", "network"], ["a", "b"], metric="psnr", reference="bicubic")
    >>> one, = found.against_reference
    >>> one.wins, round(one.mean, 2), one.chance
    (2, 0.3, 'unknown')
    """
    table = np.asarray(levels, dtype=np.float64).reshape(len(images), len(methods))
    columns = {name: table[:, index] for index, name in enumerate(methods)}

    def one(method: str, other: str) -> Gain:
        return _gain(method, other, columns[method], columns[other], images, confidence)

    told: list[Gain] = []
    for kind in dict.fromkeys(kinds):
        members = [m for m, k in zip(methods, kinds, strict=True) if k == kind and m != reference]
        told += _corrected([one(name, reference) for name in members], alpha)
    told.sort(key=lambda gain: list(methods).index(gain.method))
    return Gains(
        metric=metric,
        reference=reference,
        images=len(images),
        against_reference=tuple(told),
        best=_best(table, methods, one, alpha),
    )


def gains_of_each(
    levels: ArrayLike,
    methods: Sequence[str],
    images: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    *,
    alpha: float = 0.05,
    confidence: float = 0.95,
) -> tuple[Gain, ...]:
    """Compare each method with one of its own; all comparisons are one family for Holm.

    Parameters
    ----------
    levels, methods, images, alpha, confidence
        As of `gains`.
    pairs : sequence of tuple of str
        Method and what it is compared with. Those without an image in common are left out.

    Examples
    --------
    >>> one, = gains_of_each([[30.0, 31.0]], ["coarse", "fine"], ["a"], [("fine", "coarse")])
    >>> one.wins, one.mean
    (1, 1.0)
    """
    table = np.asarray(levels, dtype=np.float64).reshape(len(images), len(methods))
    columns = {name: table[:, index] for index, name in enumerate(methods)}
    found = [
        _gain(one, other, columns[one], columns[other], images, confidence) for one, other in pairs
    ]
    return tuple(_corrected([gain for gain in found if gain.gains], alpha))


def _gain(
    method: str,
    reference: str,
    levels: Floats,
    others: Floats,
    images: Sequence[str],
    confidence: float,
) -> Gain:
    both = ~np.isnan(levels) & ~np.isnan(others)
    with np.errstate(invalid="ignore"):
        gained = np.where(levels == others, 0.0, levels - others)[both]  # inf - inf is a draw
    finite = gained[np.isfinite(gained)]
    mean, low, high, p = _inferred(finite, confidence)
    return Gain(
        method=method,
        reference=reference,
        images=tuple(name for name, known in zip(images, both, strict=True) if known),
        gains=tuple(gained.tolist()),
        wins=int((gained > EQUAL).sum()),
        ties=int((np.abs(gained) <= EQUAL).sum()),
        losses=int((gained < -EQUAL).sum()),
        mean=mean,
        low=low,
        high=high,
        p=p,
        tried=1,
        chance=UNKNOWN,
    )


def _inferred(gained: Floats, confidence: float) -> tuple[float, float, float, float]:
    """Return mean, interval and p-value; fewer than `FEWEST_UNITS` pairs tell the mean alone."""
    if not len(gained):
        return (math.nan,) * 4
    mean = float(gained.mean())
    if len(gained) < FEWEST_UNITS:
        return mean, math.nan, math.nan, math.nan
    spread = float(gained.std(ddof=1))
    if vanishes(spread, max(EQUAL, float(np.abs(gained).max()))):
        alike = np.where(np.abs(gained) <= EQUAL, 0.0, gained)
        p = signed_rank_p(alike)
        return mean, mean, mean, 1.0 if math.isnan(p) else p
    error, dof = spread / math.sqrt(len(gained)), len(gained) - 1
    reach = t_isf((1.0 - confidence) / 2.0, dof) * error
    return mean, mean - reach, mean + reach, 2.0 * t_sf(abs(mean) / error, dof)


def _corrected(family: Sequence[Gain], alpha: float, tried: int | None = None) -> list[Gain]:
    """Return gains with their p-values corrected for their number, or for `tried` of them."""
    if tried is None:
        corrected, tried = holm([gain.p for gain in family]), len(family)
    else:
        corrected = np.minimum(1.0, tried * np.array([gain.p for gain in family]))
    found = []
    for gain, p in zip(family, corrected, strict=True):
        known = UNKNOWN if math.isnan(p) else BEYOND if p < alpha else WITHIN
        found.append(replace(gain, p=float(p), tried=tried, chance=known))
    return found


def _best(
    table: Floats, methods: Sequence[str], one: Callable[[str, str], Gain], alpha: float
) -> Gain | None:
    """Return the best method against the second, by their means over pairs that all have."""
    there = [j for j in range(len(methods)) if not np.isnan(table[:, j]).all()]
    if len(there) < 2:
        return None
    complete = np.isfinite(table[:, there]).all(axis=1)
    if not complete.any():
        return None
    means = table[complete][:, there].mean(axis=0)
    first, second = (methods[there[place]] for place in np.argsort(-means, kind="stable")[:2])
    pairs = len(there) * (len(there) - 1) // 2
    return _corrected([one(first, second)], alpha, pairs)[0]

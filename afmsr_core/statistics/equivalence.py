"""Equivalence: whether a difference is shown to be too small to matter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.statistics.distributions import t_isf, t_sf
from afmsr_core.statistics.result import Result
from afmsr_core.statistics.scores import vanishes

__all__ = ["MARGINS", "MARGIN_FRACTION", "Equivalence", "Margin", "margin_for", "tost"]

MARGINS: Mapping[str, float] = MappingProxyType({"psnr": 0.5, "ssim": 0.01})
"""Largest difference that does not matter, by metric: 0.5 dB is 6 % of the RMSE."""

MARGIN_FRACTION = 0.02
"""The same for any other metric, as a fraction of the reference's mean: 0.5 dB of 29 dB is 1.7 %,
0.01 of an SSIM of 0.9 is 1.1 %.
"""


@dataclass(frozen=True)
class Margin(Result):
    """A margin in the unit of the metric, and where it comes from."""

    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Equivalence(Result):
    """Two one-sided t tests of paired differences.

    Attributes
    ----------
    margin : Margin
        Differences within plus or minus this do not matter.
    p : float
        The larger of the two one-sided p-values.
    ci_low, ci_high : float
        Interval of confidence 1 - 2 alpha; the methods are equivalent if it is within the margin.
    equivalent : bool or None
        Whether `p` is below alpha; None if it could not be tested. False is not a proof of a
        difference that matters.
    reason : str
        Why it could not be tested; empty if it was.
    """

    margin: Margin
    p: float
    ci_low: float
    ci_high: float
    equivalent: bool | None
    reason: str


def margin_for(
    metric: str, reference_mean: float, margins: Mapping[str, float] = MARGINS
) -> Margin:
    """Return the margin of a metric: stated, or a fraction of the reference's mean.

    Examples
    --------
    >>> margin_for("psnr", 29.0)
    Margin(value=0.5, source='stated for psnr')
    >>> margin_for("niqe", -10.0)
    Margin(value=0.2, source="2 % of the reference's mean")
    """
    if metric in margins:
        return Margin(float(margins[metric]), f"stated for {metric}")
    return Margin(
        MARGIN_FRACTION * abs(reference_mean),
        f"{MARGIN_FRACTION:.0%}".replace("%", " %") + " of the reference's mean",
    )


def tost(
    differences: ArrayLike, margin: Margin, alpha: float = 0.05, magnitude: float = 0.0
) -> Equivalence:
    """Test whether the mean of paired differences lies within the margin.

    Parameters
    ----------
    differences : array_like, shape (n,)
        Method less reference, of independent images (or means of clusters).
    margin : Margin
        In the unit of the differences.
    alpha : float
        Level of each one-sided test, and so of the claim.
    magnitude : float
        Largest score behind the differences: what is below its rounding errors does not vary.

    References
    ----------
    D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657, doi 10.1007/BF01068419.

    Examples
    --------
    >>> result = tost([0.1, -0.1, 0.2, 0.0, 0.1], Margin(0.5, "agreed"))
    >>> result.equivalent, round(result.p, 4)
    (True, 0.0005)
    """
    d = np.asarray(differences, dtype=np.float64)
    p, low, high, reason = math.nan, math.nan, math.nan, ""
    if len(d) < 2:
        reason = f"needs 2 images or samples; there is {len(d)}"
    elif not margin.value > 0:
        reason = f"the margin is {margin.value:g} ({margin.source}); state one above 0"
    elif vanishes(float(d.std(ddof=1)), max(magnitude, float(np.abs(d).max()))):
        reason = "the differences do not vary: nothing to test with"
    else:
        mean, error, dof = float(d.mean()), float(d.std(ddof=1)) / math.sqrt(len(d)), len(d) - 1
        p = t_sf((margin.value - abs(mean)) / error, dof)
        reach = t_isf(alpha, dof) * error
        low, high = mean - reach, mean + reach
    return Equivalence(
        margin=margin,
        p=p,
        ci_low=low,
        ci_high=high,
        equivalent=None if reason else p < alpha,
        reason=reason,
    )

"""Effect sizes without a unit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.statistics.distributions import ranks

__all__ = ["cliffs_delta", "rank_biserial"]


def rank_biserial(differences: ArrayLike) -> float:
    """Return the matched-pairs rank-biserial correlation; NaN if no difference is left.

    References
    ----------
    D. S. Kerby, Compr. Psychol. 3 (2014) 11.IT.3.1, doi 10.2466/11.IT.3.1.

    Examples
    --------
    >>> rank_biserial([1.0, 2.0, -3.0, 0.0])
    0.0
    """
    d = np.asarray(differences, dtype=np.float64)
    d = d[d != 0]
    if not len(d):
        return math.nan
    ranked = ranks(np.abs(d))
    return float((np.sign(d) * ranked).sum() / ranked.sum())


def cliffs_delta(first: ArrayLike, second: ArrayLike) -> float:
    """Return P(first > second) - P(first < second) over all pairs of values; NaN if there are none.

    References
    ----------
    N. Cliff, Psychol. Bull. 114 (1993) 494, doi 10.1037/0033-2909.114.3.494.

    Examples
    --------
    >>> cliffs_delta([2.0, 4.0], [1.0, 3.0])
    0.5
    """
    a, b = np.asarray(first, dtype=np.float64), np.sort(np.asarray(second, dtype=np.float64))
    if not (len(a) and len(b)):
        return math.nan
    above, upto = np.searchsorted(b, a, "left"), np.searchsorted(b, a, "right")
    return float((above - (len(b) - upto)).sum() / (len(a) * len(b)))

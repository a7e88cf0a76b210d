"""Bias: how much of the roughness levelling takes off with the tilt.

A fit cannot tell the relief from what it should remove: every free parameter takes its share.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from afmsr_core.levelling import parse_spec

__all__ = ["correlation_length", "levelling_bias"]

Field = NDArray[np.float64]

TERMS = {"plane": 3} | {f"poly{n}": (n + 1) * (n + 2) // 2 for n in range(10)}
"""Free parameters of the fits over the whole area."""

MEDIAN = 0.82
"""What the median of a line removes of what its mean would: twice their covariance, which is the
variance of the mean, less the variance of the median, 1.18 times as large for a Gaussian process.
"""

FALLEN = 1 / math.e  # of the autocorrelation, at the correlation length


def correlation_length(relief: Field) -> float | None:
    """Return the correlation length along the lines, in pixels.

    Where the mean autocorrelation of the lines has fallen to 1/e; None if it never does within
    half a line. Pixels that were not measured count as the mean.
    """
    z = np.nan_to_num(relief - np.nanmean(relief))
    size = z.shape[1]
    power = np.abs(np.fft.rfft(z, 2 * size, axis=1)) ** 2
    sums = np.fft.irfft(power.mean(axis=0))[: size // 2 + 1]
    acf = sums / np.arange(size, size - len(sums), -1)
    if not acf[0] > 0:
        return None
    acf = acf / acf[0]
    below = np.flatnonzero(acf < FALLEN)
    if not below.size:
        return None
    n = int(below[0])
    return float(n - 1 + (acf[n - 1] - FALLEN) / (acf[n - 1] - acf[n]))


def levelling_bias(relief: Field, spec: str, aspect: float = 1.0) -> float | None:
    """Return the share by which levelling lowers Sq, as a number from -1 to 0.

    Parameters
    ----------
    relief : ndarray of float64, shape (lines, pixels)
        Levelled.
    spec : str
        What was done, such as ``"plane+rows-median"``.
    aspect : float
        Height of a pixel over its width; above 1 in a scan with fewer lines than points.

    Returns
    -------
    float or None
        None if the relief is not small against the field, so that nothing tells the bias.

    Notes
    -----
    To first order, for a Gaussian autocorrelation exp(-t²/T²): a fit of n terms over an area A
    removes the share ``n pi T² / A`` of the variance, the median of every line of length L the
    share ``0.82 sqrt(pi) T / L``. After Nečas, Valtr, Klapetek, Sci. Rep. 2020, 10, 15294,
    doi 10.1038/s41598-020-72171-8.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> round(levelling_bias(rng.normal(size=(256, 256)), "rows-median"), 3)
    -0.002
    """
    length = correlation_length(relief)
    if length is None:
        return None
    rows, columns = relief.shape
    share = 0.0
    for step in parse_spec(spec):
        terms = TERMS.get(step.name, 0)
        share += terms * math.pi * length**2 / (rows * aspect * columns)
        if step.name.startswith("rows"):
            share += MEDIAN * math.sqrt(math.pi) * length / columns
    return float(math.sqrt(max(0.0, 1 - share)) - 1) if share < 1 else None

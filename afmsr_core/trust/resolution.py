"""Resolution: down to which length trace and retrace show the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError
from afmsr_core.surfaces import fit_plane

__all__ = ["THRESHOLD", "resolved_alone", "resolved_frequency", "ring_correlation"]

Field = NDArray[np.float64]

THRESHOLD = 0.5
"""Correlation of the rings at which relief and noise are about alike (signal to noise of 1)."""

LEAST = 24
"""Pixels per side; fewer have too few rings."""


def ring_correlation(trace: ArrayLike, retrace: ArrayLike) -> tuple[Field, Field]:
    """Return the Fourier ring correlation of two scans of the same place.

    Parameters
    ----------
    trace, retrace : array_like of float, shape (yres, xres)
        Registered and finite.

    Returns
    -------
    frequency, correlation : ndarray of float64
        In cycles per pixel, up to 0.5; rings a step of the longer side wide.

    Raises
    ------
    FieldError
        If the shapes differ, a pixel is not finite, or there are too few.

    References
    ----------
    Saxton and Baumeister, J. Microsc. 1982, 127, 127, doi 10.1111/j.1365-2818.1982.tb00405.x.
    """
    one, other = (np.asarray(field, dtype=np.float64) for field in (trace, retrace))
    if one.shape != other.shape or one.ndim != 2:
        raise FieldError(f"shapes {one.shape} and {other.shape} differ; align the scans first")
    if min(one.shape) < LEAST or not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise FieldError(
            f"ring correlation needs at least {LEAST} x {LEAST} pixels, all of them measured; "
            f"found {one.shape[1]} x {one.shape[0]}"
        )
    first, second = _spectrum(one), _spectrum(other)
    frequency, cross = _in_rings(np.real(first * np.conj(second)))
    powers = [_in_rings(np.abs(spectrum) ** 2)[1] for spectrum in (first, second)]
    return frequency, cross / np.sqrt(np.maximum(powers[0] * powers[1], 1e-300))


def _window(shape: tuple[int, ...]) -> Field:
    return np.outer(*(np.hanning(n + 2)[1:-1] for n in shape))


def _spectrum(field: Field) -> NDArray[np.complex128]:
    level = fit_plane(field).subtracted_from(field)
    return np.asarray(np.fft.fft2(level * _window(field.shape)))


def _in_rings(values: Field) -> tuple[Field, Field]:
    """Return the frequencies of rings, in cycles per pixel, and sums over them."""
    radius = np.hypot(np.fft.fftfreq(values.shape[0])[:, None], np.fft.fftfreq(values.shape[1]))
    step = 1.0 / min(values.shape)
    ring = np.rint(radius / step).astype(int).ravel()
    count = int(0.5 / step)
    sums = np.bincount(ring, values.ravel(), count + 1)[1 : count + 1]
    return step * np.arange(1, count + 1), np.asarray(sums, np.float64)


def resolved_frequency(trace: ArrayLike, retrace: ArrayLike) -> float:
    """Return the frequency, in cycles per pixel, up to which two scans agree; 0.5 if to the end.

    The first at which the ring correlation, smoothed over three rings, falls below `THRESHOLD`.
    The smallest length that the pair resolves is a pixel over this number.

    Examples
    --------
    >>> same = np.random.default_rng(0).normal(size=(64, 64))
    >>> resolved_frequency(same, same)
    0.5
    """
    frequency, correlation = ring_correlation(trace, retrace)
    smooth = np.convolve(np.pad(correlation, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    below = np.flatnonzero(smooth < THRESHOLD)
    return float(frequency[below[0]]) if below.size else 0.5


def resolved_alone(heights: ArrayLike, cell: int = 1) -> float:
    """Return the frequency, in cycles per distance of lines, up to which a scan agrees with itself.

    For a scan without its retrace: the ring correlation of its odd and its even lines, of which
    so many pixels are left out that both have square ones.

    Parameters
    ----------
    heights : array_like of float, shape (lines, pixels)
        All finite.
    cell : int
        Pixels along a line that are as long as lines are apart; 1 if they are square.

    Returns
    -------
    float
        At the most 0.25, the Nyquist frequency of the halves: then the scan resolves that or more.

    Raises
    ------
    FieldError
        If a pixel is not finite or there are too few.

    References
    ----------
    After Koho et al., Nat. Commun. 2019, 10, 3103, doi 10.1038/s41467-019-11024-z. The lines of a
    scan have noise of their own, so here the halves are lines, not diagonals.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> wave = 20 * np.sin(np.arange(96) * 2 * np.pi * 0.03) + rng.normal(size=(96, 96))
    >>> 0.03 < resolved_alone(wave) < 0.1
    True
    """
    field = np.asarray(heights, dtype=np.float64)
    if field.ndim != 2 or min(field.shape) < 2 * LEAST or not np.isfinite(field).all():
        raise FieldError(
            f"a resolution needs at least {2 * LEAST} x {2 * LEAST} pixels, all of them measured; "
            f"found the shape {field.shape}"
        )
    rows, step = len(field) // 2 * 2, 2 * cell
    return 0.5 * resolved_frequency(field[:rows:2, ::step], field[1:rows:2, ::step])

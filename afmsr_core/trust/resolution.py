"""Resolution: down to which length trace and retrace show the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError
from afmsr_core.surfaces import fit_plane

__all__ = ["THRESHOLD", "resolved_frequency", "ring_correlation"]

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
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in one.shape))
    spectra = [
        np.fft.fft2(fit_plane(field).subtracted_from(field) * window) for field in (one, other)
    ]
    radius = np.hypot(np.fft.fftfreq(one.shape[0])[:, None], np.fft.fftfreq(one.shape[1]))
    step = 1.0 / min(one.shape)
    ring = np.rint(radius / step).astype(int).ravel()
    count = int(0.5 / step)

    def summed(values: Field) -> Field:
        return np.asarray(np.bincount(ring, values.ravel(), count + 1)[1 : count + 1], np.float64)

    cross = summed(np.real(spectra[0] * np.conj(spectra[1])))
    power = summed(np.abs(spectra[0]) ** 2) * summed(np.abs(spectra[1]) ** 2)
    return step * np.arange(1, count + 1), cross / np.sqrt(np.maximum(power, 1e-300))


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

"""Bands: the power of a surface by lateral length, in units of what its scan could show."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.grid import Scale
from afmsr_core.metrics.spectrum import hann, power_spectrum
from afmsr_core.surfaces import fit_plane

__all__ = ["amplitude", "band_powers", "edges", "filters"]

Field = NDArray[np.float64]

EDGES = (0.12, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.75, 4.0)
"""Between the bands, in units of the Nyquist frequency of the lines of the scan."""

CUTS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.75)
"""Between the filters that shape noise. Lower frequencies the scan fixes."""

SOFT = 0.06
"""Width of the filters' flanks, in natural logarithms of the frequency."""

WINDOW = 640
"""Pixels a side of the parts of a field that are transformed, at most: what a larger one tells
besides lies below the lowest band."""

CALMING = (64, 32, 16, 8, 4, 2, 1, 1)
"""Widths in pixels by which gaps are smoothed, one after the other: large ones for their middle,
small ones for their borders."""

MARGIN = 16.0
"""Pixels from a gap within which bands are not told: the kinks at its border show that far."""

KEPT = 0.25
"""Share of the measured pixels that tell them even so, where gaps are everywhere."""

STEPS = 512
"""Frequencies at which the shape of the noise is tabulated."""


def edges(scale: Scale) -> tuple[float, ...]:
    """Return the limits of the bands that the pixels of a result can hold."""
    return tuple(edge for edge in EDGES if edge <= scale.rows)


def band_powers(
    heights: ArrayLike, scale: Scale, missing: NDArray[np.bool_] | None = None
) -> Field:
    """Return the mean square of what a surface has in every band.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        On the square pixels of a result, finite.
    scale : Scale
        Fine pixels per coarse pixel, across the lines and along them.
    missing : ndarray of bool, shape (yres, xres), optional
        What was not measured, but filled from the nearest pixels; not everything. The mean is over
        the others.

    Returns
    -------
    ndarray of float64, shape (bands,)
        In the square of the unit of the heights.

    Examples
    --------
    >>> wave = np.sin(np.arange(256) * 2 * np.pi / 8 * 0.9) * np.ones((256, 1))
    >>> band_powers(wave, Scale(4, 4)).round(2).tolist()
    [0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    field = np.asarray(heights)
    limits = np.array(edges(scale)) / (2 * scale.rows)
    if missing is not None and missing.any():
        return _powers_beside_gaps(field, missing, limits)
    total, parts = np.zeros(len(limits) - 1), list(_parts(field.shape))
    for part in parts:
        spectrum = power_spectrum(field[part], (1.0, 1.0))
        total += [spectrum.power(low, high)[0] for low, high in pairwise(limits)]
    return np.asarray(total / len(parts))


def _powers_beside_gaps(field: Field, missing: NDArray[np.bool_], limits: Field) -> Field:
    """Return the mean squares of each band at the pixels that gaps, however filled, do not touch.

    A spectrum tells nothing of places, so each band is turned back into a field of its own.
    """
    import cv2
    from scipy import fft

    calm = _calmed(field, missing)
    far = cv2.distanceTransform((~missing).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    counts = far >= min(MARGIN, float(np.quantile(far[~missing], 1 - KEPT)))
    total, weight = np.zeros(len(limits) - 1), 0.0
    for part in _parts(field.shape):
        relief = fit_plane(calm[part]).subtracted_from(calm[part])
        window = np.outer(*(hann(n) for n in relief.shape))
        half = fft.rfft2(relief * window)
        down, across = fft.fftfreq(relief.shape[0]), fft.rfftfreq(relief.shape[1])
        radius = np.hypot(down[:, None], across)
        for band, (low, high) in enumerate(pairwise(limits)):
            alone = fft.irfft2(np.where((radius > low) & (radius <= high), half, 0), relief.shape)
            total[band] += np.sum(alone[counts[part]] ** 2)
        weight += np.sum(window[counts[part]] ** 2)
    return np.asarray(total / weight)


def _calmed(field: Field, missing: NDArray[np.bool_]) -> Field:
    """Take off the filling of gaps its steps, which no surface has."""
    import cv2

    calm = field.copy()
    for width in CALMING:
        coarse = [max(1, n // width) for n in field.shape[::-1]]
        means = cv2.GaussianBlur(cv2.resize(calm, coarse, interpolation=cv2.INTER_AREA), (0, 0), 1)
        calm[missing] = cv2.resize(means, field.shape[::-1])[missing]
    return calm


def _parts(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Cut a field into equal parts of at most `WINDOW` pixels a side."""
    rows, columns = (
        [slice(i * n // count, (i + 1) * n // count) for i in range(count)]
        for n, count in ((n, -(-n // WINDOW)) for n in shape)
    )
    return [(down, across) for down in rows for across in columns]


def filters(frequency: Field, scale: Scale) -> Field:
    """Return what each filter passes of the power, which adds up to 1.

    Parameters
    ----------
    frequency : ndarray of float64, shape (n,)
        Above 0, in units of the Nyquist frequency of the lines.
    scale : Scale
        Fine pixels per coarse pixel.

    Returns
    -------
    ndarray of float64, shape (filters, n)
    """
    cuts = np.log([cut for cut in CUTS if cut < scale.rows])
    above = 1 / (1 + np.exp((cuts[:, None] - np.log(frequency)) / SOFT))
    low, high = np.vstack([np.ones(frequency.size), above]), np.vstack([above, 0 * frequency])
    return np.asarray(low - high)


def amplitude(powers: Field, shape: tuple[int, int], scale: Scale) -> NDArray[np.float32]:
    """Return by what white noise is multiplied to get so much of every filter.

    Parameters
    ----------
    powers : ndarray of float64, shape (filters,)
        Mean squares, were each filter to pass everything.
    shape : tuple of int
        Of the field.
    scale : Scale
        Fine pixels per coarse pixel.

    Returns
    -------
    ndarray of float32, shape (yres, xres // 2 + 1)
        For each coefficient of the real Fourier transform.
    """
    from scipy import fft

    highest = np.sqrt(2.0) * scale.rows
    known = np.linspace(highest / STEPS, highest, STEPS)
    curve = np.sqrt(powers @ filters(known, scale))
    down, across = fft.fftfreq(shape[0]), fft.rfftfreq(shape[1])
    radius = np.hypot(down[:, None], across) * (2 * scale.rows)
    return np.interp(radius.ravel(), known, curve).reshape(radius.shape).astype(np.float32)

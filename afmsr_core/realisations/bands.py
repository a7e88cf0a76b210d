"""Bands: the power of a surface by lateral length, in units of what its scan could show."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.grid import Scale
from afmsr_core.metrics.spectrum import power_spectrum

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

STEPS = 512
"""Frequencies at which the shape of the noise is tabulated."""


def edges(scale: Scale) -> tuple[float, ...]:
    """Return the limits of the bands that the pixels of a result can hold."""
    return tuple(edge for edge in EDGES if edge <= scale.rows)


def band_powers(heights: ArrayLike, scale: Scale) -> Field:
    """Return the mean square of what a surface has in every band.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        On the square pixels of a result, finite.
    scale : Scale
        Fine pixels per coarse pixel, across the lines and along them.

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
    total, parts = np.zeros(len(limits) - 1), list(_parts(field.shape))
    for part in parts:
        spectrum = power_spectrum(field[part], (1.0, 1.0))
        total += [spectrum.power(low, high)[0] for low, high in pairwise(limits)]
    return np.asarray(total / len(parts))


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

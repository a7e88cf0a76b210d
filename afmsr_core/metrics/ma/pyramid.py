"""Pyramid: a picture split by scale and direction.

The steerable pyramid of E. P. Simoncelli, W. T. Freeman, ICIP 1995, doi 10.1109/ICIP.1995.537667,
with the filters of matlabPyrTools in their tabulated form. Only what Ma needs of it: the finest
details, and two scales of six directions; what is left, coarser than that, is not made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIRECTIONS", "SCALES", "Pyramid", "steerable_pyramid"]

SCALES, DIRECTIONS = 2, 6

RADII, ANGLES = 256, 1024
"""Steps of the tables of an octave and of half a turn. Between them matlabPyrTools interpolates
linearly, which is part of the filters: it shows in the fifth digit."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pyramid:
    """A picture split by scale and direction.

    Attributes
    ----------
    fine : ndarray of float64, shape (yres, xres)
        Details that are finer than all scales.
    bands : tuple of tuples of ndarray of float64
        By scale, the finest first, and by direction: shape (yres, xres), then half of it,
        rounded up.
    """

    fine: Floats
    bands: tuple[tuple[Floats, ...], ...]


@dataclass(frozen=True, eq=False)
class _Filters:
    """Of one shape: real factors of the half of the spectrum that a real picture needs."""

    fine: Floats
    scales: tuple[tuple[tuple[int, int], NDArray[np.intp], tuple[Floats, ...]], ...]


def steerable_pyramid(picture: Floats) -> Pyramid:
    """Split a picture.

    Parameters
    ----------
    picture : ndarray of float64, shape (yres, xres)
        At least 16 pixels a side; its borders are joined.
    """
    from scipy import fft

    filters = _filters(*picture.shape)
    spectrum = fft.rfft2(picture)
    fine = fft.irfft2(spectrum * filters.fine, picture.shape)
    scales = []
    for shape, rows, factors in filters.scales:
        # An odd filter: with the factor -i the band is real.
        part = -1j * spectrum[rows, : shape[1] // 2 + 1]
        scales.append(tuple(fft.irfft2(part * factor, shape) for factor in factors))
    return Pyramid(fine, tuple(scales))


@lru_cache(maxsize=2)  # some 9 times the size of the picture
def _filters(yres: int, xres: int) -> _Filters:
    """Return the filters for pictures of one shape."""
    down = np.fft.fftfreq(yres)[:, None] * 2.0
    across = np.fft.fftfreq(xres) * 2.0
    radius = np.hypot(down, across)
    radius[0, 0] = radius[0, 1]  # a logarithm of zero would be none
    octave = np.log2(radius)
    angle = np.arctan2(down, across)
    table = np.linspace(-1.0 - 1.0 / RADII, 1.0 / RADII, RADII + 3)
    rise = np.cos(0.5 * np.pi * table)
    rise[0], rise[-1] = rise[1], rise[-2]
    fall = np.sqrt(1.0 - rise**2)

    def radial(values: Floats, octaves: Floats, shift: int) -> NDArray[np.float32]:
        return np.interp(octaves, table - shift, values).astype(np.float32)

    passed = radial(fall, octave, 0).astype(np.float64)
    fine = radial(rise, octave, 0).astype(np.float64)[:, : xres // 2 + 1]
    scales = []
    shape = yres, xres
    for scale in range(1, SCALES + 1):
        high = passed * radial(rise, octave, scale)
        factors = []
        for k in range(DIRECTIONS):
            one = high * _directional(angle, k)
            # Real part of what a one-sided filter gives: its odd part on the whole spectrum.
            odd = 0.5 * (one - np.roll(one[::-1, ::-1], 1, axis=(0, 1)))
            factors.append(np.ascontiguousarray(odd[:, : shape[1] // 2 + 1]))
        rows = np.fft.fftfreq(shape[0], 1 / shape[0]).round().astype(np.intp)
        scales.append((shape, rows, tuple(factors)))
        shape = math.ceil((shape[0] - 0.5) / 2), math.ceil((shape[1] - 0.5) / 2)
        kept: Any = np.ix_(*(np.fft.fftfreq(n, 1 / n).round().astype(np.intp) for n in shape))
        octave, angle = octave[kept], angle[kept]
        passed = passed[kept] * radial(fall, octave, scale)
    return _Filters(fine, tuple(scales))


def _directional(angle: Floats, k: int) -> NDArray[np.float32]:
    """Return the one-sided filter of a direction, to the fifth power of the cosine."""
    order = DIRECTIONS - 1
    size = 4**order * math.factorial(order) ** 2 / (DIRECTIONS * math.factorial(2 * order))
    table = np.pi * np.arange(-(2 * ANGLES + 1), ANGLES + 2) / ANGLES
    front = np.abs((table + np.pi) % (2 * np.pi) - np.pi) < 0.5 * np.pi
    lobe = 2.0 * math.sqrt(size) * np.cos(table) ** order * front
    return np.interp(angle, table + np.pi * k / DIRECTIONS, lobe).astype(np.float32)

"""What a trace and its retrace tell of an instrument: the figures that simulated scans must have.

The same functions measure real and simulated scans, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.alignment.area import Shrinking, fit_map, shrinkings, start_by_phase
from afmsr_core.alignment.maps import apply
from afmsr_core.errors import FieldError
from afmsr_core.metrics.streaks import Rule, find_scars
from afmsr_core.robust import NORMAL
from afmsr_core.surfaces import fit_plane, fit_polynomial
from afmsr_core.trust.resolution import resolved_frequency

Field = NDArray[np.float64]

BORDER = 4  # pixels that are left out at the edges: interpolated
SCAR_LENGTH = 0.015  # of a line, at the least, and 4 pixels
SCAR_HEIGHT = 0.2  # of the range; at that, half of real images have at least one
FOURTH = 70.0  # variance of a fourth difference of white noise of variance 1


@dataclass(frozen=True)
class Figures:
    """Of one pair; heights in units of the range of the trace.

    Attributes
    ----------
    lag, lag_change : float
        Shift between trace and retrace along x, and how much it differs between the left and the
        right third, in widths of the line and without sign.
    backlash : float
        The shift along y in pixels, without sign.
    total, white : float
        Standard deviation of one pass, all and white, after shift, tilt and line offsets.
    near, far : float
        Autocorrelation of that along the fast axis at 1 and 4 pixels.
    offsets, steps : float
        Standard deviation of the line offsets of trace against retrace, and of the steps from
        line to line of the trace.
    exponent, offsets_exponent : float
        Of the power spectrum along lines, and of that of the line means.
    tilt, bow : float
        Peak to valley of the trace's plane, and of the paraboloid in it.
    scars : float
        Number per 256 lines of the trace.
    psnr, resolution : float
        Of trace against retrace, shifted but not stretched: dB, peak the range; and the frequency
        in cycles per pixel at which their Fourier ring correlation falls to 0.5.
    slope : float
        99.9th percentile in degrees; NaN without pixel size.
    """

    lag: float
    lag_change: float
    backlash: float
    total: float
    white: float
    near: float
    far: float
    offsets: float
    steps: float
    exponent: float
    offsets_exponent: float
    tilt: float
    bow: float
    scars: float
    psnr: float
    resolution: float
    slope: float


REAL: Mapping[str, tuple[float, float, float]] = {
    "white": (0.0036, 0.0016, 0.0062),
    "total": (0.014, 0.008, 0.034),
    "offsets": (0.0055, 0.0028, 0.014),
    "steps": (0.008, 0.0028, 0.018),
    "tilt": (1.0, 0.0, 36.0),
    "bow": (0.25, 0.07, 0.64),
    "lag": (0.013, 0.0036, 0.021),
    "lag_change": (0.0024, 0.00085, 0.0045),  # 0.85 px [0.3-1.6], of the 354 px that 4.6 px are
    "slope": (32.0, 19.0, 59.0),
    "resolution": (0.17, 0.10, 0.27),
    "psnr": (25.6, 22.0, 31.0),
}
"""Median and quartiles of 34 pairs of trace and retrace, and of 233 raw fields."""


def measure(trace: Field, retrace: Field, pixel_nm: tuple[float, float] | None = None) -> Figures:
    """Measure a pair.

    Parameters
    ----------
    trace, retrace : ndarray of float64, shape (yres, xres)
        Heights as measured; x runs the same way in both.
    pixel_nm : tuple of float, optional
        Width and height of a pixel, if the heights are in nm.
    """
    yres, xres = trace.shape
    plane = fit_plane(trace)
    flat, back = (fit_plane(one).subtracted_from(one) for one in (trace, retrace))
    peak = float(np.subtract(*np.percentile(flat, [99.5, 0.5])))
    matrix = register(back, flat)
    lag, backlash = _shift(matrix, xres / 2, yres / 2)
    left = int(abs(lag) + abs(matrix[0, 0] - 1) * xres) + BORDER
    inside = np.s_[BORDER:-BORDER, left:-left]
    x, y = apply(matrix, *np.meshgrid(np.arange(xres, dtype=float), np.arange(yres, dtype=float)))
    moved = ndimage.map_coordinates(back, [y, x], order=3, mode="nearest")
    off = flat[inside] - moved[inside]
    off = fit_polynomial(off, 2).subtracted_from(off)
    shifted = ndimage.shift(back, (-backlash, -lag), order=3, mode="nearest")
    apart = flat[inside] - shifted[inside]
    lines = np.median(off, axis=1, keepdims=True)
    rest = off - lines
    rest = rest - rest.mean(axis=1, keepdims=True)
    variance = float(np.mean(rest**2))
    covariance = [float(np.mean(rest[:, :-k] * rest[:, k:])) for k in (1, 4)]
    white = NORMAL * float(np.median(np.abs(np.diff(flat, 4, axis=1)))) / np.sqrt(FOURTH)
    power = np.mean(np.abs(np.fft.rfft(rest * np.hanning(rest.shape[1]), axis=1)) ** 2, axis=0)
    means = fit_polynomial(trace, 2).subtracted_from(trace).mean(axis=1)
    of_means = np.abs(np.fft.rfft(means * np.hanning(yres))) ** 2
    steps = np.median(np.diff(flat, axis=0), axis=1)
    bow = fit_polynomial(flat, 2).on_grid(yres, xres)
    slope = float("nan")
    if pixel_nm is not None:
        smooth = ndimage.gaussian_filter(flat, 1.0)
        slopes = np.gradient(smooth, pixel_nm[1], pixel_nm[0])
        slope = float(np.rad2deg(np.arctan(np.percentile(np.hypot(*slopes), 99.9))))
    return Figures(
        lag=abs(lag) / xres,
        lag_change=_lag_change(back, flat, matrix) / xres,
        backlash=abs(backlash),
        total=float(np.sqrt(variance / 2)) / peak,
        white=white / peak,
        near=covariance[0] / variance,
        far=covariance[1] / variance,
        offsets=float(np.std(lines)) / peak,
        steps=float(np.std(steps)) / peak,
        exponent=_exponent(power),
        offsets_exponent=_exponent(of_means),
        tilt=float(np.ptp(plane.on_grid(yres, xres))) / peak,
        bow=float(np.ptp(bow)) / peak,
        scars=_scars(flat, peak) * 256 / yres,
        psnr=float(-10 * np.log10(np.mean((fit_plane(apart).subtracted_from(apart) / peak) ** 2))),
        resolution=resolved_frequency(flat[inside], shifted[inside]),
        slope=slope,
    )


def register(retrace: Field, trace: Field) -> Field:
    """Return the affine map from a pixel of the trace to one of the retrace."""
    start = start_by_phase(retrace, trace, np.eye(3), 0.5)
    start = np.eye(3) if start is None else start
    steps = shrinkings(trace.shape, retrace.shape, np.eye(3))
    found = fit_map(retrace, trace, start, "affine", background=2, steps=steps)
    return start if found is None else found.matrix


def _shift(matrix: Field, x: float, y: float) -> tuple[float, float]:
    there = apply(matrix, np.array([x]), np.array([y]))
    return float(there[0][0] - x), float(there[1][0] - y)


def _lag_change(retrace: Field, trace: Field, matrix: Field) -> float:
    """Return by how much the shift along x differs between the left and the right third."""
    yres, xres = trace.shape
    found = []
    for left in (0, xres - xres // 3):
        third = np.s_[:, left : left + xres // 3]
        start = np.eye(3)
        start[:2, 2] = _shift(matrix, left + xres / 6, yres / 2)
        steps = [Shrinking.by(2, (1.0, 1.0))]
        fit = fit_map(retrace[third], trace[third], start, "translation", background=2, steps=steps)
        found.append(np.nan if fit is None else fit.matrix[0, 2])
    return float(abs(found[1] - found[0]))


def _scars(flat: Field, peak: float) -> int:
    try:
        found = find_scars(flat, Rule(length=max(4, round(SCAR_LENGTH * flat.shape[1]))))
    except FieldError:  # most lines are the same: no noise, and no scar
        return 0
    return sum(abs(scar.height) > SCAR_HEIGHT * peak for scar in found)


def _exponent(power: Field) -> float:
    """Return how fast a spectrum falls, from its third line to a quarter of the sampling rate."""
    f = np.arange(2, power.size // 2)
    return float(-np.polyfit(np.log(f), np.log(power[f] + np.finfo(float).tiny), 1)[0])

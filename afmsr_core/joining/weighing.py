"""How much of a retrace goes into each pixel: by the noise of both, and alone where one is wrong.

Where the two differ by no more than their noise, the mean weighted by inverse variances is best.
Where they differ by more, one of them is wrong: a scar, a line that jumped, an edge that the
feedback rounded. A mean would leave half of a scar, and blur an edge. What tells who is wrong are
the lines above and below, in both directions.

They also tell noise from what the feedback does in each direction. Noise is drawn anew in every
line; the feedback does the same in the next line, because the relief is the same. Only noise is
averaged; of the rest, the trace keeps its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.gaps import filled
from afmsr_core.robust import NORMAL, line_medians, median, spread
from afmsr_core.surfaces import fit_polynomial

__all__ = ["Weighed", "weigh"]

Field = NDArray[np.float64]

ALONG = 9
"""Pixels of a line over which a disagreement is judged: scars are longer, noise along a line, of
which neighbouring pixels share most, wanders no further."""

BEYOND = 3.0
"""Standard deviations of the difference, as root mean square over `ALONG` pixels, that noise does
not reach."""

CLEARER = 2.0
"""Times as far from the lines above and below, that one of two must lie to be the wrong one."""

JUMPED = 4.0
"""Robust standard deviations of the lines' offsets between the two, beyond which one jumped."""

MOST = 0.8
"""Most that one direction weighs by its noise: a variance is estimated, too."""

UNEVEN = 2.0
"""Times the usual variance of the difference, above which a line is weighed by its own noise."""

CLASSES = 16
"""Of roughness, by each of which trace and retrace are expected to differ by some amount."""

NEAR = 5
"""Pixels a side over which roughness is looked at."""

FINE = 0.1
"""Cycles per line from which most of a difference is noise: drift of the height between trace and
retrace, and relief, are slower."""

BAND = 1 / 8
"""Of all frequencies, over which the spectrum of a difference is smoothed. By medians, so that a
narrow peak, which is hum, counts as noise and not as relief."""

SMALLEST = 1e-6
"""Of the largest difference: the least that is usual anywhere, so that no quotient overflows where
heights were rounded to the same steps and most differences are none."""

PART = 1 << 18
"""Pixels that are filtered at a time, so that large scans need little memory."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """A trace and its retrace as one.

    Attributes
    ----------
    joint : ndarray of float64, shape (yres, xres)
        NaN where neither was measured.
    noise : tuple of float
        Standard deviation of trace and retrace, in the unit of the heights.
    alone : tuple of float
        Shares of the pixels that are the trace's alone, and the retrace's alone.
    jumped : tuple of int
        Lines that jumped in the trace, and in the retrace.
    """

    joint: Field
    noise: tuple[float, float]
    alone: tuple[float, float]
    jumped: tuple[int, int]


def weigh(trace: Field, retrace: Field, moved: Field) -> Weighed:
    """Join a trace with its retrace.

    Parameters
    ----------
    trace, retrace : ndarray of float64, shape (yres, xres)
        Levelled alike; NaN where not measured.
    moved : ndarray of float64, same shape
        The retrace on the pixels of the trace; measured somewhere together with it.

    Notes
    -----
    The trace's own tilt and bow are kept; what the retrace differs in them is the scanner's. The
    variances of the two add up in their difference. Second differences across the lines, of each
    on its own pixels, differ by their difference, whatever the relief. What of the difference is
    noise is told by Wiener's filter across the lines (N. Wiener, Extrapolation, Interpolation, and
    Smoothing of Stationary Time Series, 1949).
    """
    both = np.isfinite(trace) & np.isfinite(moved)
    bend = fit_polynomial(trace - moved, 2, both).on_grid(*trace.shape)
    other = moved + bend
    offsets = line_medians(trace - other)
    # Lines that jumped are put right first, so that the rest is judged without them.
    of_trace, of_other = _jumped(trace, other, offsets)
    one = trace - np.where(of_trace, offsets, 0.0)[:, None]
    other = other + np.where(of_other, offsets, 0.0)[:, None]
    difference = one - other
    middle = line_medians(difference)[:, None]
    flat = difference - middle
    expected = _expected(np.where(both, 0.5 * (one + other), np.nan), flat)
    least = float(expected.min())
    share = _share(trace, retrace, flat, least)
    weight = share * least / expected
    beside, apart = _beside(one, other)
    d2, t2, r2, apart2 = (
        _mean_along(each**2) for each in (difference, one - beside, other - beside, apart)
    )
    beyond = d2 > BEYOND**2 * (expected + float(np.nanvar(middle)))
    retrace_alone = beyond & (t2 > CLEARER**2 * (r2 + apart2))
    trace_alone = beyond & ~retrace_alone
    taken = weight * _noise(difference, np.sqrt(expected), both & ~beyond)
    taken[trace_alone | ~both] = 0.0
    taken[retrace_alone & both] = difference[retrace_alone & both]
    joint = one - taken
    only_retrace = ~np.isfinite(trace) & np.isfinite(other)
    joint = np.where(only_retrace, other, joint)
    part = float(np.median(share))
    return Weighed(
        joint,
        (float(np.sqrt(part * least)), float(np.sqrt((1 - part) * least))),
        (
            float(np.mean(np.isfinite(trace) & (trace_alone | ~both))),
            float(np.mean((retrace_alone & both) | only_retrace)),
        ),
        (int(of_trace.sum()), int(of_other.sum())),
    )


def _expected(mean: Field, flat: Field) -> Field:
    """Return the mean square by which the two differ at each pixel, by how rough the relief is.

    Where it is rough they differ by more than noise: a retrace between its pixels is a guess, and
    the feedback follows a slope late. How far between its pixels and lines it was read changes
    along the line, so the columns count as well. The least of all is the noise of both.
    """
    rough, known = _roughness(mean), np.isfinite(flat)
    edges = np.quantile(rough[known], np.linspace(0, 1, CLASSES + 1))
    by_relief = np.clip(np.searchsorted(edges, rough, side="right") - 1, 0, CLASSES - 1)
    by_column = np.broadcast_to(np.arange(flat.shape[1]) * CLASSES // flat.shape[1], flat.shape)
    relief, column = (
        np.array([spread(flat[known & (number == n)]) ** 2 for n in range(CLASSES)])
        for number in (by_relief, by_column)
    )
    relief = np.maximum.accumulate(np.where(np.isfinite(relief), relief, 0.0))
    column = np.where(np.isfinite(column), column, np.nanmax(column))
    usual = max(spread(flat[known]) ** 2, np.finfo(float).tiny)
    expected = relief[by_relief] * column[by_column] / usual
    return np.maximum(expected, np.finfo(float).tiny)


def _noise(difference: Field, usual: Field, known: NDArray[np.bool_]) -> Field:
    """Return what of a difference is noise: what the lines above and below have no part in.

    Noise of the lines has a flat spectrum across them. By what the spectrum lies above, the
    feedback makes each direction another; `usual`, the size of the difference at every pixel,
    keeps steep places from making the spectrum.
    """
    largest = float(np.max(np.abs(difference), where=known, initial=0.0))
    usual = np.maximum(usual, SMALLEST * largest)
    even = filled(difference / usual, ~known)
    lines, columns = even.shape
    beyond = np.concatenate([even, even[::-1]])  # no step from the last line to the first
    step = max(1, PART // lines)
    parts = [slice(first, first + step) for first in range(0, columns, step)]
    power = sum(np.sum(np.abs(np.fft.rfft(beyond[:, one], axis=0)) ** 2, axis=1) for one in parts)
    flat = float(np.median(power[np.fft.rfftfreq(2 * lines) >= FINE]))
    gain = np.minimum(1.0, flat / np.maximum(_smooth(power), np.finfo(float).tiny))[:, None]
    for one in parts:
        spectrum = gain * np.fft.rfft(beyond[:, one], axis=0)
        even[:, one] = np.fft.irfft(spectrum, n=2 * lines, axis=0)[:lines]
    return even * usual


def _smooth(power: Field) -> Field:
    """Return medians of a spectrum over `BAND` of it."""
    half = max(1, int(0.5 * BAND * len(power)))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(power, half, mode="reflect"), 2 * half + 1
    )
    return median(windows)


def _roughness(mean: Field) -> Field:
    """Return how bent the relief is around every pixel."""
    import cv2

    whole = filled(mean, ~np.isfinite(mean))
    bent = np.abs(cv2.Laplacian(whole, cv2.CV_64F, borderType=cv2.BORDER_REFLECT))
    return np.asarray(cv2.blur(bent, (NEAR, NEAR), borderType=cv2.BORDER_REFLECT))


def _jumped(
    trace: Field, retrace: Field, offsets: Field
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which lines jumped in either direction: those further from their neighbours."""
    known = np.isfinite(offsets)
    centre = float(np.median(offsets[known]))
    far = known & (np.abs(offsets - centre) > JUMPED * spread(offsets))
    expected, _ = _beside(trace, retrace)
    t, r = (np.abs(line_medians(one - expected)) for one in (trace, retrace))
    of_trace = far & (t > CLEARER * r)
    return of_trace, far & (r > CLEARER * t)


def _beside(trace: Field, retrace: Field) -> tuple[Field, Field]:
    """Return what the lines above and below have, and half of what these lie apart.

    The middle of the two and the difference, each of the mean of both directions; where one line
    or direction is not known, of the others.
    """
    with_both = np.stack([trace, retrace])
    known = np.isfinite(with_both)
    count = known.sum(axis=0)
    mean = np.where(known, with_both, 0.0).sum(axis=0) / np.maximum(count, 1)
    mean[count == 0] = np.nan
    up, down = np.arange(len(mean)) - 1, np.arange(len(mean)) + 1
    up[0], down[-1] = min(1, len(mean) - 1), max(0, len(mean) - 2)
    above, below = mean[up], mean[down]
    above, below = (
        np.where(np.isfinite(one), one, two) for one, two in ((above, below), (below, above))
    )
    return 0.5 * (above + below), 0.5 * (above - below)


def _share(trace: Field, retrace: Field, flat: Field, variance: float) -> Field:
    """Return what the retrace weighs in each line, shape (lines, 1): the trace's part of the noise.

    All lines share one, but for those whose noise is another.
    """
    t, r = _unrest(trace), _unrest(retrace)
    d = _variances(flat)
    whole = _part(np.nanmedian(t), np.nanmedian(r), variance)
    lines = np.array([_part(*one, max(variance, 1e-300)) for one in zip(t, r, strict=True)])
    uneven = d > UNEVEN * np.nanmedian(d)
    return np.where(uneven & np.isfinite(lines), lines, whole)[:, None]


def _unrest(field: Field) -> Field:
    """Return the mean square of each line's difference from its two neighbours."""
    beyond = np.pad(field, ((1, 1), (0, 0)), mode="reflect" if len(field) > 1 else "edge")
    return _variances(field - 0.5 * (beyond[:-2] + beyond[2:])) / 1.5


def _variances(field: Field) -> Field:
    """Return the variance of every line, whatever scars it has."""
    inside = np.abs(field - line_medians(field)[:, None])
    return np.asarray((NORMAL * line_medians(inside)) ** 2)


def _part(trace: float, retrace: float, both: float) -> float:
    """Return the trace's part of a variance of both, from its own and the retrace's unrest."""
    if not (both > 0 and np.isfinite(trace - retrace)):
        return 0.5
    return float(np.clip(0.5 + 0.5 * (trace - retrace) / both, 1 - MOST, MOST))


def _mean_along(values: Field) -> Field:
    """Return means over `ALONG` pixels of each line, of what is known."""
    import cv2

    known = np.isfinite(values)
    sums, counts = (
        cv2.blur(one, (ALONG, 1), borderType=cv2.BORDER_REFLECT)
        for one in (np.where(known, values, 0.0), known.astype(np.float64))
    )
    return np.where(counts > 1e-9, sums / np.maximum(counts, 1e-9), 0.0)

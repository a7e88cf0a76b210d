"""Levelling: take off what is not the sample's relief, say what it was, and keep it.

A specification such as ``"plane"``, ``"poly3"`` or ``"plane+rows-median"`` names steps that are
applied in order. Every step adds a :class:`~afmsr_core.channel.Step` to the channel's history,
and what has to be put back after upscaling comes as a :class:`Background`, which can be
evaluated on any grid over the same area.

References
----------
Nečas D., Valtr M., Klapetek P., "How levelling and scan line corrections ruin roughness
measurement and how to prevent it", Sci. Rep. 10, 15294 (2020), doi 10.1038/s41598-020-72171-8:
levelling takes part of the relief with it, so each step says how much it removed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import FieldError, UsageError, did_you_mean
from afmsr_core.picture.looks import Look
from afmsr_core.quantity import readable
from afmsr_core.surfaces import (
    MAX_DEGREE,
    Background,
    Heights,
    Pixels,
    Plane,
    Surface,
    fit_plane,
    fit_polynomial,
    from_centre,
    uncertainty,
)

__all__ = [
    "LEVELLERS",
    "MASK_MODES",
    "NONE",
    "Levelled",
    "Leveller",
    "Removed",
    "level",
    "parse_spec",
]

NONE = "none"
"""The specification that changes nothing."""

UNSURE = 0.3
"""Of the standard deviation of a pixel: what levelling may be uncertain by before a mask is told to
leave too few pixels. A plane reaches it at 33 pixels that lie all over the scan, or where it is
told by a block of 30 x 30 pixels and needed on 256 x 256."""

UNTOLD = 10.0
"""Of the same: from here on a mask is refused. All that is left of the relief is what the fit adds,
as of a plane that 3 x 3 pixels tell, where it is needed on 100 x 100."""

TIMES = 1.5
"""It must be so many times what it is without the mask: short lines tell little by themselves."""


# --- steps ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Removed:
    """What one levelling step did.

    Attributes
    ----------
    heights : ndarray of float64, shape (yres, xres)
        The levelled heights.
    surface : Surface
        What has to be put back after upscaling.
    effect : str
        What was removed, in words with units.
    """

    heights: Heights
    surface: Surface
    effect: str


@dataclass(frozen=True)
class Leveller:
    """Descriptor of one levelling step.

    Attributes
    ----------
    name : str
        As written in a specification.
    summary : str
        One line for help texts.
    remove : callable
        Takes a channel and the pixels that take part, returns :class:`Removed`.
    unsure : callable
        Takes the pixels that take part and those that were measured; returns the standard
        deviation of what is taken off, in those of a pixel.
    """

    name: str
    summary: str
    remove: Callable[[Channel, Pixels], Removed]
    unsure: Callable[[Pixels, Pixels], float]


def _remove_plane(channel: Channel, valid: Pixels) -> Removed:
    plane = fit_plane(channel.heights, valid)
    effect = (
        f"datum {readable(plane.datum, channel.unit)}, "
        f"tilt {_slope(plane.slope_x / channel.xreal, channel)} in x and "
        f"{_slope(plane.slope_y / channel.yreal, channel)} in y, "
        f"{_peak_to_valley(plane, channel)}"
    )
    return Removed(plane.subtracted_from(channel.heights), plane, effect)


def _remove_polynomial(channel: Channel, valid: Pixels, degree: int) -> Removed:
    surface = fit_polynomial(channel.heights, degree, valid)
    effect = f"polynomial of total degree {degree}, {_peak_to_valley(surface, channel)}"
    return Removed(surface.subtracted_from(channel.heights), surface, effect)


def _align_rows(
    channel: Channel, valid: Pixels, find: Callable[[Heights, Pixels, Heights], Heights]
) -> Removed:
    """Take one offset off each scan line; only the straight line through them is put back."""
    measured = np.isfinite(channel.heights).sum(axis=1).astype(np.float64)
    offsets = find(channel.heights, valid, measured)
    trend = _straight_line(offsets, measured)
    artefact = offsets - trend.on_grid(channel.yres, 1)[:, 0]
    effect = (
        f"offsets of {channel.yres} scan lines, {readable(np.ptp(artefact), channel.unit)} "
        f"peak to valley about their straight line; of these only that line "
        f"({_slope(trend.slope_y / channel.yreal, channel)} in y) belongs to the background"
    )
    return Removed(channel.heights - offsets[:, None], trend, effect)


def _median_offsets(heights: Heights, valid: Pixels, measured: Heights) -> Heights:
    """Return the median of each line, less their mean; a line without is interpolated."""
    medians, known = _line_medians(heights, valid)
    offsets = np.interp(np.arange(len(medians)), np.flatnonzero(known), medians[known])
    return offsets - np.average(offsets, weights=measured)


def _median_diff_offsets(heights: Heights, valid: Pixels, measured: Heights) -> Heights:
    """Sum up the median differences of neighbouring lines, less their straight line.

    Where two lines share too few pixels, their difference is taken as the typical one.
    """
    offsets = np.zeros(len(heights))
    shared = valid[1:] & valid[:-1]
    if shared.any():
        with np.errstate(invalid="ignore"):  # infinite neighbours; they are not `shared`
            medians, known = _line_medians(np.diff(heights, axis=0), shared)
        offsets[1:] = np.cumsum(np.where(known, medians, np.median(medians[known])))
    return offsets - _straight_line(offsets, measured).on_grid(len(offsets), 1)[:, 0]


def _line_medians(values: Heights, valid: Pixels) -> tuple[Heights, Pixels]:
    """Median of the valid pixels of each line (zero where unknown), and where it is known.

    Gwyddion's bar: a line of n pixels counts with at least ln n + 1 valid ones, rounded. If no
    line has that many, those that have the most count.
    """
    counts = valid.sum(axis=1)
    known = counts >= min(math.floor(math.log(valid.shape[1]) + 1.5), int(counts.max()))
    medians = np.zeros(len(values))
    if valid.all():
        medians[:] = np.median(values, axis=1)
    else:
        for line in np.flatnonzero(known):
            medians[line] = np.median(values[line, valid[line]])
    return medians, known


def _unsure_medians(valid: Pixels, measured: Pixels) -> float:
    """Return the standard deviation of the medians of lines; where there is none, of a pixel."""
    counts = valid.sum(axis=1)[measured.any(axis=1)]
    return float(np.sqrt(np.mean(np.minimum(1.0, 0.5 * np.pi / np.maximum(counts, 1)))))


def _straight_line(offsets: Heights, weights: Heights) -> Plane:
    """Least-squares line through the offsets, each weighted by its number of pixels."""
    position = from_centre(len(offsets))
    middle, mean = np.average(position, weights=weights), np.average(offsets, weights=weights)
    spread = np.sum(weights * (position - middle) ** 2)
    slope = np.sum(weights * (position - middle) * (offsets - mean)) / spread if spread else 0.0
    return Plane(float(mean - slope * middle), 0.0, float(slope))


LEVELLERS: Mapping[str, Leveller] = MappingProxyType(
    {
        leveller.name: leveller
        for leveller in (
            Leveller("plane", "least-squares plane", _remove_plane, partial(uncertainty, 1)),
            *(
                Leveller(
                    f"poly{n}",
                    f"polynomial of total degree {n}",
                    partial(_remove_polynomial, degree=n),
                    partial(uncertainty, n),
                )
                for n in range(MAX_DEGREE + 1)
            ),
            Leveller(
                "rows-median",
                "align scan lines by their medians",
                partial(_align_rows, find=_median_offsets),
                _unsure_medians,
            ),
            Leveller(
                "rows-median-diff",
                "align scan lines by the median difference to the line before; keeps the tilt",
                partial(_align_rows, find=_median_diff_offsets),
                _unsure_medians,
            ),
        )
    }
)
"""Every levelling step by name."""

MASK_MODES: Mapping[str, Callable[[Pixels], Pixels]] = MappingProxyType(
    {"ignore": np.ones_like, "exclude": np.logical_not, "include": np.copy}
)
"""Which pixels take part, given the mask: Gwyddion's masking modes."""


# --- the corridor --------------------------------------------------------------------------


@dataclass(frozen=True)
class Levelled:
    """A levelled channel and what was taken off it.

    Attributes
    ----------
    channel : Channel
        The levelled channel; its history has one more step per levelling step.
    background : Background
        What has to be put back after upscaling.
    """

    channel: Channel
    background: Background


def parse_spec(spec: str) -> tuple[Leveller, ...]:
    """Return the levelling steps that a specification names.

    Parameters
    ----------
    spec : str
        ``"none"``, or names from :data:`LEVELLERS` joined by ``+``.

    Raises
    ------
    UsageError
        If a name is unknown.

    Examples
    --------
    >>> [step.name for step in parse_spec("plane+rows-median")]
    ['plane', 'rows-median']
    >>> parse_spec("none")
    ()
    """
    names = [name.strip() for name in spec.split("+")]
    if names == [NONE]:
        return ()
    for name in names:
        if name not in LEVELLERS:
            alone = f"; {NONE!r} stands alone" if name == NONE else ""
            hint = did_you_mean(name, (NONE, *LEVELLERS))
            raise UsageError(
                f"level {spec!r}: no step is called {name!r}{alone}.{hint} Choose {NONE}, "
                f"{', '.join(LEVELLERS)}, or several joined by '+', such as plane+rows-median"
            )
    return tuple(LEVELLERS[name] for name in names)


def level(channel: Channel, spec: str = "plane", mask: str = "ignore") -> Levelled:
    """Level a channel.

    Planes and polynomials are least-squares fits to the pixels that take part, subtracted with
    their mean, as in Gwyddion. They are the sample's or the scanner's shape, so the background
    holds them whole: ``levelled.channel.heights + levelled.background.on_grid(yres, xres)`` is
    the input to rounding.

    Row alignment takes one offset off each scan line (row), as in Gwyddion's Align Rows. The
    offsets are an artefact of the scan, not the sample's shape, so they are not put back: the
    background holds only their straight line (mean and slope along y, least squares), which
    keeps the datum and the tilt of the result those of the input.

    Parameters
    ----------
    channel : Channel
        In any unit. Pixels that are NaN or infinite never take part and stay as they are.
    spec : str
        ``"none"``, or steps in order, joined by ``+``: ``plane``, ``poly0`` to ``poly9``,
        ``rows-median``, ``rows-median-diff``.
    mask : {"ignore", "exclude", "include"}
        Whether marked pixels take part like others, do not, or are the only ones that do; what
        is found is subtracted from all pixels. Without a mask, ``exclude`` excludes nothing.

    Returns
    -------
    Levelled
        Channel and background. The channel has a warning more if a mask leaves few pixels.

    Raises
    ------
    UsageError
        If a step or a masking mode is unknown, or the mask to include is missing.
    FieldError
        If no pixel is left to fit, or a mask leaves so few that they do not tell the surface.

    Examples
    --------
    >>> scan = Channel(np.array([[1.0, 2.0], [3.0, 4.0]]), xreal=1000.0, yreal=1000.0)
    >>> levelled = level(scan)
    >>> bool(np.abs(levelled.channel.heights).max() < 1e-12)
    True
    >>> levelled.channel.history[-1].effect
    'plane: datum 2.5 nm, tilt 2 nm/µm in x and 4 nm/µm in y, 3 nm peak to valley'
    """
    steps = parse_spec(spec)
    valid = _taking_part(channel, mask)
    if steps and not valid.any():
        raise FieldError(_nothing_left(channel, mask))
    surfaces: list[Surface] = []
    if steps and channel.look is not None:  # a fixed range would be that of other heights
        channel = channel.replace(look=Look(channel.look.palette))
    if mask != "ignore" and channel.mask is not None:
        channel = _judged(channel, steps, valid, mask)
    for step in steps:
        removed = step.remove(channel, valid)
        surfaces.append(removed.surface)
        settings = {"step": step.name, "mask": mask}
        done = Step("level", __version__, settings, f"{step.name}: {removed.effect}")
        channel = channel.replace(heights=removed.heights).after(done)
    return Levelled(channel, Background(tuple(surfaces)))


def _taking_part(channel: Channel, mode: str) -> Pixels:
    """Return the finite pixels that a masking mode selects."""
    if mode not in MASK_MODES:
        raise UsageError(f"mask {mode!r}: choose {', '.join(MASK_MODES)}")
    finite = np.isfinite(channel.heights)
    if channel.mask is not None:
        return np.asarray(finite & MASK_MODES[mode](channel.mask))
    if mode == "include":
        raise UsageError(
            f"{channel.where}: mask 'include' needs a mask and the channel has none; "
            f"mark the pixels in Gwyddion or use mask 'ignore'"
        )
    return finite


def _judged(channel: Channel, steps: tuple[Leveller, ...], valid: Pixels, mask: str) -> Channel:
    """Return a channel with a warning if a mask leaves few pixels to level by, or refuse it."""
    measured = np.isfinite(channel.heights)
    for step in steps:
        unsure = step.unsure(valid, measured)
        if unsure < max(UNSURE, TIMES * step.unsure(measured, measured)):
            continue
        left = f"mask {mask!r} leaves {valid.sum()} of {measured.sum()} pixels to level by"
        cure = "use mask 'ignore' or mark other pixels in Gwyddion"
        if unsure > UNTOLD:
            raise FieldError(
                f"{channel.where}: {left}, too few or too close for {step.name}; {cure}, or give a "
                f"lower degree"
            )
        told = f"{left}: what {step.name} takes off is uncertain by {100 * unsure:.0f} % of Sq"
        channel = channel.replace(warnings=(*channel.warnings, f"{told}; {cure}"))
    return channel


def _nothing_left(channel: Channel, mask: str) -> str:
    """Say why there is no pixel to level by, and the cure."""
    if not np.isfinite(channel.heights).any():
        return (
            f"{channel.where}: no pixel is finite, so there is nothing to level; "
            f"choose another channel"
        )
    return (
        f"{channel.where}: mask {mask!r} leaves no finite pixel to level by; "
        f"use mask 'ignore' or change the mask in Gwyddion"
    )


# --- words ---------------------------------------------------------------------------------


def _slope(slope: float, channel: Channel) -> str:
    """Say a slope in height unit per lateral unit, per µm where that is a length."""
    if channel.lateral_unit == "nm":
        return f"{1000.0 * slope + 0.0:.4g} {channel.unit or '1'}/µm"  # + 0.0: never "-0"
    return f"{slope:.4g} {channel.unit or '1'}/{channel.lateral_unit or 'px'}"


def _peak_to_valley(surface: Surface, channel: Channel) -> str:
    span = float(np.ptp(surface.on_grid(channel.yres, channel.xres)))
    return f"{readable(span, channel.unit)} peak to valley"

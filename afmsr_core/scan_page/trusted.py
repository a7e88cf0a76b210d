"""Trusted: what is known of the scan and its result, from the file where it is there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.io.results import HALF_WIDTH
from afmsr_core.levelling import level
from afmsr_core.scan_page.subject import Subject
from afmsr_core.trust.assessment import COVERAGE
from afmsr_core.trust.coarseness import Coarseness, judge
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.trust.regions import Region, worth_a_zoom

__all__ = ["Interval", "Trusted", "trusted"]


@dataclass(frozen=True)
class Interval:
    """The interval around each height, in numbers.

    Attributes
    ----------
    coverage : float
        Share of the true heights that it should hold.
    calibrated : bool
        Whether its widths mean something in the unit of the heights.
    median, high : float
        Of its half-widths, and their 95th percentile.
    warning : str
        What is wrong with it; may be empty.
    """

    coverage: float
    calibrated: bool
    median: float
    high: float
    warning: str


@dataclass(frozen=True)
class Trusted:
    """How far a result is to be trusted.

    Attributes
    ----------
    sq : float
        Of the levelled scan.
    noise : Noise or None
        Of the scan; None if it is too small to tell.
    coarseness : Coarseness or None
        Whether its pixels are fine enough.
    reason : str
        Why the scan cannot be judged; empty if it can.
    interval : Interval or None
        None if the file does not hold it.
    regions : tuple of Region
        Where to look again, the most telling first.
    change : float or None
        Root mean square of result less bicubic; None if the result is bicubic.
    """

    sq: float
    noise: Noise | None
    coarseness: Coarseness | None
    reason: str
    interval: Interval | None
    regions: tuple[Region, ...]
    change: float | None


def trusted(subject: Subject) -> Trusted:
    """Return what is known of a scan and its result.

    Noise, verdict, interval and regions are those in the history of the half-width, if the file
    holds it; else the first two are found in the scan, and the regions are where the method
    changed most of what bicubic makes of it.
    """
    scan, settings, taken = subject.scan, subject.settings, subject.scale
    upright, scale = subject.upright, taken.upright
    relief = level(upright, settings.level, settings.mask).channel.heights
    sq = float(np.nanstd(relief))
    noise, coarseness, reason = None, None, ""
    record = _record(subject.half_width)
    try:
        noise = _noise(record) or noise_of(relief, scale.cell)
        size = (upright.dy, upright.dx) if scan.has_slopes else None
        coarseness = _coarseness(record)
        if coarseness is None:
            found = judge(relief, noise, size, scale)
            coarseness = found.turned if taken.sideways else found
    except FieldError as error:
        reason = str(error)
    regions = _regions(record)
    difference = subject.difference
    if regions is None:
        weight = subject.half_width
        if weight is None and difference is not None:
            weight = subject.result.replace(heights=difference, mask=None)
        regions = () if weight is None else worth_a_zoom(weight)
    if not sq > 0:  # no place is worse than another
        regions = ()
    change = None
    if difference is not None and np.isfinite(difference).any():
        change = float(np.sqrt(np.nanmean(difference**2)))
    return Trusted(
        sq, noise, coarseness, reason, _interval(subject.half_width, record), regions, change
    )


def _record(half_width: Channel | None) -> Mapping[str, Any]:
    """Return what `assess` wrote into the history of a half-width; empty if there is none."""
    step = half_width.last_step("assess") if half_width else None
    return step.settings if step else {}


# A history may have been edited. What of it makes no sense is found in the data again.
_UNFIT = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


def _number(value: Any) -> float:
    """Return a finite number.

    Raises
    ------
    ValueError, TypeError
        If it is none.
    """
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"{found} is no number")
    return found


def _noise(record: Mapping[str, Any]) -> Noise | None:
    try:
        told = record["noise"]
        white, lines = _number(told["white"]), _number(told["lines"])
    except _UNFIT:
        return None
    return Noise(white, lines, None, "scan")


def _coarseness(record: Mapping[str, Any]) -> Coarseness | None:
    try:
        told = dict(record["coarseness"])
        verdict, (columns, rows) = str(told.pop("verdict")), told.pop("pixels")
        for derived in ("advice", "more_pixels_help"):
            told.pop(derived, None)
        known: dict[str, Any] = {
            name: None if one is None else _number(one) for name, one in told.items()
        }
        return Coarseness(verdict=verdict, pixels=(int(columns), int(rows)), **known)
    except _UNFIT:
        return None


def _regions(record: Mapping[str, Any]) -> tuple[Region, ...] | None:
    try:
        return tuple(
            Region(**{name: _number(value) for name, value in told.items()})
            for told in record["regions"]
        )
    except _UNFIT:
        return None


def _interval(half_width: Channel | None, record: Mapping[str, Any]) -> Interval | None:
    if half_width is None:
        return None
    heights = np.asarray(half_width.heights)
    known = heights[np.isfinite(heights)]
    if not known.size:
        return None
    median, high = (float(one) for one in np.quantile(known, (0.5, 0.95)))
    try:
        coverage = _number(record.get("coverage", COVERAGE))
    except _UNFIT:
        coverage = COVERAGE
    calibrated = record.get("calibrated")
    if not isinstance(calibrated, bool):
        calibrated = half_width.title.startswith(HALF_WIDTH)
    return Interval(coverage, calibrated, median, high, str(record.get("warning", "")))

"""What was never measured of a scan, and what its file holds there.

Fields of Gwyddion cannot hold NaN: `afmsr_core.io` writes the mean of what was measured into gaps,
and masks it. And a scan may have been stopped: its file has room for the whole field from the
start, and where the scan ended early, or began late, holds what the program put there: the lowest
count, zero, NaN, or the last line again. Taken for heights, it decides the plane that is taken off
and everything after it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.large_field import LargeField
from afmsr_core.quantity import readable

__all__ = ["without_infinite", "without_unmeasured"]

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]

CHANCE = 1e-6
"""Probability below which a run of equal neighbours is no accident of coarse counts.

How often neighbours are equal is counted on the measured lines: at most every other pair, in
high-speed movies of 0.2 nm a count, of 434 real fields; 21 in a row are then no accident.
"""

AT_HOME = 1 / 8
"""Share of the measured pixels from which a value is one that the sample has: the floor of a
simulated surface, a level of a mask, a count of a scan that is hardly rougher than one. And share
of a line from which a run of equal pixels in it is long."""

BESIDE = 3
"""Measured lines beside an edge; most of them have long runs of one value where the edge line is
natural, around a peak that is clipped, say, or on a simulated surface without noise."""

FAR = 10
"""Ranges of the measured heights from which a value is no height of a scan of a few counts, where
whole lines of one value are natural. The lowest of 65536 counts is thousands of ranges away, the
deepest step beside a terrace of such a scan some."""

SHORTEST = 8
"""Pixels of a line from which its being of one value says something; the one pixel of a field one
wide always is. No scan is so narrow."""

REPEATS = 2
"""Copies of the outermost line that count as a filler; one alone may come of resampling."""

ROUNDING = 1e-11
"""By which a mean differs that two programs computed; of the mean and the range."""

FEW = 0.01
"""Share of a field that was measured below which a warning is due: what is made of so little is
filled in."""

STEP = "leave_out"
"""Name of the step in the history."""

SAMPLED = 512
"""Measured lines that are enough to count equal neighbours on."""


@dataclass(frozen=True)
class _Filler:
    """Lines at the top of a field that were perhaps not measured.

    Attributes
    ----------
    lines : int
        How many.
    value : float or None
        What all of them hold, NaN if nothing; None if they repeat the line below.
    """

    lines: int = 0
    value: float | None = None


def without_unmeasured(channel: Channel) -> Channel:
    """Return a channel in which gaps and lines that were never measured hold NaN.

    Parameters
    ----------
    channel : Channel
        As its file gives it, in any unit.

    Returns
    -------
    Channel
        `channel` itself if all of it was measured. Pixels that are masked and hold the mean of
        all others are NaN, and no longer masked. So are lines (or columns, in a scan that was
        turned) at an edge that hold one value, or copies of the outermost measured line, and the
        rest of a line that was broken off; `warnings` name these, `history` says what was left
        out.

    Notes
    -----
    Measured heights have noise, so a line of one value is no measurement, be the value the lowest
    count, zero or a mean. It is one where the field has such lines by nature: if all of it is
    constant; if the value is common elsewhere (:data:`AT_HOME`); if the lines beside it have long
    runs of one value, too (:data:`BESIDE`); if neighbours are equal so often that a whole line
    may be so by chance (:data:`CHANCE`) and the value is not far from all heights (:data:`FAR`).

    Examples
    --------
    >>> heights = np.random.default_rng(0).normal(size=(64, 64))
    >>> heights[40:] = -28.4
    >>> channel = without_unmeasured(Channel(heights, 100.0, 100.0))
    >>> channel.warnings
    ('lines 41 to 64 of 64 were not measured: all hold -28.4 nm; they are left out',)
    >>> int(np.isnan(channel.heights).any(axis=1).sum())
    24
    """
    return without_infinite(_without_fillers(_with_few_named(_with_gaps(channel))))


def _without_fillers(channel: Channel) -> Channel:
    """Return a channel in which lines at an edge that were not measured hold NaN, and are named."""
    heights = channel.heights
    top, bottom = _filler(heights), _filler(heights[::-1])
    rows = slice(top.lines, channel.yres - bottom.lines)
    if rows.stop <= rows.start:
        return channel
    inner = heights[rows].T
    left, right = _filler(inner), _filler(inner[::-1])
    if left.lines + right.lines >= channel.xres:
        left = right = _Filler()
    columns = slice(left.lines, channel.xres - right.lines)
    measured = heights[rows, columns]
    missing = np.zeros(heights.shape, dtype=bool)
    warnings = []
    # Every edge in turn is brought to the top, and what is marked as missing is turned along.
    for found, name, turned, marked, inside in (
        (top, "line", measured, missing, columns),
        (bottom, "line", measured[::-1], missing[::-1], columns),
        (left, "column", measured.T, missing[rows].T, slice(None)),
        (right, "column", measured.T[::-1], missing[rows].T[::-1], slice(None)),
    ):
        if not found.lines or _is_natural(found, turned):
            continue
        broken = _broken_off(found, turned)
        marked[: found.lines] = True
        marked[found.lines, inside][broken] = True
        at_end = found is bottom or found is right
        warnings.append(_told(found, name, len(marked), at_end, broken.stop > 0, channel.unit))
    if not warnings:
        return channel
    named = channel.replace(warnings=(*channel.warnings, *warnings))
    if np.isnan(heights[missing]).all():
        return named
    named = named.replace(heights=np.where(missing, np.nan, heights))
    if any(step.name == STEP for step in channel.history):
        return named  # written by us: what was left out then has a filler again
    settings = {"pixels": int(missing.sum())}
    return named.after(Step(STEP, __version__, settings, "; ".join(warnings)))


def without_infinite(channel: Channel) -> Channel:
    """Return a channel in which infinite heights, which are no measurement, are NaN, and named.

    Examples
    --------
    >>> channel = without_infinite(Channel(np.array([[1.0, np.inf]]), 2.0, 1.0))
    >>> channel.heights.tolist(), channel.warnings
    ([[1.0, nan]], ('1 of 2 pixels holds an infinite value; it counts as not measured',))
    """
    if isinstance(channel.heights, LargeField):  # a result, which is finite
        return channel
    infinite = np.isinf(channel.heights)
    count = int(np.count_nonzero(infinite))
    if not count:
        return channel
    hold, they = ("holds", "it counts") if count == 1 else ("hold", "they count")
    told = f"{count} of {infinite.size} pixels {hold} an infinite value; {they} as not measured"
    heights = np.where(infinite, np.nan, channel.heights)
    return channel.replace(heights=heights, warnings=(*channel.warnings, told))


def _with_few_named(channel: Channel) -> Channel:
    """Return a channel with a warning if hardly a pixel was measured, but some were."""
    measured, size = int(np.isfinite(channel.heights).sum()), channel.heights.size
    if not 0 < measured < FEW * size:
        return channel
    told = (
        f"{measured} of {size} pixels were measured, so nearly all that is made of it is filled "
        f"in; look at its mask in Gwyddion, or choose another channel"
    )
    return channel.replace(warnings=(*channel.warnings, told))


def _with_gaps(channel: Channel) -> Channel:
    """Return a channel with NaN for the mean that is masked."""
    heights, mask = channel.heights, channel.mask
    if mask is None or not mask.any() or mask.all():
        return channel
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = float(np.mean(heights)), float(np.ptp(heights))
        masked = heights[mask]
        fill = masked[abs(masked - mean) <= ROUNDING * (abs(mean) + spread)]
    # A constant field is one by nature, unless hardly a pixel of it is not masked.
    constant = spread == 0 and np.mean(mask) <= 1 - FEW
    if constant or not (fill.size and np.all(fill == fill[0])):
        return channel
    gaps = mask & (heights == fill[0])
    rest = mask & ~gaps
    return channel.replace(
        heights=np.where(gaps, np.nan, heights), mask=rest if rest.any() else None
    )


def _filler(field: Field) -> _Filler:
    """Return the lines at the top that hold one value, or are copies of one line."""
    first = field[0]
    if not np.isfinite(first).any():
        return _Filler(_leading(~np.isfinite(line).any() for line in field), math.nan)
    if first.size < SHORTEST:
        return _Filler()
    alike = _leading(np.array_equal(line, first) for line in field)
    if (first == first[0]).all():
        return _Filler(alike, float(first[0]))
    return _Filler(alike - 1) if alike > REPEATS else _Filler()


def _leading(answers: Iterable[bool]) -> int:
    """Return how many answers are true before the first that is not."""
    return sum(1 for _ in itertools.takewhile(bool, answers))


def _is_natural(found: _Filler, measured: Field) -> bool:
    """Whether lines above the measured ones are what the sample is like there."""
    if found.value is None:  # copies: natural if there are others, or lines are nearly alike
        same = any(map(np.array_equal, measured[1:], measured[:-1]))
        near = measured[: BESIDE + 1]
        return same or max(map(_no_accident, (measured.T, near.T))) > measured.shape[1]
    if math.isnan(found.value):
        return False
    least, size = _no_accident(measured), measured.shape[1]
    if np.mean(_sampled(measured) == found.value) >= AT_HOME:
        return True
    if least > size:
        return not _is_far(found.value, measured)
    broken = _broken_off(found, measured)
    beside = [np.delete(measured[0], broken), *measured[1:BESIDE]]
    least = max(least, round(AT_HOME * size))
    return _goes_on(found.value, beside) and (
        _no_accident(measured[bool(broken.stop) :][:BESIDE]) > size
        or 2 * sum(_longest_run(line) >= least for line in beside) > len(beside)
    )


def _is_far(value: float, measured: Field) -> bool:
    """Whether a value is so far from all heights that no sample with these has it."""
    heights = measured[np.isfinite(measured)]
    low, high = float(heights.min()), float(heights.max())
    away = max(low - value, value - high)
    return low < high and away > FAR * (high - low)


def _goes_on(value: float, beside: list[Field]) -> bool:
    """Whether a value is what the lines beside it lead to."""
    heights = np.concatenate(beside)
    heights = heights[np.isfinite(heights)]
    if not heights.size:
        return False
    low, high = float(heights.min()), float(heights.max())
    return 2 * low - high <= value <= 2 * high - low


def _longest_run(line: Field) -> int:
    """Return the most pixels of one value in a row."""
    return 1 + max((stop - start for start, stop in _runs(line[1:] == line[:-1])), default=0)


def _broken_off(found: _Filler, measured: Field) -> slice:
    """Return the pixels at one end of the first measured line that hold the filler, too."""
    if found.value is not None:
        size = measured.shape[1]
        for start, stop in _runs(measured[0] == found.value):
            if stop - start >= _no_accident(measured) and (start == 0) != (stop == size):
                return slice(start, stop)
    return slice(0, 0)


def _no_accident(field: Field) -> int:
    """Return how many equal pixels in a row are more than :data:`CHANCE` allows."""
    lines = _sampled(field)
    equal = np.count_nonzero(lines[:, 1:] == lines[:, :-1]) + 1
    return 1 + math.ceil(math.log(CHANCE) / math.log(equal / (lines[:, 1:].size + 2)))


def _sampled(field: Field) -> Field:
    return field[:: max(1, len(field) // SAMPLED)]


def _runs(line: Mask) -> list[tuple[int, int]]:
    """Return begin and end of every run of true pixels."""
    edges = np.flatnonzero(np.diff(line.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _told(found: _Filler, name: str, total: int, at_end: bool, broken: bool, unit: str) -> str:
    """Say in a sentence what was not measured, lines counted from 1 at the top."""
    first, last = (total - found.lines + 1, total) if at_end else (1, found.lines)
    inner = first - 1 if at_end else last + 1
    part = f" and part of {name} {inner}" if broken else ""
    one = found.lines == 1
    if found.value is None:
        holds = f"they repeat {name} {inner}"
    elif math.isnan(found.value):
        holds = f"{'it holds' if one else 'they hold'} no value"
    else:
        value = readable(found.value, unit)
        holds = f"{'it holds' if one else 'all hold'} {value}"
    which = f"{name} {first}" if one else f"{name}s {first} to {last}"
    were, they, are = ("was", "it", "is") if one and not part else ("were", "they", "are")
    return f"{which} of {total}{part} {were} not measured: {holds}; {they} {are} left out"

"""The plan: settings that could be scanned next, their errors and times, and which to take."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afmsr_core.arrays import as_channel
from afmsr_core.errors import FieldError, UsageError, did_you_mean
from afmsr_core.gaps import measured_part, middle
from afmsr_core.grid import Scale, choose, scales_of
from afmsr_core.io.line_rate import line_rate_of_file
from afmsr_core.io.units import from_file
from afmsr_core.levelling import level as levelled
from afmsr_core.planning.expected import MORE_POINTS, Quick
from afmsr_core.planning.result import FINER, MODES, READ, Plan, Setting
from afmsr_core.trust.coarseness import MAX_SIDE, OFFERED, Coarseness, judge
from afmsr_core.trust.noise import noise_of

if TYPE_CHECKING:
    from afmsr_core.arrays import Scan
    from afmsr_core.channel import Channel

__all__ = ["ENOUGH", "plan"]

COARSER = 4
"""How many times coarser than the quick scan settings are told: as far as was checked."""

ENOUGH = 1.05
"""Expected over asked error up to which a setting reaches it: 10.3 % is told as 10 %."""

FEWEST = 32
"""Lines of the smallest setting that is told, unless the scan has fewer; the check begins at 24."""

_NO_HEIGHTS = (
    "errors and ranges were checked on heights, and this channel is none: take them as a hint"
)


def plan(
    scan: Scan,
    *,
    error: str = "10%",
    mode: str = "tapping",
    lines_per_second: float | None = None,
    channel: str | int | None = None,
    level: str = "plane",
    asked_side: int | None = None,
    size: tuple[float, float] | None = None,
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
) -> Plan:
    """Say which settings reach an error in the least time, from one quick scan.

    Parameters
    ----------
    scan : path, Channel, array_like of shape (lines, points), or xarray.DataArray
        The quick scan, the fast axis across; an array needs its size and `unit`, as for
        :func:`afmsr.upscale`.
    error : str
        Root mean square error that is wanted: a share of Sq (``"10%"``), or a height with its
        unit (``"0.3 nm"``).
    mode : str
        ``"contact"``, ``"tapping"``, ``"non-contact"`` or ``"stm"``, where points along a line
        cost no time; ``"force-map"``, where every point does.
    lines_per_second : float, optional
        Of the quick scan, and of those to come; by default as its file says, if it does.
    channel : str or int, optional
        Of a file: number, title or pattern; the first with heights by default.
    level : str
        Levelling before anything is measured; Sq is that of what is left.
    asked_side : int, optional
        Pixels a side in the middle of the scan that are asked, where nobody shall wait for more;
        all by default.
    size, pixel_size, unit
        Of a bare array, see :func:`afmsr.upscale`.

    Returns
    -------
    Plan
        ``print`` shows it as `afmsr plan` does.

    Raises
    ------
    UsageError
        If error, mode or rate make no sense.
    FieldError
        If the scan is too small to be asked, of one height, or made by upscaling.

    Examples
    --------
    >>> from afmsr_core.data import example_pair
    >>> found = plan(example_pair()[0], error="10%")
    >>> found.lines, found.chosen.lines
    (128, 192)
    """
    per_point = _per_point(mode)
    quick = as_channel(scan, channel=channel, size=size, pixel_size=pixel_size, unit=unit)
    if scales_of(quick):
        raise FieldError(
            f"{quick.where}: it was upscaled, so most of its pixels were not measured; give the "
            f"scan that it was made from"
        )
    scale = choose(quick).scale
    quick = quick.turned() if scale.sideways else quick
    relief = levelled(quick, level).channel.heights
    if asked_side is not None:
        relief = middle(relief, asked_side)
    measured = relief[measured_part(relief)]
    coarseness = _judged(quick, relief, scale.upright)
    asked_of = Quick(measured, scale.cell)
    if not asked_of.sq > 0:
        raise FieldError(
            f"{quick.where}: one height throughout, so there is nothing to plan for; choose "
            f"another channel"
        )
    rate, rate_from = _rate(scan, quick, lines_per_second)
    tells_finer = asked_of.tells_finer
    most = quick.yres * (FINER if tells_finer else 1)
    fewest = max(min(FEWEST, quick.yres), quick.yres / COARSER)
    found = []
    for lines in sorted({*OFFERED, quick.yres, FINER * quick.yres}):
        if fewest <= lines <= most:
            found += _settings(quick, asked_of, lines, per_point, rate)
    if not found:
        raise FieldError(
            f"{quick.where}: an area of {quick.xres} x {quick.yres} px that is so long and narrow "
            f"has no settings of {FEWEST // 2} to {MAX_SIDE} square pixels a side; crop it first"
        )
    order = tuple(READ)[::-1]  # of the same time and error, all points of a line come first
    settings = tuple(sorted(found, key=lambda one: (one.time, one.error, order.index(one.read))))
    asked = _asked(error, quick, asked_of.sq)
    return Plan(
        scan=quick.where,
        unit=quick.unit,
        lines=quick.yres,
        points=quick.xres,
        sq=asked_of.sq,
        asked=asked,
        mode=mode,
        lines_per_second=rate,
        rate_from=rate_from,
        coarseness=coarseness.turned if scale.sideways else coarseness,
        tells_finer=tells_finer,
        settings=settings,
        chosen=next((one for one in settings if one.error <= ENOUGH * asked), None),
        warnings=(*quick.warnings, *(() if quick.shows_relief else (_NO_HEIGHTS,))),
    )


def _judged(quick: Channel, relief: NDArray[np.float64], scale: Scale) -> Coarseness:
    size = (quick.dy, quick.dx) if quick.has_slopes else None
    try:
        return judge(relief, noise_of(relief, scale.cell), size, scale)
    except FieldError as error:
        raise FieldError(f"{quick.where}: {error}") from error


def _settings(
    quick: Channel, asked_of: Quick, lines: int, per_point: bool, rate: float | None
) -> list[Setting]:
    """Return what can be scanned with so many lines: square pixels, and more points a line."""
    square = round(lines * quick.xreal / quick.yreal)
    many = MORE_POINTS * square
    low, high = asked_of.likely(lines / quick.yres)
    found = []
    for points, read in ((square, "afm"), (square, "bicubic"), (many, "lines")):
        if not FEWEST / 2 <= points <= MAX_SIDE:
            continue
        error = asked_of.error(quick.yres / lines, quick.xres / points, read)
        time = lines * points / quick.xres if per_point else float(lines)
        seconds = None if rate is None else time / rate
        found.append(Setting(lines, points, read, error, low * error, high * error, time, seconds))
    return found


def _per_point(mode: str) -> bool:
    if mode not in MODES:
        hint = did_you_mean(mode, list(MODES))
        raise UsageError(f"no mode is called {mode!r}.{hint} Choose {', '.join(MODES)}")
    return MODES[mode]


def _asked(error: str, quick: Channel, sq: float) -> float:
    """Return the error that is asked for, over Sq."""
    number = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([^\d\s.].*?)\s*", str(error))
    try:
        value = float(number[1]) if number else math.nan
    except ValueError:
        value = math.nan
    if number is None or not (math.isfinite(value) and value > 0):
        raise UsageError(
            f"error {error!r}: give a share of Sq such as 10%, or a height with its unit such as "
            f"0.3nm"
        )
    if number[2] == "%":
        return value / 100
    factor, unit = from_file(number[2])
    if unit != quick.unit:
        raise UsageError(
            f"error {error!r}: {quick.where} is in {quick.unit or 'no unit'}; give the error in "
            f"that, or in % of Sq"
        )
    return value * factor / sq


def _rate(scan: Scan, quick: Channel, told: float | None) -> tuple[float | None, str]:
    """Return lines a second, and where that comes from."""
    if told is not None:
        if not (math.isfinite(told) and told > 0):
            raise UsageError(f"lines per second {told}: give a positive number")
        return told, "option"
    path = Path(scan) if isinstance(scan, str | os.PathLike) else quick.path
    if path is None or quick.number is None:
        return None, ""
    found = line_rate_of_file(path, quick.number)
    return found, "" if found is None else "file"

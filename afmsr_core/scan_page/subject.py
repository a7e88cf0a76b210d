"""Subject: what the page is about, a scan and what was made of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import io
from afmsr_core.averaging import averaged
from afmsr_core.channel import Channel
from afmsr_core.errors import ChannelNotFoundError, FieldError, UsageError
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale, scale_of, scales_of
from afmsr_core.io.results import drawn_at_random, half_width_of, is_extra, results_in
from afmsr_core.large_field import LARGE
from afmsr_core.levelling import level, parse_spec
from afmsr_core.methods import Interpolation, registry
from afmsr_core.quantity import sides
from afmsr_core.upscale import PROTOCOLS, Settings, Upscaler, warnings_for

__all__ = ["Subject", "check_size", "subject_of", "subject_of_file"]

Field = NDArray[np.float64]

SAME_AREA = 1e-4
"""Of a side: areas that differ by less are one; files keep sizes as decimals of few digits."""

LOOSE = 0.5
"""Correlation of scan and result at the measured pixels below which a warning is due: results of
all methods on real scans stay above 0.9, those of another scan fall to about 0."""

CHOSEN = re.compile(r"\((?:x\d+|lines x\d+,) ([^\s,()]+)[^()]*\)\s*$")
"""The method at the end of a result's title, as `Upscaler` writes it."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A scan, what was made of it, and what bicubic interpolation makes of it.

    Attributes
    ----------
    scan, result : Channel
        The scan as it was read; a result that is the levelled field has it levelled, too.
    bicubic : Channel or None
        On the pixels of the result; None if the result is bicubic itself.
    half_width : Channel or None
        Of the interval around each height of the result, if it is known.
    settings : Settings
        What the result was made with, as far as its history tells.
    scale : Scale
        Pixels that the method made of one that was measured, before any were averaged.
    others : tuple of str
        Titles of other results in the file.
    warnings : tuple of str
        What must be told before anything on the page is trusted.
    guess : Channel or None
        What the method made, before it was averaged or sharpened, if that is not the result.
    seed : int
        Of the surfaces that are drawn for the numbers of a full scan.
    numbers : mapping or None
        What :func:`afmsr_core.metrics.numbers.numbers_of_both` tells, with ``full_scan`` as from
        :func:`afmsr_core.realisations.numbers.full_scan_of`, if it is known already.
    """

    scan: Channel
    result: Channel
    bicubic: Channel | None
    half_width: Channel | None
    settings: Settings
    scale: Scale = SQUARE
    others: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    guess: Channel | None = None
    seed: int = 0
    numbers: Mapping[str, Any] | None = None

    @property
    def upright(self) -> Channel:
        """The scan as the method took it, whose lines are rows."""
        return self.scan.turned() if self.scale.sideways else self.scan

    @property
    def drawn(self) -> str:
        """What is to be known of a surface that is drawn at random; empty of a best guess."""
        return drawn_at_random(self.result)

    @property
    def difference(self) -> Field | None:
        """Result less bicubic, in their unit; None if the result is bicubic itself."""
        if self.bicubic is None:
            return None
        return np.asarray(self.result.heights) - np.asarray(self.bicubic.heights)


def subject_of_file(
    path: Path,
    channel: str | int | None = None,
    scan: Path | None = None,
    scan_channel: str | int | None = None,
) -> Subject:
    """Find the result, its scan and its half-width in a file.

    Parameters
    ----------
    path : Path
        With a result of `afmsr.upscale`.
    channel : str or int, optional
        The result: number, title or pattern; by default the first one that shows heights.
    scan : Path, optional
        File of the scan, where that of the result does not hold it.
    scan_channel : str or int, optional
        The scan in its file; by default the one that the result's title names.

    Raises
    ------
    ChannelNotFoundError
        If there is no result, or no scan that it may be made from.
    ReadError, FieldError
        If a file or a channel cannot be used.
    """
    channels = io.read(path)
    result = _result(path, channels, channel, scan is not None)
    half_width = half_width_of(channels, result)
    others = tuple(one.name for one in results_in(channels) if one is not result)
    if scan is None and scan_channel is None:
        candidates = channels
    else:
        candidates = io.read(scan or path)
        if scan_channel is not None:
            candidates = io.select(candidates, scan_channel)
    source = _scan_of(result, candidates, scan or path)
    return subject_of(result, _joined_again(source, result, candidates), half_width, others)


def subject_of(
    result: Channel,
    scan: Channel,
    half_width: Channel | None = None,
    others: Sequence[str] = (),
) -> Subject:
    """Return a result with its scan, and with what bicubic interpolation makes of that.

    Parameters
    ----------
    result : Channel
        As `afmsr.upscale` returns it.
    scan : Channel
        What it was made from.
    half_width : Channel, optional
        ``confidence`` of :func:`afmsr_core.trust.assess`.
    others : sequence of str
        Titles of other results in the file.

    Raises
    ------
    FieldError
        If the result is not of the scan's area, unit or pixels.
    """
    check_size(result)
    if not _fits(result, scan):
        raise FieldError(
            f"{result.where}: {_shape(result)} cannot be made from {scan.where}, {_shape(scan)}; "
            f"give the scan that it was made from with --scan"
        )
    made, scale = _made_with(result), _scale(result, scan)
    settings, told = _settings(result, made)
    warnings = [*told]
    bicubic = None
    if settings.method != "bicubic":
        plain = Settings(
            method="bicubic",
            level=settings.level,
            mask=settings.mask,
            restore_background=settings.restore_background,
            protocol=settings.protocol,
            scale=scale.option,
        )
        bicubic = averaged(Upscaler(plain)(scan), result.heights.shape)
    shown = scan
    if not settings.restore_background:
        shown = _levelled(scan, settings, scale)
    if settings.protocol == "paper":
        warnings.append(
            "it was made in 256 grey levels, the 8-bit protocol of the publication, which loses "
            "heights; for heights, upscale with --protocol nm"
        )
    if settings.method in registry.names():
        warnings += warnings_for(registry.get(settings.method), scan)
    # Levelling tells too, if a mask leaves little to level by.
    warnings += (*_levelled(scan, settings, scale).warnings, *result.warnings)
    warnings += _loose(result, scan, settings)
    found = Subject(shown, result, bicubic, half_width, settings, scale, tuple(others))
    sentences = dict.fromkeys(filter(None, (found.drawn, *warnings)))
    return replace(found, warnings=tuple(sentences))


def _scale(result: Channel, scan: Channel) -> Scale:
    """Return the scale of a result: as its history tells, else by the pixels of both.

    They say whether lines run down the field, which a title does not.
    """
    if result.last_step("upscale"):
        return scale_of(result)
    found = Scale(result.yres // scan.yres, result.xres // scan.xres)
    return found if found.upright in (LINES_X4, LINES_X2) else SQUARE


def _levelled(scan: Channel, settings: Settings, scale: Scale) -> Channel:
    """Return the scan as levelling left it, line by line along its lines."""
    if scale.sideways:
        return level(scan.turned(), settings.level, settings.mask).channel.turned()
    return level(scan, settings.level, settings.mask).channel


def check_size(result: Channel) -> None:
    """Refuse a result that is too large for a page.

    Raises
    ------
    FieldError
        If it has more than 64 million pixels: the numbers would take minutes and gigabytes.
    """
    if result.xres * result.yres > LARGE:
        raise FieldError(
            f"{result.where}: a page is made of up to {LARGE // 1_000_000} million pixels, and "
            f"these are {result.xres} x {result.yres}; take a part of it, or fewer pixels with "
            f"`afmsr upscale --pixels`"
        )


# --- finding -----------------------------------------------------------------------------------


def _result(
    path: Path, channels: Sequence[Channel], which: str | int | None, has_scan: bool
) -> Channel:
    if which is not None:
        return io.select(channels, which)[0]
    found = results_in(channels)
    if not found and has_scan and len(channels) == 1:  # of a format without titles or history
        return channels[0]
    if not found:
        raise ChannelNotFoundError(
            f"{path}: no channel is named as afmsr upscale names its results; if it is a scan, run "
            f"`afmsr upscale {shlex.quote(str(path))} --report`; if it is a result, name it with "
            f"--channel, or its scan with --scan"
        )
    return next((one for one in found if one.shows_relief), found[0])


def _scan_of(result: Channel, channels: Iterable[Channel], path: Path) -> Channel:
    """Return the channel that a result was made from: by its title, then by its heights."""
    rounds = _upscaled(result)
    fitting = [
        one
        for one in channels
        if one is not result
        and _fits(result, one)
        and not is_extra(one)
        and _upscaled(one) <= max(0, rounds - 1)
    ]
    if not fitting:
        raise ChannelNotFoundError(
            f"{path}: it does not hold the scan that {result.name!r} was made from, a channel "
            f"in {result.unit or 'no unit'} of the same area and no more pixels; give its file "
            f"with --scan FILE"
        )
    named = [
        one
        for one in fitting
        if result.title.startswith((f"{one.name} (x", f"{one.name} (lines x"))
    ]
    return max(named or fitting, key=lambda one: _likeness(result, one))


def _upscaled(channel: Channel) -> int:
    return len(scales_of(channel))


def _fits(result: Channel, scan: Channel) -> bool:
    """Whether a result may be made from a scan: same area and units, no fewer pixels.

    Along the lines of a line scan, where none are added, fewer may have been asked for.
    """
    sides = ((result.xreal, scan.xreal), (result.yreal, scan.yreal))
    rows, columns = scale_of(result)
    return (
        all(abs(one - other) <= SAME_AREA * other for one, other in sides)
        and (result.unit, result.lateral_unit) == (scan.unit, scan.lateral_unit)
        and (result.xres >= scan.xres or columns == 1)
        and (result.yres >= scan.yres or rows == 1)
    )


def _shape(channel: Channel) -> str:
    area = sides(channel.xreal, channel.yreal, channel.lateral_unit or "px", 6)
    return f"{channel.xres} x {channel.yres} px of {area} in {channel.unit or 'no unit'}"


def _likeness(result: Channel, scan: Channel, spec: str = "plane") -> float:
    """Return the correlation of a scan with what its result has at the measured pixels."""
    shape = min(result.yres, scan.yres), min(result.xres, scan.xres)
    both = [averaged(one.replace(mask=None), shape) for one in (result, scan)]
    fields = [level(one, spec).channel.heights for one in both if np.isfinite(one.heights).any()]
    if len(fields) < 2:
        return -1.0
    known = np.isfinite(fields[0]) & np.isfinite(fields[1])
    one, other = (field[known] for field in fields)
    if one.size < 2 or not (one.std() > 0 and other.std() > 0):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _joined_again(scan: Channel, result: Channel, channels: Sequence[Channel]) -> Channel:
    """Return the joint scan, where the result was made from a trace joined with its retrace."""
    from afmsr_core.joining import join, joined_with

    made = joined_with(result)
    if made is None or joined_with(scan) is not None:
        return scan
    title = str(made.get("retrace"))
    retraces = [one for one in channels if one.title == title and _alike(one, scan)]
    joint = join(scan, retraces[0]) if len(retraces) == 1 else scan
    if joined_with(joint) is not None:
        return joint
    return scan.replace(
        warnings=(
            *scan.warnings,
            f"the result was made from this scan joined with {title!r}, which cannot be joined "
            f"again from this file; what joining changed is part of the difference",
        )
    )


def _alike(one: Channel, other: Channel) -> bool:
    return (one.heights.shape, one.unit) == (other.heights.shape, other.unit)


# --- what the result was made with -------------------------------------------------------------


def _made_with(result: Channel) -> Mapping[str, Any]:
    """Return the settings of the step that made a result; empty if its file does not tell."""
    step = result.last_step("upscale")
    return step.settings if step else {}


def _settings(result: Channel, made: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Return the settings that bicubic is to be made with, and what is to be told of them."""
    titled = CHOSEN.search(result.title)
    plain = Settings(method=titled[1] if titled else "unknown")
    if not made:
        return plain, [
            "its file does not say how the result was made; bicubic beside it is made after "
            "levelling by a plane, which is put back"
        ]
    try:
        found = Settings(
            method=str(made.get("method", plain.method)),
            level=str(made.get("level", plain.level)),
            mask=str(made.get("mask", plain.mask)),
            restore_background=bool(made.get("restore_background", True)),
            protocol=str(made.get("protocol", plain.protocol)),
        )
        parse_spec(found.level)
        if found.protocol not in PROTOCOLS or found.mask not in ("ignore", "exclude", "include"):
            raise UsageError(f"unknown settings {found}")
    except UsageError:
        return plain, [
            "the history in its file holds settings that this version does not know; bicubic "
            "beside it is made after levelling by a plane, which is put back"
        ]
    return found, []


def is_interpolation(method: str) -> bool:
    """Whether a method, by its name, only interpolates; unknown ones are taken for networks."""
    return method in registry.names() and isinstance(registry.get(method), Interpolation)


def _loose(result: Channel, scan: Channel, settings: Settings) -> list[str]:
    """Return a warning if a result does not follow the scan that it is said to be made from."""
    found = _likeness(result, scan, settings.level)
    if found >= LOOSE or not np.asarray(scan.heights)[np.isfinite(scan.heights)].std() > 0:
        return []
    return [
        f"the result hardly follows the scan at the measured pixels (correlation {found:.2f}): if "
        f"{scan.where} is not what it was made from, give the right one with --scan"
    ]

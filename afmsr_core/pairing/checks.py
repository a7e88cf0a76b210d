"""Whether two channels can be compared: same units, same area, one finer than the other."""

from __future__ import annotations

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import PairError
from afmsr_core.quantity import readable

__all__ = ["MIN_SIDE", "SIZE_TOLERANCE", "check_pair", "check_units"]

SIZE_TOLERANCE = 0.10
"""Relative difference of physical sizes above which two scans show different areas.

Scanners are calibrated to a few percent; the worst real pair known here has 9 % along one axis.
"""
MIN_SIDE = 8  # pixels of the low-resolution scan; fewer hold no features to align
MAX_MISSING = 0.5  # share of pixels that may lack a value


def check_pair(low: Channel, high: Channel, *, size_tolerance: float = SIZE_TOLERANCE) -> None:
    """Make sure that two channels can be a pair.

    Parameters
    ----------
    low, high : Channel
        Low-resolution scan and ground truth.
    size_tolerance : float
        Relative difference of physical sizes that is allowed, see :data:`SIZE_TOLERANCE`.

    Raises
    ------
    PairError
        If a field is too small, constant or mostly not measured; if the units differ; if both
        have the same resolution or the low one the higher; if they show areas of different size.

    Examples
    --------
    >>> fine = np.arange(1024.0).reshape(32, 32)
    >>> high = Channel(fine, 100.0, 100.0, title="high")
    >>> check_pair(Channel(fine[::4, ::4], 100.0, 100.0, title="low"), high)
    >>> check_pair(high, Channel(fine[::4, ::4], 100.0, 100.0, title="low"))
    Traceback (most recent call last):
    afmsr_core.errors.PairError: channel 'high' and channel 'low': the pair is swapped, ...
    """
    both = f"{low.where} and {high.where}"
    for channel in (low, high):
        _check_field(channel)
    check_units(low, high)
    sizes = f"{low.xres} x {low.yres} and {high.xres} x {high.yres} pixels"
    if (low.xres, low.yres) == (high.xres, high.yres):
        raise PairError(
            f"{both}: both have {high.xres} x {high.yres} pixels; the ground truth must have more "
            f"pixels than the low-resolution scan, so check which files these are"
        )
    if low.xres >= high.xres and low.yres >= high.yres:
        raise PairError(f"{both}: the pair is swapped, with {sizes}; exchange low and high")
    if low.xres > high.xres or low.yres > high.yres:
        raise PairError(
            f"{both}: {sizes}, more in one direction and fewer in the other; "
            f"check which files these are"
        )
    for axis, here, there in (
        ("width", low.xreal, high.xreal),
        ("height", low.yreal, high.yreal),
    ):
        if abs(here - there) > size_tolerance * max(here, there):
            told, other = (readable(side, low.lateral_unit, 6) for side in (here, there))
            raise PairError(
                f"{both}: different areas, the {axis} is {told} and {other}, "
                f"more than {size_tolerance:.0%} apart; pair scans of the same area, or "
                f"correct their size in Gwyddion with Dimensions and Units"
            )


def check_units(one: Channel, other: Channel, options: str = "--channel") -> None:
    """Make sure that two channels can be compared; `options` choose them.

    Raises
    ------
    PairError
        If their units differ.
    """
    for what, here, there in (
        ("unit", one.unit, other.unit),
        ("lateral unit", one.lateral_unit, other.lateral_unit),
    ):
        if here != there:
            raise PairError(
                f"{one.where} and {other.where}: the {what} is {here or 'none'!r} in one and "
                f"{there or 'none'!r} in the other; choose channels of the same kind with {options}"
            )


def _check_field(channel: Channel) -> None:
    if min(channel.xres, channel.yres) < MIN_SIDE:
        raise PairError(
            f"{channel.where}: {channel.xres} x {channel.yres} pixels are too few to compare; "
            f"at least {MIN_SIDE} x {MIN_SIDE} are needed"
        )
    finite = np.isfinite(channel.heights)
    missing = 1 - float(finite.mean())
    if missing > MAX_MISSING:
        raise PairError(
            f"{channel.where}: {missing:.0%} of the pixels hold no value (NaN), at most "
            f"{MAX_MISSING:.0%} may; choose another channel or crop the scan"
        )
    measured = channel.heights[finite]
    if float(measured.min()) == float(measured.max()):
        raise PairError(
            f"{channel.where}: all heights are {readable(measured[0], channel.unit)}, there is "
            f"nothing to compare; choose another channel with --channel"
        )

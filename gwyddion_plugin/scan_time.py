"""The time at the microscope that upscaling saves, by mode of scanning."""

from __future__ import annotations

__all__ = ["saved"]

_LINE_RATE = 1.0  # lines a second, the usual speed of a careful scan; the dump does not tell it


def saved(yres: int, scale: int) -> str:
    """Say what a scan of `yres` lines saves against one of the upscaled size.

    Scanning line by line (contact, tapping), a line takes as long with 128 pixels as with 512:
    its speed is limited by the tip and the feedback, not by the sampling. So the fast axis saves
    nothing, and the time goes with the number of lines. Point by point (force volume), every
    pixel costs.

    Parameters
    ----------
    yres : int
        Lines that were scanned.
    scale : int
        Pixels of the result per pixel, along each axis.

    Examples
    --------
    >>> print(saved(128, 4))
    128 lines scanned instead of 512. Line by line (contact, tapping): 1/4 of the time, at 1
    line/s 2 min 8 s instead of 8 min 32 s; the fast axis saves nothing. Point by point (force
    maps): 1/16 of the time.
    """
    return (
        f"{yres} lines scanned instead of {yres * scale}. "
        f"Line by line (contact, tapping): 1/{scale} of the time, at {_LINE_RATE:g} line/s "
        f"{_duration(yres / _LINE_RATE)} instead of {_duration(yres * scale / _LINE_RATE)}; "
        f"the fast axis saves nothing. Point by point (force maps): 1/{scale**2} of the time."
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

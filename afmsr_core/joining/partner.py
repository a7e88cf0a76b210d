"""The other way of a scan: which channel of its file holds it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from afmsr_core.channel import Channel

__all__ = ["misfit", "other_way", "titled_other_way"]

BACK = r"retrace|backward|bwd|\[left\]"
THERE = r"trace|forward|fwd|\[right\]"
"""How programs title the two ways: Gwyddion and JPK, Nanonis and Nanosurf, RHK."""


def other_way(channel: Channel, channels: Iterable[Channel]) -> Channel | None:
    """Return the channel with the same lines scanned the other way, or None.

    Parameters
    ----------
    channel : Channel
        Trace or retrace.
    channels : iterable of Channel
        All of its file. The other way has the same title but for the word that tells the way,
        the same pixels, size and unit. Of several none is taken.

    Examples
    --------
    >>> import numpy as np
    >>> there, back = (Channel(np.ones((2, 2)), 1.0, 1.0, title=f"Z ({way})")
    ...                for way in ("Forward", "Backward"))
    >>> other_way(there, [there, back]) is back
    True
    """
    found = [one for one in titled_other_way(channel, channels) if not misfit(channel, one)]
    return found[0] if len(found) == 1 else None


def titled_other_way(channel: Channel, channels: Iterable[Channel]) -> list[Channel]:
    """Return the channels whose titles tell that they are the other way, fit or not."""
    stem, way = _read(channel.title)
    return [one for one in channels if _read(one.title) == (stem, not way)]


def misfit(channel: Channel, other: Channel) -> str:
    """Return why two channels cannot be two ways of the same lines, or an empty string.

    Examples
    --------
    >>> import numpy as np
    >>> one = Channel(np.ones((2, 2)), 1.0, 1.0)
    >>> misfit(one, one.replace(heights=np.ones((2, 4))))
    'it has 4 x 2 pixels, not 2 x 2'
    >>> misfit(one, one.replace(unit="V"))
    'it is in V, not in nm'
    """
    if other.heights.shape != channel.heights.shape:
        return f"it has {other.xres} x {other.yres} pixels, not {channel.xres} x {channel.yres}"
    if (other.unit, other.lateral_unit) != (channel.unit, channel.lateral_unit):
        units = [one.unit or "no unit" for one in (other, channel)]
        if units[0] == units[1]:
            units = [one.lateral_unit or "no unit" for one in (other, channel)]
            return f"its sides are in {units[0]}, not in {units[1]}"
        return f"it is in {units[0]}, not in {units[1]}"
    sizes = [(one.xreal, one.yreal) for one in (other, channel)]
    return "" if sizes[0] == sizes[1] else "it is of an area of another size"


def _read(title: str) -> tuple[str, bool]:
    """Return a title without its way, and whether that is back."""
    words = title.casefold()
    back = re.search(BACK, words) is not None
    bare = re.sub(f"{BACK}|{THERE}", "", words)
    return re.sub(r"[\W_]+", "", bare), back

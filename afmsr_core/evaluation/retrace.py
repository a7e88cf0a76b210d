"""The other way of a scan: which channel holds it, and where it lies on the first."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment import warp
from afmsr_core.alignment.area import fit_map, shrinkings
from afmsr_core.channel import Channel
from afmsr_core.gaps import filled
from afmsr_core.surfaces import fit_polynomial

__all__ = ["moved_onto", "other_way"]

Field = NDArray[np.float64]

BACK = r"retrace|backward|bwd|\[left\]"
THERE = r"trace|forward|fwd|\[right\]"
"""How programs title the two ways: Gwyddion and JPK, Nanonis and Nanosurf, RHK."""

ALIKE = 0.5
"""Least correlation of trace and retrace, without their backgrounds: signal and noise alike."""


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
    >>> there, back = (Channel(np.ones((2, 2)), 1.0, 1.0, title=f"Z ({way})")
    ...                for way in ("Forward", "Backward"))
    >>> other_way(there, [there, back]) is back
    True
    """
    stem, way = _read(channel.title)
    found = [
        one
        for one in channels
        if _read(one.title) == (stem, not way)
        and one.heights.shape == channel.heights.shape
        and (one.unit, one.lateral_unit) == (channel.unit, channel.lateral_unit)
        and (one.xreal, one.yreal) == (channel.xreal, channel.yreal)
    ]
    return found[0] if len(found) == 1 else None


def _read(title: str) -> tuple[str, bool]:
    """Return a title without its way, and whether that is back."""
    words = title.casefold()
    back = re.search(BACK, words) is not None
    bare = re.sub(f"{BACK}|{THERE}", "", words)
    return re.sub(r"[\W_]+", "", bare), back


def moved_onto(trace: Field, retrace: Field) -> Field | None:
    """Return a retrace on the pixels of its trace, or None if they do not show the same.

    Parameters
    ----------
    trace, retrace : ndarray of float64, shape (yres, xres)
        Levelled alike, x from left to right in both, or mirrored in one; NaN where not measured.

    Returns
    -------
    ndarray of float64, same shape, or None
        NaN where the retrace was not.
    """
    for candidate in (retrace, retrace[:, ::-1]):
        moved = _moved(trace, candidate)
        if moved is not None:
            return moved
    return None


def _moved(trace: Field, retrace: Field) -> Field | None:
    measured = np.isfinite(retrace), np.isfinite(trace)
    whole = all(one.all() for one in measured)
    fit = fit_map(
        filled(retrace, ~measured[0]),
        filled(trace, ~measured[1]),
        np.eye(3),
        "affine",  # hysteresis shifts and stretches a line, a slow axis that moves on shears
        background=2,
        steps=shrinkings(trace.shape, retrace.shape, np.eye(3)),
        measured=None if whole else measured,
    )
    if fit is None:
        return None
    moved = warp(retrace, fit.matrix, trace.shape)
    both = np.isfinite(moved) & np.isfinite(trace)
    if both.mean() < 0.5:
        return None
    one, other = (
        fit_polynomial(field, 2, both).subtracted_from(field)[both] for field in (trace, moved)
    )
    alike = float(one @ other) > ALIKE * float(np.sqrt((one @ one) * (other @ other)))
    return moved if alike else None

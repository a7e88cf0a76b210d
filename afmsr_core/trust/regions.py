"""Regions: which pixels are the least certain, and where a zoom scan would tell most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.grid import Scale

__all__ = ["FLAGGED", "Region", "flagged", "mean_square", "worth_a_zoom"]

Field = NDArray[np.float64]

FLAGGED = 0.15
"""Share of the pixels that is flagged: more would be no advice."""

SIDE = 8
"""A zoom covers an eighth of the scan's shorter side: with the same pixels, eight times finer."""

COUNT = 5
PIXEL = Scale(1, 1)


@dataclass(frozen=True)
class Region:
    """A square to scan again, in the coordinates of the microscope.

    Attributes
    ----------
    x, y : float
        Centre, the scan's offset included, in the lateral unit of the scan (nm for lengths).
    size : float
        Side of the square, in the same unit.
    uncertainty : float
        Root mean square of the interval's half-width there, in the unit of the heights.
    share : float
        Of the whole scan's squared half-widths.
    """

    x: float
    y: float
    size: float
    uncertainty: float
    share: float

    def as_dict(self) -> dict[str, float]:
        """Return everything, JSON-serialisable."""
        return dict(vars(self))


def flagged(
    width: Field, share: float = FLAGGED, block: Scale = PIXEL, power: Field | None = None
) -> NDArray[np.bool_]:
    """Return the least certain pixels.

    Parameters
    ----------
    width : ndarray of float64, shape (yres, xres)
        Half-width of the interval; NaN where not measured.
    share : float
        Of the measured pixels, at the most.
    block : Scale
        Pixels that are flagged together, by their mean square: those of one pixel of the scan.
        Both sides of the field must be multiples of it.
    power : ndarray of float64, optional
        The :func:`mean_square` of the blocks, where it is known.

    Examples
    --------
    >>> flagged(np.arange(10.0)[None], 0.2)[0].nonzero()[0]
    array([8, 9])
    """
    power = mean_square(width, block) if power is None else power
    known = power[np.isfinite(power)]
    if not known.size:
        return np.zeros(width.shape, dtype=bool)
    last = math.floor((1 - share) * (known.size - 1))
    doubt = power > np.partition(known, last)[last]  # False of NaN
    return np.repeat(np.repeat(doubt, block.rows, axis=0), block.columns, axis=1)


def mean_square(width: Field, block: Scale) -> Field:
    """Return the mean square of every block of pixels, shape (rows, columns) of blocks."""
    rows, columns = (n // fine for n, fine in zip(width.shape, block, strict=True))
    lines = np.einsum("ijk,ijk->ik", *2 * [width.reshape(rows, block.rows, -1)])
    sums = np.einsum("ijk->ij", lines.reshape(rows, columns, block.columns))
    return np.asarray(sums / (block.rows * block.columns))


def worth_a_zoom(
    uncertainty: Channel,
    count: int = COUNT,
    side: int = SIDE,
    block: Scale = PIXEL,
    power: Field | None = None,
) -> tuple[Region, ...]:
    """Choose the squares that hold most of the uncertainty.

    Parameters
    ----------
    uncertainty : Channel
        Half-width of the interval on the pixels of the result.
    count : int
        How many, at the most.
    side : int
        The shorter side of the scan over the side of a square.
    block : Scale
        Pixels that are taken together: those of one pixel of the scan. Squares begin and end with
        such a block.
    power : ndarray of float64, optional
        The :func:`mean_square` of the blocks, where it is known.

    Returns
    -------
    tuple of Region
        Without overlap, the most uncertain first.
    """
    power = mean_square(uncertainty.heights, block) if power is None else power
    height, width = uncertainty.dy * block.rows, uncertainty.dx * block.columns  # of a block
    size = min(uncertainty.xreal, uncertainty.yreal) / side
    rows, columns = max(1, round(size / height)), max(1, round(size / width))
    total = float(power.sum())
    if not math.isfinite(total):
        power = np.nan_to_num(power)
        total = float(power.sum())
    sums = np.zeros((power.shape[0] + 1, power.shape[1] + 1))
    inner = sums[1:, 1:]
    np.cumsum(np.cumsum(power, axis=0, out=inner), axis=1, out=inner)
    held = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns]
    held = held + sums[:-rows, :-columns]
    found = []
    for _ in range(count):
        top, left = np.unravel_index(np.argmax(held), held.shape)
        best = float(held[top, left])
        if not best > 0:
            break
        found.append(
            Region(
                x=float(uncertainty.xoff + (left + columns / 2) * width),
                y=float(uncertainty.yoff + (top + rows / 2) * height),
                size=float(size),
                uncertainty=float(np.sqrt(best / (rows * columns))),
                share=best / total,
            )
        )
        held[max(0, top - rows + 1) : top + rows, max(0, left - columns + 1) : left + columns] = 0.0
    return tuple(found)

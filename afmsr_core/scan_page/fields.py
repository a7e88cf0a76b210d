"""Fields in a page: heights as 16-bit steps about a plane, packed into text."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.surfaces import Plane

__all__ = ["GAP", "LARGEST", "Steps", "packed", "packed_mask", "thinned", "thinned_mask"]

Field = NDArray[np.float64]
Words = NDArray[np.uint16]

LARGEST = 1024
"""Pixels of the longer side, above which the page holds means over blocks: what a screen shows,
and some 6 MB a page."""

GAP = 65535
"""Stands for a pixel that was not measured; 65,535 other numbers are left for heights."""


_SLIVER = 1e-9  # of a pixel: less of one that was measured is rounding


@dataclass(frozen=True)
class Steps:
    """Heights as whole steps: ``low + step * number + plane``, to half a step.

    Attributes
    ----------
    low, step : float
        In the unit of the heights; the step is 0 if all are the same.
    plane : Plane
        That the numbers are relative to, so that neither datum nor tilt costs precision.
    """

    low: float
    step: float
    plane: Plane

    @classmethod
    def of(cls, fields: Sequence[Field], plane: Plane | None = None) -> Steps:
        """Return the smallest steps in which some fields fit into 16 bits.

        Parameters
        ----------
        fields : sequence of ndarray of float64, shape (yres, xres)
            Each on a grid of its own over the same area; NaN where not measured.
        plane : Plane, optional
            To take off first; none by default.
        """
        plane = plane or Plane()
        levelled = [plane.subtracted_from(field) for field in fields]
        known = [field[np.isfinite(field)] for field in levelled]
        known = [values for values in known if values.size]
        low = min((float(values.min()) for values in known), default=0.0)
        high = max((float(values.max()) for values in known), default=0.0)
        return cls(low, (high - low) / (GAP - 1), plane)

    def numbers(self, field: Field) -> Words:
        """Return a field as numbers of steps; `GAP` where not measured."""
        relief = self.plane.subtracted_from(field) - self.low
        with np.errstate(invalid="ignore"):
            share = np.rint(relief / self.step) if self.step > 0 else np.zeros_like(relief)
        return np.where(np.isfinite(field), share, GAP).astype(np.uint16)

    def heights(self, numbers: Words) -> Field:
        """Return what the page reads out of numbers."""
        levels = self.low + self.step * numbers + self.plane.on_grid(*numbers.shape)
        return np.where(numbers == GAP, np.nan, levels)


def packed(numbers: Words, beside: Words | None = None) -> str:
    """Return numbers as text: differences along the rows, bytes apart, deflated, base64.

    Parameters
    ----------
    numbers : ndarray of uint16, shape (yres, xres)
    beside : ndarray of uint16, same shape, optional
        A field that is known already and much the same: it is taken off first.
    """
    left = numbers if beside is None else numbers - beside  # modulo 65536, both
    change = np.diff(left, axis=1, prepend=np.zeros((len(left), 1), np.uint16)).ravel()
    data = np.concatenate([change & 255, change >> 8]).astype(np.uint8)
    return _text(data.tobytes())


def packed_mask(mask: NDArray[np.bool_]) -> str:
    """Return a mask as text: a bit a pixel, deflated, base64."""
    return _text(np.packbits(mask).tobytes())


def _text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def block_of(shape: tuple[int, int], largest: int = LARGEST) -> int:
    """Return how many pixels a side become one, so that no side exceeds `largest`."""
    return max(1, -(-max(shape) // largest))


def thinned(field: Any, block: int) -> Field:
    """Return the means over larger pixels, which share the area evenly.

    Parameters
    ----------
    field : ndarray or LargeField of float64, shape (yres, xres)
        NaN, which was not measured, counts in no mean.
    block : int
        Pixels a side that become one; 1 changes nothing. Where they do not divide a side, the
        larger pixels cover a little less, and parts of pixels count as parts: were the last one
        smaller, all before it would be shown, and the plane be taken off, in the wrong place.

    Examples
    --------
    >>> thinned(np.array([[1.0, 3.0, 5.0], [1.0, np.nan, 7.0]]), 2)
    array([[1.4, 5.4]])
    """
    if block == 1:
        return np.asarray(field, dtype=np.float64)
    down, across = (_edges(side, block) for side in field.shape)
    bands = []
    for top, bottom in pairwise(down):
        rows = np.arange(int(top), math.ceil(bottom))
        covered = np.minimum(rows + 1, bottom) - np.maximum(rows, top)
        band = np.asarray(field[rows[0] : rows[-1] + 1], dtype=np.float64)
        known = np.isfinite(band)
        total = _between(covered @ np.where(known, band, 0.0), across)
        count = _between(covered @ known, across)
        measured = count > _SLIVER
        with np.errstate(invalid="ignore", divide="ignore"):
            bands.append(np.where(measured, total / count, np.nan))
    return np.asarray(bands)


def _edges(side: int, block: int) -> Field:
    """Return the edges of the larger pixels of a side, in pixels from its beginning."""
    count = -(-side // block)
    return np.arange(count + 1) * side / count


def _between(values: Field, edges: Field) -> Field:
    """Return the sums of values between edges, which part pixels."""
    first = edges[:-1].astype(np.intp)
    part = (edges[:-1] - first) * values[first]
    return np.asarray(np.add.reduceat(values, first) - part + np.append(part[1:], 0.0))


def thinned_mask(mask: NDArray[np.bool_], block: int) -> NDArray[np.bool_]:
    """Return which blocks of pixels hold a marked one."""
    if block == 1:
        return mask
    return np.asarray(thinned(mask.astype(np.float64), block) > 0)

"""Fewer pixels than a method makes: each is the mean of the area that it covers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import UsageError
from afmsr_core.grid import SQUARE, scales_of
from afmsr_core.large_field import LargeField, bands, empty_field
from afmsr_core.quantity import sides

__all__ = ["averaged", "fineness"]

HALF = 0.5 - 1e-9  # share of a pixel's area from which on it is marked; the rest is rounding
STEP = "average"

Field = NDArray[np.float64]


def averaged(fine: Channel, shape: tuple[int, int]) -> Channel:
    """Average a field over the areas of larger pixels: same size, place and mean.

    Parameters
    ----------
    fine : Channel
        Such as a result, or the half-widths of its intervals.
    shape : (int, int)
        Rows and columns; no more than `fine` has. With as many, `fine` itself is returned.

    Returns
    -------
    Channel
        A pixel is NaN if a part of its area is, and marked if at least half of it is. Title and
        history tell.

    Notes
    -----
    The mean of half-widths is an upper bound. The standard deviation of a mean is at most the
    mean of the standard deviations, and reaches it when the errors are the same. Errors of
    neighbouring pixels of a result nearly are: they come from the same measured pixels. To
    divide by the root of the number of pixels, as for independent errors, would promise too much.

    Examples
    --------
    >>> fine = Channel(np.arange(16.0).reshape(4, 4), 100.0, 100.0, xoff=5.0, title="Height (x4)")
    >>> coarse = averaged(fine, (2, 2))
    >>> coarse.heights.tolist(), coarse.dx, coarse.xoff, coarse.title
    ([[2.5, 4.5], [10.5, 12.5]], 50.0, 5.0, 'Height (x4, averaged to 2 x 2 px)')
    """
    before = fine.yres, fine.xres
    if shape == before:
        return fine
    if shape[0] > before[0] or shape[1] > before[1]:
        raise UsageError(
            f"{fine.where}: {shape[1]} x {shape[0]} px are more than its {before[1]} x {before[0]}"
        )
    heights: Any = fine.heights
    datum = heights.datum if isinstance(heights, LargeField) else 0.0
    over = _Areas(before[0], shape[0]), _Areas(before[1], shape[1])
    result = empty_field(shape, datum)
    mask = None if fine.mask is None else np.empty(shape, np.bool_)
    for rows in bands(shape[0], -(-before[0] // shape[0])):
        result[rows] = _means(heights, over, rows)
        if mask is not None:
            mask[rows] = _means(fine.mask, over, rows) >= HALF
    pixels = f"averaged to {shape[1]} x {shape[0]} px"
    title = (
        f"{fine.title[:-1]}, {pixels})" if fine.title.endswith(")") else (f"{fine.name} ({pixels})")
    )
    made = fine.replace(heights=result, mask=mask, title=title)
    settings = {
        "columns": shape[1],
        "rows": shape[0],
        "from_columns": before[1],
        "from_rows": before[0],
    }
    effect = (
        f"{before[1]} x {before[0]} px averaged by area to {shape[1]} x {shape[0]} px of "
        f"{sides(made.dx, made.dy, fine.lateral_unit)}"
    )
    return made.after(Step(STEP, __version__, settings, effect))


def fineness(result: Channel) -> tuple[float, float]:
    """Return how many pixels a result has for one that was measured: down and across.

    As its history tells, which files keep, of all that was upscaled and averaged. Else as its title
    tells, which says nothing of what was averaged; else those of square pixels at 4x.
    """
    made = scales_of(result) or (SQUARE,)
    down, across = (float(math.prod(side)) for side in zip(*made, strict=True))
    for step in result.history:
        if step.name == STEP:
            down *= _share(step, "rows")
            across *= _share(step, "columns")
    return down, across


def _share(step: Step, side: str) -> float:
    after, before = step.settings.get(side), step.settings.get(f"from_{side}")
    return after / before if isinstance(after, int) and isinstance(before, int) and before else 1.0


@dataclass(frozen=True)
class _Areas:
    """Which of `before` pixels the larger of `after` along the same side cover, and how far."""

    before: int
    after: int

    def parts(self, pixels: slice) -> list[tuple[NDArray[np.int64], Field]]:
        """Return, for the first pixel that each of some covers, the second ...: number and share.

        In whole numbers, an `after`-th of a pixel each, so that no sliver is left by rounding.
        """
        left = np.arange(pixels.start, pixels.stop, dtype=np.int64) * self.before
        right = left + self.before
        first = left // self.after
        found = []
        for number in range(int((-(-right // self.after) - first).max())):
            start = (first + number) * self.after
            covered = np.minimum(start + self.after, right) - np.maximum(start, left)
            # One that covers fewer has its first again, with no share.
            which = np.where(covered > 0, first + number, first)
            found.append((which, covered.clip(0) / self.before))
        return found


def _means(field: Any, over: tuple[_Areas, _Areas], rows: slice) -> Field:
    """Return some rows of the means of a field."""
    down, across = over[0].parts(rows), over[1].parts(slice(0, over[1].after))
    top = int(down[0][0][0])
    part = np.asarray(field[top : int(max(which[-1] for which, _ in down)) + 1], dtype=np.float64)
    lines = np.sum([part[which - top] * share[:, None] for which, share in down], axis=0)
    return np.asarray(np.sum([lines[:, which] * share for which, share in across], axis=0))

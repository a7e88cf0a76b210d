"""What error to expect of a scan with other pixels, asked of the quick scan alone.

This is the model of :mod:`afmsr_core.trust.coarseness`, asked for other pixels than the scan has.
Its errors of prediction are taken along each axis by itself: coarser ones are measured, by leaving
more pixels out; finer ones fall with the power of the pixel size that the last two show. Where all
points of the lines are taken, only the error between the lines counts, as in that verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from afmsr_core.grid import LINES_X4
from afmsr_core.trust.coarseness import LEAST_ERROR, expected_error, left_out, power

__all__ = ["FACTORS", "LIKELY", "MORE_POINTS", "Quick"]

Field = NDArray[np.float64]

FACTORS = {"afm": 1.0, "bicubic": 1.06, "lines": 1.0}
"""What a scan's error is, by how it is read, over what the verdict on coarseness expects.

The verdict tells the error of the default networks, so they have 1. Medians over the samples that
they were not trained on, by `python -m benchmarks.trust plan`.
"""

LIKELY = {0.5: (0.65, 1.29), 1.0: (0.66, 1.51), 2.0: (0.49, 2.46)}
"""By how many times finer the lines are: between which shares of the expected error 8 of 10 lie.

10 % and 90 % of the true error over the expected, on 48 samples that are not of the dev split, each
with the same weight, by `python -m benchmarks.trust plan`; on the dev split 82 %, 88 %
and 86 % lie inside.
"""

MORE_POINTS = 4
"""Points along a line per line, where they cost no time: as many as upscaling would make."""

STEPS = (1, 2, 3, 4, 6, 8)
"""Distances, in lines, at which the error of prediction is measured."""

FLAT = 0.25
"""Power of the pixel size with which the error falls, below which nothing finer can be told.

White noise has 0; relief that the scan resolves has 0.5 to 2. In between lies noise, or relief much
finer than the pixels, and a single scan cannot tell the two apart.
"""


@dataclass(frozen=True, eq=False)
class Quick:
    """One quick scan, as it tells of others.

    Attributes
    ----------
    relief : ndarray of float64, shape (lines, points)
        Levelled; NaN where not measured; not of one height.
    cell : int
        Points along a line that are as long as lines are apart.
    """

    relief: Field
    cell: int = 1

    @cached_property
    def sq(self) -> float:
        """Root mean square height, in the unit of the heights."""
        return float(np.nanstd(self.relief))

    @cached_property
    def tells_finer(self) -> bool:
        """Whether its error falls with the size of the pixels, so that finer ones can be told."""
        near, far = (self._both(step, step * self.cell) for step in (1.0, 2.0))
        return math.log2(far / near) >= FLAT

    def error(self, lines: float, points: float, read: str) -> float:
        """Return the error to expect of other pixels, over Sq.

        Parameters
        ----------
        lines, points : float
            Distance between lines, and between points along them, in pixels of this scan.
        read : {"afm", "bicubic", "lines"}
            Upscaled with the network, read by bicubic interpolation, or lines of which all points
            are taken, upscaled with the network between them.
        """
        if read == "lines":
            square = self.error(lines, MORE_POINTS * points, "afm")  # it can be averaged to that
            near, far = (max(self._along(0, k * lines), LEAST_ERROR) for k in (1, 2))
            return min(square, FACTORS[read] * expected_error(near, far, LINES_X4))
        near, far = self._both(lines, points), self._both(2 * lines, 2 * points)
        return FACTORS[read] * expected_error(near, far)

    def likely(self, finer: float) -> tuple[float, float]:
        """Return between which shares of the expected error the true one lies, 8 times of 10.

        Parameters
        ----------
        finer : float
            Lines over lines of this scan.
        """
        at = list(LIKELY)
        low, high = (
            math.exp(np.interp(math.log(finer), np.log(at), np.log([LIKELY[k][end] for k in at])))
            for end in (0, 1)
        )
        return low, high

    def _both(self, lines: float, points: float) -> float:
        """Return the error of prediction over Sq; both directions count alike."""
        return max(
            math.hypot(self._along(0, lines), self._along(1, points)) / math.sqrt(2), LEAST_ERROR
        )

    def _along(self, axis: int, step: float) -> float:
        """Return the error of prediction along an axis from neighbours `step` pixels away."""
        steps, errors = self._measured[axis]
        if step < 1:
            return float(errors[0] * step ** power(errors[0], errors[1]))
        return math.exp(np.interp(math.log(step), np.log(steps), np.log(errors)))

    @cached_property
    def _measured(self) -> tuple[tuple[Field, Field], tuple[Field, Field]]:
        """Return, by axis, distances in pixels and the errors over Sq measured at them."""
        return self._measured_along(0), self._measured_along(1)

    def _measured_along(self, axis: int) -> tuple[Field, Field]:
        size = self.relief.shape[axis]
        asked = {*STEPS, *(k * self.cell for k in STEPS)} if axis else STEPS
        # Below 8 lines to compare, the error is that of the few features there.
        steps = [k for k in sorted(asked) if k <= 2 or 6 * k + 8 <= size]
        errors = [max(left_out(self.relief, k, axis) / self.sq, LEAST_ERROR) for k in steps]
        return np.array(steps, float), np.array(errors)

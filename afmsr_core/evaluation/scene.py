"""A scene: the two scans of a pair, levelled, and how results lie on the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment import Alignment, AlignmentSettings, Ground, align, warp
from afmsr_core.channel import Channel
from afmsr_core.grid import Scale, choose
from afmsr_core.levelling import level

__all__ = ["Scene"]

Field = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A pair as all methods and protocols see it; everything here is made once.

    Attributes
    ----------
    low, high : Channel
        The coarse and the fine scan.
    relief, truth : ndarray of float64
        Their levelled heights.
    """

    low: Channel
    high: Channel
    relief: Field
    truth: Field

    @classmethod
    def of(cls, low: Channel, high: Channel, spec: str) -> Scene:
        """Level both, by the same steps."""
        scene = cls(low, high, low.heights, high.heights)
        relief, truth = (scene.levelled(channel, spec) for channel in (low, high))
        return cls(low, high, relief, truth)

    @cached_property
    def scale(self) -> Scale:
        """What the coarse scan is taken with; ``(1, 4)`` where the lines run down the field."""
        return choose(self.low).scale

    def upright(self, field: Field) -> Field:
        """Return a field of either scan with its lines as rows; the same turns it back."""
        return field.T if self.scale.sideways else field

    def levelled(self, channel: Channel, spec: str) -> Field:
        """Return the levelled heights of a channel that was scanned as both scans were."""
        upright = channel.turned() if self.scale.sideways else channel
        return self.upright(level(upright, spec).channel.heights)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Height and width of a pixel of the truth."""
        return self.high.dy, self.high.dx

    @property
    def metrics(self) -> dict[str, Any]:
        """What the metrics must know of the coarse scan, as their settings.

        Of a line scan the lines count: what lies between them is what a method adds, and a square
        scan of the same time has the same. Along the lines it saw more.
        """
        low, high = self.low, self.high
        return {
            "scale": max(low.dx, low.dy) / max(high.dx, high.dy),
            "fast_axis": "y" if self.scale.sideways else "x",
        }

    @cached_property
    def _ground(self) -> Ground:
        return Ground(self.truth)

    def aligned(self, result: Field, chosen: AlignmentSettings) -> Alignment:
        """Align a result with the truth, starting from what the pixel sizes promise."""
        rows, columns = result.shape
        return align(
            result,
            self._ground,
            pixel_nm=(self.high.dx, self.high.dy),
            result_pixel_nm=(self.low.xreal / columns, self.low.yreal / rows),
            settings=chosen,
        )

    def described(self, found: Alignment) -> dict[str, Any]:
        """Return an alignment as words and numbers; in nm only where lengths are in nm."""
        return found.as_dict() | ({} if self.high.lateral_unit == "nm" else {"residual_nm": None})

    def coarse(self, shared: Alignment) -> Field:
        """Return the low scan on the pixels of the truth, its own pixels still to be seen."""
        repeated = self.relief
        for axis, (fine, coarse) in enumerate(
            zip(shared.result_shape, self.relief.shape, strict=True)
        ):
            repeated = np.repeat(repeated, fine // coarse, axis=axis)
        return warp(repeated, shared.matrix, self.truth.shape, "linear")

"""A scene: the two scans of a pair, levelled, and how results lie on the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment import Alignment, AlignmentSettings, Ground, align, warp
from afmsr_core.channel import Channel
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
        relief, truth = (level(channel, spec).channel.heights for channel in (low, high))
        return cls(low, high, relief, truth)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Height and width of a pixel of the truth."""
        return self.high.dy, self.high.dx

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

    def coarse(self, shared: Alignment, rows: int) -> Field:
        """Return the low scan on the pixels of the truth, its own pixels still to be seen.

        `shared` is the alignment of a result with so many `rows`.
        """
        scale = rows // self.relief.shape[0]
        repeated = np.repeat(np.repeat(self.relief, scale, axis=0), scale, axis=1)
        return warp(repeated, shared.matrix, self.truth.shape, "linear")

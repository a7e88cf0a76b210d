"""Normalisation: heights in their unit to [0, 1] and back, and the paper's 8-bit protocol.

The product path is :class:`Normalisation`: floats, nothing clamped, nothing rounded. The 8-bit
functions are the protocol of the paper that afmsr follows (Beilstein J. Nanotechnol. 2025, 16,
1129-1140, doi 10.3762/bjnano.16.83, pipeline steps 1 to 3); they lose true heights and serve
the comparison only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError

__all__ = [
    "CONSTANT_LEVEL",
    "REC601",
    "Normalisation",
    "from_8bit",
    "to_8bit",
]

CONSTANT_LEVEL = 0.5
"""Where a field without range goes: the middle grey, far from both ends."""

REC601 = (0.299, 0.587, 0.114)
"""Weights of R, G and B in grey, ITU-R BT.601 section 2.5.1; OpenCV's and Pillow's choice."""


@dataclass(frozen=True)
class Normalisation:
    """A straight line between heights and [0, 1]: the lowest goes to 0, the highest to 1.

    Parameters
    ----------
    offset : float
        Height that goes to 0, in the unit of the heights.
    scale : float
        Height difference that goes to 1. Zero for a field without range, which goes to
        :data:`CONSTANT_LEVEL` and comes back as `offset`, whatever was made of it.

    Examples
    --------
    >>> heights = np.array([[10.0, 12.0], [14.0, 20.0]])
    >>> normalisation = Normalisation.of(heights)
    >>> normalisation
    Normalisation(offset=10.0, scale=10.0)
    >>> normalisation.apply(heights)
    array([[0. , 0.2],
           [0.4, 1. ]])
    >>> normalisation.invert(np.array([0.2, 1.5]))
    array([12., 25.])
    """

    offset: float
    scale: float

    @classmethod
    def of(cls, heights: ArrayLike) -> Normalisation:
        """Return the normalisation by minimum and maximum of the finite pixels.

        Parameters
        ----------
        heights : array_like of float
            Any shape and unit; NaN and infinite pixels do not count.

        Raises
        ------
        FieldError
            If there is no finite pixel, or the range exceeds the largest float.
        """
        heights = np.asarray(heights, dtype=np.float64)
        finite = np.isfinite(heights)
        if not finite.any():
            raise FieldError(
                f"cannot normalise: none of the {heights.size} pixels is finite; "
                f"choose another channel"
            )
        low = float(heights.min(where=finite, initial=np.inf))
        high = float(heights.max(where=finite, initial=-np.inf))
        if not np.isfinite(high - low):
            raise FieldError(
                f"cannot normalise: the heights run from {low:g} to {high:g}, "
                f"which is no scan; mark such pixels as NaN"
            )
        return cls(low, high - low)

    def apply(self, heights: ArrayLike) -> NDArray[np.float64]:
        """Return heights as numbers, [0, 1] for those it was made of; NaN stays NaN."""
        relative = np.asarray(heights, dtype=np.float64) - self.offset
        if self.scale == 0:
            return relative + CONSTANT_LEVEL
        return relative / self.scale

    def invert(
        self, values: ArrayLike, out: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return numbers as heights; values outside [0, 1] are heights too. NaN stays NaN.

        ``invert(apply(heights))`` is `heights` to rounding of the largest height, and exactly
        for a constant field. They are written into `out` if it is given, which may be `values`.
        """
        scaled = np.multiply(values, self.scale, out=out, dtype=np.float64)
        return np.add(scaled, self.offset, out=out)


def to_8bit(values: ArrayLike) -> NDArray[np.uint8]:
    """Clamp numbers to [0, 1] and turn them into grey values 0 to 255, as the paper does.

    The paper is silent on rounding; to the nearest (ties to even) keeps the mean.

    Parameters
    ----------
    values : array_like of float
        Any shape.

    Raises
    ------
    FieldError
        If there is a NaN, which eight bits cannot hold.

    Examples
    --------
    >>> to_8bit([-0.1, 0.0, 0.5, 0.999, 1.3])
    array([  0,   0, 128, 255, 255], dtype=uint8)
    """
    values = np.asarray(values, dtype=np.float64)
    if np.isnan(values).any():
        raise FieldError(
            f"{np.count_nonzero(np.isnan(values))} pixels are NaN, which 8-bit grey cannot hold; "
            f"fill them first or leave out the paper's protocol"
        )
    return np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def from_8bit(grey: ArrayLike) -> NDArray[np.float64]:
    """Turn grey values 0 to 255 into numbers in [0, 1].

    Examples
    --------
    >>> from_8bit([0, 51, 255])
    array([0. , 0.2, 1. ])
    """
    return np.asarray(grey, dtype=np.float64) / 255.0

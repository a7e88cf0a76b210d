"""Consistency: the result, scanned again, must give back what was measured.

The instrument visits one line per row of the coarse scan, through the middle of its pixels, and
integrates for a dwell along it. The same is done with the result. Of a line scan every point of a
line was measured, so nothing is done along the lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.grid import SQUARE, Scale
from afmsr_core.trust.noise import Noise

__all__ = ["DWELL", "Consistency", "consistency", "projected", "sampled"]

Field = NDArray[np.float64]

DWELL = 2
"""Fine pixels that one measured pixel integrates over along the fast axis, of four."""

ROWS = 4
"""Fine rows around the middle of a measured line, through which a cubic tells it."""

STRONG = 3.0
"""Standard deviations of the noise beyond which a measured pixel counts as not given back."""

LOCAL = 2.0
"""Distances of lines over which the soft projection judges whether residuals exceed the noise."""


@dataclass(frozen=True, eq=False)
class Consistency:
    """How a result agrees with the measured pixels.

    Attributes
    ----------
    residual : ndarray of float64, shape (yres, xres) of the scan
        Result, scanned again, less the measured heights, in their unit.
    noise : Noise
        Of the scan.
    """

    residual: Field
    noise: Noise

    @property
    def sigma(self) -> Field:
        """The residual in standard deviations of the noise; NaN if the scan has none at all."""
        pixel = self.noise.pixel
        return self.residual / pixel if pixel > 0 else np.full_like(self.residual, np.nan)

    @property
    def turned(self) -> Consistency:
        """The same for the field with rows and columns exchanged."""
        return replace(self, residual=np.ascontiguousarray(self.residual.T))

    def as_dict(self) -> dict[str, float | None]:
        """Return the residual in numbers, JSON-serialisable."""
        known = np.isfinite(self.residual)
        away = np.abs(self.residual if known.all() else self.residual[known])
        pixel = self.noise.pixel
        rms = float(np.sqrt(np.mean(away**2)))
        return {
            "residual_rms": rms,
            "residual_max": float(away.max()),
            "residual_rms_sigma": rms / pixel if pixel > 0 else None,
            "beyond_3_sigma": float(np.mean(away > STRONG * pixel)) if pixel else None,
        }


def sampled(heights: Field, scale: Scale = SQUARE) -> Field:
    """Scan a fine field as the instrument scanned the coarse one.

    Parameters
    ----------
    heights : ndarray of float64, shape (scale.rows * yres, scale.columns * xres)
        In any unit, lines are rows; at least four of them.
    scale : Scale
        Fine pixels per coarse pixel; an even number across the lines.

    Returns
    -------
    ndarray of float64, shape (yres, xres)

    Examples
    --------
    >>> ramp = np.add.outer(np.arange(8.0), 10 * np.arange(8.0))
    >>> sampled(ramp)
    array([[16.5, 56.5],
           [20.5, 60.5]])
    """
    rows, columns = heights.shape
    if rows % scale.rows or columns % scale.columns or rows < ROWS:
        raise FieldError(
            f"{columns} x {rows} px are no multiple of {scale.columns} x {scale.rows}: not the "
            f"result of this scan"
        )
    along = heights
    if not scale.lines:
        first = (scale.columns - DWELL) // 2
        points = [heights[:, first + k :: scale.columns] for k in range(DWELL)]
        along = np.asarray(sum(points[1:], points[0]) / DWELL)
    return _middles(along, scale.rows)


def _middles(along: Field, scale: int) -> Field:
    """Return the lines through the middle of every `scale` rows, by the cubic through four.

    These are the rows around it; at the border the first and the last four.
    """
    tops = np.arange(len(along) // scale) * scale + scale // 2 - ROWS // 2
    found = np.zeros((len(tops), along.shape[1]))
    inside = np.clip(tops, 0, len(along) - ROWS)
    places = tops - inside + (ROWS - 1) / 2  # of the middle, in rows from the first of the four
    for k in range(ROWS):
        others = [i for i in range(ROWS) if i != k]
        weights = np.prod([(places - i) / (k - i) for i in others], axis=0)
        found += weights[:, None] * along[inside + k]
    return found


def consistency(
    measured: Field, result: Channel, noise: Noise, scale: Scale = SQUARE
) -> Consistency:
    """Compare a result with the measured pixels.

    Parameters
    ----------
    measured : ndarray of float64, shape (yres, xres)
        What the method was given, with the background that the result has.
    result : Channel
        Upscaled.
    noise : Noise
        Of the scan.
    scale : Scale
        Fine pixels per coarse pixel.

    Raises
    ------
    FieldError
        If the result has other pixels.
    """
    again = sampled(np.asarray(result.heights), scale)
    if again.shape != measured.shape:
        raise FieldError(
            f"{result.where}: a scan of {measured.shape[1]} x {measured.shape[0]} px has no "
            f"result of {result.xres} x {result.yres} px; give the scan that it was made from"
        )
    return Consistency(again - measured, noise)


def projected(result: Field, found: Consistency) -> Field:
    """Move a result towards the measured data as far as their noise lets one say.

    Parameters
    ----------
    result : ndarray of float64, shape (scale.rows * yres, scale.columns * xres)
        In the unit of the scan.
    found : Consistency
        Of this result.

    Returns
    -------
    ndarray of float64, same shape

    Notes
    -----
    The closed form of least squares on result and measurement: a measured pixel moves the result
    by the share ``1 - noise² / residual²`` of its residual, the residual taken as a local root
    mean square (Wiener's weight); bicubic interpolation spreads it between the measured points.
    """
    import cv2

    residual = np.nan_to_num(found.residual)
    fine = [after // before for after, before in zip(result.shape, residual.shape, strict=True)]
    down, across = (LOCAL * max(fine) / pixels for pixels in fine)
    power = cv2.GaussianBlur(residual**2, (0, 0), sigmaX=across, sigmaY=down)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.nan_to_num(1.0 - found.noise.pixel**2 / power).clip(0.0, 1.0)
    rows, columns = result.shape
    spread = cv2.resize(weight * residual, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(result - spread)

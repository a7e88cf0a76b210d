"""Consistency: the result, scanned again, must give back what was measured.

The instrument visits one line per row of the coarse scan, through the middle of its pixels, and
integrates for a dwell along it. The same is done with the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.trust.noise import Noise

__all__ = ["DWELL", "Consistency", "consistency", "projected", "sampled"]

Field = NDArray[np.float64]

DWELL = 2
"""Fine pixels that one measured pixel integrates over along the fast axis, of four."""

MIDDLE = (-1 / 16, 9 / 16, 9 / 16, -1 / 16)
"""Weights of four fine rows for the line between the middle two: the cubic through them."""

STRONG = 3.0
"""Standard deviations of the noise beyond which a measured pixel counts as not given back."""

LOCAL = 2.0
"""Coarse pixels over which the soft projection judges whether a residual is more than noise."""


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

    def as_dict(self) -> dict[str, float | None]:
        """Return the residual in numbers, JSON-serialisable."""
        known = self.residual[np.isfinite(self.residual)]
        pixel = self.noise.pixel
        rms = float(np.sqrt(np.mean(known**2)))
        return {
            "residual_rms": rms,
            "residual_max": float(np.abs(known).max()),
            "residual_rms_sigma": rms / pixel if pixel > 0 else None,
            "beyond_3_sigma": float(np.mean(np.abs(known) > STRONG * pixel)) if pixel else None,
        }


def sampled(heights: Field, scale: int = 4) -> Field:
    """Scan a fine field as the instrument scanned the coarse one.

    Parameters
    ----------
    heights : ndarray of float64, shape (scale * yres, scale * xres)
        In any unit.
    scale : int
        Fine pixels per coarse pixel along each axis; even, at least 4.

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
    if rows % scale or columns % scale:
        raise FieldError(
            f"{columns} x {rows} px are no multiple of {scale}: not the result of this scan"
        )
    cells = heights.reshape(rows // scale, scale, columns // scale, scale)
    first = (scale - DWELL) // 2
    along = cells[..., first : first + DWELL].mean(axis=-1)
    top = scale // 2 - 2
    return np.einsum("ikj,k->ij", along[:, top : top + 4], np.array(MIDDLE))


def consistency(measured: Field, result: Channel, noise: Noise, scale: int = 4) -> Consistency:
    """Compare a result with the measured pixels.

    Parameters
    ----------
    measured : ndarray of float64, shape (yres, xres)
        What the method was given, with the background that the result has.
    result : Channel
        Upscaled.
    noise : Noise
        Of the scan.
    scale : int
        Fine pixels per coarse pixel along each axis.

    Raises
    ------
    FieldError
        If the result has other pixels.
    """
    again = sampled(result.heights, scale)
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
    result : ndarray of float64, shape (scale * yres, scale * xres)
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
    power = cv2.GaussianBlur(residual**2, (0, 0), LOCAL)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.nan_to_num(1.0 - found.noise.pixel**2 / power).clip(0.0, 1.0)
    rows, columns = result.shape
    spread = cv2.resize(weight * residual, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(result - spread)

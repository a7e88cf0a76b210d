"""Scans of full lines against square scans that take the same time, on the same truth.

A line takes as long with 512 points as with 128. So a scan of 512 x 128 takes the time of one of
128 x 128, and what it is worth is what it gains over that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.averaging import averaged
from afmsr_core.channel import Channel
from afmsr_core.grid import Scale
from afmsr_core.upscale import Settings, Upscaler
from training.corpus import Scan
from training.score import Score, interpolated, score

REFERENCE = "square, bicubic"
Upscale = Callable[[NDArray[Any]], NDArray[Any]]
INTERPOLATIONS = ("bilinear", "bicubic", "lanczos4")


def same_time(scans: Sequence[Scan], condition: str, scale: Scale) -> dict[str, list[Score]]:
    """Score line scans and square scans of as many lines.

    Parameters
    ----------
    scans : sequence of Scan
        Fine scans.
    condition : str
        Key of :data:`training.score.CONDITIONS`.
    scale : Scale
        Of the line scans.

    Returns
    -------
    dict of str to list of Score
        By scan and method; `REFERENCE` is bicubic interpolation of the square scan.
    """
    square = Scale(scale.rows, scale.rows)
    on_squares: dict[str, Upscale] = {
        REFERENCE: partial(interpolated, scale=square),
        "square, afm": by("afm", square),
    }
    on_lines = {f"lines, {name}": by(name, scale) for name in (*INTERPOLATIONS, "afm")}
    return {
        **score(scans, on_squares, condition, scale=square),
        **score(scans, on_lines, condition, scale=scale),
    }


def by(method: str, scale: Scale) -> Upscale:
    """Return the product's own path from a coarse field to a fine one."""
    upscaler = Upscaler(Settings(method=method))

    def upscale(coarse: NDArray[Any]) -> NDArray[Any]:
        yres, xres = coarse.shape
        scan = Channel(coarse, float(xres * scale.columns), float(yres * scale.rows))
        return np.asarray(averaged(upscaler(scan), scale.shape(yres, xres)).heights)

    return upscale

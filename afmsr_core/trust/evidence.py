"""Evidence: cheap maps that grow where a result is likely to be wrong.

All are in the unit of the heights and on the pixels of the result, so that a map of expected
error made of them is right in any unit and after any rescaling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from afmsr_core.gaps import filled
from afmsr_core.grid import SQUARE, Scale
from afmsr_core.methods import registry
from afmsr_core.methods.interpolation import Interpolation, interpolate
from afmsr_core.trust.noise import Noise

__all__ = ["LENGTHS", "PASSES", "Evidence", "gather"]

Field = NDArray[np.float64]
Method = Callable[[Field], Field]
"""From a levelled scan to its result, without any background."""

RIVAL = "bicubic"
FINE = 1.5  # fine pixels over which maps of the result are pooled: less than half a measured one
COARSE = 0.7  # distances of lines over which maps of the scan are pooled
KNOWN = 0.3  # of the white noise: evidence below it tells nothing
ROUNDING = 1e-9  # of the spread of the heights: keeps logarithms finite on a flat scan

LENGTHS = ("disagreement", "curvature", "bend", "climb", "noise")
"""Names of the maps; see `Evidence`."""

PASSES = 1
"""How often the method runs for the evidence. Its spread over mirrored scans, three passes more,
says nothing that the other maps do not (docs/developers/trust_measured.md)."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for an error, pixel by pixel of the result.

    Attributes
    ----------
    maps : dict of str to ndarray of float64, shape of the result
        By name in `LENGTHS`, all positive, in the unit of the heights: ``disagreement`` with
        bicubic; ``curvature`` across the lines (what a line is off the mean of its neighbours, so
        what a line between them may be off); ``bend`` along the lines, over the same distance;
        ``climb`` from line to line; white ``noise``.
    away : tuple of ndarray of float64, shape of the result
        Distance of each pixel from the measured points, in measured pixels: across the lines,
        and along them, where it is 0 in a line scan.
    """

    maps: dict[str, Field]
    away: tuple[Field, Field]

    def moved(self, move: Callable[[Field], Field]) -> Evidence:
        """Return the evidence after every map has gone where the result went."""
        across, along = (move(field) for field in self.away)
        return Evidence({name: move(field) for name, field in self.maps.items()}, (across, along))


def gather(
    relief: Field, method: Method, noise: Noise, scale: Scale = SQUARE
) -> tuple[Field, Evidence]:
    """Collect the evidence on a result.

    Parameters
    ----------
    relief : ndarray of float64, shape (yres, xres)
        Levelled scan, whose lines are rows; NaN where not measured.
    method : callable
        From such a field to its result. It runs `PASSES` times.
    noise : Noise
        Of the scan.
    scale : Scale
        Fine pixels per coarse pixel.

    Returns
    -------
    result : ndarray of float64, shape (scale.rows * yres, scale.columns * xres)
        Of the method, on the scan as it is.
    evidence : Evidence
    """
    result = method(relief)
    rival = registry.get(RIVAL, scale)
    if not isinstance(rival, Interpolation):
        raise TypeError(f"{RIVAL} is no interpolation")
    away = result - interpolate(filled(relief, ~np.isfinite(relief), (scale.cell, 1)), rival)

    up, down = _neighbours(relief, 1)
    left, right = (z.T for z in _neighbours(relief.T, scale.cell))
    middle = relief
    of_scan = {
        "curvature": up - 2 * middle + down,
        "bend": left - 2 * middle + right,
        "climb": 0.5 * (down - up),
    }
    maps = {"disagreement": _pooled(away, FINE)}
    size, along = result.shape, scale.cell
    maps |= {name: _enlarged(_pooled(z, COARSE, along), size) for name, z in of_scan.items()}
    maps["noise"] = np.full(result.shape, noise.white)
    floor = (KNOWN * noise.white) ** 2 + (ROUNDING * float(np.nanstd(relief))) ** 2
    floor += np.finfo(np.float64).tiny
    lengths = {name: np.sqrt(maps[name] ** 2 + floor) for name in LENGTHS}
    rows, columns = (_away(n, fine) for n, fine in zip(result.shape, scale, strict=True))
    grid = np.broadcast_to(rows[:, None], result.shape), np.broadcast_to(columns, result.shape)
    return result, Evidence(lengths, grid)


def _neighbours(field: Field, step: int) -> tuple[Field, Field]:
    """Return the rows so many before and after each; beyond the edge it is mirrored."""
    mode: Literal["reflect", "edge"] = "reflect" if len(field) > step else "edge"
    padded = np.pad(field, ((step, step), (0, 0)), mode=mode)
    return padded[: -2 * step], padded[2 * step :]


def _away(count: int, scale: int) -> Field:
    """Return how far pixel centres lie from the nearest centre of a measured pixel."""
    return np.abs((np.arange(count) % scale + 0.5) / scale - 0.5)


def _pooled(field: Field, sigma: float, along: int = 1) -> Field:
    """Return the local root mean square, over the pixels that are known.

    Over `sigma` pixels, and `along` times as many along the lines.
    """
    import cv2

    def mean(z: Field) -> Field:
        return np.asarray(cv2.GaussianBlur(z, (0, 0), sigmaX=along * sigma, sigmaY=sigma))

    known = np.isfinite(field).astype(np.float64)
    return np.sqrt(mean(np.nan_to_num(field) ** 2) / np.maximum(mean(known), 1e-6))


def _enlarged(field: Field, shape: tuple[int, ...]) -> Field:
    import cv2

    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR))

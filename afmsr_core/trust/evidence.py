"""Evidence: cheap maps that grow where a result is likely to be wrong.

All are logarithms of lengths in the unit of the heights, so that an expected error made of them is
right in any unit and after any rescaling. What a scan tells stays on its own pixels, of which there
are a sixteenth, and single precision is enough for all but the heights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from afmsr_core.gaps import filled
from afmsr_core.grid import SQUARE, Scale
from afmsr_core.large_field import bands
from afmsr_core.methods import registry
from afmsr_core.methods.interpolation import Interpolation, interpolate
from afmsr_core.robust import quantile
from afmsr_core.surfaces import Background, match_plane
from afmsr_core.trust.coarseness import errors, unpredicted
from afmsr_core.trust.noise import Noise

__all__ = ["LENGTHS", "Evidence", "gather"]

Field = NDArray[np.float64]
Single = NDArray[np.float32]

RIVAL = "bicubic"
FINE = 1.5  # fine pixels over which maps of the result are pooled: less than half a measured one
COARSE = 0.7  # distances of lines over which maps of the scan are pooled
NEAR = 1e-6  # of the weights of a pool that known pixels have, so that it tells of them
KNOWN = 0.3  # of the white noise: evidence below it tells nothing
ROUNDING = 1e-6  # of the spread of the heights: below it is what single precision rounds
NO_BACKGROUND = Background()

OF_RESULT = "disagreement"
OF_SCAN = ("curvature", "bend", "climb")
NOISE = "noise"
LENGTHS = (OF_RESULT, *OF_SCAN, NOISE)
"""Names of the maps; see `Evidence`."""

REFERENCE = "curvature"
"""The map whose mean is the length that a scan's errors are told in: in any unit, at any range."""

KINDS = ("steepness", "sparseness", "texture")
"""What kind of surface a scan shows; see `Evidence`."""

TRAITS = (*(name for name in LENGTHS if name != REFERENCE), *KINDS)
"""What tells how large the errors of a scan are, over the mean of its `REFERENCE`."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for an error: natural logarithms of lengths in the unit of the heights.

    Maps are NaN in gaps, but for their borders, and gaps are in no mean.

    Attributes
    ----------
    disagreement : ndarray of float32, shape (scale.rows * yres, scale.columns * xres)
        With bicubic, on the pixels of the result.
    of_scan : dict of str to ndarray of float32, shape (yres, xres)
        On the pixels of the scan, by name in `OF_SCAN`: ``curvature`` across the lines (what a
        line is off the mean of its neighbours, so what a line between them may be off); ``bend``
        along the lines, over the same distance; ``climb`` from line to line.
    noise : float
        White noise.
    scale : Scale
        Fine pixels per measured pixel.
    kind : dict of str to float
        By name in `KINDS`, all logarithms: ``steepness``, how much further off the scan predicts
        itself from neighbours two pixels away than from those beside, which its spectrum near the
        Nyquist frequency tells; ``sparseness``, how much the climb differs from place to place, so
        whether a few features stand on a plain or all is alike; ``texture``, by how much a typical
        pixel is off what those beside it on the line predict, over the mean curvature.
    unit : float
        Logarithm of the length that `disagreement` and `of_scan` are relative to, which keeps
        single precision far from its limits in any unit.
    """

    disagreement: Single
    of_scan: dict[str, Single]
    noise: float
    scale: Scale
    kind: dict[str, float]
    unit: float = 0.0

    @cached_property
    def level(self) -> dict[str, float]:
        """Means of the maps over the scan, by name in `LENGTHS`."""
        maps = {OF_RESULT: self.disagreement, **self.of_scan}
        means = {name: self.unit + _mean(field) for name, field in maps.items()}
        return means | {NOISE: self.noise}

    @property
    def traits(self) -> Field:
        """What tells how large the errors of the scan are, in the order of `TRAITS`."""
        level = self.level
        means = [level[name] - level[REFERENCE] for name in TRAITS if name not in KINDS]
        return np.array([*means, *(self.kind[name] for name in KINDS)])

    @property
    def away(self) -> tuple[Single, Single]:
        """Distances of the rows, and of the columns, from the measured ones, in measured pixels.

        Shapes (rows, 1) and (1, columns). Along the lines of a line scan they are 0.
        """
        rows, columns = (
            _away(n, fine) for n, fine in zip(self.disagreement.shape, self.scale, strict=True)
        )
        return rows[:, None], columns[None]

    def local(self, name: str) -> Single:
        """Return a map, less its mean over the scan, on the pixels of the result."""
        if name == NOISE:
            return np.zeros_like(self.disagreement)
        field = self.disagreement if name == OF_RESULT else self.enlarged(self.of_scan[name])
        return np.asarray(field - np.float32(self.level[name] - self.unit))

    def enlarged(self, field: Single) -> Single:
        """Return what is known on the pixels of the scan on those of the result."""
        import cv2

        size = self.disagreement.shape[::-1]
        return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR))


def gather(
    relief: Field,
    result: Field,
    noise: Noise,
    scale: Scale = SQUARE,
    background: Background = NO_BACKGROUND,
) -> Evidence:
    """Collect the evidence on a result.

    Parameters
    ----------
    relief : ndarray of float64, shape (yres, xres)
        Levelled scan, whose lines are rows; NaN where not measured.
    result : ndarray or LargeField of float64, shape (scale.rows * yres, scale.columns * xres)
        What the method made of it; NaN where not known. Its mean and tilt do not matter.
    noise : Noise
        Of the scan.
    scale : Scale
        Fine pixels per coarse pixel.
    background : Background
        What levelling took off the scan and the result has again.

    Returns
    -------
    Evidence
    """
    rival = registry.get(RIVAL, scale)
    if not isinstance(rival, Interpolation):
        raise TypeError(f"{RIVAL} is no interpolation")
    measured = np.isfinite(relief)
    heights = relief if measured.all() else relief[measured]
    middle = float(heights.mean())
    unit = max(float(heights.std()), noise.white, float(np.finfo(np.float64).tiny))
    shape = ((relief - middle) / unit).astype(np.float32)
    away = _bare(result, background, middle, unit)
    match_plane(away, shape)
    away -= interpolate(filled(shape, ~measured, (scale.cell, 1)), rival)

    up, down = _neighbours(shape, 1, axis=0)
    left, right = _neighbours(shape, scale.cell, axis=1)
    of_scan = {
        "curvature": up - 2 * shape + down,
        "bend": left - 2 * shape + right,
        "climb": (down - up) / 2,
    }
    least = (KNOWN * noise.white / unit) ** 2 + ROUNDING**2
    logs = {name: _log_pooled(of_scan[name], COARSE, least, scale.cell) for name in OF_SCAN}
    return Evidence(
        disagreement=_log_pooled(away, FINE, least),
        of_scan=logs,
        noise=math.log(unit) + 0.5 * math.log((noise.white / unit) ** 2 + least),
        scale=scale,
        kind=_kind(shape, logs, scale),
        unit=math.log(unit),
    )


def _kind(shape: Single, logs: dict[str, Single], scale: Scale) -> dict[str, float]:
    """Return what kind of surface a scan shows, by name in `KINDS`."""
    near, far = errors(shape, 1.0, scale)
    typical = quantile(np.abs(unpredicted(shape, 1, 1)), 0.5)
    return {
        "steepness": math.log(far / near),
        "sparseness": float(_known(logs["climb"]).std(dtype=np.float64)),
        "texture": math.log(typical + ROUNDING) - _mean(logs[REFERENCE]),
    }


def _bare(result: Field, background: Background, middle: float, unit: float) -> Single:
    """Return a result without its background, in units of its relief."""
    yres, xres = result.shape
    bare = np.empty((yres, xres), np.float32)
    for rows in bands(yres):
        part = background.on_grid(yres, xres, rows)
        np.subtract(result[rows], part, out=part)
        part -= middle
        np.multiply(part, 1 / unit, out=bare[rows], casting="same_kind")
    return bare


def _neighbours(field: Single, step: int, axis: int) -> tuple[Single, Single]:
    """Return the pixels so many before and after each along an axis; beyond its ends, mirrored."""
    first = np.moveaxis(field, axis, 0)
    if len(first) > step:
        before, after = first[step:0:-1], first[-2 : -step - 2 : -1]
    else:
        before, after = (np.repeat(end, step, axis=0) for end in (first[:1], first[-1:]))
    parts = [np.moveaxis(part, 0, axis) for part in (before, first, after)]
    padded = np.moveaxis(np.concatenate(parts, axis), axis, 0)
    return np.moveaxis(padded[: -2 * step], 0, axis), np.moveaxis(padded[2 * step :], 0, axis)


def _away(count: int, scale: int) -> Single:
    """Return how far pixel centres lie from the nearest centre of a measured pixel."""
    away = np.abs((np.arange(count) % scale + 0.5) / scale - 0.5)
    return away.astype(np.float32)


def _known(field: Single) -> Single:
    """Return what is known of a map, as a row if that is not all."""
    known = ~np.isnan(field)
    return field if known.all() else field[known]


def _mean(field: Single) -> float:
    mean = float(field.mean(dtype=np.float64))
    return float(_known(field).mean(dtype=np.float64)) if math.isnan(mean) else mean


def _log_pooled(field: Single, sigma: float, least: float, along: int = 1) -> Single:
    """Return the logarithm of the local root mean square over the pixels that are known.

    Over `sigma` pixels, and `along` times as many along the lines; the field is overwritten.
    `least` is added to the mean square. NaN where no known pixel is near.
    """
    import cv2

    def mean(z: Single) -> Single:
        return np.asarray(cv2.GaussianBlur(z, (0, 0), sigmaX=along * sigma, sigmaY=sigma))

    known = np.isfinite(field)
    whole = known.all()
    square = np.multiply(field, field, out=field)
    if not whole:
        square[~known] = 0.0
    pooled = mean(square)
    if not whole:
        weight = mean(known.astype(np.float32))
        weight[weight < NEAR] = np.nan
        pooled /= weight
    pooled += np.float32(least)
    np.log(pooled, out=pooled)
    pooled *= np.float32(0.5)
    return pooled

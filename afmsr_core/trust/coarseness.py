"""Coarseness: whether a scan is fine enough to be upscaled, asked before it is.

The scan answers itself: every line is predicted from its neighbours, every pixel from those
beside it, as if it had not been measured, and then again from neighbours further away. How fast
the error falls with the distance says what it will be between the lines that were measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import FieldError
from afmsr_core.gaps import measured_part
from afmsr_core.grid import SQUARE, Scale
from afmsr_core.robust import median, quantile
from afmsr_core.trust.noise import Noise

__all__ = [
    "DOUBTFUL",
    "FINE",
    "LEAST_ERROR",
    "MAX_SIDE",
    "OFFERED",
    "Coarseness",
    "errors",
    "expected_error",
    "judge",
    "left_out",
    "power",
    "unpredicted",
]

Field = NDArray[np.float64]
Single = NDArray[np.float32]

FINE = 0.10
"""Expected error of the result over Sq, up to which a scan is fine."""

DOUBTFUL = 0.30
"""The same, beyond which it is too coarse: details would be guesses more often than not."""

MOSTLY_NOISE = 0.7
"""Noise over the expected error, beyond which it is half of its square, and more: what the noise
leaves is too little for pixels to mend."""

LEAST_TOLD = 0.01
"""Error over Sq below which no number is told: the rule is right within a factor of 1.5."""

LEAST_ERROR = 1e-6
"""Of Sq: no error counts as less, so that it has a logarithm."""

LEAST = 16
"""Pixels per side below which a scan cannot be asked."""

# ln(error / Sq) = INTERCEPT + NEAR ln(e1) + FALL ln(e2 / e1), e1 and e2 the errors over Sq of
# predicting from neighbours one and two pixels away. Fitted by `python -m benchmarks.trust coarse`
# to 132 coarse scans of the permissive train split, every sample with the same weight.
INTERCEPT, NEAR, FALL = -0.503, 0.885, -0.486

# The same for line scans, where only lines are predicted: along them everything was measured.
# Fitted to bicubic interpolation, -0.602, less what the networks gain on samples set aside.
LINES_INTERCEPT, LINES_NEAR, LINES_FALL = -0.650, 0.896, -0.791

SLOWEST, FASTEST = 0.5, 2.0  # powers of the pixel size with which the error of a relief falls
MAX_SIDE = 4096  # pixels; no instrument takes more for what is asked here
OFFERED = tuple(sorted(n * 2**k // 2 for k in range(4, 13) for n in (2, 3)))
"""Pixels per side that instruments offer: powers of 2, and 1.5 times them."""

STEEP = 0.999  # quantile of the slopes that counts as steepest: single spikes are noise


@dataclass(frozen=True)
class Coarseness:
    """Whether a scan is fine enough.

    Attributes
    ----------
    verdict : {"fine", "doubtful", "too coarse"}
        By the expected error and the limits `FINE` and `DOUBTFUL`.
    expected_error : float
        Root mean square error of the upscaled scan over Sq, as expected from the scan itself.
    error_along, error_across : float
        Error over Sq of predicting a pixel from the pixels beside it, a line from its neighbours.
    noise_share : float
        Noise over Sq; an error that is mostly noise does not fall with more pixels.
    at_nyquist : float
        Share of the variance, across the lines, in the upper half of the frequencies.
    aliased : float
        Share of the variance that lies beyond the Nyquist frequency and was folded back, if the
        spectrum goes on as it ends.
    slope, steepest : float or None
        99.9th percentile of the slopes between neighbouring pixels, and the steepest that pixels
        of this size resolve on this relief, in degrees; None if heights are no lengths.
    edge : float
        1 if the steepest slopes go on for two pixels, 2 if they end within one: then they are
        steeper than the scan can tell.
    pixels : tuple of int
        Columns and rows that would make the scan fine; what it has, if it is. Of a line scan only
        the lines become more.
    lines : float or None
        Of a line scan, how many of `pixels` are its lines; None if pixels are square.
    """

    verdict: str
    expected_error: float
    error_along: float
    error_across: float
    noise_share: float
    at_nyquist: float
    aliased: float
    slope: float | None
    steepest: float | None
    edge: float
    pixels: tuple[int, int]
    lines: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return everything, JSON-serialisable."""
        return {
            **vars(self),
            "pixels": list(self.pixels),
            "more_pixels_help": self.more_pixels_help,
            "advice": self.advice,
        }

    @property
    def turned(self) -> Coarseness:
        """The same for the field with rows and columns exchanged."""
        return replace(self, pixels=self.pixels[::-1])

    @property
    def more_pixels_help(self) -> bool:
        """Whether the expected error is not mostly noise."""
        return self.noise_share <= MOSTLY_NOISE * self.expected_error

    @property
    def out_of_reach(self) -> bool:
        """Whether more pixels are needed than instruments take; points of a line are no matter."""
        return (self.lines or max(self.pixels)) >= MAX_SIDE

    @property
    def percent(self) -> str:
        """The expected error in percent of Sq."""
        if self.expected_error < LEAST_TOLD:
            return f"less than {100 * LEAST_TOLD:.0f} %"
        return f"{100 * self.expected_error:.0f} %"

    @property
    def advice(self) -> str:
        """The verdict in a sentence."""
        if self.expected_error == 0:  # real noise leaves more
            return f"{self.verdict}: all of its heights are the same"
        about = "about " * (self.expected_error >= LEAST_TOLD)
        told = f"{self.verdict}: heights off by {about}{self.percent} of Sq"
        if self.verdict == "fine":
            return told
        if not self.more_pixels_help:
            return f"{told}, mostly noise; average or scan more slowly"
        return f"{told}; {self.cure}"

    @property
    def cure(self) -> str:
        """What to scan instead, in words; where more pixels help."""
        columns, rows = self.pixels
        if self.lines is None:
            if self.out_of_reach:
                return f"even {MAX_SIDE} pixels a side may not do, so scan a smaller area"
            return f"{columns} x {rows} pixels on the same area would do"
        if self.out_of_reach:
            return f"even {MAX_SIDE} lines may not do, so scan a smaller area"
        points = columns if rows == self.lines else rows
        return f"{self.lines:.0f} lines of {points} points on the same area would do"


def judge(
    relief: Field,
    noise: Noise,
    pixel_size: tuple[float, float] | None = None,
    scale: Scale = SQUARE,
) -> Coarseness:
    """Judge a scan.

    Parameters
    ----------
    relief : ndarray of float64, shape (lines, pixels)
        Levelled, lines are rows; NaN where not measured.
    noise : Noise
        Of the scan.
    pixel_size : tuple of float, optional
        Height and width of a pixel in the unit of the heights, for angles.
    scale : Scale
        That it is upscaled with. A line scan is off between its lines only.

    Raises
    ------
    FieldError
        If there are too few pixels.
    """
    columns, rows = pixels = relief.shape[1], relief.shape[0]
    relief = relief[measured_part(relief)]
    if min(relief.shape) < LEAST:
        raise FieldError(
            f"a scan of {columns} x {rows} px, of which {relief.shape[1]} x {relief.shape[0]} were "
            f"measured, is too small to judge; at least {LEAST} x {LEAST} are needed"
        )
    sq = float(relief.std())
    if math.isnan(sq):
        sq = float(np.nanstd(relief))
    if not sq > 0:
        return Coarseness("fine", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, None, 1.0, pixels)
    near = [left_out(relief, 1, axis) / sq for axis in (0, 1)]
    e1, e2 = errors(relief, sq, scale, near)
    expected = expected_error(e1, e2, scale)
    verdict = "fine" if expected <= FINE else "doubtful" if expected <= DOUBTFUL else "too coarse"
    factor = 1.0
    if verdict != "fine":
        factor = (expected / FINE) ** (1 / power(e1, e2))
    lines = _side(rows, factor)
    wanted = columns if scale.lines else _side(columns, factor), lines
    at_nyquist, aliased = _spectrum(relief)
    steepest, over_two = (
        quantile(np.abs(relief[:, apart:] - relief[:, :-apart]), STEEP) for apart in (1, 2)
    )
    angles = _slopes(relief, steepest, pixel_size)
    return Coarseness(
        verdict=verdict,
        expected_error=expected,
        error_along=near[1],
        error_across=near[0],
        noise_share=noise.pixel / sq,
        at_nyquist=at_nyquist,
        aliased=aliased,
        slope=angles[0],
        steepest=angles[1],
        edge=2 * steepest / over_two if over_two > 0 else 1.0,
        pixels=wanted,
        lines=float(lines) if scale.lines else None,
    )


def left_out(relief: Field | Single, step: int, axis: int) -> float:
    """Return the error of predicting pixels from neighbours `step` and `3 * step` away.

    Parameters
    ----------
    relief : ndarray of float64, shape (lines, pixels)
        NaN where not measured.
    step : int
        Pixels.
    axis : int
        0 predicts lines, 1 pixels along a line.

    Returns
    -------
    float
        Root mean square, by the cubic through four neighbours, in the unit of the heights.

    Examples
    --------
    >>> left_out(np.add.outer(np.arange(16.0) ** 3, np.arange(16.0)), 1, 0) < 1e-9
    True
    """
    error = unpredicted(relief, step, axis)
    square = error**2
    known = square if math.isfinite(square.sum()) else square[np.isfinite(error)]
    return math.sqrt(known.mean()) if known.size else 0.0


def unpredicted(relief: Field | Single, step: int, axis: int) -> Field | Single:
    """Return by how much pixels are off what neighbours predict; as in `left_out`, but of each.

    Those less than ``3 * step`` from either end of the axis are left out, which comes first.
    """
    z = np.moveaxis(relief, axis, 0)
    inner, outer = z[2 * step : -4 * step] + z[4 * step : -2 * step], z[: -6 * step] + z[6 * step :]
    return np.asarray((9 * inner - outer) / 16 - z[3 * step : -3 * step])


def errors(
    relief: Field | Single, sq: float, scale: Scale = SQUARE, near: Sequence[float] | None = None
) -> tuple[float, float]:
    """Return the errors over Sq of predicting from neighbours one and two pixels away.

    Both directions count alike; of a line scan, whose lines are rows, lines only. `near` are those
    of one pixel, across the lines and along them, if they are known already.
    """
    axes = (0,) if scale.lines else (0, 1)
    both = [[left_out(relief, step, axis) / sq for axis in axes] for step in (1, 2)[bool(near) :]]
    if near:
        both.insert(0, list(near[: len(axes)]))
    e1, e2 = (max(float(np.sqrt(np.mean(np.square(pair)))), LEAST_ERROR) for pair in both)
    return e1, e2


def expected_error(near: float, far: float, scale: Scale = SQUARE) -> float:
    """Return the error to expect of a scan that is upscaled, over Sq.

    Parameters
    ----------
    near, far : float
        Errors over Sq of predicting from neighbours one and two pixels away, see `errors`.
    scale : Scale
        That it is upscaled with.
    """
    level, of_near, of_fall = INTERCEPT, NEAR, FALL
    if scale.lines:
        level, of_near, of_fall = LINES_INTERCEPT, LINES_NEAR, LINES_FALL
    return math.exp(level + of_near * math.log(near) + of_fall * math.log(far / near))


def power(near: float, far: float) -> float:
    """Return the power of the pixel size with which the error of a relief falls.

    Parameters
    ----------
    near, far : float
        Errors of predicting from neighbours one and two pixels away; in any unit, above zero.

    Examples
    --------
    >>> round(power(1.0, 2.0), 3), power(1.0, 1.0), power(1.0, 9.0)
    (1.0, 0.5, 2.0)
    """
    return min(max(math.log2(far / near), SLOWEST), FASTEST)


def _side(pixels: int, factor: float) -> int:
    """Return the next number of pixels that instruments offer: powers of 2, and 1.5 times them."""
    wanted = pixels * factor
    if factor == 1.0:
        return pixels
    return next((n for n in OFFERED if n >= wanted and n > pixels), MAX_SIDE)


def _spectrum(relief: Field) -> tuple[float, float]:
    """Return the share of the variance near the Nyquist frequency, and the share beyond it."""
    mean = relief.mean()
    z = relief - mean if math.isfinite(mean) else np.nan_to_num(relief - np.nanmean(relief))
    taper = np.hanning(len(z) + 1)[:-1, None]
    spectrum = np.fft.rfft(z * taper, axis=0)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)[1:]  # np.abs takes a root
    n = power.size
    total = float(power.sum())
    if not total > 0:
        return 0.0, 0.0
    frequency = np.arange(1, n + 1) / n
    fitted = (frequency > 0.25) & (frequency <= 0.8)
    slope = -np.polyfit(np.log(frequency[fitted]), np.log(power[fitted] + 1e-300), 1)[0]
    last = float(median(power[frequency > 0.8]))
    beyond = last * n / (slope - 1) if slope > 1.2 else last * n / 0.2
    return float(power[frequency > 0.5].sum()) / total, min(1.0, beyond / (total + beyond))


def _slopes(
    relief: Field, steepest: float, size: tuple[float, float] | None
) -> tuple[float | None, float | None]:
    """Return the steepest slope found, and the steepest that a feature of this relief may have.

    A feature as high as the relief's robust range needs two pixels for each of its flanks.
    """
    if size is None:
        return None, None
    height = quantile(relief, 0.99) - quantile(relief, 0.01)
    rises = steepest / size[1], height / (2 * size[1])
    return math.degrees(math.atan(rises[0])), math.degrees(math.atan(rises[1]))

"""Noise of a scan: from itself, and from trace against retrace where both exist.

One scan does not tell noise from relief. What does tell them apart is that relief is not equally
rough everywhere and white noise is, so white noise is read where the scan is quietest; and that
offsets of scan lines have no counterpart across the lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError
from afmsr_core.gaps import measured_part
from afmsr_core.robust import line_medians, spread

__all__ = ["Noise", "noise_between", "noise_of"]

Field = NDArray[np.float64]

BLOCK = 6
"""Pixels per side of the blocks in which the noise is looked for: 36 values each."""

QUIET = 0.1
"""Share of the blocks that counts as quiet; the rest may be relief."""

QUIET_BIAS = 0.662
"""What the root mean square of the quietest tenth of blocks is of the true standard deviation.

On pure white noise, mean of 40 fields of 128 x 128 px; without it noise would be read too low.
"""

LEAST = 3 * (BLOCK + 2)
"""Pixels per side below which there are too few blocks."""


@dataclass(frozen=True)
class Noise:
    """Noise of a scan, in the unit of its heights.

    Attributes
    ----------
    white : float
        Standard deviation from pixel to pixel.
    lines : float
        Standard deviation of the offsets between scan lines.
    correlated : float or None
        Standard deviation of what else differs between trace and retrace (feedback, tip,
        hysteresis); None from one scan, which cannot tell it from relief.
    source : str
        ``"scan"`` or ``"trace and retrace"``.
    """

    white: float
    lines: float
    correlated: float | None
    source: str

    @property
    def pixel(self) -> float:
        """Standard deviation of one measured pixel: white noise and line offset together."""
        return float(np.hypot(self.white, self.lines))

    def as_dict(self) -> dict[str, float | str | None]:
        """Return everything, JSON-serialisable."""
        return dict(vars(self))


def noise_of(heights: ArrayLike, cell: int = 1) -> Noise:
    """Estimate the noise of one scan.

    Parameters
    ----------
    heights : array_like of float, shape (lines, pixels)
        The fast axis across, in any unit; NaN where not measured.
    cell : int
        Pixels along a line that are as long as lines are apart; 1 if they are square.

    Returns
    -------
    Noise
        An upper bound where all of the scan is rough at the size of its pixels.

    Raises
    ------
    FieldError
        If there are too few pixels.

    Notes
    -----
    White noise: the second difference along both axes, [1 -2 1] by [1 -2 1] over 6 (Immerkær,
    Comput. Vis. Image Underst. 1996, 64, 300), which neither planes nor offsets of lines nor
    steps along an axis reach, in the quietest tenth of blocks. Offsets of lines: the spread of
    the medians of second differences between lines, less what the same along the lines gives, at
    the same distance, which is relief, and less what the white noise leaves in a median.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0.0, 2.0, (128, 128))
    >>> round(noise_of(noise).white, 1)
    2.0
    """
    field = _checked(heights)
    white = _white(field)
    down, across = _offsets(field), _offsets(field.T, cell)
    # A median of n values has the variance pi/2 sigma^2 / n, its second difference six times it.
    of_white = 0.5 * np.pi * white**2 / field.shape[1]
    of_white_across = 0.5 * np.pi * white**2 / field.shape[0]
    relief = max(0.0, across**2 - of_white_across)
    return Noise(white, float(np.sqrt(max(0.0, down**2 - of_white - relief))), None, "scan")


def noise_between(trace: ArrayLike, retrace: ArrayLike) -> Noise:
    """Estimate the noise of one scan from trace and retrace of the same lines.

    Parameters
    ----------
    trace, retrace : array_like of float, shape (lines, pixels)
        Registered (see :mod:`afmsr_core.alignment`), x in the same direction; NaN where either
        is unknown.

    Returns
    -------
    Noise
        Of one of the two: each contributes half of the variance of their difference.

    Raises
    ------
    FieldError
        If their shapes differ or there are too few pixels.
    """
    first, second = np.asarray(trace, np.float64), np.asarray(retrace, np.float64)
    if first.shape != second.shape:
        raise FieldError(
            f"trace has the shape {first.shape}, retrace {second.shape}; align them first"
        )
    both = np.isfinite(first) & np.isfinite(second)
    kept = np.ix_(both.mean(axis=1) > 0.5, both.mean(axis=0) > 0.5)
    difference = _checked((first - second)[kept]) / np.sqrt(2.0)
    white = _white(difference)
    medians = line_medians(difference)
    slow = np.convolve(np.pad(medians, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
    lines = spread(medians - slow) * np.sqrt(9 / 8)
    rest = spread(difference - medians[:, None])
    correlated = float(np.sqrt(max(0.0, rest**2 - white**2)))
    return Noise(white, lines, correlated, "trace and retrace")


def _checked(heights: ArrayLike) -> Field:
    field = np.asarray(heights, dtype=np.float64)
    if field.ndim != 2 or min(field.shape) < LEAST:
        raise FieldError(
            f"{' x '.join(map(str, field.shape[::-1]))} px are too few to tell noise from relief; "
            f"at least {LEAST} x {LEAST} are needed"
        )
    part = field[measured_part(field)]
    return part if part.size else field


def _white(field: Field) -> float:
    second = field[:, 2:] - 2 * field[:, 1:-1] + field[:, :-2]
    mixed = (second[2:] - 2 * second[1:-1] + second[:-2]) / 6.0
    rows, columns = (n // BLOCK for n in mixed.shape)
    blocks = mixed[: rows * BLOCK, : columns * BLOCK]
    squares = blocks.reshape(rows, BLOCK, columns, BLOCK) ** 2
    power = squares.mean(axis=(1, 3)).ravel()
    power = np.sort(power[np.isfinite(power)])
    if not power.size:
        raise FieldError(
            f"no block of {BLOCK + 2} x {BLOCK + 2} pixels is measured throughout, so its noise "
            f"cannot be told; crop to where it was measured"
        )
    quiet = power[: max(1, int(QUIET * power.size))]
    return float(np.sqrt(quiet.mean())) / QUIET_BIAS


def _offsets(field: Field, step: int = 1) -> float:
    second = field[2 * step :] - 2 * field[step:-step] + field[: -2 * step]
    return spread(line_medians(second)) / np.sqrt(6.0) if np.isfinite(second).any() else 0.0

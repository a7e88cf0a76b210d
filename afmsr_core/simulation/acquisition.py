"""A coarse scan of a known surface, taken as an instrument takes it.

A scanning probe does not average over the area of a low-resolution pixel. It visits one scan
line per row, so it is aliased across the lines, and integrates for a dwell along the fast axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError
from afmsr_core.grid import SQUARE, Scale
from afmsr_core.simulation.noise import along_lines
from afmsr_core.simulation.scars import draw_scars

__all__ = ["Acquisition", "coarse_scan", "scars_of"]

SHORTEST = 2  # pixels of a scar on a coarse scan: one alone is taken for noise


@dataclass(frozen=True)
class Acquisition:
    """How a coarse scan samples a fine one.

    Parameters
    ----------
    factor : Scale
        Fine pixels per coarse pixel.
    row : int
        Which fine line of every ``factor.rows`` is scanned, counted from 0.
    dwell : int
        Fine pixels that one coarse pixel integrates over along the fast axis, centred on it; 1 at
        least, ``factor.columns`` at most.
    noise : float
        Standard deviation of the white noise per coarse pixel, as a fraction of the height
        range.
    line_noise : float
        Standard deviation of the offsets between scan lines, as a fraction of the height range.
    scars : float
        Expected number of scars (streaks along the fast axis) per 256 coarse lines.
    along : float
        Standard deviation of the noise along the lines that is not white, as a fraction of the
        height range; see :func:`~afmsr_core.simulation.noise.along_lines`.
    """

    factor: Scale = SQUARE
    row: int = 1
    dwell: int = 2
    noise: float = 0.0
    line_noise: float = 0.0
    scars: float = 0.0
    along: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.row < self.factor.rows:
            raise UsageError(f"row must lie in 0..{self.factor.rows - 1}, found {self.row}")
        if not 1 <= self.dwell <= self.factor.columns:
            raise UsageError(f"dwell must lie in 1..{self.factor.columns}, found {self.dwell}")

    @property
    def first_column(self) -> int:
        """First fine column of the dwell within each coarse pixel."""
        return (self.factor.columns - self.dwell) // 2

    @property
    def offset(self) -> tuple[float, float]:
        """Where the measured point lies from the coarse pixel's centre: (rows, columns).

        In fine pixels. Every upscaled result of this scan is off by as much, whatever the
        method, so it must be moved by this before it is compared with the fine scan.
        """
        middle = [(pixels - 1) / 2 for pixels in self.factor]
        return self.row - middle[0], self.first_column + (self.dwell - 1) / 2 - middle[1]


def coarse_scan(
    fine: NDArray[np.floating],
    acquisition: Acquisition,
    rng: np.random.Generator,
    height_range: float | None = None,
    line: int | None = None,
) -> NDArray[np.floating]:
    """Scan a fine height field with fewer lines and pixels.

    Parameters
    ----------
    fine : ndarray, shape (yres, xres)
        Heights in any unit; rows are scan lines. Rows and columns beyond a multiple of the
        factor are not scanned.
    acquisition : Acquisition
        How to sample.
    rng : numpy.random.Generator
        Source of noise and scars.
    height_range : float, optional
        What the fractions in `acquisition` refer to, in the unit of `fine`; by default the
        range of the coarse scan. Give it when `fine` is a detail of a larger field.
    line : int, optional
        Coarse pixels of a whole line, by default those of the result; likewise for a detail.
        Scars, and noise along the lines, are drawn for whole lines.

    Returns
    -------
    ndarray, shape (yres // factor.rows, xres // factor.columns)
        In the unit of `fine`.

    Examples
    --------
    >>> import numpy as np
    >>> fine = np.arange(64.0).reshape(8, 8)
    >>> coarse_scan(fine, Acquisition(row=1, dwell=2), np.random.default_rng(0))
    array([[ 9.5, 13.5],
           [41.5, 45.5]])
    """
    down, across = acquisition.factor
    yres, xres = fine.shape[0] // down, fine.shape[1] // across
    lines = fine[acquisition.row : yres * down : down, : xres * across]
    lines = lines.reshape(yres, xres, across)
    first = acquisition.first_column
    coarse = lines[:, :, first : first + acquisition.dwell].mean(axis=2)
    if height_range is None:
        height_range = float(coarse.max() - coarse.min())
    if acquisition.noise:
        coarse = coarse + rng.normal(0, acquisition.noise * height_range, coarse.shape)
    if acquisition.line_noise:
        coarse = coarse + rng.normal(0, acquisition.line_noise * height_range, (yres, 1))
    if acquisition.along:
        drawn = along_lines((yres, line or xres), rng, down / across)
        coarse = coarse + acquisition.along * height_range * _detail(drawn, xres, rng)
    if acquisition.scars:
        scars = scars_of((yres, line or xres), acquisition.scars, rng)
        coarse = coarse + height_range * _detail(scars, xres, rng)
    return coarse.astype(fine.dtype, copy=False)


def _detail(
    lines: NDArray[np.float64], pixels: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return as many pixels of each line, from a random one on."""
    left = lines.shape[1] - pixels
    first = int(rng.integers(0, left + 1)) if left > 0 else 0
    return lines[:, first : first + pixels]


def scars_of(
    shape: tuple[int, int], per_256_lines: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw scars of a coarse scan in units of its height range, as :func:`draw_scars`."""
    return draw_scars(*shape, per_256_lines, rng, SHORTEST)

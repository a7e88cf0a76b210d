"""Trace and joint scan of the virtual AFM against the exact surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.channel import Channel
from afmsr_core.joining import join, joined_with
from afmsr_core.simulation import SPECIMENS, SimulatedPair, simulate_pair
from afmsr_core.upscale import Upscaler
from benchmarks.joining.errors import error_inside

Field = NDArray[np.float64]

SIZE = 512  # of the fine scan; the coarse one, which is judged, has 128
LAGS = np.arange(-2.0, 2.01, 0.125)
"""Pixels of the scan by which the feedback may follow late: the trace is laid where it fits best,
and all others with it."""
BORDER = 4  # pixels of the scan at each edge that do not count
SCALE = 4


def gains(preset: str, seed: int, upscaler: Upscaler) -> tuple[float, float, bool]:
    """Return the change of the error by joining, in dB, before upscaling and after; and whether.

    Tilt and bow are taken off each error: they are the scanner's.
    """
    kind = SPECIMENS[seed % len(SPECIMENS)].name
    pair = simulate_pair(kind, size=SIZE, preset_name=preset, seed=seed)
    trace = pair.low[0]
    joint = join(*pair.low)
    x, y = pair.low_scan.trace.x, pair.low_scan.trace.y
    lag = min(LAGS, key=lambda one: _error(trace.heights, pair, x + one * trace.dx, y, BORDER))
    fine = _finer(x + lag * trace.dx), _finer(y)
    found = []
    for channels, at, border in (
        ((trace, joint), (x + lag * trace.dx, y), BORDER),
        ([upscaler(one) for one in (trace, joint)], fine, BORDER * SCALE),
    ):
        alone, both = (_error(one.heights, pair, *at, border) for one in channels)
        found.append(20 * np.log10(both / alone))
    return found[0], found[1], joined_with(joint) is not None


def _error(heights: Field, pair: SimulatedPair, x: Field, y: Field, border: int) -> float:
    exact: Channel = pair.truth[1]
    rows, columns = y / exact.dy - 0.5, x / exact.dx - 0.5
    surface = ndimage.map_coordinates(exact.heights, [rows, columns], order=3, mode="nearest")
    known = (columns >= 0) & (columns <= exact.xres - 1) & (rows >= 0) & (rows <= exact.yres - 1)
    return error_inside(heights - surface, known, border)


def _finer(places: Field) -> Field:
    """Return positions of a scan's pixels on four times as many along each axis."""
    at = [(np.arange(SCALE * side) + 0.5) / SCALE + 0.5 for side in places.shape]
    whole = np.pad(places, 1, mode="reflect", reflect_type="odd")
    grid = np.meshgrid(*at, indexing="ij")
    return np.asarray(ndimage.map_coordinates(whole, grid, order=1))

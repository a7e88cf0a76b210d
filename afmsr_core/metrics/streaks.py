"""Streaks: scars of a scan, and how much of each is left in a result.

A scar is a piece of one or a few scan lines that lies higher, or lower, than the lines on both
of its sides: the tip slipped, or the feedback lost the surface, for a moment. It is no relief. A
scar in the truth does not belong into a result, and one in the low-resolution scan should not
survive upscaling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial, reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError
from afmsr_core.metrics.base import Context, Field, Metric, Setting, Value, count, one_of, positive
from afmsr_core.robust import spread

__all__ = ["METRICS", "Rule", "Scar", "find_scars", "heights_of", "share_left"]

LEAST_LINES = 8
"""Fewer scan lines say nothing about what is usual from line to line."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """What counts as a scar.

    A rule like that of Gwyddion's Mark Scars, with its lengths, but the thresholds are in robust
    standard deviations, which the scars themselves do not raise. With these numbers more than
    900 scars are found in 53 real scans; turned by 90 degrees, so that lines are relief, the
    same scans give 2.

    Attributes
    ----------
    high : float
        Every scar rises, somewhere, above both neighbouring lines by this many robust standard
        deviations of the height differences between neighbouring lines.
    low : float
        It does so by this many along all of its length.
    length : int
        Pixels along the fast axis, at the least.
    width : int
        Scan lines, at the most; wider ones are steps or relief.
    """

    high: float = 2.0
    low: float = 0.5
    length: int = 16
    width: int = 4


@dataclass(frozen=True)
class Scar:
    """One scar: lines `row` to `row + width`, columns `start` to `stop`, the ends excluded.

    Attributes
    ----------
    row, width, start, stop : int
        In pixels.
    height : float
        Mean height above the two neighbouring lines, in the unit of the heights; negative for
        a scar that lies lower.
    """

    row: int
    width: int
    start: int
    stop: int
    height: float

    @property
    def pixels(self) -> int:
        """Number of its pixels."""
        return self.width * (self.stop - self.start)


def find_scars(heights: ArrayLike, rule: Rule | None = None) -> tuple[Scar, ...]:
    """Find the scars of a scan.

    Parameters
    ----------
    heights : array_like of float, shape (lines, pixels)
        The fast axis across. Where a pixel is not finite there is no scar.
    rule : Rule, optional
        What counts as one.

    Returns
    -------
    tuple of Scar
        The strongest first; no two of them overlap or touch across the lines.

    Raises
    ------
    FieldError
        If there are too few lines, or most do not differ, so that nothing tells what is usual.

    Examples
    --------
    >>> import numpy as np
    >>> scan = np.random.default_rng(0).normal(size=(64, 64))
    >>> scan[20, 10:50] += 8.0
    >>> [(scar.row, scar.width) for scar in find_scars(scan)]
    [(20, 1)]
    """
    rule = rule or Rule()
    heights = np.asarray(heights, dtype=np.float64)
    sigma, both = line_noise(heights), (heights, -heights)
    places = [
        Scar(row, width, start, stop, 0.0)
        for width in range(1, rule.width + 1)
        for field in both
        for row, start, stop in _runs(_rise(field, width) / sigma, rule)
    ]
    measured = zip(places, heights_of(places, heights), strict=True)
    scars = [replace(scar, height=float(height)) for scar, height in measured]
    # The line beside a scar may look like one of the other sign: the strongest comes first.
    scars.sort(key=lambda scar: -abs(scar.height) * (scar.stop - scar.start))
    taken = np.zeros(heights.shape, dtype=bool)
    kept = []
    for scar in scars:
        columns = slice(scar.start, scar.stop)
        if not taken[scar.row : scar.row + scar.width, columns].any():
            taken[scar.row - 1 : scar.row + scar.width + 1, columns] = True
            kept.append(scar)
    return tuple(kept)


def heights_of(scars: Sequence[Scar], heights: Floats) -> Floats:
    """Return how far a field lies above its surroundings where some scars are.

    Parameters
    ----------
    scars : sequence of Scar
        Places, on the grid of the field.
    heights : ndarray of float64, shape (lines, pixels)
        Of the scan that they were found in, or of another over the same area.

    Returns
    -------
    ndarray of float64, shape (scars,)
        Mean of the scar's pixels less that of the lines on both sides; NaN where the field has
        no finite pixel for it.
    """
    measured = np.full(len(scars), np.nan)
    for i, scar in enumerate(scars):
        part = heights[scar.row - 1 : scar.row + scar.width + 1, scar.start : scar.stop]
        inside = part[1] if scar.width == 1 else part[1:-1].mean(axis=0)
        above = inside - 0.5 * (part[0] + part[-1])
        known = np.isfinite(above)
        if known.all():
            measured[i] = above.mean()
        elif known.any():
            measured[i] = above[known].mean()
    return measured


def share_left(scars: Sequence[Scar], heights: Floats) -> float:
    """Return which share of the height of some scars a field still has.

    The factor that fits best: 1 if all of them are there as they were, 0 if nothing of them is,
    negative if they are turned over. Long and high ones weigh most.

    Parameters
    ----------
    scars : sequence of Scar
        At least one, with their heights in the scan that they were found in.
    heights : ndarray of float64, shape (lines, pixels)
        On the grid of that scan.

    Raises
    ------
    FieldError
        If the field has finite pixels for none of them.
    """
    now, then = heights_of(scars, heights), np.array([scar.height for scar in scars])
    known = np.isfinite(now)
    if not known.any():
        raise FieldError("no pixel is finite where the scars are; crop less")
    weights = np.array([scar.stop - scar.start for scar in scars])[known]
    then, now = then[known], now[known]
    return float(np.sum(weights * now * then) / np.sum(weights * then * then))


def line_noise(heights: Floats) -> float:
    """Return the robust standard deviation of the differences between neighbouring lines.

    Raises
    ------
    FieldError
        If there are too few lines, or most do not differ.
    """
    if len(heights) < LEAST_LINES:
        raise FieldError(
            f"{len(heights)} scan lines are too few to look for scars; crop less, "
            f"{LEAST_LINES} are the least"
        )
    steps = np.diff(heights, axis=0)
    steps = steps[np.isfinite(steps)]
    sigma = spread(steps) if steps.size else 0.0
    if sigma == 0.0:
        raise FieldError(
            "most scan lines do not differ from the next, so that nothing tells a scar; "
            "take the heights as they were measured, not a mask or a few grey levels"
        )
    return sigma


def _rise(heights: Floats, width: int) -> Floats:
    """Return how far `width` lines, from each line on, rise above the lines on both sides.

    Shape (lines - width - 1, pixels), for the first line 1 and so on.
    """
    lines = len(heights)
    inside = reduce(np.minimum, (heights[1 + k : lines - width + k] for k in range(width)))
    return np.asarray(inside - np.maximum(heights[: lines - width - 1], heights[width + 1 :]))


def _runs(rise: Floats, rule: Rule) -> list[tuple[int, int, int]]:
    """Return row, start and stop of each run of pixels that the rule accepts."""
    with np.errstate(invalid="ignore"):
        high = rise > rule.high
        found = np.flatnonzero(high.any(axis=1))  # few lines have a scar
        above = np.pad(rise[found] > rule.low, ((0, 0), (1, 1)))
    peaks = np.pad(np.cumsum(high[found], axis=1), ((0, 0), (1, 0)))
    edges = np.diff(above.astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    stops = np.nonzero(edges == -1)[1]
    good = (stops - starts >= rule.length) & (peaks[rows, stops] > peaks[rows, starts])
    places = np.stack([found[rows] + 1, starts, stops], axis=1)[good]
    return [(row, start, stop) for row, start, stop in places.tolist()]


# --- the metrics -----------------------------------------------------------------------------

RULE = Rule()

FAST_AXIS = Setting("fast_axis", "x", one_of("x", "y"), "axis along which lines were scanned")
SCAR_HIGH = Setting(
    "scar_high", RULE.high, positive, "height of a scar somewhere, in robust standard deviations"
)
SCAR_LOW = Setting(
    "scar_low", RULE.low, positive, "height of a scar all along, in robust standard deviations"
)
SCAR_LENGTH = Setting("scar_length", RULE.length, count, "shortest scar, in pixels")
SCAR_WIDTH = Setting("scar_width", RULE.width, count, "widest scar, in lines")
SETTINGS = (FAST_AXIS, SCAR_HIGH, SCAR_LOW, SCAR_LENGTH, SCAR_WIDTH)


TRUTH, LOW = "the truth", "the low-resolution scan"
SCARS = {TRUTH: "scars of the truth", LOW: "scars of the low scan"}
"""Where a context keeps them."""


def _left(scan: Field, result: Field, context: Context, which: str) -> Value:
    """Return how much of the scars of a scan is left in a result on its grid."""
    choice = context.settings
    rule = Rule(
        choice["scar_high"], choice["scar_low"], choice["scar_length"], choice["scar_width"]
    )
    if choice["fast_axis"] == "y":
        scan, result = scan.T, result.T
    scars = context.once_for_pair(SCARS[which], partial(find_scars, scan, rule))
    noise = context.once_for_pair(f"line noise of {which}", partial(line_noise, scan))
    details = {
        "scars": len(scars),
        "scar_area": sum(scar.pixels for scar in scars) / scan.size,
        "rule": asdict(rule),
        "line_noise": noise,
        "fast_axis": choice["fast_axis"],
        "unit": context.unit,
    }
    if not scars:
        return Value(None, f"{which} has no scars by the rule: nothing can be left", details)
    details["mean_height"] = float(np.mean([abs(scar.height) for scar in scars]))
    return Value(share_left(scars, result), details=details)


def _left_of_truth(result: Field, truth: Field, context: Context) -> Value:
    return _left(truth, result, context, TRUTH)


def _left_of_low(result: Field, truth: Field, context: Context) -> Value:
    low, upscaled = context.low, context.upscaled
    if low is None or upscaled is None:
        raise FieldError(
            "the low-resolution scan and the result before alignment were not given; "
            "evaluate with low and upscaled"
        )
    return _left(low, on_lines(upscaled, low.shape), context, LOW)


def on_lines(upscaled: Field, shape: tuple[int, ...]) -> Floats:
    """Return a result at the pixel centres of the low-resolution scan that it was made from.

    Parameters
    ----------
    upscaled : ndarray of float, shape (yres, xres)
        Over the area of the scan, edge to edge.
    shape : tuple of int
        Of the scan. Values are interpolated linearly; at 4x that is the mean of the two pixels
        beside the line.

    Examples
    --------
    >>> import numpy as np
    >>> on_lines(np.arange(16.0).reshape(4, 4), (1, 2))
    array([[6.5, 8.5]])
    """
    from scipy.ndimage import map_coordinates

    places = [
        (np.arange(n) + 0.5) * (N / n) - 0.5 for n, N in zip(shape, upscaled.shape, strict=True)
    ]
    grid = np.meshgrid(*places, indexing="ij")
    return np.asarray(map_coordinates(upscaled, grid, order=1, mode="nearest"))


METRICS = (
    Metric(
        name="streaks_truth",
        label="scars of the truth that appear",
        lower_is_better=None,
        ideal=0.0,
        summary="share of the height of the truth's scars that the result shows",
        source="afmsr, docs/metrics.md",
        kind="surface",
        protocol="nm",
        function=_left_of_truth,
        settings=SETTINGS,
        rank=300,
    ),
    Metric(
        name="streaks_low",
        label="scars of the low scan that remain",
        lower_is_better=None,
        ideal=0.0,
        summary="share of the height of the low-resolution scan's scars that is left",
        source="afmsr, docs/metrics.md",
        kind="surface",
        protocol="nm",
        function=_left_of_low,
        settings=SETTINGS,
        rank=310,
    ),
)

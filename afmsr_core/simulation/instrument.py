"""The instrument: a surface goes in, scans come out, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, UsageError, needed
from afmsr_core.simulation.conditions import Conditions
from afmsr_core.simulation.feedback import Feedback
from afmsr_core.simulation.noise import along_lines, walk
from afmsr_core.simulation.scanner import Scanner
from afmsr_core.simulation.scars import draw_scars
from afmsr_core.simulation.tip import Tip, dilate
from afmsr_core.surfaces import fit_plane

__all__ = ["Area", "Instrument", "Pass", "Scan", "height_range"]

Floats = NDArray[np.float64]

MIN_SIDE = 8  # pixels and lines; fewer are no image
STEPS = 512  # positions along a line at the least, so that the loop's response is resolved
STEPS_PER_PIXEL = 2

SHORTEST = 1e-6  # dwell in pixels that is as good as none

OFFSETS_EXPONENT = 1.7  # spectrum of row means on real scans: nearly a random walk
"""Cycles per pixel of a square scan above which that falls faster: neighbouring pixels of real
scans agree by 0.91, those 4 pixels apart by 0.5."""

PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Area:
    """The part of a surface that a scan is to show, in nm from the surface's corner."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Pass:
    """All lines of a frame in one direction.

    Attributes
    ----------
    heights : ndarray of float64, shape (yres, xres)
        What the instrument reports, in nm.
    x, y : ndarray of float64, shape (yres, xres)
        Where the probe really was, in nm from the corner of the area: the mean over the pixel's
        dwell. The feedback's lag is none of the position; it is in the heights.
    """

    heights: Floats
    x: Floats
    y: Floats


@dataclass(frozen=True, eq=False)
class Scan:
    """One frame: trace and retrace.

    Attributes
    ----------
    trace, retrace : Pass
        Both with x from left to right.
    settings : dict
        What was drawn for this frame alone; JSON-serialisable.
    """

    trace: Pass
    retrace: Pass
    settings: dict[str, Any]


def height_range(heights: Floats) -> float:
    """Return the range that all fractions of heights refer to, in the unit of the heights.

    From the 0.5 to the 99.5 percentile, after a plane is taken off.
    """
    levelled = fit_plane(heights).subtracted_from(heights)
    low, high = np.percentile(levelled, PERCENTILES)
    return float(high - low)


class Instrument:
    """An instrument with its tip on a surface.

    Parameters
    ----------
    surface : Channel
        Heights in nm, all finite, on a grid fine enough that cubic splines between its pixels
        are exact enough.
    area : Area
        What is scanned. Drift and hysteresis lead beyond it; beyond the surface, there is its
        mirror image.
    conditions : Conditions
        What is not ideal.
    rng : numpy.random.Generator
        Source of everything that is drawn.
    tip : str
        Shape of the tip.
    frame_lines : int
        Lines of the frame that the drift refers to.

    Raises
    ------
    FieldError
        If the surface is flat, no height, or not known everywhere.
    MissingExtraError
        If scipy is not installed.
    """

    def __init__(
        self,
        surface: Channel,
        area: Area,
        conditions: Conditions,
        rng: np.random.Generator,
        *,
        tip: str = "cone",
        frame_lines: int = 512,
    ) -> None:
        if not surface.has_slopes:
            raise FieldError(
                f"{surface.where}: a tip scans heights over lengths, this is "
                f"{surface.unit or 'a number'} over {surface.lateral_unit or 'a number'}; "
                f"choose another channel"
            )
        if not np.isfinite(surface.heights).all():
            raise FieldError(
                f"{surface.where}: {np.count_nonzero(~np.isfinite(surface.heights))} pixels have "
                f"no value; interpolate them in Gwyddion or crop the field"
            )
        self.surface, self.area, self.conditions = surface, area, conditions
        self.tip = Tip(tip, conditions.tip_radius, conditions.tip_half_angle)
        self.traced = dilate(surface.heights, self.tip, surface.dx, surface.dy)
        self.range = height_range(self.traced)
        if not self.range > 0:
            raise FieldError(f"{surface.where}: the surface is flat; choose another one")
        self._spline = _ndimage().spline_filter(self.traced, order=3, mode="mirror")
        self._rng, self._frame_lines = rng, frame_lines
        self._clock, self._wandered = 0.0, np.zeros(2)
        self._direction = rng.uniform(0, 2 * np.pi)
        self._signs = rng.choice([-1.0, 1.0], 3)
        self._background = self._draw_background()
        c = conditions
        grip = c.grip * self.range if c.grip else float("inf")
        self.feedback = Feedback(c.lag, c.overshoot, grip)

    @property
    def settings(self) -> dict[str, Any]:
        """What was drawn for the session; JSON-serialisable."""
        return {
            "tip": self.tip.shape,
            "conditions": self.conditions.as_dict(),
            "range_nm": self.range,
            "drift_direction_deg": float(np.rad2deg(self._direction)),
            "tilt": self._background[0],
            "bow": self._background[1],
        }

    def _draw_background(self) -> tuple[list[float], float]:
        """Return the plane's rise in x and y, and the bow, in ranges."""
        c, turn = self.conditions, self._rng.uniform(0, 2 * np.pi)
        steepness = c.tilt / (abs(np.cos(turn)) + abs(np.sin(turn)))
        tilt = [float(steepness * np.cos(turn)), float(steepness * np.sin(turn))]
        return tilt, float(self._signs[0] * c.bow)

    def under_tip(self, x: Floats, y: Floats) -> Floats:
        """Return the height that the tip finds at x and y, in nm from the corner of the area."""
        return self._look(self._spline, x, y)

    def bare(self, x: Floats, y: Floats) -> Floats:
        """Return the height of the surface itself at x and y, in nm from the area's corner."""
        spline = _ndimage().spline_filter(self.surface.heights, order=3, mode="mirror")
        return self._look(spline, x, y)

    def _look(self, spline: Floats, x: Floats, y: Floats) -> Floats:
        columns = (self.area.left + x) / self.surface.dx - 0.5
        rows = (self.area.top + y) / self.surface.dy - 0.5
        found: Floats = _ndimage().map_coordinates(
            spline, np.stack([rows, columns]), order=3, mode="mirror", prefilter=False
        )
        return found

    def scan(self, yres: int, xres: int) -> Scan:
        """Scan the area once; time goes on.

        Parameters
        ----------
        yres, xres : int
            Lines and pixels, at least 8 of each. A line takes the same time, however many pixels
            it has.

        Returns
        -------
        Scan
        """
        if min(yres, xres) < MIN_SIDE:
            raise UsageError(f"{xres} x {yres} pixels are no image; {MIN_SIDE} a side at the least")
        per_pixel = max(STEPS_PER_PIXEL, -(-STEPS // xres))
        if self.feedback.lag == self.conditions.dwell == 0:
            per_pixel = 1  # nothing between the pixels' centres has an influence
        steps = per_pixel * xres
        scanner = self._scanner()
        lasts = yres / self._frame_lines
        size = self.area.width, self.area.height
        path = scanner.path(yres, steps, size, (self._clock, lasts), self._wander(yres, lasts))
        self._clock += lasts
        surface = self.under_tip(path.x, path.y)
        surface += self._each(draw_scars, yres, steps, self.conditions.scars) * self.range
        heights = self._followed(surface)
        weights = _dwell(per_pixel, self.conditions.dwell)
        heights, x, y = (
            part.reshape(2, yres, xres, per_pixel) @ weights for part in (heights, path.x, path.y)
        )
        heights += self._noise(yres, xres) * self.range + self._bent(yres, xres) * self.range
        settings = {
            "xres": xres,
            "yres": yres,
            "began_frames": self._clock - lasts,
            "stretch": list(scanner.stretch),
            "rotation_deg": scanner.rotation,
        }
        trace, retrace = (Pass(*each) for each in zip(heights, x, y, strict=True))
        return Scan(trace, retrace, settings)

    def _scanner(self) -> Scanner:
        """Return the scanner as it is for one frame: scale and angle are its own every time."""
        c, rng = self.conditions, self._rng
        stretch, turn = rng.uniform(-1, 1, 2) * c.stretch, rng.uniform(-1, 1) * c.rotation
        return Scanner(
            hysteresis=c.hysteresis / 2,
            hysteresis_change=c.hysteresis_change * float(self._signs[1]),
            backlash=c.backlash,
            ramp=c.ramp,
            drift=(c.drift * np.cos(self._direction), c.drift * np.sin(self._direction)),
            creep=c.creep * float(self._signs[2]),
            stretch=(float(stretch[0]), float(stretch[1])),
            rotation=float(turn),
        )

    def _wander(self, yres: int, lasts: float) -> tuple[Floats, Floats]:
        steps = self._rng.normal(0, self.conditions.wander * np.sqrt(lasts / yres), (2, yres))
        walked = np.concatenate([np.zeros((2, 1)), np.cumsum(steps, axis=1)], axis=1)
        walked += self._wandered[:, None]
        self._wandered = walked[:, -1].copy()
        return walked[0], walked[1]

    def _each(self, draw: Any, *arguments: Any) -> Floats:
        return np.stack([draw(*arguments, self._rng) for _ in ("trace", "retrace")])

    def _followed(self, surface: Floats) -> Floats:
        """Run the loop along every line, forth and back, in the order of time."""
        if self.feedback.lag == 0:
            return surface
        steps = surface.shape[2]
        in_time = np.concatenate([surface[0].T, surface[1].T[::-1]])
        followed = self.feedback.follow(in_time)
        return np.stack([followed[:steps].T, followed[steps:][::-1].T])

    def _noise(self, yres: int, xres: int) -> Floats:
        """Return everything that is no surface and no scanner, in ranges.

        The conditions are those of square scans. With n times as many pixels on a line, each has
        an nth of the time: n times the bandwidth, and white noise of root n times the deviation.
        What wanders along the line is the same process in time, read out n times as often.
        """
        c, rng = self.conditions, self._rng
        points = xres / yres
        # One process in time: a retrace follows its trace by half the time of a line.
        offsets = walk(2 * yres, OFFSETS_EXPONENT, 2, rng).reshape(yres, 2).T[:, :, None]
        along = np.stack([along_lines((yres, xres), rng, points) for _ in ("trace", "retrace")])
        white = rng.normal(size=(2, yres, xres)) * np.sqrt(points)
        return c.line_step * offsets + c.correlated * along + c.white * white

    def _bent(self, yres: int, xres: int) -> Floats:
        """Return tilt and bow, in ranges."""
        (across, down), bow = self._background
        u = (np.arange(xres) + 0.5) / xres - 0.5
        v = ((np.arange(yres) + 0.5) / yres - 0.5)[:, None]
        return np.asarray(across * u + down * v + 2 * bow * (u**2 + v**2))


def _dwell(per_pixel: int, dwell: float) -> Floats:
    """Return the weight of every step of a pixel: how much of it lies in the dwell."""
    edges, dwell = np.linspace(-0.5, 0.5, per_pixel + 1), max(dwell, SHORTEST)
    inside = np.clip(edges, -dwell / 2, dwell / 2)
    return np.diff(inside) / dwell


def _ndimage() -> Any:
    return needed("scipy.ndimage", "the virtual AFM")

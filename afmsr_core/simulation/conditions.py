"""The conditions of a session at the microscope: one number for each thing that is not ideal."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from afmsr_core.errors import UsageError

__all__ = ["Conditions", "Spread"]

MAX_SLOPE = 85.0  # degrees; steeper is no surface that a tip can follow
QUARTILE = 0.6745  # of the standard normal distribution


@dataclass(frozen=True)
class Spread:
    """What a quantity usually is: log-normal, by its median and quartiles.

    Parameters
    ----------
    median : float
        0 or positive.
    lower, upper : float, optional
        Quartiles; without them it is always the median. Real quartiles are rarely those of a
        log-normal distribution: the ratio of the two counts.
    top : float
        No draw is greater.

    Examples
    --------
    >>> Spread(2.0).draw(np.random.default_rng(0))
    2.0
    """

    median: float
    lower: float | None = None
    upper: float | None = None
    top: float = float("inf")

    def draw(self, rng: np.random.Generator) -> float:
        """Return one value; one number is taken from `rng` in any case."""
        normal = float(rng.normal())
        if self.lower is None or self.upper is None:
            return float(self.median)
        sigma = np.log(self.upper / self.lower) / (2 * QUARTILE)
        return float(min(self.median * np.exp(sigma * normal), self.top))


@dataclass(frozen=True)
class Conditions:
    """How a session went.

    Heights are in units of the range of the surface, from its 0.5 to its 99.5 percentile,
    levelled; lengths are in units of the width of a line, unless said otherwise.

    Parameters
    ----------
    pixel : float
        Width of a pixel of the fine scan in nm. A surface from a file has its own.
    slope : float
        99.9th percentile of the slope in degrees, which gives a generated surface its height.
    tip_radius : float
        In nm; 0 for a tip without size.
    tip_half_angle : float
        Degrees between axis and flank.
    lag, overshoot, grip : float
        Of the feedback: see :class:`~afmsr_core.simulation.feedback.Feedback`. The grip is in
        units of the range; 0 means that the tip never leaves the surface.
    hysteresis : float
        Shift between trace and retrace that the scanner makes; the loop's lag comes on top.
    hysteresis_change, backlash, ramp, drift, wander, creep : float
        Of the scanner: see :class:`~afmsr_core.simulation.scanner.Scanner`. Of the drift, the
        speed; its direction and all signs are drawn.
    stretch, rotation : float
        Greatest error of the scale (relative) and of the angle (degrees) of a scan; every scan
        has its own.
    tilt, bow : float
        Peak to valley of the plane and of the paraboloid that the scanner adds, in ranges.
    line_step : float
        Standard deviation of the height offset from one scan line to the next.
    white : float
        Standard deviation of the noise of a pixel that is independent of all others, on a scan
        with as many pixels on a line as lines. With n times as many it is root n times as much.
    correlated : float
        Standard deviation of the noise along a line that is not.
    scars : float
        Expected number per 256 lines, in each direction.
    dwell : float
        Part of a pixel's width over which it integrates, 0 to 1; 0 is its centre alone.
    """

    pixel: float = 10.0
    slope: float = 30.0
    tip_radius: float = 0.0
    tip_half_angle: float = 18.0
    lag: float = 0.0
    overshoot: float = 0.0
    grip: float = 0.0
    hysteresis: float = 0.0
    hysteresis_change: float = 0.0
    backlash: float = 0.0
    ramp: float = 0.0
    drift: float = 0.0
    wander: float = 0.0
    creep: float = 0.0
    stretch: float = 0.0
    rotation: float = 0.0
    tilt: float = 0.0
    bow: float = 0.0
    line_step: float = 0.0
    white: float = 0.0
    correlated: float = 0.0
    scars: float = 0.0
    dwell: float = 0.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0):
                raise UsageError(f"{field.name} {value}: give a number from 0 on")
        if self.dwell > 1:
            raise UsageError(f"dwell {self.dwell}: give a number from 0 to 1")
        if not 0 < self.slope <= MAX_SLOPE:
            raise UsageError(f"slope {self.slope}: give degrees above 0, up to {MAX_SLOPE:g}")
        if self.pixel == 0:
            raise UsageError("pixel 0: give the width of a pixel in nm")

    def as_dict(self) -> dict[str, float]:
        """Return every number by its name."""
        return dataclasses.asdict(self)

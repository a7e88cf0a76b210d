"""Where the probe really is: the grid that the scanner was told, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Path", "Scanner"]

Floats = NDArray[np.float64]

CREEP_TIME = 0.12
"""Time in which creep falls to 1/e, in frames; piezos creep with the logarithm of time, most of
it within the first tenth of a frame."""


@dataclass(frozen=True)
class Path:
    """Positions of the probe during one frame, in nm from the corner of the area.

    Attributes
    ----------
    x, y : ndarray of float64, shape (2, yres, steps)
        Trace and retrace; steps are in the order of the image, from left to right, so that
        the retrace runs through them backwards.
    """

    x: Floats
    y: Floats


@dataclass(frozen=True)
class Scanner:
    """A scanner with its faults; lengths are fractions of the width of a line.

    Parameters
    ----------
    hysteresis : float
        By how much the probe lags behind the command: half the shift between trace and retrace.
    hysteresis_change : float
        By how much more it lags on the right half of the line than on the left, per line.
    backlash : float
        Distance along the slow axis between a trace and its retrace, besides the ramp's.
    ramp : float
        1 if the slow axis moves on during a line, so that a trace and its retrace form a
        zigzag; 0 if it steps between the lines. Real instruments do the one or the other.
    drift : tuple of float
        (x, y) of the sample against the probe in the time of one frame.
    wander : float
        Standard deviation of the random part of the drift after one frame.
    creep : float
        How far the slow axis still has to go when a frame begins.
    stretch : tuple of float
        (x, y) relative error of the scale.
    rotation : float
        Degrees, clockwise on the screen.
    """

    hysteresis: float = 0.0
    hysteresis_change: float = 0.0
    backlash: float = 0.0
    ramp: float = 0.0
    drift: tuple[float, float] = (0.0, 0.0)
    wander: float = 0.0
    creep: float = 0.0
    stretch: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0

    def path(
        self,
        yres: int,
        steps: int,
        size: tuple[float, float],
        when: tuple[float, float],
        wander: tuple[Floats, Floats],
    ) -> Path:
        """Return where the probe is during a frame.

        Parameters
        ----------
        yres, steps : int
            Lines, and positions along each.
        size : tuple of float
            Width and height of the area in nm.
        when : tuple of float
            Beginning of the frame and its duration, in the frames that `drift` refers to.
        wander : tuple of ndarray of float64, shape (yres + 1,)
            Random part of the drift in x and y at the beginning of each line and at the end of
            the last, as fractions of the width.

        Returns
        -------
        Path
        """
        width, height = size
        u = (np.arange(steps) + 0.5) / steps  # along the line
        v = (np.arange(yres)[:, None] + 0.5) / yres  # down the frame
        lag = self.hysteresis + self.hysteresis_change * (u - 0.5)
        turn = np.deg2rad(self.rotation)
        began, lasts = when
        xs, ys = [], []
        # Half of a line's time is the trace, half the retrace, which begins where that ended.
        for sign, within in ((-1.0, u / 2), (1.0, 1 - u / 2)):
            x = np.broadcast_to((u - 0.5 + sign * lag) * width, (yres, steps))
            line = v - 0.5 + self.ramp * (within - 0.5) / yres
            y = line * height + (sign * self.backlash / 2) * width
            elapsed = (np.arange(yres)[:, None] + within) / yres * lasts
            y = y - self.creep * width * np.exp(-elapsed / CREEP_TIME)
            x, y = x * (1 + self.stretch[0]), y * (1 + self.stretch[1])
            x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
            drifted = [
                slow * (began + elapsed) + (1 - within) * rest[:-1, None] + within * rest[1:, None]
                for slow, rest in zip(self.drift, wander, strict=True)
            ]
            xs.append(x + width * (0.5 + drifted[0]))
            ys.append(y + height / 2 + width * drifted[1])
        return Path(np.stack(xs), np.stack(ys))

"""The loop that keeps the tip on the surface: always a little late, and too far at edges.

Proportional and integral gain act on the deflection that a detector with a response of its own
reports. Over a surface that falls away faster than the loop follows, the tip leaves it: there the
error saturates and the tip comes down at a constant rate ("parachuting").

References
----------
Sulchek et al., "High-speed atomic force microscopy in liquid", Rev. Sci. Instrum. 73, 2928
(2002), doi 10.1063/1.1488679: the saturated error signal limits the speed of tapping.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError

__all__ = ["Feedback"]

Heights = NDArray[np.float64]

PROPORTIONAL = 0.3  # gain; with the integral gain of usual settings
MAX_OVERSHOOT = 0.6  # beyond it the loop would be said to oscillate, and be turned down


@dataclass(frozen=True)
class Feedback:
    """A PI loop.

    Parameters
    ----------
    lag : float
        By how much the tip follows a steady slope too late, as a fraction of the line; the
        inverse of the integral gain. 0 is a perfect loop.
    overshoot : float
        How far the tip runs beyond a step, as a fraction of the step (0 to 0.6).
    grip : float
        Largest error that the detector reports where the surface falls away, in nm; infinite
        for a tip that never leaves the surface.
    """

    lag: float = 0.0
    overshoot: float = 0.0
    grip: float = float("inf")

    def __post_init__(self) -> None:
        for name, top in (("lag", 1.0), ("overshoot", MAX_OVERSHOOT), ("grip", np.inf)):
            value = getattr(self, name)
            if not 0 <= value <= top:
                raise UsageError(f"feedback {name} {value}: give a number from 0 to {top:g}")
        if self.grip == 0:
            raise UsageError("feedback grip 0: the tip would never come down; give more")

    @property
    def detector(self) -> float:
        """Response time of the detector, as a fraction of the line, that makes the overshoot."""
        logarithm = np.log(max(self.overshoot, 1e-3))
        damping = -logarithm / np.hypot(np.pi, logarithm)
        return float(self.lag * (1 + PROPORTIONAL) ** 2 / (4 * damping**2))

    def follow(self, surface: Heights) -> Heights:
        """Return the heights that the loop reports along lines that are run through once.

        Parameters
        ----------
        surface : ndarray of float64, shape (steps, lines)
            Heights under the tip in nm, in the order of time along the first axis: the trace
            forth and the retrace back, which take equally long.

        Returns
        -------
        ndarray of float64, shape (steps, lines)
            In nm. The loop has settled before the first step.

        Examples
        --------
        >>> slope = np.arange(200.0)[:, None]
        >>> late = slope - Feedback(lag=0.05).follow(slope)
        >>> round(float(late[99, 0]))  # nm, on 1 nm a step and 100 steps a line
        5
        """
        if self.lag == 0:
            return surface.copy()
        (a, b), (c, d) = self._transition(2 / len(surface))
        integral, reported = surface[0].copy(), np.zeros(surface.shape[1])
        tip = integral.copy()
        followed = np.empty_like(surface)
        for step, height in enumerate(surface):
            # What the detector believes: the surface, or, where it is lost, `grip` below the tip.
            seen = height if np.isinf(self.grip) else np.maximum(height, tip - self.grip)
            off = integral - seen
            integral = seen + a * off + b * reported
            reported = c * off + d * reported
            np.add(integral, PROPORTIONAL * reported, out=tip)
            followed[step] = tip
        return followed

    def _transition(self, step: float) -> Heights:
        """Return the exact transition of (integral less surface, detector) over one step.

        Exact for a surface that is constant during the step, so it is stable for any step.
        """
        matrix = step * np.array(
            [
                [0.0, 1 / self.lag],
                [-1 / self.detector, -(1 + PROPORTIONAL) / self.detector],
            ]
        )
        # exp(M) = e^m (cosh(q) + sinh(q)/q (M - m)), with m half the trace, q^2 = m^2 - det M.
        m = np.trace(matrix) / 2
        q = np.sqrt(complex(m**2 - np.linalg.det(matrix)))
        ratio = np.sinh(q) / q if abs(q) > 1e-9 else 1.0
        exact = np.exp(m) * (np.cosh(q) * np.eye(2) + ratio * (matrix - m * np.eye(2)))
        return np.asarray(exact.real)

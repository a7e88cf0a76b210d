"""The error of a scan, without what the scanner alone makes of the whole of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afmsr_core.surfaces import fit_polynomial

Field = NDArray[np.float64]


def error_inside(error: Field, known: NDArray[np.bool_], border: int) -> float:
    """Return the standard deviation of an error without tilt and bow.

    Parameters
    ----------
    error : ndarray of float64, shape (yres, xres)
        In any unit.
    known : ndarray of bool, shape (yres, xres)
        Where it is known.
    border : int
        Pixels at each edge that do not count: the retrace does not reach all of them.
    """
    inside = np.zeros_like(known)
    inside[border:-border, border:-border] = True
    inside &= known
    return float(np.std(fit_polynomial(error, 2, inside).subtracted_from(error)[inside]))

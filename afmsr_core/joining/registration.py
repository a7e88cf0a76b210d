"""Where a retrace lies on its trace: hysteresis moves it along the lines, by a few pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment import warp
from afmsr_core.alignment.area import Fit, fit_map, polynomials, shrinkings
from afmsr_core.alignment.maps import apply, grid_of
from afmsr_core.gaps import filled
from afmsr_core.joining.sampling import sampled
from afmsr_core.robust import NORMAL
from afmsr_core.surfaces import fit_polynomial

__all__ = ["Registration", "is_as_high", "likeness", "moved_onto", "register"]

Field = NDArray[np.float64]

ALIKE = 0.5
"""Least correlation of trace and retrace, without their backgrounds: signal and noise alike."""

SURE = 0.9
"""Correlation above which a mirrored retrace is not tried as well."""

OVERLAP = 0.5
"""Least share of the pixels that both must show."""

BEND = 2
"""Degree in x of the offset along the line: the branches of a hysteresis loop part like a parabola.
A cubic follows the noise at the ends of the lines instead."""

ROUNDS = 6
"""Steps of Gauss-Newton from the affine map: each moves less than a tenth of the one before."""

HUBER = 1.5
"""Robust standard deviations beyond which a pixel (a scar, an edge) loses weight."""

BLUR = 1.0
"""Gaussian sigma in pixels, of both fields, against noise of single pixels."""

BETTER = 0.995
"""Of the misfit after the affine map: what it must fall below, or the affine map is kept."""

ENOUGH = 1 << 18
"""Pixels that the offsets are fitted to: those of 512 x 512; of larger scans every n-th."""


@dataclass(frozen=True, eq=False)
class Registration:
    """A retrace on the pixels of its trace.

    Attributes
    ----------
    moved : ndarray of float64, shape (yres, xres)
        The retrace; NaN where it was not measured.
    along, across : ndarray of float64, shape (yres, xres)
        Pixels by which it was moved, along the lines and across them.
    correlation, height : float
        See `Likeness`.
    mirrored : bool
        Whether the retrace was stored as it was measured, from right to left.
    """

    moved: Field
    along: Field
    across: Field
    correlation: float
    height: float
    mirrored: bool


class Likeness(NamedTuple):
    """How alike two fields are without their backgrounds.

    Attributes
    ----------
    correlation : float
        0 where they hardly overlap.
    height : float
        Of the second, as a multiple of the first: the ratio of their standard deviations.
    """

    correlation: float
    height: float


def register(trace: Field, retrace: Field) -> Registration | None:
    """Find where a retrace lies on its trace, to fractions of a pixel.

    An affine map from coarse to fine first; then the offset along the lines as a parabola in x, and
    the offset across them as a straight line: a slow axis that moves on during a line shears the
    two by up to a line. Both are the same for all lines, between whose two directions there is
    no time for drift.

    Parameters
    ----------
    trace, retrace : ndarray of float64, shape (yres, xres)
        Levelled alike, x from left to right in both, or mirrored in one; NaN where not measured.

    Returns
    -------
    Registration or None
        None if they do not overlap by half. `Registration.correlation` may be anything.
    """
    found: Registration | None = None
    for mirrored in (False, True):
        if found is not None and found.correlation > SURE:
            break
        one = _registered(trace, retrace[:, ::-1] if mirrored else retrace, mirrored)
        if one is not None and (found is None or one.correlation > found.correlation):
            found = one
    return found


def moved_onto(trace: Field, retrace: Field) -> Field | None:
    """Return a retrace on the pixels of its trace, or None if they do not show the same.

    By an affine map and cubic splines: enough to tell the noise of the two.

    Parameters
    ----------
    trace, retrace : ndarray of float64, shape (yres, xres)
        Levelled alike, x from left to right in both, or mirrored in one; NaN where not measured.

    Returns
    -------
    ndarray of float64, same shape, or None
        NaN where the retrace was not.
    """
    for candidate in (retrace, retrace[:, ::-1]):
        fit = _affine(trace, candidate)
        if fit is None:
            continue
        moved = warp(candidate, fit.matrix, trace.shape)
        alike = likeness(trace, moved)
        if alike.correlation > ALIKE and is_as_high(alike.height, ALIKE):
            return moved
    return None


def likeness(trace: Field, moved: Field) -> Likeness:
    """Return how alike two fields are without their backgrounds."""
    both = np.isfinite(moved) & np.isfinite(trace)
    if both.mean() < OVERLAP:
        return Likeness(0.0, 1.0)
    one, other = (
        fit_polynomial(field, 2, both).subtracted_from(field)[both] for field in (trace, moved)
    )
    squares = float(one @ one), float(other @ other)
    size = float(np.sqrt(squares[0] * squares[1]))
    if not size > 0:
        return Likeness(0.0, 1.0)
    return Likeness(float(one @ other) / size, float(np.sqrt(squares[1] / squares[0])))


def is_as_high(height: float, least: float) -> bool:
    """Return whether noise alone may make two fields of one relief differ so in height.

    The relief has at most the variance of the lower one. So where the correlation is at least
    `least`, the standard deviation of the higher one is at most ``1 / least`` of the lower one's:
    beyond that, one of the two has another scale.

    Examples
    --------
    >>> is_as_high(1.3, 0.7), is_as_high(0.75, 0.7), is_as_high(1000.0, 0.7)
    (True, True, False)
    """
    return least <= height <= 1.0 / least


def _affine(trace: Field, retrace: Field) -> Fit | None:
    measured = np.isfinite(retrace), np.isfinite(trace)
    if not all(one.any() for one in measured):
        return None
    whole = all(one.all() for one in measured)
    return fit_map(
        filled(retrace, ~measured[0]),
        filled(trace, ~measured[1]),
        np.eye(3),
        "affine",  # hysteresis shifts and stretches a line, a slow axis that moves on shears
        background=2,
        steps=shrinkings(trace.shape, retrace.shape, np.eye(3)),
        measured=None if whole else measured,
    )


def _registered(trace: Field, retrace: Field, mirrored: bool) -> Registration | None:
    fit = _affine(trace, retrace)
    if fit is None:
        return None
    columns, rows = np.meshgrid(*(axis.ravel() for axis in grid_of(trace.shape)))
    x, y = _bent(trace, retrace, *apply(fit.matrix, columns, rows))
    moved = sampled(retrace, x, y)
    alike = likeness(trace, moved)
    if not alike.correlation:
        return None
    return Registration(moved, x - columns, y - rows, *alike, mirrored)


def _bent(trace: Field, retrace: Field, x: Field, y: Field) -> tuple[Field, Field]:
    """Return where the pixels of the trace lie on the retrace, from where an affine map says."""
    rows, columns = trace.shape
    u = np.broadcast_to(np.linspace(-1, 1, columns), trace.shape)
    v = np.broadcast_to(np.linspace(-1, 1, rows)[:, None], trace.shape)
    along, across = (np.stack([u**n for n in range(degree + 1)]) for degree in (BEND, 1))
    own = np.arange(rows)[:, None]
    x, y = np.broadcast_to(x.mean(axis=0), x.shape), own + (y - own).mean(axis=0)
    step = max(1, int(np.sqrt(trace.size / ENOUGH)))
    some = slice(None, None, step), slice(None, None, step)
    u, v = u[some], v[some]
    backdrop = polynomials(u, v, 2).T.reshape(-1, *u.shape)
    one, other = _blurred(trace)[some], _blurred(retrace)
    slope_y, slope_x = (np.asarray(slope) for slope in np.gradient(other))
    found: list[tuple[float, Field, Field]] = []
    scale = 0.0
    for _ in range(ROUNDS):
        here, dx, dy = (_linear(field, x[some], y[some]) for field in (other, slope_x, slope_y))
        rest = one - here
        known = np.isfinite(rest) & np.isfinite(dx) & np.isfinite(dy)
        if known.mean() < OVERLAP:
            break
        misfit, smooth = rest[known], backdrop[:, known]
        misfit = (
            misfit - np.linalg.lstsq(smooth @ smooth.T, smooth @ misfit, rcond=None)[0] @ smooth
        )
        scale = scale or NORMAL * float(np.median(np.abs(misfit)))
        if not scale:
            break
        cost = float(np.mean(np.minimum(np.abs(misfit), HUBER * scale) ** 2))
        found.append((cost, x, y))
        weights = np.minimum(1.0, HUBER * scale / np.maximum(np.abs(misfit), scale * 1e-9))
        here_along, here_across = (each[(slice(None), *some)] for each in (along, across))
        terms = np.concatenate([(here_along * dx)[:, known], (here_across * dy)[:, known], smooth])
        weighted = terms * weights
        free = np.linalg.lstsq(weighted @ terms.T, weighted @ misfit, rcond=None)[0]
        x = x + np.tensordot(free[: len(along)], along, 1)
        y = y + np.tensordot(free[len(along) :][: len(across)], across, 1)
    if not found:
        return x, y
    best = min(found, key=lambda one: one[0])
    return (best if best[0] < BETTER * found[0][0] else found[0])[1:]


def _blurred(field: Field) -> Field:
    import cv2

    missing = ~np.isfinite(field)
    blurred = np.asarray(cv2.GaussianBlur(filled(field, missing), (0, 0), BLUR))
    return np.where(missing, np.nan, blurred)


def _linear(field: Field, x: Field, y: Field) -> Field:
    """Return a field at pixels ``(x, y)``, linearly, NaN beyond; rounded to 1/32 of a pixel."""
    import cv2

    return np.asarray(
        cv2.remap(
            field,
            x.astype(np.float32),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=float("nan"),
        )
    )

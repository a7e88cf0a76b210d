"""What the truth of a pair is worth: it is a scan, too, with noise and line offsets of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import io
from afmsr_core.alignment import warp
from afmsr_core.alignment.area import fit_map, shrinkings
from afmsr_core.alignment.result import Crop
from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, FieldError
from afmsr_core.evaluation.scene import Scene
from afmsr_core.gaps import filled
from afmsr_core.joining.partner import other_way
from afmsr_core.joining.registration import moved_onto
from afmsr_core.pairing import Pair
from afmsr_core.pairing.pair import EXACT
from afmsr_core.robust import line_medians
from afmsr_core.surfaces import fit_plane, fit_polynomial
from afmsr_core.trust.noise import Noise, noise_between, noise_of

__all__ = [
    "Backing",
    "Exact",
    "error_against",
    "exact_of",
    "line_offsets",
    "told_of",
    "without_line_offsets",
]

Field = NDArray[np.float64]

BENT = 2
"""Degree of the surface that is taken off a difference from the exact surface: tilt and bow are
the scanner's, in both scans alike, and the exact surface has neither."""


COARSER = 4
"""Pixels per side that are averaged before tilt and bow are fitted: they are no finer."""


# --- the exact surface -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Exact:
    """The exact surface on the pixels of the truth.

    Attributes
    ----------
    traced, hidden : ndarray of float64, shape (yres, xres)
        What the tip traces, and by how much that is above the bare surface; NaN at an edge beyond
        which they are not known.
    shift_px : tuple of float
        By which they were moved along x and y: the feedback's lag, which both scans have.
    """

    traced: Field
    hidden: Field
    shift_px: tuple[float, float]

    def error_of(self, heights: Field, crop: Crop) -> Field:
        """Return heights less what the tip traces, without tilt and bow."""
        return _straightened(heights - crop.of(self.traced))

    def error_of_surface(self, error: Field, crop: Crop) -> Field:
        """Return an error against what the tip traces as one against the bare surface."""
        hidden = crop.of(self.hidden)
        return np.asarray(error + hidden - np.nanmean(hidden))


def exact_of(pair: Pair, scene: Scene, spec: str) -> tuple[Exact | None, str]:
    """Return the exact surface of a pair, and why there is none although there is a file.

    Parameters
    ----------
    pair : Pair
        With the file.
    scene : Scene
        Whose truth it belongs to.
    spec : str
        How the truth was levelled.
    """
    if pair.exact is None:
        return None, ""
    try:
        found = _exact_channels(io.read(pair.exact), scene.high)
    except AfmsrError as error:
        return None, f"not scored against the exact surface: {error}"
    if found is None:
        return None, (
            f"{pair.exact}: not scored against it, because it holds no channels “{EXACT[0]}” and "
            f"“{EXACT[1]}” of {scene.high.xres} x {scene.high.yres} pixels; simulate the pair again"
        )
    surface, traced = (scene.levelled(channel, spec) for channel in found)
    return _laid(surface, traced, scene.truth)


def _exact_channels(channels: Iterable[Channel], high: Channel) -> tuple[Channel, Channel] | None:
    by_title = {one.title: one for one in channels if one.heights.shape == high.heights.shape}
    surface, traced = (by_title.get(title) for title in EXACT)
    if surface is None or traced is None or {surface.unit, traced.unit} != {high.unit}:
        return None
    return surface, traced


def _laid(surface: Field, traced: Field, truth: Field) -> tuple[Exact | None, str]:
    """Return the exact surface where the truth shows it: late by the lag of the feedback."""
    measured = np.isfinite(truth)
    fit = fit_map(
        traced,
        filled(truth, ~measured),
        np.eye(3),
        "translation",
        background=BENT,
        steps=shrinkings(truth.shape, traced.shape, np.eye(3))[-2:],  # it is off by a few pixels
        measured=None if measured.all() else (np.ones_like(measured), measured),
    )
    if fit is None:
        return (
            None,
            "not scored against the exact surface: it does not show what the fine scan does",
        )
    laid = warp(traced, fit.matrix, truth.shape)
    hidden = warp(traced - surface, fit.matrix, truth.shape, "linear")
    return Exact(laid, hidden, (-float(fit.matrix[0, 2]), -float(fit.matrix[1, 2]))), ""


# --- its noise, the floor of every error -------------------------------------------------


@dataclass(frozen=True, eq=False)
class Backing:
    """What tells the error of a truth, beside its own heights.

    Attributes
    ----------
    channels : tuple of Channel
        All of the truth's file, among them its retrace, perhaps.
    exact : Exact or None
        The exact surface, where it is known.
    """

    channels: tuple[Channel, ...] = ()
    exact: Exact | None = None


def told_of(
    scene: Scene,
    backing: Backing,
    spec: str,
    crop: Crop,
    results: Mapping[str, Field],
    noise: Noise | None = None,
) -> dict[str, Any]:
    """Return what a record tells of the truth: its noise, line offsets, the exact surface.

    Parameters
    ----------
    scene : Scene
        With the truth.
    backing : Backing
        What else is known of it.
    spec : str
        How it was levelled.
    crop : Crop
        What is scored.
    results : mapping of str to ndarray
        By name of the method, on the pixels of the truth, cropped.
    noise : Noise, optional
        Of the truth, as its own scan tells it, if that is known already.

    Returns
    -------
    dict
        JSON-serialisable. ``truth``: as from `floor_of`, and ``line_offsets`` of the error of
        every method; ``exact``: the shift, and the errors of every method, or None.
    """
    truth, exact = crop.of(scene.truth), backing.exact
    offsets = {name: line_offsets(scene.upright(field - truth)) for name, field in results.items()}
    if exact is None:
        floor = floor_of(scene, backing, spec, crop, noise)
        return {"truth": floor | {"line_offsets": offsets}, "exact": None}
    errors = {name: exact.error_of(field, crop) for name, field in results.items()}
    own = exact.error_of(truth, crop)
    told = {
        name: {"rmse": _rms(error), "rmse_surface": _rms(exact.error_of_surface(error, crop))}
        for name, error in errors.items()
    }
    floor = _floor_by_exact(scene.upright(truth), own, errors.values(), noise)
    return {
        "truth": floor | {"line_offsets": offsets},
        "exact": {"shift_px": list(exact.shift_px), "of_truth": _rms(own), "methods": told},
    }


def _floor_by_exact(
    upright: Field, own: Field, errors: Iterable[Field], of_scan: Noise | None
) -> dict[str, Any]:
    """Return the part of the truth's own error that no result shares; `upright` is the truth.

    What both scans have alike, such as edges that the feedback follows late, a method can follow,
    and does. So of the truth's error counts what is left of it when it is fitted by the error of
    the result that is most like it. That is below the error of every method, by construction.
    """
    likeness = max((_correlation(own, error) for error in errors), default=0.0)
    noise = _rms(own) * float(np.sqrt(max(0.0, 1.0 - likeness**2)))
    try:
        return _told(of_scan or noise_of(upright), noise, "exact surface")
    except FieldError:
        return _told(Noise(np.nan, np.nan, None, ""), noise, "exact surface")


def _correlation(one: Field, other: Field) -> float:
    """Return how alike two errors without tilt and bow are, whose means are nearly zero."""
    known = np.isfinite(one) & np.isfinite(other)
    x, y = (np.where(known, field, 0.0).ravel() for field in (one, other))
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else 0.0


def error_against(heights: Field, traced: Field) -> float:
    """Return the RMS error of heights against what the tip traces, without tilt and bow."""
    return _rms(_straightened(heights - traced))


def _straightened(error: Field) -> Field:
    """Return an error without tilt and bow, which are fitted to means of its pixels."""
    import cv2

    rows, columns = (max(1, side // COARSER) for side in error.shape)
    small = cv2.resize(error, (columns, rows), interpolation=cv2.INTER_AREA)
    return fit_polynomial(np.asarray(small), BENT).subtracted_from(error)


def floor_of(
    scene: Scene, backing: Backing, spec: str, crop: Crop, noise: Noise | None = None
) -> dict[str, Any]:
    """Return the noise of the truth, the least error that any method can have, from its scan.

    Parameters
    ----------
    scene, backing, spec, crop, noise
        As of `told_of`.

    Returns
    -------
    dict
        JSON-serialisable. ``noise``: root mean square, in the unit of the heights; ``source``:
        ``"exact surface"``, ``"trace and retrace"`` or ``"scan"``; ``white``, ``lines``,
        ``along``: of its parts, None where not known; or ``reason``, where nothing is known.

    Notes
    -----
    From trace and retrace it is what they differ by, so a lower bound: what wanders slowly from
    line to line is in both. From one scan it is less still, because noise along a line cannot be
    told from relief.
    """
    truth = scene.upright(crop.of(scene.truth))
    partner = other_way(scene.high, backing.channels)
    try:
        if partner is not None:
            ways = (scene.truth, scene.levelled(partner, spec))
            moved = moved_onto(*map(scene.upright, ways))
            if moved is not None:
                both = noise_between(truth, scene.upright(crop.of(scene.upright(moved))))
                whole = float(np.hypot(both.pixel, both.correlated or 0.0))
                return _told(both, whole, both.source)
        alone = noise or noise_of(truth)
    except FieldError as error:
        return {"reason": str(error)}
    return _told(alone, alone.pixel, alone.source)


def _told(parts: Noise, noise: float, source: str) -> dict[str, Any]:
    return {
        "reason": "",
        "source": source,
        "noise": noise,
        "white": parts.white,
        "lines": parts.lines,
        "along": parts.correlated,
    }


# --- offsets of whole lines --------------------------------------------------------------


def line_offsets(error: Field) -> float:
    """Return how far whole lines of an error lie apart, in its unit.

    They are offsets of the lines of either scan, not of the method between them. The standard
    deviation of the lines' medians, less what the noise within the lines leaves in a median.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> error = rng.normal(0.0, 1.0, (400, 1)) + rng.normal(0.0, 2.0, (400, 400))
    >>> round(line_offsets(error), 1)
    1.0
    """
    flat = fit_plane(error).subtracted_from(error)
    medians = line_medians(flat)[:, None]
    within = np.nanstd(flat - medians) ** 2 * np.pi / 2 / flat.shape[1]
    return float(np.sqrt(max(0.0, float(np.nanstd(medians)) ** 2 - within)))


def without_line_offsets(error: Field) -> Field:
    """Return an error of which the median of every line was taken off."""
    return np.asarray(error - line_medians(error)[:, None])


def _rms(error: Field) -> float:
    known = error[np.isfinite(error)]
    return float(np.sqrt(np.mean(known**2)))

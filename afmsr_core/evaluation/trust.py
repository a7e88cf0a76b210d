"""What the truth says of trust: invented and missing detail, and whether intervals hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import FieldError
from afmsr_core.evaluation.scene import Scene
from afmsr_core.evaluation.truth import without_line_offsets
from afmsr_core.grid import Scale
from afmsr_core.surfaces import fit_plane
from afmsr_core.trust.calibration import Calibration, shipped
from afmsr_core.trust.detail import DetailOfTruth, compare_detail
from afmsr_core.trust.evidence import gather
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.upscale import Upscaler

__all__ = ["COVERAGE", "Witness", "detail_in", "interval_in", "judged_in"]

Field = NDArray[np.float64]

COVERAGE = 0.9
"""Stated share of the interval whose half-width is kept, and whose failures are shown."""

WORST = 3
"""Regions of a pair that are kept: a report shows no more of all pairs together."""

REGION = 20
"""Measured pixels per side of such a region, as of the details in the panels."""


def detail_in(
    results: Mapping[str, Field],
    truth: Field,
    scene: Scene,
    scale: int,
    noise: Noise | None = None,
) -> dict[str, Any]:
    """Count the features that results invent and miss.

    Parameters
    ----------
    results : mapping of str to ndarray, shape (yres, xres)
        By name of the method, registered with the truth.
    truth : ndarray of float64, shape (yres, xres)
        Levelled and cropped as the results.
    scene : Scene
        With the coarse scan, whose noise counts as well, and the pixel size of the truth.
    scale : int
        Fine pixels per measured pixel; of a line scan, between its lines.
    noise : Noise, optional
        Of the truth, as its own scan tells it, if that is known already.

    Returns
    -------
    dict
        JSON-serialisable: ``methods``, each with counts, and heights in the unit of the scan;
        ``area_um2`` in which they were looked for, None where lengths are not in nm;
        ``noise_truth`` and ``noise_low``; or ``reason``, where nothing can be counted.
    """
    try:
        white = (noise or noise_of(scene.upright(truth))).white
        noise_of_scan = noise_of(scene.upright(scene.relief), scene.scale.cell).pixel
    except FieldError as error:
        return {"reason": str(error)}
    methods, of_truth = {}, DetailOfTruth(scene.upright(truth), scale)
    channel = scene.high
    for name, result in results.items():
        found = compare_detail(
            scene.upright(result),
            scene.upright(truth),
            white,
            noise_of_scan,
            scale,
            cell=scene.scale.cell,
            detail_of_truth=of_truth,
        )
        methods[name] = found.as_dict() | {
            "invented_highest": _highest(found.result.heights[found.invented]),
            "missing_highest": _highest(found.truth.heights[found.missing]),
        }
    searched = int(np.isfinite(of_truth.field).sum())
    in_nm = channel.lateral_unit == "nm"
    return {
        "reason": "",
        "methods": methods,
        "area_um2": searched * channel.dx * channel.dy * 1e-6 if in_nm else None,
        "noise_truth": white,
        "noise_low": noise_of_scan,
    }


def _highest(heights: Field) -> float | None:
    return float(np.abs(heights).max()) if heights.size else None


class Witness:
    """Says what the truth of a pair tells of trust.

    Parameters
    ----------
    upscalers : sequence of Upscaler
        Of the methods that are scored in nm.
    calibration : Calibration, optional
        By default those that ship, one for each scale.
    """

    def __init__(
        self, upscalers: Sequence[Upscaler], calibration: Calibration | None = None
    ) -> None:
        self._upscalers, self._own = tuple(upscalers), calibration

    def calibrated(self, scale: Scale) -> tuple[str, Calibration] | None:
        """Return the method that is calibrated at a scale with the weights it runs with."""
        calibration = self._own or shipped(scale)
        for one in self._upscalers if calibration is not None else ():
            name, digest = one.method.name, one.weights_sha256(scale) or ""
            if calibration is not None and calibration.fits(name, digest, scale):
                return name, calibration
        return None

    def __call__(
        self,
        scene: Scene,
        results: Mapping[str, Field],
        truth: Field,
        moved: Callable[[str, Field], Field],
        made: Mapping[str, Field],
        noise: float = 0.0,
        exact_error: Callable[[Field], Field] | None = None,
        of_scan: Noise | None = None,
    ) -> tuple[dict[str, Any], dict[str, Field]]:
        """Return what a record holds of trust, and the half-width at `COVERAGE` as a field.

        Parameters
        ----------
        scene : Scene
            With both scans.
        results : mapping of str to ndarray, shape (yres, xres)
            By name of the method, registered with the truth.
        truth : ndarray of float64, shape (yres, xres)
            Levelled and cropped as the results.
        moved : callable
            Takes the name of a method and a field on the pixels of its result to those of the
            truth, cropped.
        made : mapping of str to ndarray
            The results before they were moved, on their own pixels, without any background.
        noise : float
            Standard deviation of the noise of the truth.
        exact_error : callable, optional
            Takes a result to its error against the exact surface, where that is known.
        of_scan : Noise, optional
            The noise of the truth, as its own scan tells it, if that is known already.
        """
        low, high = scene.low, scene.high
        # As the lines are apart: between them is what a method adds.
        apart = max(1, round(max(low.dx, low.dy) / max(high.dx, high.dy)))
        found = {"detail": detail_in(results, truth, scene, apart, of_scan)}
        chosen = self.calibrated(scene.scale)
        if chosen is None:
            of = "line scans" if scene.scale.lines else "its weights"
            reason = f"no method that ran has a calibration for {of}"
            return found | {"interval": {"reason": reason}}, {}
        name, calibration = chosen
        if not low.shows_relief:
            reason = "the calibration was made on heights, and this channel is none"
            return found | {"interval": {"reason": reason}}, {}
        if name not in results:
            reason = f"{name} was not aligned with the truth"
            return found | {"interval": {"reason": reason}}, {}
        try:
            error = moved(name, scale_of_error(scene, made[name], calibration))
        except FieldError as refused:  # such as a scan too small to tell its noise
            return found | {"interval": {"reason": str(refused)}}, {}
        quantiles = {float(key): value for key, value in calibration.quantiles.items()}
        interval = interval_in(results[name], truth, error, quantiles, REGION * apart)
        exact = None if exact_error is None else exact_error(results[name])
        judged = judged_in(
            scene.upright(results[name] - truth),
            None if exact is None else scene.upright(exact),
            scene.upright(error),
            quantiles,
            noise,
        )
        for level, more in zip(interval["levels"], judged, strict=False):
            level |= more
        told = found | {"interval": {"reason": "", "method": name, **interval}}
        return told, {"half_width": calibration.scales(COVERAGE) * error}


def scale_of_error(scene: Scene, result: Field, calibration: Calibration) -> Field:
    """Return the scale of the error on the pixels of the result, in the unit of the heights.

    As in :func:`afmsr_core.trust.assessment.assess`, for which the method was calibrated.

    Parameters
    ----------
    scene : Scene
        With the levelled scan.
    result : ndarray of float64
        What the calibrated method made of it, without any background.
    calibration : Calibration
        Of the method.

    Raises
    ------
    FieldError
        If the scan is too small to tell noise from relief.
    """
    relief = scene.upright(scene.relief)
    noise = noise_of(relief, scene.scale.cell)
    evidence = gather(relief, scene.upright(result), noise, scene.scale.upright)
    return scene.upright(calibration.scale_of(evidence))


def interval_in(
    result: Field, truth: Field, scale: Field, quantiles: Mapping[float, float], side: int
) -> dict[str, Any]:
    """Count how often intervals hold the truth, and find where they fail most.

    Parameters
    ----------
    result, truth, scale : ndarray of float64, shape (yres, xres)
        Registered heights, and the scale of the error in their unit; NaN where unknown.
    quantiles : mapping of float to float
        Stated coverage to the number of scales that should hold it; among them `COVERAGE`.
    side : int
        Pixels of the square regions in which failures are looked for.

    Returns
    -------
    dict
        ``levels``: stated coverage, share of the pixels whose truth lies inside, and mean
        half-width. ``worst``: regions (first row and column, side) with the mean of the error
        over the mean half-width at `COVERAGE`, the worst first; they do not overlap.

    Notes
    -----
    The plane that fits the difference best is taken off first, as for the metrics in nm.
    """
    error = result - truth
    known = np.isfinite(error) & np.isfinite(scale)
    if not known.any():
        return {"levels": [], "worst": []}
    error = np.abs(fit_plane(np.where(known, error, np.nan)).subtracted_from(error))
    errors, widths = error[known], scale[known]
    levels = [
        {
            "stated": stated,
            "coverage": float((errors <= scales * widths).mean()),
            "half_width": float(scales * widths.mean()),
        }
        for stated, scales in sorted(quantiles.items())
    ]
    width = quantiles[COVERAGE] * scale
    return {"levels": levels, "worst": _worst(error, width, known, side)}


def judged_in(
    error: Field,
    exact: Field | None,
    scale: Field,
    quantiles: Mapping[float, float],
    noise: float,
) -> list[dict[str, float | None]]:
    """Count how often intervals hold what they are for: the surface, not a scan of it.

    Parameters
    ----------
    error : ndarray of float64, shape (yres, xres)
        Result less truth.
    exact : ndarray of float64 or None
        Result less exact surface, where that is known.
    scale, quantiles
        As of `interval_in`.
    noise : float
        Standard deviation of the noise of the truth, in the unit of the heights.

    Returns
    -------
    list of dict
        By stated coverage, shares of the pixels. ``after_noise``: the half-width holds the error
        once the noise of the truth is added to it, the root of the sum of squares, as far out as
        the stated coverage lies in a normal distribution; ``within_lines``: and the median of
        every line is taken off the error; ``exact``: the half-width alone holds the error
        against the exact surface, None where that is not known.
    """
    known = np.isfinite(error) & np.isfinite(scale)
    if not known.any():
        return []
    error = fit_plane(np.where(known, error, np.nan)).subtracted_from(error)
    in_lines = without_line_offsets(np.where(known, error, np.nan))
    there = None if exact is None else known & np.isfinite(exact)
    whole, within, sizes = np.abs(error[known]), np.abs(in_lines[known]), scale[known]
    found: list[dict[str, float | None]] = []
    for stated, scales in sorted(quantiles.items()):
        beside = noise * NormalDist().inv_cdf((1.0 + stated) / 2.0)
        wider = np.sqrt((scales * sizes) ** 2 + beside**2)
        one: dict[str, float | None] = {
            "after_noise": float((whole <= wider).mean()),
            "within_lines": float((within <= wider).mean()),
            "exact": None,
        }
        if exact is not None and there is not None and there.any():
            one["exact"] = float((np.abs(exact[there]) <= scales * scale[there]).mean())
        found.append(one)
    return found


def _worst(error: Field, width: Field, known: NDArray[np.bool_], side: int) -> list[dict[str, Any]]:
    import cv2

    side = min(side, *error.shape)
    inside = np.s_[: error.shape[0] - side + 1, : error.shape[1] - side + 1]

    def mean(field: Field) -> Field:
        """Return means over squares, at their first row and column."""
        zero = np.where(known, field, 0.0)
        kind = cv2.BORDER_CONSTANT
        return np.asarray(cv2.boxFilter(zero, -1, (side, side), anchor=(0, 0), borderType=kind))[
            inside
        ]

    whole = mean(known.astype(np.float64)) > 1 - 1e-9  # nothing unknown in it
    errors, widths = mean(error), mean(width)
    ratio = np.where(whole, errors / np.maximum(widths, np.finfo(np.float64).tiny), -1.0)
    found: list[dict[str, Any]] = []
    while len(found) < WORST and ratio.max() >= 0:
        row, column = map(int, np.unravel_index(int(np.argmax(ratio)), ratio.shape))
        found.append(
            {
                "row": row,
                "column": column,
                "side": side,
                "ratio": float(ratio[row, column]),
                "error": float(errors[row, column]),
                "half_width": float(widths[row, column]),
            }
        )
        top, left = max(0, row - side + 1), max(0, column - side + 1)
        ratio[top : row + side, left : column + side] = -1.0
    return found

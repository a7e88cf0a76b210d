"""The way through: homography, else affine, else translation, and the rule that rejects."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.alignment.ambiguity import Rival, find_rival
from afmsr_core.alignment.area import fit_map, shrinkings, start_by_phase
from afmsr_core.alignment.features import FeatureMap, by_features
from afmsr_core.alignment.ground import Ground
from afmsr_core.alignment.maps import Shape, expected, largest_rectangle
from afmsr_core.alignment.result import Alignment, Attempt, Crop, warp
from afmsr_core.alignment.settings import AlignmentSettings
from afmsr_core.alignment.verify import Check, check_map
from afmsr_core.errors import UsageError, needed

__all__ = ["align"]

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
Pixel = float | tuple[float, float]

MIN_CROP = 16  # pixels; below, no metric of the paper is defined


@dataclass(frozen=True)
class _Candidate:
    """A map and what speaks for and against it."""

    kind: str
    matrix: Field
    shape: Shape
    overlap: float
    crop: Crop
    check: Check
    refined: bool
    reasons: tuple[str, ...]
    warped: Field | None = None  # the result on the pixels of the truth, where the map is sane


def align(
    result: ArrayLike,
    truth: ArrayLike | Ground,
    *,
    pixel_nm: Pixel | None = None,
    result_pixel_nm: Pixel | None = None,
    guess: ArrayLike | None = None,
    settings: AlignmentSettings | None = None,
) -> Alignment:
    """Align an upscaled result with its ground truth.

    Parameters
    ----------
    result : array_like of float, shape (yres, xres)
        Upscaled heights; NaN marks pixels that were not measured. No unit is assumed, and gain
        and background may differ from the truth's.
    truth : array_like of float, shape (yres, xres), or Ground
        Measured heights on their own grid; a :class:`Ground` of them for several results.
    pixel_nm : float or tuple of float, optional
        Pixel size of the truth, or width and height of its pixels, in nm; by default they are
        square. Only needed where they are not, for lengths in nm and with `result_pixel_nm`.
    result_pixel_nm : float or tuple of float, optional
        The same of the result. By default both show the same area edge to edge. Give it where
        they do not: where the truth is a zoom into the low-resolution scan, say.
    guess : array_like of float, shape (3, 3), optional
        Map from truth pixel to result pixel whose scale and rotation are about right; overrides
        what the pixel sizes promise, and all limits then refer to it. Its translation is only
        what shifts are counted from.
    settings : AlignmentSettings, optional
        Every choice.

    Returns
    -------
    Alignment
        Accepted or rejected; a rejected one says why and must not be scored.

    Raises
    ------
    PairError
        If one of the fields cannot be aligned with anything: below 32 pixels, constant, or more
        than half of it not measured.
    FieldError
        If one is not two-dimensional.
    UsageError
        If a pixel size or the guess makes no sense.
    MissingExtraError
        If SciPy is not installed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> from scipy.ndimage import gaussian_filter, shift
    >>> surface = gaussian_filter(rng.normal(size=(96, 96)), 3)
    >>> found = align(shift(surface, (0, 2.5), order=3), surface, pixel_nm=10.0)
    >>> found.verdict, [round(float(part), 1) + 0.0 for part in found.shift_px]
    ('accepted', [2.5, 0.0])
    """
    needed("scipy", "the alignment of two scans")
    settings = settings or AlignmentSettings()
    moved = Ground(result, "result")
    ground = truth if isinstance(truth, Ground) else Ground(truth)
    shapes = ground.heights.shape, moved.heights.shape
    pixel = _pixel(pixel_nm, "pixel_nm")
    if guess is not None:
        promised = np.asarray(guess, dtype=np.float64)
        if promised.shape != (3, 3) or not abs(np.linalg.det(promised)) > 0:
            raise UsageError("guess: give an invertible 3x3 matrix, truth pixel to result pixel")
    else:
        promised = expected(
            *shapes, _scale(shapes, pixel, _pixel(result_pixel_nm, "result_pixel_nm"))
        )
    pair = _Pair(moved, ground, promised, pixel or (1.0, 1.0), settings)

    attempts: list[Attempt] = []
    candidates: list[_Candidate] = []
    features = FeatureMap(None)
    for kind in settings.kinds:
        if kind == "homography":
            features = pair.features()
            candidate, reason = pair.homography(features), features.reason
        else:
            candidate, reason = pair.by_area(kind), "the heights determine no map"
        if candidate is None:
            attempts.append(Attempt(kind, (reason,)))
            continue
        attempts.append(Attempt(kind, candidate.reasons))
        candidates.append(candidate)
        if not candidate.reasons:
            break
    if not candidates:
        candidates.append(pair.candidate("none", promised, False))
        candidates[0] = dataclasses.replace(
            candidates[0],
            reasons=tuple(f"{attempt.kind}: {', '.join(attempt.reasons)}" for attempt in attempts),
        )
    # The one that was accepted is the last; of rejected ones, the best shows what is wrong.
    best = next((c for c in candidates if not c.reasons), None) or max(
        candidates, key=lambda c: np.nan_to_num(c.check.correlation, nan=-2.0)
    )
    used = best.kind == "homography"
    return Alignment(
        kind=best.kind,
        accepted=not best.reasons,
        reasons=best.reasons,
        matrix=best.matrix,
        truth_shape=shapes[0],
        result_shape=shapes[1],
        crop=best.crop,
        shape=best.shape,
        overlap=best.overlap,
        correlation=best.check.correlation,
        gains=best.check.gains,
        residual_px=best.check.residual(),
        residual_nm=None if pixel is None else best.check.residual(pixel),
        agreement=best.check.found / best.check.blocks if best.check.blocks else None,
        rival=pair.rival(best),
        features=features.features,
        matches=features.matches,
        inliers=features.inliers,
        reprojection_px=features.reprojection_px if used else None,
        refined=best.refined,
        attempts=tuple(attempts),
        interpolation=settings.interpolation,
    )


class _Pair:
    """Two fields on the way to their alignment; what several attempts need is made once."""

    def __init__(
        self,
        result: Ground,
        truth: Ground,
        promised: Field,
        pixel: tuple[float, float],
        settings: AlignmentSettings,
    ) -> None:
        self.of_result, self.of_truth = result, truth
        self.result, self.truth = result.heights, truth.heights
        self.promised, self.pixel, self.settings = promised, pixel, settings
        self.measured = result.measured, truth.measured
        self.complete = result.complete and truth.complete
        self.level_result, self.level_truth = (
            one.levelled(settings.background) for one in (result, truth)
        )
        self._start: Field | None = None
        self._searched = False

    def features(self) -> FeatureMap:
        settings = self.settings
        return by_features(
            self.of_result.points(settings), self.of_truth.points(settings), settings
        )

    def shape(self, matrix: Field) -> Shape:
        return Shape.of(matrix, self.promised, self.truth.shape, self.pixel)

    def homography(self, features: FeatureMap) -> _Candidate | None:
        if features.matrix is None:
            return None
        shape = self.shape(features.matrix)
        if self.settings.refine == "none" or self.absurd(shape):
            return self.candidate("homography", features.matrix, False)
        # The features are within a few pixels: the finest step is enough.
        refined = self.fit(features.matrix, "homography", finest_only=True)
        if refined is None or self.absurd(self.shape(refined)):
            return self.candidate("homography", features.matrix, False)
        return self.candidate("homography", refined, True)

    def by_area(self, kind: str) -> _Candidate | None:
        start = self.start()
        if start is None:
            return None
        if self.settings.refine == "none" and kind == "translation":
            return self.candidate(kind, start, False)
        matrix = self.fit(start, kind)
        if matrix is not None:
            return self.candidate(kind, matrix, True)
        return self.candidate(kind, start, False) if kind == "translation" else None

    def start(self) -> Field | None:
        if not self._searched:
            self._start = start_by_phase(
                self.level_result, self.level_truth, self.promised, self.settings.min_overlap
            )
            self._searched = True
        return self._start

    def fit(self, start: Field, kind: str, finest_only: bool = False) -> Field | None:
        steps = shrinkings(self.truth.shape, self.result.shape, self.promised)
        found = fit_map(
            self.level_result,
            self.level_truth,
            start,
            kind,
            background=self.settings.background,
            steps=steps[-1:] if finest_only else steps,
            measured=None if self.complete else self.measured,
        )
        return None if found is None else found.matrix

    def candidate(self, kind: str, matrix: Field, refined: bool) -> _Candidate:
        """Measure what a map leaves, and hold it against every limit."""
        shape = self.shape(matrix)
        reasons = self.absurd(shape)
        if reasons or kind == "none":
            nothing = Check(np.nan, None, np.zeros((0, 2)), 0, 0)
            empty = Crop(0, 0, 0, 0)
            return _Candidate(kind, matrix, shape, 0.0, empty, nothing, refined, tuple(reasons))
        warped = warp(self.result, matrix, self.truth.shape, "linear")
        covered = np.isfinite(warped)
        valid = covered & self.measured[1]
        overlap = np.count_nonzero(covered) / covered.size
        crop, lacks = self.crop(valid)
        check = check_map(warped, self.truth, valid, self.settings.background)
        reasons += self.overlap_too_small(overlap) + lacks + self.unlike(check)
        return _Candidate(
            kind, matrix, shape, overlap, crop, check, refined, tuple(reasons), warped
        )

    def rival(self, best: _Candidate) -> Rival | None:
        """Return the best other place, if there is a place at all."""
        if best.warped is None or not best.overlap:
            return None
        valid = np.isfinite(best.warped) & self.measured[1]
        return find_rival(best.warped, self.truth, valid, self.settings.background)

    def absurd(self, shape: Shape) -> list[str]:
        """Say in which way the form of a map is beyond any scanner."""
        limits, reasons = self.settings, []
        if not shape.proper:
            return ["the map mirrors or folds the field"]
        if not 1 / limits.max_scale <= shape.scale <= limits.max_scale:
            reasons.append(f"scale {shape.scale:.3g} beyond {limits.max_scale:g}")
        if shape.stretch > limits.max_stretch:
            reasons.append(f"stretch {shape.stretch:.3g} beyond {limits.max_stretch:g}")
        if abs(shape.rotation_deg) > limits.max_rotation:
            reasons.append(f"rotation {shape.rotation_deg:.3g}° beyond {limits.max_rotation:g}°")
        if shape.perspective > limits.max_perspective:
            reasons.append(f"perspective {shape.perspective:.3g} beyond {limits.max_perspective:g}")
        return reasons

    def overlap_too_small(self, overlap: float) -> list[str]:
        least = self.settings.min_overlap
        return [] if overlap >= least else [f"overlap {overlap:.0%} below {least:.0%}"]

    def unlike(self, check: Check) -> list[str]:
        """Say why the heights do not confirm a map."""
        limits, reasons = self.settings, []
        if not check.correlation >= limits.min_correlation:
            reasons.append(f"correlation {check.correlation:.2f} below {limits.min_correlation:g}")
        least, most = check.gains or (1.0, 1.0)
        if least > limits.max_gain or most < 1 / limits.max_gain:
            times = max(math.sqrt(least * most), 1 / math.sqrt(least * most))
            told = f"{times:.1f}" if times < 10 else f"{times:,.0f}"
            reasons.append(f"heights differ by a factor of {told}, beyond {limits.max_gain:g}")
        if not check.blocks:
            reasons.append("no block has relief in both directions, so nothing confirms the map")
            return reasons
        agreement = check.found / check.blocks
        if agreement < limits.min_agreement:
            reasons.append(
                f"{check.found} of {check.blocks} blocks found again, "
                f"below {limits.min_agreement:.0%}"
            )
        residual = check.residual()
        if residual is not None and residual > limits.max_residual:
            reasons.append(f"residual {residual:.2f} px beyond {limits.max_residual:g} px")
        return reasons

    def crop(self, valid: Mask) -> tuple[Crop, list[str]]:
        """Return the rectangle to score on, and why it is too small if it is."""
        top, left, height, width = largest_rectangle(valid)
        margin, side = self.settings.margin, self.settings.crop
        top, left = top + margin, left + margin
        height, width = max(0, height - 2 * margin), max(0, width - 2 * margin)
        if side is not None:
            if min(height, width) < side:
                return Crop(top, left, height, width), [
                    f"common area {width} x {height} px below the crop of {side} x {side}"
                ]
            top, left = top + (height - side) // 2, left + (width - side) // 2
            height = width = side
        crop = Crop(top, left, height, width)
        if min(height, width) < MIN_CROP:
            return crop, [f"common area {width} x {height} px below {MIN_CROP} x {MIN_CROP}"]
        return crop, []


def _pixel(size: Pixel | None, name: str) -> tuple[float, float] | None:
    if size is None:
        return None
    both = np.broadcast_to(np.asarray(size, dtype=np.float64), (2,))
    if not np.all(np.isfinite(both) & (both > 0)):
        raise UsageError(f"{name} {size}: give positive numbers, width and height of a pixel")
    return float(both[0]), float(both[1])


def _scale(
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    truth: tuple[float, float] | None,
    result: tuple[float, float] | None,
) -> tuple[float, float]:
    """Return result pixels per truth pixel along x and y."""
    if result is None:
        return shapes[1][1] / shapes[0][1], shapes[1][0] / shapes[0][0]
    if truth is None:
        raise UsageError("result_pixel_nm needs pixel_nm: give the pixel sizes of both")
    return truth[0] / result[0], truth[1] / result[1]

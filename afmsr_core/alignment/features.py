"""The paper's way: SIFT features, brute-force matching, and a homography by a robust estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment.settings import AlignmentSettings

__all__ = ["FeatureMap", "KeyPoints", "by_features", "eight_bit"]

Field = NDArray[np.float64]

# Brown and Lowe 2007, doi 10.1007/s11263-006-0002-3, section 3.2: an image match is right if it
# has more inliers than this plus this share of the matches.
ALPHA, BETA = 8.0, 0.3

PART = 128  # descriptors that are compared at a time, so that their distances stay in the cache

MAX_ITERATIONS = 10_000
CONFIDENCE = 0.9999


@dataclass(frozen=True)
class FeatureMap:
    """What the features gave.

    Attributes
    ----------
    matrix : ndarray of float64, shape (3, 3), or None
        Truth pixel to result pixel; None if there is none to be trusted.
    features : tuple of int
        Features of the truth and of the result.
    matches, inliers : int
        Matches that pass the ratio test, and those of them that the homography explains.
    reprojection_px : float or None
        Root mean square distance of the inliers from the map, in pixels of the result.
    reason : str
        Why there is no matrix; empty if there is.
    """

    matrix: NDArray[np.float64] | None
    features: tuple[int, int] = (0, 0)
    matches: int = 0
    inliers: int = 0
    reprojection_px: float | None = None
    reason: str = ""


def eight_bit(field: Field, stretch: tuple[float, float]) -> NDArray[np.uint8]:
    """Return grey values of a levelled field; only features are ever found on them.

    Parameters
    ----------
    field : ndarray of float64, shape (yres, xres)
        Finite, in any unit.
    stretch : tuple of float
        Percentiles that become 0 and 255.

    Examples
    --------
    >>> eight_bit(np.array([[0.0, 5.0, 10.0]]), (0, 100))
    array([[  0, 128, 255]], dtype=uint8)
    """
    low, high = np.percentile(field, stretch)
    if not high > low:
        return np.zeros(field.shape, dtype=np.uint8)
    return np.rint(np.clip((field - low) / (high - low), 0, 1) * 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class KeyPoints:
    """SIFT features of one field.

    Attributes
    ----------
    at : ndarray of float64, shape (count, 2)
        Places (x, y) in pixels.
    descriptors : ndarray of float32, shape (count, 128)
        Whole numbers up to 255.
    """

    at: Field
    descriptors: NDArray[np.float32]

    @classmethod
    def of(
        cls, field: Field, settings: AlignmentSettings, measured: NDArray[np.bool_] | None = None
    ) -> KeyPoints:
        """Return the strongest features.

        Parameters
        ----------
        field : ndarray of float64, shape (yres, xres)
            Levelled and finite.
        settings : AlignmentSettings
            Stretch, contrast and number.
        measured : ndarray of bool, shape (yres, xres), optional
            Where it was measured; features elsewhere do not count.
        """
        import cv2

        points, descriptors = cv2.SIFT.create(
            nfeatures=settings.max_features,
            contrastThreshold=settings.contrast,
            # Else OpenCV doubles the image about its first pixel's corner, and points lie 0.25 px
            # to the lower right: of no matter on equal grids, a shift on others.
            enable_precise_upscale=True,
        ).detectAndCompute(
            eight_bit(field, settings.stretch),
            None if measured is None else measured.astype(np.uint8),
        )
        if descriptors is None:
            descriptors = np.zeros((0, 128), dtype=np.float32)
        return cls(np.array([point.pt for point in points]).reshape(-1, 2), descriptors)


def by_features(result: KeyPoints, truth: KeyPoints, settings: AlignmentSettings) -> FeatureMap:
    """Estimate a homography from features; the same input gives the same map.

    Parameters
    ----------
    result, truth : KeyPoints
        Of both fields, by the same settings.
    settings : AlignmentSettings
        Ratio, estimator, threshold.
    """
    import cv2

    at_truth, at_result = truth.at, result.at
    counts = (len(at_truth), len(at_result))
    if min(counts) < 2:
        return FeatureMap(None, counts, reason=f"{counts[0]} and {counts[1]} features")
    kept, nearest = _matches(truth.descriptors, result.descriptors, settings.ratio)
    if len(kept) <= ALPHA:
        return FeatureMap(
            None, counts, len(kept), reason=f"{len(kept)} matches of {counts[0]} features"
        )
    source, target = at_truth[kept], at_result[nearest]
    method = {"magsac": cv2.USAC_MAGSAC, "ransac": cv2.RANSAC}[settings.estimator]
    matrix, inside = cv2.findHomography(
        source,
        target,
        method,
        settings.reprojection,
        maxIters=MAX_ITERATIONS,
        confidence=CONFIDENCE,
    )
    inliers = 0 if inside is None else int(np.count_nonzero(inside))
    if matrix is None or not np.isfinite(matrix).all() or inliers <= ALPHA + BETA * len(kept):
        return FeatureMap(
            None, counts, len(kept), inliers, reason=f"{inliers} inliers of {len(kept)} matches"
        )
    there = cv2.perspectiveTransform(source[:, None], matrix)[:, 0]
    distance = np.linalg.norm(there - target, axis=1)[inside.ravel() > 0]
    rms = float(np.sqrt(np.mean(distance**2)))
    return FeatureMap(matrix, counts, len(kept), inliers, rms)


def _matches(
    one: NDArray[np.float32], other: NDArray[np.float32], ratio: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which descriptors match by Lowe's ratio test, and the nearest of the other side.

    Each with each, as OpenCV's brute force. Descriptors are whole numbers up to 255, so neither
    squares nor sums of 128 of them are rounded, and a product of matrices gives the same.
    """
    nearest = np.empty(len(one), dtype=np.int64)
    closest, second = np.empty(len(one)), np.empty(len(one))
    of_other = np.square(other).sum(axis=1)
    for start in range(0, len(one), PART):
        part = np.s_[start : start + PART]
        squared = np.square(one[part]).sum(axis=1)[:, None] + of_other
        squared -= 2 * (one[part] @ other.T)
        every = np.arange(len(squared))
        nearest[part] = squared.argmin(axis=1)
        closest[part] = np.sqrt(squared[every, nearest[part]])
        squared[every, nearest[part]] = np.inf
        second[part] = np.sqrt(squared.min(axis=1))
    kept = np.flatnonzero(closest < ratio * second)
    return kept, nearest[kept]

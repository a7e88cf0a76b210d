"""Detail: small features that a result has and the truth has not, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import FieldError

__all__ = ["Detail", "DetailOfTruth", "Features", "compare_detail", "detail_of", "features_of"]

Field = NDArray[np.float64]

STRONG = 5.0
"""Standard deviations of what noise leaves in the detail, above which a peak is a feature.

A field has thousands of places for a peak: at 3, pure noise makes some forty in 256 x 256 pixels,
at 5 less than one.
"""

SMALL = 1.5
"""Measured pixels: the Gaussian whose removal leaves the detail that a coarse scan may miss."""

NOISY = 0.25
"""Of a measured pixel: the Gaussian that takes the noise of single pixels off the detail."""

AGAIN = 0.5
"""Share of its height that a feature must reach in the other field, to be there again."""

EDGE = 3.0
"""Measured pixels at the border, where half of what surrounds a feature is not known."""

LOBE = 0.25
"""Of the strongest detail around (`ROUND`), below which a peak may be its side lobe, of 15 %."""

ROUND = 3.0
"""Measured pixels to which a side lobe reaches."""

NEAR = 0.5
"""Of a measured pixel, by which it may lie elsewhere: no scan can tell."""

APART = 1.0
"""Measured pixels; of peaks that lie closer together only the highest is a feature."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a field.

    Attributes
    ----------
    rows, columns : ndarray of int64, shape (count,)
        Of their highest, or lowest, pixels.
    heights : ndarray of float64, shape (count,)
        Above, or below, their surroundings, in the field's unit.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    heights: Field

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.heights)


@dataclass(frozen=True, eq=False)
class Detail:
    """Features of result and truth, and which of them the other has not.

    Attributes
    ----------
    result, truth : Features
        Of each.
    invented : ndarray of bool, shape (result.count,)
        Which features of the result are not in the truth.
    missing : ndarray of bool, shape (truth.count,)
        Which features of the truth are not in the result.
    sigma : float
        Standard deviation of the detail of the noise.
    """

    result: Features
    truth: Features
    invented: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    sigma: float

    def as_dict(self) -> dict[str, float | int | None]:
        """Return counts, rates and heights, JSON-serialisable."""

        def median(heights: Field) -> float | None:
            return float(np.median(np.abs(heights))) if heights.size else None

        return {
            "features_result": self.result.count,
            "features_truth": self.truth.count,
            "invented": int(self.invented.sum()),
            "missing": int(self.missing.sum()),
            "invented_rate": float(self.invented.mean()) if self.invented.size else None,
            "missing_rate": float(self.missing.mean()) if self.missing.size else None,
            "invented_height": median(self.result.heights[self.invented]),
            "missing_height": median(self.truth.heights[self.missing]),
            "sigma": self.sigma,
        }


def detail_of(heights: Field, scale: int = 4) -> Field:
    """Return what is smaller than a few measured pixels, in the unit of the heights.

    Parameters
    ----------
    heights : ndarray of float64, shape (yres, xres)
        On the pixels of a result; NaN where unknown.
    scale : int
        Fine pixels per measured pixel.

    Returns
    -------
    ndarray of float64, shape (yres, xres)
        NaN within `EDGE` of the border, and where something unknown lies within four times `SMALL`.
    """
    import cv2

    known, beyond = np.isfinite(heights), round(4 * SMALL * scale)
    # Beyond the border the heights go on with the same slope, so the border is no feature.
    field = np.pad(np.nan_to_num(heights), beyond, mode="reflect", reflect_type="odd")
    share: Field | None = None
    if not known.all():  # else the share of what is known is 1 everywhere, blurred or not
        share = np.pad(known.astype(np.float64), beyond, mode="reflect")
        share *= np.pad(known, beyond, mode="edge")

    @cache
    def share_of(sigma: float) -> Field:
        return np.asarray(np.maximum(cv2.GaussianBlur(share, (0, 0), sigma), 1e-6))

    def smooth(z: Field, sigma: float) -> Field:
        if share is None:
            return np.asarray(cv2.GaussianBlur(z, (0, 0), sigma))
        return np.asarray(cv2.GaussianBlur(z * share, (0, 0), sigma)) / share_of(sigma)

    once = smooth(field, SMALL * scale)
    # Twice, so that what is removed follows slopes and curvatures exactly.
    wide = 2 * once - smooth(once, SMALL * scale)
    inside = np.s_[beyond:-beyond, beyond:-beyond]
    detail = (smooth(field, NOISY * scale) - wide)[inside]
    sure = known.copy()
    if share is not None:
        around = np.ones((2 * beyond + 1, 2 * beyond + 1), np.uint8)
        sure = cv2.erode(
            known.astype(np.uint8), around, borderType=cv2.BORDER_CONSTANT, borderValue=1
        ).astype(bool)
    edge = round(EDGE * scale)
    for side in (sure, sure.T):
        side[:edge] = side[len(side) - edge :] = False
    return np.where(sure, detail, np.nan)


def features_of(detail: Field, threshold: float, scale: int = 4) -> Features:
    """Find hills and hollows: peaks of the detail beyond a threshold."""
    known, reach = np.nan_to_num(detail), round(APART * scale)
    turned, size = -known, np.abs(known)
    hills = (known > threshold) & (known == _highest(known, reach))
    hollows = (turned > threshold) & (turned == _highest(turned, reach))
    strongest = _highest(size, round(ROUND * scale))
    rows, columns = np.nonzero((hills | hollows) & (size >= LOBE * strongest))
    return Features(rows, columns, known[rows, columns])


def _highest(field: Field, reach: int) -> Field:
    """Return the highest value within `reach` pixels of each."""
    import cv2

    return np.asarray(cv2.dilate(field, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)))


class DetailOfTruth:
    """The detail of a truth and its features, which serve any number of results.

    Parameters
    ----------
    truth : ndarray of float64, shape (yres, xres)
        NaN where unknown.
    scale : int
        Fine pixels per measured pixel.
    """

    def __init__(self, truth: Field, scale: int = 4) -> None:
        self.field, self.scale = detail_of(truth, scale), scale
        self._features: dict[float, Features] = {}

    def where(self, known: NDArray[np.bool_], threshold: float) -> tuple[Field, Features]:
        """Return the detail where a result is known too, and its features."""
        if (np.isfinite(self.field) & ~known).any():
            field = np.where(known, self.field, np.nan)
            return field, features_of(field, threshold, self.scale)
        if threshold not in self._features:
            self._features[threshold] = features_of(self.field, threshold, self.scale)
        return self.field, self._features[threshold]


def compare_detail(
    result: Field,
    truth: Field,
    noise: float,
    noise_of_scan: float = 0.0,
    scale: int = 4,
    *,
    cell: int = 1,
    detail_of_truth: DetailOfTruth | None = None,
    strong: float = STRONG,
) -> Detail:
    """Tell which features are invented and which are missing.

    Parameters
    ----------
    result, truth : ndarray of float64, shape (yres, xres)
        Registered, in the same unit; NaN where unknown.
    noise : float
        Standard deviation of the white noise of the truth, in their unit.
    noise_of_scan : float
        The same of the pixels of the coarse scan. Below `STRONG` standard deviations of what
        both leave in the detail, nothing is a feature.
    scale : int
        Fine pixels per measured pixel; of a line scan, between its lines.
    cell : int
        Points along a line of the scan that are as long as its lines are apart; 1 for square
        pixels.
    detail_of_truth : DetailOfTruth, optional
        Made of the same truth at the same scale, for several results.
    strong : float
        In place of `STRONG`, where it is known what is a feature and what is noise.

    Returns
    -------
    Detail
        A feature of one is in the other if the other's detail reaches, near enough (`NEAR`), at
        least half of its height in the same direction.

    Raises
    ------
    FieldError
        If the shapes differ.
    """
    if result.shape != truth.shape:
        raise FieldError(
            f"result has the shape {result.shape}, truth {truth.shape}; align them first"
        )
    known = np.isfinite(result) & np.isfinite(truth)
    sigma = float(np.hypot(noise * gain(scale), noise_of_scan * coarse_gain(scale, cell)))
    one = np.where(known, detail_of(result, scale), np.nan)
    of_result = features_of(one, strong * sigma, scale)
    made = detail_of_truth or DetailOfTruth(truth, scale)
    other, of_truth = made.where(known, strong * sigma)
    invented, missing = _absent(of_result, other, scale), _absent(of_truth, one, scale)
    return Detail(of_result, of_truth, invented, missing, sigma)


@cache
def gain(scale: int = 4) -> float:
    """Return the standard deviation of the detail of white noise with deviation 1."""
    impulse = np.zeros((24 * scale + 1,) * 2)
    impulse[12 * scale, 12 * scale] = 1.0
    return float(np.sqrt(np.nansum(detail_of(impulse, scale) ** 2)))


@cache
def coarse_gain(scale: int = 4, cell: int = 1) -> float:
    """Return the same of white noise of the coarse scan, after cubic interpolation."""
    import cv2

    impulse = np.zeros((25, 25 * cell))
    impulse[12, 12 * cell] = 1.0
    fine = cv2.resize(impulse, (25 * scale, 25 * scale), interpolation=cv2.INTER_CUBIC)
    return float(np.sqrt(cell * np.nansum(detail_of(fine, scale) ** 2))) / scale


def _absent(features: Features, other: Field, scale: int) -> NDArray[np.bool_]:
    """Tell which features the other field does not have."""
    reach = round(NEAR * scale)
    around = np.pad(np.nan_to_num(other), reach, constant_values=np.nan)
    sign, there = np.sign(features.heights), np.full(features.count, -np.inf)
    for i, j in np.ndindex(2 * reach + 1, 2 * reach + 1):
        there = np.fmax(there, sign * around[features.rows + i, features.columns + j])
    return np.asarray(there < AGAIN * np.abs(features.heights))

"""Every choice of the alignment, named: the paper is silent on most of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from afmsr_core.errors import UsageError

__all__ = ["ESTIMATORS", "INTERPOLATIONS", "KINDS", "REFINEMENTS", "AlignmentSettings"]

KINDS = ("homography", "affine", "translation")
"""Models of the map, in the order in which they are tried."""

ESTIMATORS = ("magsac", "ransac")
REFINEMENTS = ("none", "ecc")
INTERPOLATIONS: Mapping[str, int] = {"linear": 1, "cubic": 3}  # order of the spline


@dataclass(frozen=True)
class AlignmentSettings:
    """How a result is aligned with its truth, and when that counts as failed.

    Lengths are in pixels of the truth.

    Parameters
    ----------
    kinds : tuple of str
        Which of :data:`KINDS` may be tried, in this order; the first that passes is taken.
    stretch : tuple of float
        Percentiles that become 0 and 255 in the 8-bit copy on which features are found. Scars
        and particles beyond them would otherwise take the contrast from all the rest.
    background : int
        Total degree of the polynomial by which result and truth may differ, 0 to 3: offset,
        tilt (1), bow (2). The bow is the scanner's and differs from scan to scan (0.25 of the
        height range in the median), so 2.
    max_features : int
        Strongest SIFT features that are kept of each image; bounds the brute-force matching.
    contrast : float
        SIFT's contrast threshold; 0.04 is that of Lowe's paper and OpenCV.
    ratio : float
        A match counts if its descriptor is closer than `ratio` times the second closest. Lowe
        recommends 0.8; 0.75 is the common stricter choice.
    estimator : {"magsac", "ransac"}
        Robust estimator of the homography; both run on a fixed random sequence.
    reprojection : float
        Matches within this distance of the map are inliers; about one low-resolution pixel.
    refine : {"ecc", "none"}
        ``"ecc"`` maximises the correlation of the heights themselves, starting from the
        features, with the background fitted along. ``"none"`` is the paper's plain path.
    interpolation : {"cubic", "linear"}
        How :meth:`Alignment.warp` interpolates: cubic splines, or linearly.
    margin : int
        Pixels taken off each side of the common area.
    crop : int, optional
        Side of a fixed square crop in the middle of the common area; by default all of it.
    max_scale, max_stretch : float
        Greatest factor by which the scale may differ from that of the pixel sizes, and by which
        it may differ between directions. The worst real pair known here has 1.09 in one
        direction.
    max_rotation : float
        Degrees. The worst real pair known here has 3.
    max_perspective : float
        Greatest change of the local scale over the field, relative. A scanner has none; what a
        homography makes of creep and hysteresis stays below this.
    min_overlap : float
        Least share of the truth that the result covers.
    min_correlation : float
        Least correlation of the two on the common area, background taken off, after smoothing
        to the low resolution. The worst real pair known here has 0.84.
    max_gain : float
        Greatest factor by which the heights may differ. A z calibration that is off by a third is
        rare, and one of another scanner may be off by half; a factor of 3 is an error of a unit, a
        gain or a sensitivity, and such a pair would decide every mean. The limit is held against
        the least factor that the two allow, so noise and detail that was lost do not trip it.
    max_residual : float
        Greatest :attr:`Alignment.residual_px`; 4 is one low-resolution pixel. Half a pixel is
        worth 1 dB where the surface is rough, so a benchmark wants 0.5; on smooth surfaces the
        residual itself is uncertain by that much.
    min_agreement : float
        Least share of the checked blocks that are found again near where the map puts them. Real
        pairs have 0.96 and more, lattices of different places 0.5 to 0.78.

    Notes
    -----
    With these limits, of 342 pairs of unrelated real scans the only ones accepted show the same
    lattice or the same place. A periodic sample looks the same a period away: of such places the
    nearest to the promised one is taken, and nothing in the heights can tell that it is wrong.
    Such a pair is not rejected, because its scores are right if its offsets are; it is marked
    (:attr:`Alignment.ambiguous`).

    References
    ----------
    Paper: doi 10.3762/bjnano.16.83, pipeline step 4. SIFT and ratio test: Lowe 2004, doi
    10.1023/B:VISI.0000029664.99615.94. MAGSAC++: Barath et al. 2020, doi
    10.1109/CVPR42600.2020.00138. ECC: Evangelidis and Psarakis 2008, doi 10.1109/TPAMI.2008.113.

    Examples
    --------
    >>> AlignmentSettings().kinds
    ('homography', 'affine', 'translation')
    >>> AlignmentSettings.from_dict(AlignmentSettings(crop=370).as_dict()).crop
    370
    """

    kinds: tuple[str, ...] = KINDS
    stretch: tuple[float, float] = (0.5, 99.5)
    background: int = 2
    max_features: int = 1500
    contrast: float = 0.04
    ratio: float = 0.75
    estimator: str = "magsac"
    reprojection: float = 3.0
    refine: str = "ecc"
    interpolation: str = "cubic"
    margin: int = 2
    crop: int | None = None
    max_scale: float = 1.2
    max_stretch: float = 1.2
    max_rotation: float = 10.0
    max_perspective: float = 0.1
    min_overlap: float = 0.3
    min_correlation: float = 0.6
    max_gain: float = 3.0
    max_residual: float = 4.0
    min_agreement: float = 0.8

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(self.kinds))
        object.__setattr__(self, "stretch", tuple(self.stretch))
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise UsageError(f"kinds {list(self.kinds)}: choose from {', '.join(KINDS)}")
        _one_of("estimator", self.estimator, ESTIMATORS)
        _one_of("refine", self.refine, REFINEMENTS)
        _one_of("interpolation", self.interpolation, tuple(INTERPOLATIONS))
        if len(self.stretch) != 2 or not 0 <= self.stretch[0] < self.stretch[1] <= 100:
            raise UsageError(f"stretch {self.stretch}: give two rising percentiles, 0 to 100")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(f"{name} {value}: give a number from {low:g} to {high:g}")
        if self.crop is not None and self.crop < 1:
            raise UsageError(f"crop {self.crop}: give the side in pixels, at least 1")

    @classmethod
    def paper(cls, **changes: Any) -> AlignmentSettings:
        """Return the paper's plain path: features only, no refinement after the homography."""
        return cls(**({"refine": "none"} | changes))

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> AlignmentSettings:
        """Return the settings that :meth:`as_dict` or a configuration file describes.

        Raises
        ------
        UsageError
            If a name is unknown or a value makes no sense.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        unknown = [name for name in settings if name not in names]
        if unknown:
            raise UsageError(
                f"alignment: no setting is named {unknown[0]!r}; there are {', '.join(names)}"
            )
        try:
            return cls(**settings)
        except TypeError as error:
            raise UsageError(f"alignment: {error}; give numbers where numbers belong") from error

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable copy."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


_RANGES = (
    ("background", 0, 3),
    ("max_features", 16, 100_000),
    ("contrast", 0, 1),
    ("ratio", 0.01, 1),
    ("reprojection", 0.01, 100),
    ("margin", 0, 10_000),
    ("max_scale", 1, 10),
    ("max_stretch", 1, 10),
    ("max_rotation", 0, 180),
    ("max_perspective", 0, 10),
    ("min_overlap", 0, 1),
    ("min_correlation", -1, 1),
    ("max_gain", 1, 1e12),
    ("max_residual", 0, 1000),
    ("min_agreement", 0, 1),
)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} {value!r}: choose {' or '.join(choices)}")

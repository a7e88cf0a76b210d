"""What an alignment found, and how to bring a field onto the pixels of the truth with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.alignment.ambiguity import AMBIGUOUS, Rival
from afmsr_core.alignment.maps import Shape, Size, apply, grid_of
from afmsr_core.alignment.settings import INTERPOLATIONS
from afmsr_core.errors import FieldError

__all__ = ["Alignment", "Attempt", "Crop", "warp"]

Field = NDArray[np.float64]

EDGE = 1e-6  # pixels beyond the outer centres that are rounding, not extrapolation


@dataclass(frozen=True)
class Crop:
    """A rectangle of pixels of the truth.

    Examples
    --------
    >>> Crop(top=1, left=0, height=2, width=3).of(np.arange(12).reshape(3, 4))
    array([[ 4,  5,  6],
           [ 8,  9, 10]])
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, for indexing."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def of(self, field: NDArray[Any]) -> NDArray[Any]:
        """Return this part of a field, as a view."""
        return field[self.slices]


@dataclass(frozen=True)
class Attempt:
    """One kind of map that was tried.

    Attributes
    ----------
    kind : str
        ``"homography"``, ``"affine"`` or ``"translation"``.
    reasons : tuple of str
        Why it was not taken; empty for the one that was.
    """

    kind: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Alignment:
    """How a result lies on its truth.

    Attributes
    ----------
    kind : str
        ``"homography"``, ``"affine"``, ``"translation"``, or ``"none"`` if no map was found.
    accepted : bool
        Whether the map passed every limit. A rejected pair must not be scored.
    reasons : tuple of str
        Why it was rejected: what was found, against which limit. Empty if accepted.
    matrix : ndarray of float64, shape (3, 3)
        Takes a pixel (x, y) of the truth to a pixel of the result, centres at whole numbers.
    truth_shape, result_shape : tuple of int
        Rows and columns.
    crop : Crop
        Largest rectangle that both cover, less the margin, or the fixed square in its middle.
    shape : Shape
        Scale, rotation, shift and perspective against what the pixel sizes promise.
    overlap : float
        Share of the truth's pixels that the result covers.
    correlation : float
        Of both on the common area; see `AlignmentSettings.min_correlation`.
    gains : tuple of float or None
        Least and most of the height of the truth per height of the result, background taken off;
        noise and detail that only one of the two has part them. None if they do not correlate.
    residual_px : float or None
        Median over blocks of the displacement that is left, in pixels of the truth. None if no
        block could be found again.
    residual_nm : float or None
        The same in nm; None without pixel size.
    agreement : float or None
        Share of the blocks that were found again; None if no block has relief in both
        directions.
    rival : Rival or None
        The best other place of the result on the truth, and how good it is; None if there is no
        place at all.
    features : tuple of int
        SIFT features of truth and result.
    matches, inliers : int
        Matches that passed the ratio test, and those that the homography explains.
    reprojection_px : float or None
        Root mean square distance of the inliers from the homography before it was refined.
    refined : bool
        Whether the heights themselves have refined the map.
    attempts : tuple of Attempt
        What was tried, in order, and why it was not taken.
    interpolation : str
        What :meth:`warp` uses.
    """

    kind: str
    accepted: bool
    reasons: tuple[str, ...]
    matrix: Field
    truth_shape: Size
    result_shape: Size
    crop: Crop
    shape: Shape
    overlap: float
    correlation: float
    gains: tuple[float, float] | None
    residual_px: float | None
    residual_nm: float | None
    agreement: float | None
    rival: Rival | None
    features: tuple[int, int]
    matches: int
    inliers: int
    reprojection_px: float | None
    refined: bool
    attempts: tuple[Attempt, ...]
    interpolation: str

    @property
    def verdict(self) -> str:
        """``"accepted"`` or ``"rejected: "`` and why."""
        return "accepted" if self.accepted else f"rejected: {'; '.join(self.reasons)}"

    @property
    def scale(self) -> float:
        """Scale against that of the pixel sizes."""
        return self.shape.scale

    @property
    def rotation_deg(self) -> float:
        """Degrees, clockwise on the screen."""
        return self.shape.rotation_deg

    @property
    def shift_px(self) -> tuple[float, float]:
        """(x, y) by which the field's centre is off, in pixels of the truth."""
        return self.shape.shift_px

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """What was tried before the kind that was taken, and why it was not, in words."""
        return tuple(
            f"{attempt.kind}: {', '.join(attempt.reasons)}"
            for attempt in self.attempts
            if attempt.reasons
        )

    @property
    def ambiguous(self) -> bool:
        """Whether the result may lie one period off, and nothing in the heights can tell."""
        return self.rival is not None and self.rival.ratio >= AMBIGUOUS

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against trusting an accepted map, with what to do."""
        if not self.accepted or self.rival is None or not self.ambiguous:
            return ()
        x, y = self.rival.shift_px
        return (
            f"periodic sample: it fits as well when shifted by ({x:.0f}, {y:.0f}) px (correlation "
            f"{self.rival.ratio:.2f} of that here), so it may lie a period off; compare what is "
            f"unique in both scans, such as a defect",
        )

    def warp(self, field: ArrayLike, shape: Size | None = None) -> Field:
        """Return a field of the result on the pixels of the truth.

        Parameters
        ----------
        field : array_like of float, shape (yres, xres)
            On the pixels of the result that was aligned, in any unit; NaN stays NaN.
        shape : tuple of int, optional
            Rows and columns to return; by default those of the truth.

        Returns
        -------
        ndarray of float64
            In the unit of `field`, NaN where it has no measured pixel. No NaN within
            :attr:`crop`, if `field` is measured where the aligned result was.

        Raises
        ------
        FieldError
            If the field has other pixels than the result that was aligned.
        """
        field = np.asarray(field, dtype=np.float64)
        if field.shape != self.result_shape:
            raise FieldError(
                f"the alignment was made for {self.result_shape[0]} x {self.result_shape[1]} "
                f"pixels, this field has the shape {field.shape}; align it on its own"
            )
        return warp(field, self.matrix, shape or self.truth_shape, self.interpolation)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-serialisable numbers and words."""
        return {
            "kind": self.kind,
            "verdict": self.verdict,
            "accepted": self.accepted,
            "reasons": list(self.reasons),
            "matrix": self.matrix.tolist(),
            "truth_shape": list(self.truth_shape),
            "result_shape": list(self.result_shape),
            "crop": [self.crop.top, self.crop.left, self.crop.height, self.crop.width],
            "scale": self.shape.scale,
            "stretch": self.shape.stretch,
            "rotation_deg": self.shape.rotation_deg,
            "perspective": self.shape.perspective,
            "shift_px": list(self.shape.shift_px),
            "overlap": self.overlap,
            "correlation": None if np.isnan(self.correlation) else self.correlation,
            "gains": None if self.gains is None else list(self.gains),
            "residual_px": self.residual_px,
            "residual_nm": self.residual_nm,
            "agreement": self.agreement,
            "ambiguity": None if self.rival is None else self.rival.ratio,
            "rival_px": None if self.rival is None else list(self.rival.shift_px),
            "ambiguous": self.ambiguous,
            "warnings": list(self.warnings),
            "features": list(self.features),
            "matches": self.matches,
            "inliers": self.inliers,
            "reprojection_px": self.reprojection_px,
            "refined": self.refined,
            "fallbacks": list(self.fallbacks),
            "interpolation": self.interpolation,
        }


def warp(field: Field, matrix: Field, shape: Sequence[int], interpolation: str = "cubic") -> Field:
    """Sample a field where a map puts the pixels of a grid.

    Positions are exact (OpenCV rounds them to 1/32 pixel), values are float64.

    Parameters
    ----------
    field : ndarray of float64, shape (yres, xres)
        NaN where not measured.
    matrix : ndarray of float64, shape (3, 3)
        From a pixel (x, y) of the grid to one of the field.
    shape : sequence of int
        Rows and columns of the grid.
    interpolation : {"cubic", "linear"}
        Cubic splines or linear.

    Returns
    -------
    ndarray of float64, shape `shape`
        NaN where the field has no value: beyond the centres of its outer pixels, or within a
        pixel of one that is NaN.

    Examples
    --------
    >>> move = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> warp(np.array([[0.0, 2.0, 4.0]]), move, (1, 3), "linear")
    array([[ 1.,  3., nan]])
    """
    from scipy import ndimage

    rows, columns = int(shape[0]), int(shape[1])
    at = np.empty((2, rows, columns))
    at[1], at[0] = x, y = apply(matrix, *grid_of((rows, columns)))
    inside = (x >= -EDGE) & (x <= field.shape[1] - 1 + EDGE)
    inside &= (y >= -EDGE) & (y <= field.shape[0] - 1 + EDGE)
    missing = ~np.isfinite(field)
    if missing.all():
        return np.full((rows, columns), np.nan)
    values: Field = ndimage.map_coordinates(
        filled(field), at, order=INTERPOLATIONS[interpolation], mode="nearest"
    )
    if missing.any():
        inside &= ndimage.map_coordinates(missing.astype(float), at, order=1, mode="nearest") < EDGE
    return np.where(inside, values, np.nan)


def filled(field: Field) -> Field:
    """Return a field in which every missing pixel has the value of the nearest measured one."""
    missing = ~np.isfinite(field)
    if not missing.any():
        return field
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return field[tuple(nearest)]

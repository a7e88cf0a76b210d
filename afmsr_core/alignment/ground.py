"""A field on its way to an alignment, and what can be aligned at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.alignment.features import KeyPoints
from afmsr_core.alignment.result import filled
from afmsr_core.alignment.settings import AlignmentSettings
from afmsr_core.errors import FieldError, PairError
from afmsr_core.surfaces import fit_polynomial

__all__ = ["Ground"]

Field = NDArray[np.float64]

MIN_SIDE = 32  # pixels of truth and result: 8 of the low resolution; fewer hold no features
MIN_MEASURED = 0.5  # share of finite pixels
FLAT = 1e-12  # relief relative to the largest height that is only rounding


class Ground:
    """A field on its way to an alignment; what belongs to it alone is made once.

    Of a truth it serves every result that is aligned with it.

    Parameters
    ----------
    field : array_like of float, shape (yres, xres)
        Heights; NaN or infinite where not measured.
    name : str
        For messages.

    Raises
    ------
    PairError, FieldError
        As :func:`afmsr_core.alignment.align`.
    """

    def __init__(self, field: ArrayLike, name: str = "truth") -> None:
        self.heights = _checked(field, name)
        self.measured = np.isfinite(self.heights)
        self.complete = bool(self.measured.all())
        self._levelled: dict[int, Field] = {}
        self._points: dict[tuple[object, ...], KeyPoints] = {}

    def levelled(self, background: int) -> Field:
        """Return the heights less the polynomial of this total degree, without gaps."""
        if background not in self._levelled:
            surface = fit_polynomial(self.heights, background)
            self._levelled[background] = surface.subtracted_from(filled(self.heights))
        return self._levelled[background]

    def points(self, settings: AlignmentSettings) -> KeyPoints:
        """Return the features that count by some settings."""
        chosen = (
            settings.background,
            settings.stretch,
            settings.max_features,
            settings.contrast,
        )
        if chosen not in self._points:
            mask = None if self.complete else self.measured
            level = self.levelled(settings.background)
            self._points[chosen] = KeyPoints.of(level, settings, mask)
        return self._points[chosen]


def _checked(field: ArrayLike, name: str) -> Field:
    """Return heights that can be aligned, inf as NaN."""
    heights = np.asarray(field, dtype=np.float64)
    if heights.ndim != 2:
        raise FieldError(
            f"{name}: a field is two-dimensional, found shape {heights.shape}; pass its heights"
        )
    if min(heights.shape) < MIN_SIDE:
        raise PairError(
            f"{name}: {heights.shape[1]} x {heights.shape[0]} pixels are too few to align; "
            f"at least {MIN_SIDE} x {MIN_SIDE} are needed"
        )
    finite = np.isfinite(heights)
    share = float(finite.mean())
    if share < MIN_MEASURED:
        raise PairError(
            f"{name}: only {share:.0%} of the pixels were measured, at least {MIN_MEASURED:.0%} "
            f"are needed; choose another channel or crop the scan"
        )
    heights = np.where(finite, heights, np.nan)
    if float(np.nanmax(heights) - np.nanmin(heights)) <= FLAT * float(np.nanmax(np.abs(heights))):
        raise PairError(f"{name}: all heights are the same; choose another channel")
    return heights

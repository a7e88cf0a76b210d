"""The heights at the ends of the colours, and how they were chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PERCENTILES", "Range"]

PERCENTILES = (0.5, 99.5)
"""At the ends of the colours by default: a spike, or a speck of dirt, must not rule them."""

_EVERYONE = (0.0, 100.0)
_NEARLY_ALL = 99.0  # percentile of the sizes of differences at the ends of their colours
_ENOUGH = 1 << 20  # pixels of a field that its percentiles are taken from


@dataclass(frozen=True)
class Range:
    """The values at the ends of the colours.

    Attributes
    ----------
    low, high : float
        In the unit of the fields; finite, `low` at most `high`. Values beyond get the colour of
        the end.
    words : str
        How they were chosen, such as ``"0.5 to 99.5 % of the heights"``; may be empty.
    """

    low: float
    high: float
    words: str = ""

    @classmethod
    def of(
        cls,
        fields: Iterable[Any],
        percentiles: tuple[float, float] = PERCENTILES,
        noun: str = "heights",
    ) -> Range:
        """Return the range that some fields share.

        Parameters
        ----------
        fields : iterable of array-like, shape (yres, xres)
            All of one unit. NaN and infinity, which were not measured, count nowhere.
        percentiles : tuple of float
            Of each field; the range is from the lowest to the highest of them, so that of no
            field more is cut off than these say. Of a field of more than a megapixel they are
            those of every so many pixels, unless they are 0 and 100.
        noun : str
            What the values are, for the words.

        Returns
        -------
        Range
            From lowest to highest value where the percentiles are the same, as of a flat field
            with few features; 0 to 1 where nothing was measured.

        Examples
        --------
        >>> Range.of([[[0.0, 1.0, 2.0]], [[1.0, 5.0]]], (0, 100))
        Range(low=0.0, high=5.0, words='lowest to highest of the heights')
        """
        fields = list(fields)
        ends = [found for one in fields if (found := _ends(one, percentiles)) is not None]
        if not ends:
            return cls(0.0, 1.0, "nothing, as no pixel was measured")
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        if percentiles == _EVERYONE:
            return cls(low, high, f"lowest to highest of the {noun}")
        if low == high:
            return cls.of(fields, _EVERYONE, noun)
        first, last = (f"{one:g}" for one in percentiles)
        return cls(low, high, f"{first} to {last} % of the {noun}")

    @classmethod
    def symmetric(
        cls, fields: Iterable[Any], percentile: float = _NEARLY_ALL, noun: str = "differences"
    ) -> Range:
        """Return a range around 0, for differences: their sign is in the colour.

        Parameters
        ----------
        fields : iterable of array-like
            As for `of`.
        percentile : float
            Of the sizes of each field's values, at the ends of the colours.
        noun : str
            What the values are, for the words.

        Examples
        --------
        >>> Range.symmetric([[[-2.0, 1.0]]], 100)
        Range(low=-2.0, high=2.0, words='100 % of the differences')
        """
        sizes = [np.abs(_thinned(one)) for one in fields]
        found = [ends[1] for one in sizes if (ends := _ends(one, (0.0, percentile))) is not None]
        most = max(found, default=0.0)
        return cls(-most, most, f"{percentile:g} % of the {noun}")


def _ends(field: Any, percentiles: tuple[float, float]) -> tuple[float, float] | None:
    """Return the percentiles of what was measured of a field; None where nothing was."""
    values = np.asarray(field if percentiles == _EVERYONE else _thinned(field), dtype=np.float64)
    measured = values[np.isfinite(values)]
    if not measured.size:
        return None
    low, high = np.percentile(measured, percentiles)
    return float(low), float(high)


def _thinned(field: Any) -> NDArray[np.float64]:
    """Return every so many pixels of a large field, whatever holds it."""
    shape = np.shape(field)
    step = int(np.sqrt(np.prod(shape) / _ENOUGH)) if len(shape) == 2 else 1
    return np.asarray(field if step <= 1 else field[::step, ::step])

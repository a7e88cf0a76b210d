"""What is written beside a picture: the length of its scale bar, and the numbers of its colours."""

from __future__ import annotations

import math
from typing import NamedTuple

from afmsr_core.quantity import power_of_ten, readable, shown_unit

__all__ = ["ScaleBar", "scale_bar", "ticks", "unit_for"]

_BAR_SHARE = 0.3  # of the width that the scale bar may take
_DECIMALS = 3  # that a tick may have; with more of them a smaller unit reads better
_LEAST, _MOST = 1e-3, 1e5  # between them a number without prefix is written out
_GROUPED = 1e4  # from here on digits are grouped by three, as SI has it


class ScaleBar(NamedTuple):
    """A round length that fits into a picture.

    Attributes
    ----------
    length : float
        In the lateral unit.
    text : str
        The same as people read it, such as ``"500 nm"``.
    share : float
        Of the width of the picture.
    """

    length: float
    text: str
    share: float


def scale_bar(width: float, unit: str, most: float = _BAR_SHARE) -> ScaleBar:
    """Return the scale bar of an area: 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    width : float
        Of the area, in `unit`; positive.
    unit : str
        As a `Channel` holds it: ``"nm"`` for lengths.
    most : float
        Share of the width that the bar may take.

    Examples
    --------
    >>> scale_bar(2000.0, "nm")
    ScaleBar(length=500.0, text='500 nm', share=0.25)
    """
    length = _round_below(width * most)
    return ScaleBar(length, readable(length, unit), length / width)


def ticks(low: float, high: float, unit: str, most: int = 6) -> list[tuple[float, str]]:
    """Return the numbers beside a colour bar: round, in one unit, which the highest one tells.

    Parameters
    ----------
    low, high : float
        Ends of the colours, in `unit`.
    unit : str
        As a `Channel` holds it.
    most : int
        How many there may be, at least 2.

    Returns
    -------
    list of (float, str)
        Value in `unit` and its text, ascending; all with the same number of decimals, in a unit
        in which they are short.

    Examples
    --------
    >>> ticks(-0.7, 9.0, "nm")
    [(0.0, '0'), (2.0, '2'), (4.0, '4'), (6.0, '6'), (8.0, '8 nm')]
    >>> [text for _, text in ticks(0.0, 0.036, "nm")]
    ['0', '10', '20', '30 pm']
    """
    if not high > low:
        return [(low, readable(low, unit))]
    divisor, shown = unit_for(low, high, unit)
    step = _step(low, high, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step / divisor) + 1e-9))
    texts = [_number(count * step / divisor, decimals) for count in range(first, last + 1)]
    texts[-1] = f"{texts[-1]} {shown}".rstrip()
    return [(count * step, text) for count, text in zip(range(first, last + 1), texts, strict=True)]


def unit_for(low: float, high: float, unit: str) -> tuple[float, str]:
    """Return divisor and unit: that of the larger end, or a smaller one that shows the span.

    Examples
    --------
    >>> unit_for(0.0, 2500.0, "nm"), unit_for(0.0, 2e-6, "deg")
    ((1000.0, 'µm'), (1e-06, '× 10⁻⁶ deg'))
    """
    largest = max(abs(low), abs(high))
    at_ends = shown_unit(largest, unit)
    if at_ends == (1.0, unit) and not _LEAST <= largest < _MOST:  # it takes no prefix
        power = 3 * math.floor(math.log10(largest) / 3 + 1e-9)
        return 10.0**power, f"× {power_of_ten(power)} {unit}".rstrip()
    return min(at_ends, shown_unit(10.0**_DECIMALS * (high - low), unit))


def _step(low: float, high: float, most: int) -> float:
    """Return the smallest round step that gives at most so many ticks, but two where it can."""
    step = _round_below(high - low)
    while True:
        smaller = _round_below(step * 0.9)
        count = _count(low, high, smaller)
        if count > most and _count(low, high, step) > 1:
            return step
        step = smaller


def _count(low: float, high: float, step: float) -> int:
    return math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1


def _round_below(limit: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above `limit`."""
    power = math.floor(math.log10(limit) + 1e-9)
    for digit in (5, 2):
        if digit * 10.0**power <= limit * (1 + 1e-9):
            return float(f"{digit}e{power}")
    return float(f"1e{power}")


def _number(value: float, decimals: int) -> str:
    text = f"{value:{',' if abs(value) >= _GROUPED else ''}.{decimals}f}"
    return "0" if value == 0 else text.replace(",", "\N{THIN SPACE}").replace("-", "−")

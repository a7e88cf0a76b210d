"""Words: values as the page writes them."""

from __future__ import annotations

import math

from afmsr_core.channel import Channel
from afmsr_core.quantity import first_power, power_of_ten, readable, shown_unit

__all__ = ["digits", "length", "rough"]

READ = 0.01
"""In the unit of what it stands beside: a smaller value gets a unit of its own."""

WRITTEN_OUT = -4
"""Power of ten below which a number is written with it: zeros in a row are hard to count."""


def rough(value: float, unit: str, beside: float) -> str:
    """Return a value to two digits, in the unit in which another is read.

    Examples
    --------
    >>> rough(0.631, "nm", 7.8), rough(0.0012, "nm", 7.8), rough(1530.0, "nm", 2000.0)
    ('0.63 nm', '1.2 pm', '1.5 µm')
    """
    divisor, shown = shown_unit(beside, unit)
    if abs(value) < READ * divisor:
        divisor, shown = shown_unit(value, unit)
    return f"{digits(value / divisor, 2)} {shown}".rstrip()


def digits(value: float, count: int = 3) -> str:
    """Return a number to so many digits; all digits before the point.

    Examples
    --------
    >>> digits(6.5), digits(1234.4), digits(-0.0312), digits(4.3e-6), digits(0.0)
    ('6.50', '1234', '−0.0312', '4.30 × 10⁻⁶', '0')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    power = first_power(value, count)
    if power < WRITTEN_OUT:
        text = f"{value / 10.0**power:.{count - 1}f} × {power_of_ten(power)}"
    else:
        text = f"{value:.{max(0, count - 1 - power)}f}"
    return f"−{text[1:]}" if text.startswith("-") else text


def length(value: float, channel: Channel, count: int = 4) -> str:
    """Return a length on the area of a channel with its unit; ``px`` where it has none."""
    unit = channel.lateral_unit
    text = readable(value, unit, count) if unit else f"{value:.{count}g} px"
    return text.replace("-", "−")

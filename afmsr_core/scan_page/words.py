"""Words: values as the page writes them."""

from __future__ import annotations

import math

from afmsr_core.channel import Channel
from afmsr_core.quantity import first_power, power_of_ten, readable

__all__ = ["digits", "length", "rough"]

WRITTEN_OUT = -4
"""Power of ten below which a number is written with it: zeros in a row are hard to count."""


def rough(value: float, unit: str) -> str:
    """Return a value to two digits.

    Examples
    --------
    >>> rough(51.2, "nm"), rough(-0.631, "nm"), rough(1530.0, "nm")
    ('51 nm', '−630 pm', '1.5 µm')
    """
    return readable(value, unit, 2).replace("-", "−")


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

"""Numbers with units as people read them: 1.2 µm, not 1200 nm or 1.2e+03."""

from __future__ import annotations

import math

__all__ = [
    "between",
    "counted",
    "duration",
    "first_power",
    "power_of_ten",
    "readable",
    "shown_unit",
    "sides",
    "slope_unit",
]

# Units that take a prefix when they are shown, and which prefixes: three decades apart.
_PREFIXES = (
    (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"),
    (1e-12, "p"), (1e-15, "f"),
)  # fmt: skip
_TAKE_PREFIXES = frozenset(("m", "V", "A", "Hz", "N", "W", "F", "S", "Ohm", "Pa", "s", "J", "K"))
_LARGEST = {"m": 1.0}  # nobody says km of a scan
_WHOLE = 0.99995  # from here on four digits say 1; 1000 nm, which rounding made 999.99999, is 1 µm
_WRITTEN_OUT = 5  # largest power of ten that is written out: 300000, but 3 × 10⁶
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def shown_unit(value: float, unit: str) -> tuple[float, str]:
    """Return divisor and unit in which a value is shown, so that it lies between 1 and 1000.

    Parameters
    ----------
    value : float
        In `unit`.
    unit : str
        As a `Channel` holds it: ``"nm"`` for lengths, else without prefix.

    Returns
    -------
    divisor : float
        A value in `unit` over this is the value in `shown`.
    shown : str
        Such as ``"µm"``; `unit` itself where a prefix makes no sense.

    Examples
    --------
    >>> shown_unit(2500.0, "nm"), shown_unit(0.002, "V"), shown_unit(30.0, "deg")
    ((1000.0, 'µm'), (0.001, 'mV'), (1.0, 'deg'))
    """
    base, factor = ("m", 1e-9) if unit == "nm" else (unit, 1.0)
    size = abs(value) * factor
    if base not in _TAKE_PREFIXES or not math.isfinite(size) or size == 0.0:
        return 1.0, unit
    fit = next((p for p in _PREFIXES if _WHOLE * p[0] <= size), _PREFIXES[-1])
    scale, prefix = min(fit, (_LARGEST.get(base, math.inf), ""))
    return _exact(scale / factor), prefix + base


def _exact(divisor: float) -> float:
    """Return a power of ten without what division left on it."""
    return float(f"{divisor:.6g}")


def readable(value: float, unit: str, digits: int = 4) -> str:
    """Return a value with its unit, with the prefix that leaves 1 to 999 of it.

    Every length and height in a sentence is written by it.

    Examples
    --------
    >>> readable(2500.0, "nm"), readable(0.31, "nm"), readable(-3.5e-10, "A")
    ('2.5 µm', '310 pm', '-350 pA')
    >>> readable(0.883, "nm", 2), readable(0.996, "nm", 2), readable(999.7, "nm", 3)
    ('880 pm', '1 nm', '1 µm')
    >>> readable(12.5, ""), readable(-0.0, "nm"), readable(1.6e-11, "deg"), readable(3e-15, "nm")
    ('12.5', '0 nm', '1.6 × 10⁻¹¹ deg', '3 × 10⁻¹⁵ nm')
    """
    return " ".join(_told(value, unit, digits)).rstrip()


def _told(value: float, unit: str, digits: int) -> tuple[str, str]:
    """Return the number and the unit of :func:`readable`."""
    value = _rounded(value, digits)
    divisor, shown = shown_unit(value, unit)
    if abs(value) < _WHOLE * divisor:  # below the least prefix, which nobody measures
        divisor, shown = 1.0, unit
    return _plain(value / divisor, digits), shown


def _rounded(value: float, digits: int) -> float:
    """Return a value as it is shown: 999.7 may be 1000, and -0 is 0."""
    return float(f"{value:.{digits}g}") + 0.0


def sides(across: float, down: float, unit: str, digits: int = 4, by: str = " x ") -> str:
    """Return width and height of a pixel or an area; the unit once, if it is that of both.

    Examples
    --------
    >>> sides(3.906, 15.62, "nm", 3), sides(800.0, 3200.0, "nm"), sides(2000.0, 2000.0, "nm")
    ('3.91 x 15.6 nm', '800 nm x 3.2 µm', '2 x 2 µm')
    """
    (width, of_width), (height, of_height) = (_told(one, unit, digits) for one in (across, down))
    first = width if of_width == of_height else f"{width} {of_width}"
    return f"{first}{by}{height} {of_height}".rstrip()


def slope_unit(unit: str, lateral_unit: str) -> str:
    """Return the unit of a slope; none where heights are lengths.

    Examples
    --------
    >>> slope_unit("nm", "nm"), slope_unit("V", "nm"), slope_unit("V", "")
    ('', 'V/nm', 'V/px')
    """
    return "" if unit == lateral_unit else f"{unit}/{lateral_unit or 'px'}"


def between(low: float, high: float, unit: str, digits: int = 4) -> str:
    """Return two values in the unit of the larger one.

    Examples
    --------
    >>> between(-20.0, 2500.0, "nm"), between(0.0, 3.0, "")
    ('-0.02 to 2.5 µm', '0 to 3')
    """
    low, high = (_rounded(one, digits) for one in (low, high))
    divisor, shown = shown_unit(max(abs(low), abs(high)), unit)
    low, high = low / divisor, high / divisor
    return f"{_plain(low, digits)} to {_plain(high, digits)} {shown}".rstrip()


def _plain(value: float, digits: int) -> str:
    """Return a number rounded to so many digits: 880, where Python's ``g`` says 8.8e+02."""
    text = f"{value:.{digits}g}"
    number, _, power = text.partition("e")
    if not power:
        return text
    if 0 < int(power) <= _WRITTEN_OUT:
        return f"{float(text):.0f}"
    return f"{number} × {power_of_ten(int(power))}"


def first_power(value: float, digits: int) -> int:
    """Return the power of ten of the first digit of a number that is rounded to so many digits.

    Examples
    --------
    >>> first_power(9.99, 3), first_power(9.996, 3)
    (0, 1)
    """
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def power_of_ten(power: int) -> str:
    """Return a power of ten as people write it.

    Examples
    --------
    >>> power_of_ten(-12)
    '10⁻¹²'
    """
    return f"10{str(power).translate(_RAISED)}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "pair"), counted(0, "pair")
    ('1 pair', '0 pairs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time in hours, minutes and seconds.

    Examples
    --------
    >>> duration(8.2), duration(128), duration(3 * 3600 + 59)
    ('8 s', '2 min 8 s', '3 h 0 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

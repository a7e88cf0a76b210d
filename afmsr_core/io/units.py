"""Unit strings as they stand in SPM files, and what they mean for the numbers beside them.

Inside afmsr every length is in nm and every other quantity in its own unit without prefix
(``mV`` becomes ``V``), so that numbers of two files can be compared.
"""

from __future__ import annotations

import re

__all__ = ["from_file", "to_si"]

_PREFIXES = {
    "y": 1e-24,
    "z": 1e-21,
    "a": 1e-18,
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "c": 1e-2,
    "d": 1e-1,
    "h": 1e2,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
}
# Symbols that take a prefix. A whole symbol is looked up first, so 'm' is metre, 'cd' candela.
_PREFIXED = frozenset("mgsAKVNJWCFTHSL") | {"Hz", "Pa", "eV", "Wb", "Ohm", "rad", "mol", "cps"}
_PREFIXED |= {"Torr", "bar"}
_PLAIN = frozenset(("min", "cd", "deg", "px", "%", "LSB", "dB", "ppm", "pH"))
# Other spellings: symbol -> (factor, symbol).
_ALIASES = {
    "Å": (1e-10, "m"),
    "Ang": (1e-10, "m"),
    "Ω": (1.0, "Ohm"),
    "ohm": (1.0, "Ohm"),
    "°": (1.0, "deg"),
}
# Units by their names, in one or many, in capitals or not, with the prefix's name before them.
_WORDS = {
    "meter": "m",
    "metre": "m",
    "volt": "V",
    "ampere": "A",
    "amp": "A",
    "newton": "N",
    "second": "s",
    "hertz": "Hz",
    "pascal": "Pa",
    "radian": "rad",
    "ohm": "Ohm",
    "watt": "W",
    "joule": "J",
    "kelvin": "K",
}
_PREFIX_WORDS = {
    "": 1.0,
    "femto": 1e-15,
    "pico": 1e-12,
    "nano": 1e-9,
    "micro": 1e-6,
    "milli": 1e-3,
    "centi": 1e-2,
    "kilo": 1e3,
    "mega": 1e6,
    "giga": 1e9,
}
_ALIAS_WORDS = {
    "angstrom": (1e-10, "m"),
    "ångström": (1e-10, "m"),
    "angström": (1e-10, "m"),
    "ångstrom": (1e-10, "m"),
    "micron": (1e-6, "m"),
    "degree": (1.0, "deg"),
    "deg": (1.0, "deg"),
}
# U+2126 ohm sign, U+212B angstrom sign, U+00B5 micro sign and U+03BC Greek mu have twins.
_TWINS = str.maketrans({"\u2126": "Ω", "\u212b": "Å", "\u00b5": "u", "\u03bc": "u"})
_TERM = re.compile(r"([^\W\d_]+|[°%])(?:\^?([+-]?\d+))?")


def _symbol(symbol: str) -> tuple[float, str] | None:
    """Return factor and base of one symbol such as ``mV``; None if it is not known."""
    if symbol in _PREFIXED or symbol in _PLAIN:
        return 1.0, symbol
    if symbol in _ALIASES:
        return _ALIASES[symbol]
    for rest, factor in ((symbol[1:], _PREFIXES.get(symbol[:1])), (symbol[2:], 10.0)):
        if factor is not None and (factor != 10.0 or symbol.startswith("da")):
            if rest in _PREFIXED:
                return factor, rest
            if rest in ("Ω", "ohm"):
                return factor, "Ohm"
    return _word(symbol.casefold())


def _word(name: str) -> tuple[float, str] | None:
    """Return factor and base of a unit by its name, such as ``nanometers``."""
    for one in (name, name.removesuffix("s")):
        if one in _ALIAS_WORDS:
            return _ALIAS_WORDS[one]
        for word, base in _WORDS.items():
            prefix = _PREFIX_WORDS.get(one.removesuffix(word)) if one.endswith(word) else None
            if prefix is not None:
                return prefix, base
    return None


def is_known(unit: str) -> bool:
    """Whether all of a unit string is understood, so that `to_si` takes the right meaning from it.

    Examples
    --------
    >>> is_known("nm"), is_known("Nanometers"), is_known(""), is_known("a.u.")
    (True, True, True, False)
    """
    return _parsed(unit) is not None


def to_si(unit: str) -> tuple[float, str]:
    """Return the factor and the unit without prefixes that a unit string stands for.

    Parameters
    ----------
    unit : str
        Such as ``"nm"``, ``"µm"``, ``"Å"``, ``"mV"``, ``"pm/V"``, ``"1/m"`` or ``""``; or a
        name, such as ``"nanometers"``. ``"A"`` is ampere, as everywhere.

    Returns
    -------
    factor : float
        A value in `unit` times this is the value in `base`.
    base : str
        The unit without prefixes. A unit with a symbol that we do not know comes back as it
        is, with factor 1.

    Examples
    --------
    >>> to_si("nm"), to_si("mV"), to_si("a.u.")
    ((1e-09, 'm'), (0.001, 'V'), (1.0, 'a.u.'))
    >>> to_si("pm/V")
    (1e-12, 'm/V')
    """
    return _parsed(unit) or (1.0, unit.strip())


def _parsed(unit: str) -> tuple[float, str] | None:
    """Return factor and unit without prefixes; None for what is not understood."""
    text = unit.strip()
    if text[:1] + text[-1:] in ("[]", "()"):
        text = text[1:-1].strip()
    text = text.translate(_TWINS)
    if text in ("", "1"):
        return 1.0, ""
    if re.search(r"[^\w\s°%*·×/^+.-]|\d[.,/]\d", text):  # Groups and broken powers: left alone.
        return None
    factor = 1.0

    def plain(match: re.Match[str]) -> str:
        nonlocal factor
        found = _symbol(match[1])
        if found is None:
            raise LookupError(match[1])
        # Not `match.string[:match.start()]`: a slash divides only the term behind it.
        divides = re.search(r"/\s*$", text[: match.start()]) is not None
        power = int(match[2] or 1) * (-1 if divides else 1)
        factor *= found[0] ** power
        return found[1] + match[0][len(match[1]) :]

    try:
        base = _TERM.sub(plain, text)
    except (LookupError, OverflowError):
        return None
    return factor, base


def from_file(unit: str) -> tuple[float, str]:
    """Return factor and unit as a `Channel` holds them: nm for lengths, else without prefix.

    Parameters
    ----------
    unit : str
        Unit string of the file.

    Returns
    -------
    factor : float
        A value of the file times this is the value in the channel.
    unit : str
        ``"nm"`` for every length; else the unit without prefixes; ``""`` if dimensionless.

    Examples
    --------
    >>> from_file("m"), from_file("pm")
    ((1000000000.0, 'nm'), (0.001, 'nm'))
    >>> from_file("kHz")
    (1000.0, 'Hz')
    """
    factor, base = to_si(unit)
    if base != "m":
        return factor, base
    return _LENGTHS.get(factor, factor * 1e9), "nm"


# The common lengths exactly, so that nm stay bit for bit what they were.
_LENGTHS = {1.0: 1e9, 1e-3: 1e6, 1e-6: 1e3, 1e-9: 1.0, 1e-10: 0.1, 1e-12: 1e-3}

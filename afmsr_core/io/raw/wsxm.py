"""The size of the scan in a WSxM file's header."""

from __future__ import annotations

import re
from pathlib import Path

from afmsr_core.io.files import contents
from afmsr_core.io.units import from_file

__all__ = ["BEGINS", "size"]

BEGINS = (b"WSxM file copyright",)
_HEADER = 2**16  # Bytes; those found have some 4,000.


def size(path: Path) -> tuple[float, float, str] | None:
    """Return width, height and their unit as a `Channel` holds them; None if it does not tell."""
    header = contents(path, _HEADER).partition(b"[Header end]")[0]
    width, height = (_amplitude(header, axis) for axis in (b"X", b"Y"))
    if width is None:
        return None
    if height is None:  # A scan without its own height is square.
        height = width
    return (width[0], height[0], width[1]) if width[1] == height[1] else None


def _amplitude(header: bytes, axis: bytes) -> tuple[float, str] | None:
    found = re.search(rb"^\s*%s Amplitude:\s*([-+.\dEe]+)[ \t]*(\S*)" % axis, header, re.MULTILINE)
    if not found:
        return None
    try:
        number = float(found[1])
    except ValueError:
        return None
    try:
        unit = found[2].decode("utf-8")
    except UnicodeDecodeError:  # Older WSxM.
        unit = found[2].decode("latin-1")
    factor, unit = from_file(unit)
    return number * factor, unit

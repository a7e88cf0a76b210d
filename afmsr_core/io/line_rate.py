"""Line rate: how many lines a second a scan took, where its file says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from afmsr_core.io.files import head
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.gwylayout import LAYOUTS

__all__ = ["line_rate", "line_rate_of_file"]

_NAMES = frozenset(("scanrate", "linerate", "scanratehz", "linescanrate", "scanlinerate"))
"""Letters of the names that instruments give it: ``ScanRate`` (Asylum), ``Scan rate`` (Bruker)."""

_VALUE = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)\s*(?:hz|lines?/s|1/s)?\s*", re.I)
"""A number, in lines a second or without unit; a scan rate in µm/s is none of lines."""

SLOWEST, FASTEST = 1e-3, 1e4
"""Lines a second beyond which a number is no line rate: an hour a few lines, or a video's rate."""


def line_rate(meta: Mapping[str, str]) -> float | None:
    """Return lines a second from the metadata of a channel; None if they do not tell it.

    Examples
    --------
    >>> line_rate({"ScanRate": "1.0016", "FastMapScanRate": "0.2"})
    1.0016
    >>> line_rate({"Scan rate": "2 Hz"})
    2.0
    >>> line_rate({"Scan rate": "20 um/s"}) is line_rate({"ScanRate": "0"}) is None
    True
    """
    found = set()
    for name, value in meta.items():
        number = _VALUE.fullmatch(value)
        if number and re.sub("[^a-z]", "", name.lower()) in _NAMES:
            rate = float(number[1])
            if SLOWEST <= rate <= FASTEST:
                found.add(rate)
    return found.pop() if len(found) == 1 else None


def line_rate_of_file(path: Path, number: int) -> float | None:
    """Return lines a second of a channel of a file of Gwyddion 2 or 3; None for any other file.

    Readers of other formats, and that of Gwyddion 1, hand on no metadata.

    Raises
    ------
    CorruptFileError
        If a Gwyddion file is damaged.
    """
    if not path.is_file() or not head(path, 4).startswith(tuple(LAYOUTS)):
        return None
    file = GwyFile.open(path)
    return line_rate(file.meta(number)) if number in file.numbers else None

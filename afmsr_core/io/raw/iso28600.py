"""Images in the text of ISO 28600 (SPM data transfer format, mostly ``.spm``).

A header of 128 lines, each with a meaning of its own, is followed by a line for each pixel, row by
row from the top left, that holds the value of each channel. Gwyddion 2.67 and 3.11 read it the same
but leave out the offset; 2.62 fails on most files. The offset is taken for that of the top left
corner, which is what Gwyddion writes there; the directions of the scan change nothing.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import CorruptFileError, UnsupportedContentError
from afmsr_core.io.files import contents
from afmsr_core.io.units import from_file

__all__ = ["NAME", "knows", "read"]

NAME = "ISO 28600"

_BEGINS = b"ISO/TC 201 SPM data transfer format"
_HEADER = 128  # Lines.
_END = b"end of experiment"
_UNITS = {"n": "", "d": "", "c/s": "cps"}
"""Codes of the standard that are no symbols: not named, dimensionless, counts per second."""


def knows(path: Path, start: bytes) -> bool:
    """Return whether the file is of this format: its first line says so."""
    del path
    return start.startswith(_BEGINS)


def read(path: Path) -> list[Channel]:
    """Read the channels of an image.

    Raises
    ------
    UnreadableFileError
        If the system does not let us read it.
    CorruptFileError
        If it is cut short, or a number in it is none.
    UnsupportedContentError
        If it holds spectra, or points that are on no grid.
    FieldError
        If the size of the scan is not positive.
    """
    parts = contents(path).split(b"\n", _HEADER)
    if len(parts) <= _HEADER:
        raise _damaged(path, f"its header has {len(parts)} of {_HEADER} lines")
    # By their numbers in the standard, which count from 1.
    line = {n: part.decode("utf-8", "replace").strip() for n, part in enumerate(parts[:-1], 1)}
    if line[8] not in ("MAP_SC", "MAP_MC"):
        raise UnsupportedContentError(
            f"{path.name}: holds no image ({line[8] or 'no mode'}), perhaps only spectra; choose "
            f"a file with a scan"
        )
    if line[17] != "REGULAR MAPPING":
        raise UnsupportedContentError(
            f"{path.name}: its points are on no grid ({line[17] or 'no mode'}); choose a file with "
            f"a regular scan"
        )
    try:
        xres, yres = int(line[24]), int(line[25])
        numbers = {n: float(line[n] or 0) for n in (28, 29, 32, 33)}
        count = int(line[94]) if line[8] == "MAP_MC" else 1
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if min(xres, yres, count) < 1 or count > 8:
        raise _damaged(path, f"{count} channels of {xres} x {yres} pixels")
    values = _values(path, parts[-1], count * xres * yres).reshape(yres, xres, count)
    xreal, yreal, xoff, yoff = (
        value * from_file(line[unit])[0]
        for value, unit in zip(numbers.values(), (26, 27, 30, 31), strict=True)
    )
    channels = []
    for number in range(count):
        label = 95 + 3 * number if line[8] == "MAP_MC" else 69
        factor, unit = from_file(_UNITS.get(line[label + 1], line[label + 1]))
        channels.append(
            Channel(
                values[:, :, number] * factor,
                xreal=xreal,
                yreal=yreal,
                xoff=xoff,
                yoff=yoff,
                unit=unit,
                lateral_unit=from_file(line[26])[1],
                title=line[label],
                path=path,
                number=number,
            )
        )
    return channels


def _values(path: Path, data: bytes, wanted: int) -> np.ndarray:
    text = data.partition(_END)[0].replace(b",", b" ").decode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy stops at a word that is no number.
        try:
            values = np.fromstring(text, np.float64, sep=" ")
        except (ValueError, DeprecationWarning) as error:
            raise _damaged(path, "one of its values is not a number") from error
    if values.size != wanted:
        raise _damaged(path, f"it holds {values.size} values where {wanted} are expected")
    return values


def _damaged(path: Path, what: str) -> CorruptFileError:
    return CorruptFileError(
        f"{path.name}: damaged text of {NAME}: {what}; take the file from its source again"
    )

"""Images of Agilent, Keysight and Molecular Imaging (``.mi``).

A header of text, one line for each key, whose values begin at the fifteenth character, is followed
by the counts of all buffers, one after the other. A count of the full range stands for
``bufferRange`` in ``bufferUnit``; the last stored line is the top of the image, whatever the
direction of the scan.

We read these files ourselves because others disagree. SurfaceTopography 1.27 takes the unit "A",
ampere, for ångström and refuses counts that are stored as text. Those Gwyddion 2.62 gives upside
down, and Gwyddion 2.67, 3.11 and gwyddionpy 0.1 give 32768 / 23768 times too high. On binary
files all agree with this module.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import CorruptFileError, FieldError, UnsupportedContentError
from afmsr_core.io.files import contents
from afmsr_core.io.units import from_file

__all__ = ["NAME", "knows", "read"]

NAME = "Agilent or Keysight"

_KEY = 14  # Characters that a key takes.
_FULL_RANGE = {"BINARY": 2.0**15, "": 2.0**15, "BINARY_32": 2.0**31, "ASCII": 2.0**15}
_BINARY = {"BINARY": "<i2", "": "<i2", "BINARY_32": "<i4"}


def knows(path: Path, start: bytes) -> bool:
    """Return whether the file is of this format: it begins with its type."""
    del path
    return start[:_KEY].rstrip() == b"fileType" and start[_KEY:].lstrip().startswith(
        (b"Image", b"Spectroscopy")
    )


def read(path: Path) -> list[Channel]:
    """Read the buffers of an image.

    Raises
    ------
    UnreadableFileError
        If the system does not let us read it.
    CorruptFileError
        If it is cut short, or a number in its header is none.
    UnsupportedContentError
        If it holds spectra only, or counts stored in a way that is not described.
    FieldError
        If the size of the scan is not positive.
    """
    data = contents(path)
    header, buffers, start = _header(path, data)
    if header.get("fileType") != "Image" or not buffers:
        raise UnsupportedContentError(
            f"{path.name}: holds no image, only spectra; choose a file with a scan"
        )
    kind = header["data"]
    if kind not in _FULL_RANGE:
        raise UnsupportedContentError(
            f"{path.name}: its counts are stored as {kind!r}, which is not described; save it as "
            f"binary with the instrument's program"
        )
    xres, yres = (int(_number(path, header, key)) for key in ("xPixels", "yPixels"))
    if xres < 1 or yres < 1:
        raise CorruptFileError(
            f"{path.name}: an image of {xres} x {yres} pixels; take the file from its source again"
        )
    counts = _counts(path, data[start:], kind, len(buffers) * xres * yres)
    counts = counts.reshape(len(buffers), yres, xres)[:, ::-1]
    xreal, yreal = (_number(path, header, key) * 1e9 for key in ("xLength", "yLength"))
    channels = []
    for number, (buffer, image) in enumerate(zip(buffers, counts, strict=True)):
        factor, unit = from_file(buffer.get("bufferUnit", ""))
        scale = _number(path, buffer, "bufferRange") / _FULL_RANGE[kind] * factor
        if not np.isfinite(scale):
            raise FieldError(f"{path.name}: the range of buffer {number} is not finite")
        channels.append(
            Channel(
                image * scale,
                xreal=xreal,
                yreal=yreal,
                unit=unit,
                title=buffer["bufferLabel"],
                path=path,
                number=number,
            )
        )
    return channels


def _header(path: Path, data: bytes) -> tuple[dict[str, str], list[dict[str, str]], int]:
    """Return the header's keys, those of each buffer, and where the counts begin."""
    header: dict[str, str] = {}
    buffers: list[dict[str, str]] = []
    place = header
    at = 0
    while (end := data.find(b"\n", at)) >= 0:
        line = data[at:end].rstrip(b"\r").decode("latin-1")
        at = end + 1
        key, value = line[:_KEY].strip(), line[_KEY:].strip()
        if key == "bufferLabel":
            place = {}
            buffers.append(place)
        if key == "data":
            header[key] = value
            return header, buffers, at
        if not line.startswith(" "):  # Indented lines go on with the one before.
            place[key] = value
    raise CorruptFileError(
        f"{path.name}: the header has no end, so the file is cut short; take it from its source "
        f"again"
    )


def _number(path: Path, keys: dict[str, str], key: str) -> float:
    try:
        number = float(keys[key])
    except (KeyError, ValueError) as error:
        raise CorruptFileError(
            f"{path.name}: {key} of its header is {keys.get(key)!r}, not a number; take the file "
            f"from its source again"
        ) from error
    if not np.isfinite(number):
        raise FieldError(f"{path.name}: {key} of its header is {number}; it must be finite")
    return number


def _counts(path: Path, data: bytes, kind: str, wanted: int) -> NDArray[np.generic]:
    """Return that many counts."""
    if kind in _BINARY:
        dtype = np.dtype(_BINARY[kind])
        found = len(data) // dtype.itemsize
        if found >= wanted:
            return np.frombuffer(data, dtype, wanted)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy stops at a word that is no number.
            try:
                counts = np.fromstring(data.decode("latin-1"), np.float64, sep=" ")
            except (ValueError, DeprecationWarning) as error:
                raise CorruptFileError(
                    f"{path.name}: its counts are not {wanted} numbers; take the file from its "
                    f"source again"
                ) from error
        found = counts.size
        if found >= wanted:
            return counts[:wanted]
    raise CorruptFileError(
        f"{path.name}: cut short: {found} of {wanted} counts; take the file from its source again"
    )

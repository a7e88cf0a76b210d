"""The file that Gwyddion 2 hands to a plug-in and takes back.

Lines ``KEY=VALUE``, and arrays ``KEY=[``, newline, ``[``, doubles, ``]]``, newline. A field
``/0/data`` has its sizes and units in lines ``/0/data/xres=…`` before it. Only ``/0/data`` and
``/0/mask`` come; title, offsets, metadata and log do not, and cannot be given back.
"""

from __future__ import annotations

import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from afmsr_core.errors import CorruptFileError, OutputError, UnreadableFileError
from afmsr_core.text import decoded

__all__ = ["DOUBLE", "MAX_SIDE", "RawField", "overwrite", "read", "regular"]

DATA, MASK = "/0/data", "/0/mask"
MAX_SIDE = 1 << 16  # pixels; Gwyddion's own limit is lower
DOUBLE = 8  # bytes
_DIMENSIONLESS = "1"  # an empty unit is read back as metre
_CHUNK = 1 << 20
Buffer = bytes | memoryview


@dataclass(frozen=True)
class RawField:
    """A field as Gwyddion hands it out and takes it back: bytes, without numpy; base SI units.

    Parameters
    ----------
    xres, yres : int
        Columns and rows.
    xreal, yreal : float
        Physical size in `unit_xy`.
    unit_xy, unit_z : str
        Base SI units; empty if dimensionless.
    data : bytes-like
        Little-endian doubles, row after row.
    mask : bytes-like or None
        The same for the mask.
    """

    xres: int
    yres: int
    xreal: float
    yreal: float
    unit_xy: str
    unit_z: str
    data: bytes | memoryview
    mask: bytes | memoryview | None = None


def read(path: Path) -> RawField:
    """Read the field and the mask that Gwyddion wrote.

    Parameters
    ----------
    path : Path
        The FILE of Gwyddion's call.

    Raises
    ------
    UnreadableFileError
        If the system does not let us read it.
    CorruptFileError
        If it is not such a file.
    """
    try:
        data = regular(path).read_bytes()
    except OSError as error:
        raise UnreadableFileError(
            f"{path}: cannot be read ({error.strerror}); it is Gwyddion that names this file: "
            f"use the menu Data Process > Plug-Ins"
        ) from error
    if not data:
        raise _cut_short(path, data)
    values, arrays = _parse(path, data)
    if DATA not in arrays:
        raise _corrupt(path, f"it has no {DATA}")
    xres, yres = _side(path, values, DATA, "xres"), _side(path, values, DATA, "yres")
    if MASK in arrays and (xres, yres) != (
        _side(path, values, MASK, "xres"),
        _side(path, values, MASK, "yres"),
    ):
        raise _corrupt(path, "the mask has another size than the field")
    return RawField(
        xres=xres,
        yres=yres,
        xreal=_length(path, values, "xreal"),
        yreal=_length(path, values, "yreal"),
        unit_xy=values.get(f"{DATA}/unit-xy", ""),
        unit_z=values.get(f"{DATA}/unit-z", ""),
        data=arrays[DATA],
        mask=arrays.get(MASK),
    )


def regular(path: Path) -> Path:
    """Return `path` unless it is a pipe, a device or a socket, which might be waited for.

    Raises
    ------
    UnreadableFileError
        If it is.
    OSError
        If the system does not let us look.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnreadableFileError(f"{path}: is no file; name the file that holds the data")
    return path


def _parse(path: Path, data: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    values: dict[str, str] = {}
    arrays: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            raise _cut_short(path, data)
        line = data[at:end]
        at = end + 1
        if not line:
            break  # Gwyddion stops there too
        key, equals, value = decoded(line).partition("=")
        if not equals or not key.startswith("/"):
            raise _corrupt(path, f"{key[:40]!r} is no line of it")
        if value == "[" and data[at : at + 1] == b"[":
            size = DOUBLE * _side(path, values, key, "xres") * _side(path, values, key, "yres")
            arrays[key] = data[at + 1 : at + 1 + size]
            at += 1 + size
            if len(data) < at + 3:
                raise _cut_short(path, data)
            if data[at : at + 3] != b"]]\n":
                raise _corrupt(path, f"{key} is not {size} bytes long")
            at += 3
        else:
            values[key] = value.rstrip("\r")
    return values, arrays


def _side(path: Path, values: dict[str, str], key: str, name: str) -> int:
    text = values.get(f"{key}/{name}", "")
    if not text.isdecimal() or not 0 < int(text) <= MAX_SIDE:
        raise _corrupt(path, f"{key} has {name} {text!r}")
    return int(text)


def _length(path: Path, values: dict[str, str], name: str) -> float:
    text = values.get(f"{DATA}/{name}", "1.0")  # Gwyddion's own default
    try:
        length = float(text)
    except ValueError as error:
        raise _corrupt(path, f"{DATA} has {name} {text!r}") from error
    if not math.isfinite(length):
        raise _corrupt(path, f"{DATA} has {name} {text!r}")
    return length


def _corrupt(path: Path, found: str) -> CorruptFileError:
    return CorruptFileError(
        f"{path}: not what Gwyddion writes for plug-ins: {found}; use the menu "
        f"Data Process > Plug-Ins"
    )


def _cut_short(path: Path, data: bytes) -> CorruptFileError:
    """Return the error for a file that ends early: Gwyddion does not notice that a disk is full."""
    return CorruptFileError(
        f"{path}: not what Gwyddion writes for plug-ins: it ends after {len(data)} bytes, before "
        f"the field does; if {path.parent} is full, free some space there, or set TMPDIR to "
        f"another folder before Gwyddion starts"
    )


def overwrite(path: Path, field: RawField) -> None:
    """Put a result in the place of what Gwyddion wrote.

    The file keeps its identity, for Windows holds it open: it is not replaced by another. Room is
    made before the first old byte is touched, so that a full disk leaves the file as it was.

    Raises
    ------
    OutputError
        If the system refuses to write.
    """
    parts = [_field(DATA, field, field.data, field.unit_z)]
    if field.mask is not None:
        parts.append(_field(MASK, field, field.mask, ""))
    size = sum(len(part) for pair in parts for part in pair)
    try:
        with path.open("r+b", buffering=0) as file:
            _make_room(file, size)
            file.seek(0)
            for pair in parts:
                for part in pair:
                    _write_all(file, part)
            file.truncate(size)
    except OSError as error:
        raise OutputError(
            f"{path}: the result was not handed to Gwyddion ({error.strerror}); it needs "
            f"{size / 1e6:.1f} MB there: free some space, or set TMPDIR before Gwyddion starts"
        ) from error


def _make_room(file: BinaryIO, size: int) -> None:
    before = file.seek(0, 2)
    if size <= before:
        return
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), before, size - before)
            return
        for at in range(before, size, _CHUNK):
            _write_all(file, bytes(min(_CHUNK, size - at)))
    except OSError:
        file.truncate(before)
        raise


def _write_all(file: BinaryIO, data: Buffer) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _field(key: str, field: RawField, data: Buffer, unit_z: str) -> tuple[Buffer, Buffer, Buffer]:
    head = (
        f"{key}/xres={field.xres}\n{key}/yres={field.yres}\n"
        f"{key}/xreal={field.xreal!r}\n{key}/yreal={field.yreal!r}\n"
        f"{key}/unit-xy={field.unit_xy or _DIMENSIONLESS}\n"
        f"{key}/unit-z={unit_z or _DIMENSIONLESS}\n{key}=[\n["
    )
    return head.encode("utf-8"), data, b"]]\n"

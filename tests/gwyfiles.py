"""Native Gwyddion files of both versions, made byte by byte, so that tests can say any of them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

Components = Mapping[str, tuple[str, Any]]
"""Name -> (type code, value); texts are bytes.

The value of ``"o"``, and of ``"r"``, is (type name, components); that of a code which no Gwyddion
knows is its bytes.
"""

_SCALARS = {"b": "<?", "c": "<B", "h": "<h", "i": "<i", "q": "<q", "f": "<f", "d": "<d"}
_ARRAYS = {"C": "u1", "H": "<i2", "I": "<i4", "Q": "<i8", "F": "<f4", "D": "<f8"}


def _count(number: int, version: int) -> bytes:
    return struct.pack("<I" if version == 2 else "<Q", number)


def _value(code: str, value: Any, version: int) -> bytes:
    if code in _SCALARS:
        return struct.pack(_SCALARS[code], value)
    if code == "s":
        return value + b"\0"
    if code in "or":
        return _object(*value, version)
    if code not in _ARRAYS and code not in "SO":
        return bytes(value)
    if code == "S":
        return _count(len(value), version) + b"".join(item + b"\0" for item in value)
    if code == "O":
        return _count(len(value), version) + b"".join(_object(*item, version) for item in value)
    items = np.asarray(value, _ARRAYS[code])
    return _count(items.size, version) + items.tobytes()


def _object(kind: str, components: Components, version: int) -> bytes:
    body = b"".join(
        name.encode() + b"\0" + code.encode() + _value(code, value, version)
        for name, (code, value) in components.items()
    )
    return kind.encode() + b"\0" + _count(len(body), version) + body


def version_2(components: Components) -> bytes:
    """Return a file as Gwyddion 2 writes it."""
    return b"GWYP" + _object("GwyContainer", components, 2)


def version_3(components: Components) -> bytes:
    """Return a file as Gwyddion 3 writes it."""
    return b"GWYQ" + _object("GwyFile", components, 3)


def parsed(data: bytes) -> Components:
    """Return what a sound file of any version holds; of two with one name, the last.

    Written apart from the library, so that the two can be held against each other. The value of
    an object in which a type code is unknown is its bytes.

    Raises
    ------
    IndexError, ValueError, struct.error
        If the file is not sound.
    """
    kind, parts, end = _parsed_object(data, 4, len(data), 2 if data[:4] == b"GWYP" else 3)
    if end != len(data) or isinstance(parts, bytes) or kind not in ("GwyContainer", "GwyFile"):
        raise ValueError("no file of Gwyddion")
    return parts


def comparable(value: Any) -> Any:
    """Return what `parsed` found so that ``==`` compares every bit, in whatever order it stood."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, tuple | list):
        return [comparable(one) for one in value]
    if isinstance(value, dict):
        return {name: comparable(one) for name, one in value.items()}
    return value


def _until_nul(data: bytes, start: int, end: int) -> tuple[bytes, int]:
    nul = data.index(b"\0", start, end)
    return data[start:nul], nul + 1


def _parsed_count(data: bytes, start: int, version: int) -> tuple[int, int]:
    after = start + (4 if version == 2 else 8)
    return struct.unpack("<I" if version == 2 else "<Q", data[start:after])[0], after


def _parsed_object(data: bytes, start: int, end: int, version: int) -> tuple[str, Any, int]:
    kind, start = _until_nul(data, start, end)
    size, start = _parsed_count(data, start, version)
    stop = start + size
    if stop > end:
        raise ValueError("an object leaves what holds it")
    parts: dict[str, tuple[str, Any]] = {}
    at = start
    while at < stop:
        name, at = _until_nul(data, at, stop)
        code = chr(data[at])
        if code not in _SCALARS and code not in _ARRAYS and code not in "sorSO":
            return kind.decode(), data[start:stop], stop
        value, at = _parsed_value(code, data, at + 1, stop, version)
        if at > stop:
            raise ValueError("a value leaves its object")
        parts[name.decode()] = code, value
    return kind.decode(), parts, stop


def _parsed_value(code: str, data: bytes, at: int, end: int, version: int) -> tuple[Any, int]:
    if code in _SCALARS:
        after = at + struct.calcsize(_SCALARS[code])
        return struct.unpack(_SCALARS[code], data[at:after])[0], after
    if code == "s":
        return _until_nul(data, at, end)
    if code in "or":
        kind, parts, after = _parsed_object(data, at, end, version)
        return (kind, parts), after
    count, at = _parsed_count(data, at, version)
    if code in _ARRAYS:
        after = at + count * np.dtype(_ARRAYS[code]).itemsize
        if after > end:
            raise ValueError("an array leaves its object")
        return np.frombuffer(data[at:after], _ARRAYS[code]), after
    items: list[Any] = []
    for _ in range(count):
        item, at = _parsed_value("s" if code == "S" else "o", data, at, end, version)
        items.append(item)
    return items, at


def _grid(values: np.ndarray, size: tuple[float, float]) -> dict[str, tuple[str, Any]]:
    yres, xres = values.shape
    sizes = {"xres": ("i", xres), "yres": ("i", yres)}
    return sizes | {"xreal": ("d", size[0]), "yreal": ("d", size[1])}


def _field(
    kinds: tuple[str, str],
    names: tuple[str, str],
    values: np.ndarray,
    size: tuple[float, float] = (1e-6, 1e-6),
    unit: bytes = b"m",
    lateral: bytes = b"m",
) -> tuple[str, Any]:
    units = {
        name: ("o", (kinds[1], {"unitstr": ("s", text)}))
        for name, text in zip(names, (lateral, unit), strict=True)
    }
    return "o", (kinds[0], _grid(values, size) | units | {"data": ("D", values)})


field_2 = partial(_field, ("GwyDataField", "GwySIUnit"), ("si_unit_xy", "si_unit_z"))
"""A field, or a mask, of version 2."""

field_3 = partial(_field, ("GwyField", "GwyUnit"), ("unit_xy", "unit_z"))
"""A field of version 3."""


def placed_3(
    values: np.ndarray, size: tuple[float, float], offset: tuple[float, float], **units: bytes
) -> tuple[str, Any]:
    """Return a field of version 3 with offsets, and its components in Gwyddion's order."""
    _, (kind, parts) = field_3(values, size, **units)
    first = {name: parts[name] for name in ("xres", "yres", "xreal", "yreal")}
    places = {"xoff": ("d", offset[0]), "yoff": ("d", offset[1])}
    return "o", (kind, first | places | {name: parts[name] for name in parts if name not in first})


def mask_3(values: np.ndarray) -> tuple[str, Any]:
    """Return a mask of version 3, which holds whole numbers and neither size nor unit."""
    yres, xres = values.shape
    return "o", ("GwyNield", {"xres": ("i", xres), "yres": ("i", yres), "data": ("I", values)})


def notes_3(**notes: bytes) -> tuple[str, Any]:
    """Return metadata of version 3."""
    return "o", ("GwyDict", {name: ("s", value) for name, value in notes.items()})


def log(*lines: bytes) -> tuple[str, Any]:
    """Return a log of any version."""
    return "o", ("GwyStringList", {"strings": ("S", list(lines))})


def colour(red: float, green: float, blue: float, opacity: float) -> tuple[str, Any]:
    """Return a colour of version 3."""
    return "r", (
        "GwyRGBA",
        {"r": ("d", red), "g": ("d", green), "b": ("d", blue), "a": ("d", opacity)},
    )


def graph_3() -> tuple[str, Any]:
    """Return a graph with a red curve."""
    curve = {
        "xdata": ("D", [0.0, 1e-7, 2e-7]),
        "ydata": ("D", [0.0, 1e-9, 4e-9]),
        "description": ("s", b"Profile 1"),
        "color": colour(1, 0, 0, 1),
        "line-width": ("d", 1.0),
    }
    metre = ("o", ("GwyUnit", {"unitstr": ("s", b"m")}))
    parts = {
        "title": ("s", b"Profiles"),
        "x_min_set": ("b", False),
        "x_unit": metre,
        "y_unit": metre,
        "curves": ("O", [("GwyGraphCurveModel", curve)]),
    }
    return "o", ("GwyGraphModel", parts)


def volume_3() -> tuple[str, Any]:
    """Return volume data of 2 x 3 x 2 voxels."""
    sizes = {f"{axis}res": ("i", count) for axis, count in zip("xyz", (2, 3, 2), strict=True)}
    reals = {f"{axis}real": ("d", 1e-6) for axis in "xyz"}
    return "o", ("GwyBrick", sizes | reals | {"data": ("D", np.arange(12.0))})

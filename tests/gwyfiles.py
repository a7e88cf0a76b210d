"""Native Gwyddion files of both versions, made byte by byte, so that tests can say any of them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

Components = Mapping[str, tuple[str, Any]]
"""Name -> (type code, value); the value of ``"o"`` is (type name, components); texts are bytes."""

_SCALARS = {"b": "<?", "c": "<B", "h": "<h", "i": "<i", "q": "<q", "f": "<f", "d": "<d"}
_ARRAYS = {"C": "u1", "H": "<i2", "I": "<i4", "Q": "<i8", "F": "<f4", "D": "<f8"}


def _count(number: int, version: int) -> bytes:
    return struct.pack("<I" if version == 2 else "<Q", number)


def _value(code: str, value: Any, version: int) -> bytes:
    if code in _SCALARS:
        return struct.pack(_SCALARS[code], value)
    if code == "s":
        return value + b"\0"
    if code == "o":
        return _object(*value, version)
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


def mask_3(values: np.ndarray, size: tuple[float, float] = (1e-6, 1e-6)) -> tuple[str, Any]:
    """Return a mask of version 3, whose values are whole numbers."""
    return "o", ("GwyNield", _grid(values, size) | {"data": ("I", values)})

"""The bytes of components of a Gwyddion file of version 2, as Gwyddion 2 writes them.

Type codes are always given: a guess would write a title of one character as type ``c``, on which
Gwyddion stumbles. Large arrays are handed on as they are, not copied into one another.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, OutputError
from afmsr_core.io.units import to_si

__all__ = ["Part", "field", "flag", "mask", "obj", "size_field", "text", "texts"]

Part = bytes | memoryview
_LARGEST = 2**32 - 1


def size_field(parts: Sequence[Part], name: str) -> bytes:
    """Return the four bytes that tell the size of an object's body.

    Raises
    ------
    OutputError
        If the body exceeds the 4 GiB that the format can express.
    """
    size = sum(len(part) for part in parts)
    if size > _LARGEST:
        raise OutputError(
            f"{name}: {size / 2**30:.1f} GiB do not fit in a .gwy file, which holds at most "
            f"4 GiB; write fewer channels to one file, or write .npy"
        )
    return struct.pack("<I", size)


def _head(name: str, code: str) -> bytes:
    return _string(name) + code.encode("ascii")


def _string(value: str) -> bytes:
    return value.replace("\0", "").encode("utf-8", "replace") + b"\0"


def text(name: str, value: str) -> bytes:
    """Return a string component."""
    return _head(name, "s") + _string(value)


def texts(name: str, values: Sequence[str]) -> bytes:
    """Return a component that is a list of strings."""
    return _head(name, "S") + struct.pack("<I", len(values)) + b"".join(map(_string, values))


def flag(name: str, value: bool) -> bytes:
    """Return a boolean component."""
    return _head(name, "b") + bytes([value])


def obj(name: str, kind: str, parts: Iterable[Part]) -> list[Part]:
    """Return a component that is an object of type `kind` with the components `parts`."""
    body = list(parts)
    return [_head(name, "o") + _string(kind) + size_field(body, name), *body]


def _grid(channel: Channel) -> bytes:
    """Return resolution, size, offsets and lateral unit, in SI units."""
    factor, unit = _si(channel.lateral_unit)
    head = b"".join(
        _head(name, "i") + struct.pack("<i", value)
        for name, value in (("xres", channel.xres), ("yres", channel.yres))
    )
    places = (
        ("xreal", channel.xreal),
        ("yreal", channel.yreal),
        ("xoff", channel.xoff),
        ("yoff", channel.yoff),
    )
    for name, value in places:
        head += _head(name, "d") + struct.pack("<d", value / factor)
    return head + _unit("si_unit_xy", unit)


def _si(unit: str) -> tuple[float, str]:
    """Return divisor and SI unit; dividing by 1e9 keeps nm closer than multiplying by 1e-9."""
    if unit == "nm":
        return 1e9, "m"
    factor, base = to_si(unit)
    return 1.0 / factor, base


def _unit(name: str, unit: str) -> bytes:
    return b"".join(obj(name, "GwySIUnit", [text("unitstr", unit)]))


def _array(values: NDArray[np.float64]) -> list[Part]:
    flat = np.ascontiguousarray(values, dtype="<f8")
    return [_head("data", "D") + struct.pack("<I", flat.size), flat.data.cast("B")]


def field(name: str, channel: Channel) -> list[Part]:
    """Return the heights as a GwyDataField component in SI base units.

    Gwyddion's fields have no mark for pixels that were not measured, so these get the mean of
    the measured ones; `mask` marks them, as Gwyddion itself does when it imports such data.

    Parameters
    ----------
    name : str
        Such as ``"/0/data"``.
    channel : Channel
        Its heights.

    Returns
    -------
    list of bytes-like

    Raises
    ------
    FieldError
        If not one pixel is finite.
    """
    factor, unit = _si(channel.unit)
    values = channel.heights / factor
    measured = np.isfinite(values)
    if not measured.all():
        if not measured.any():
            raise FieldError(f"{channel.where}: not one pixel is finite; nothing to write")
        values[~measured] = values[measured].mean()
    grid = _grid(channel) + _unit("si_unit_z", unit)
    return obj(name, "GwyDataField", [grid, *_array(values)])


def mask(name: str, channel: Channel) -> list[Part]:
    """Return the mask, with the pixels that were not measured, as a GwyDataField component.

    Parameters
    ----------
    name : str
        Such as ``"/0/mask"``.
    channel : Channel
        Its mask and heights.

    Returns
    -------
    list of bytes-like
        Empty if there is no mask and every pixel was measured.
    """
    marked = ~np.isfinite(channel.heights)
    if channel.mask is None and not marked.any():
        return []
    if channel.mask is not None:
        marked |= channel.mask
    grid = _grid(channel) + _unit("si_unit_z", "")
    return obj(name, "GwyDataField", [grid, *_array(marked.astype(np.float64))])

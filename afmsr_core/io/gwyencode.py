"""The bytes of components of a Gwyddion file of version 2, as Gwyddion 2 writes them.

Type codes are always given: a guess would write a title of one character as type ``c``, on which
Gwyddion stumbles. Fields are turned into bytes block by block when they are written, so that a
large one is never in memory twice.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, OutputError
from afmsr_core.io.units import to_si

__all__ = [
    "PIXEL",
    "Doubles",
    "Part",
    "check_size",
    "field",
    "flag",
    "mask",
    "obj",
    "size_field",
    "text",
    "texts",
    "utf_8",
]

_LARGEST = 2**32 - 1
PIXEL = 8  # bytes of a double
_BLOCK = 1 << 20  # pixels that are turned into bytes at a time


class Doubles:
    """The bytes of a field of doubles, made while they are written.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    rows_of : callable
        Returns the numbers of some rows.
    """

    def __init__(
        self, shape: tuple[int, int], rows_of: Callable[[slice], NDArray[np.float64]]
    ) -> None:
        self._shape = shape
        self._rows_of = rows_of

    def __len__(self) -> int:
        return PIXEL * self._shape[0] * self._shape[1]

    def __iter__(self) -> Iterator[memoryview]:
        for rows in _blocks(self._shape):
            yield np.ascontiguousarray(self._rows_of(rows), dtype="<f8").data.cast("B")


Part = bytes | memoryview | Doubles


def _blocks(shape: tuple[int, int]) -> Iterator[slice]:
    step = max(1, _BLOCK // shape[1])
    for top in range(0, shape[0], step):
        yield slice(top, min(top + step, shape[0]))


def size_field(parts: Sequence[Part], name: str) -> bytes:
    """Return the four bytes that tell the size of an object's body.

    Raises
    ------
    OutputError
        If the body exceeds the 4 GiB that the format can express.
    """
    size = sum(len(part) for part in parts)
    check_size(size, name)
    return struct.pack("<I", size)


def check_size(size: int, name: str) -> None:
    """Refuse a body of so many bytes that the format cannot express. Raises as `size_field`."""
    if size > _LARGEST:
        raise OutputError(
            f"{name}: {size / 2**30:.1f} GiB do not fit in a .gwy file, which holds at most "
            f"4 GiB; write fewer channels to one file, or write .npy"
        )


def _head(name: str, code: str) -> bytes:
    return _string(name) + code.encode("ascii")


def utf_8(value: str) -> bytes:
    """Return text as it may stand in a file: without NUL and without half a surrogate pair."""
    return value.replace("\0", "").encode("utf-8", "replace")


def _string(value: str) -> bytes:
    return utf_8(value) + b"\0"


def text(name: str, value: str) -> bytes:
    """Return a string component."""
    return _head(name, "s") + _string(value)


def texts(name: str, values: Sequence[bytes]) -> bytes:
    """Return a component that is a list of strings without NUL, whatever their encoding."""
    return _head(name, "S") + struct.pack("<I", len(values)) + b"".join(v + b"\0" for v in values)


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
    body = text("unitstr", unit)
    return _head(name, "o") + _string("GwySIUnit") + size_field([body], name) + body


def _array(doubles: Doubles) -> list[Part]:
    return [_head("data", "D") + struct.pack("<I", len(doubles) // PIXEL), doubles]


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
    heights = channel.heights
    count, total = 0, 0.0
    for rows in _blocks(heights.shape):
        block = heights[rows]
        measured = np.isfinite(block)
        count += int(np.count_nonzero(measured))
        total += float(np.sum(block, where=measured))
    if not count:
        raise FieldError(f"{channel.where}: not one pixel is finite; nothing to write")
    mean = total / count

    def rows_of(rows: slice) -> NDArray[np.float64]:
        block = heights[rows]
        if count < heights.size:
            block = np.where(np.isfinite(block), block, mean)
        return block / factor

    grid = _grid(channel) + _unit("si_unit_z", unit)
    return obj(name, "GwyDataField", [grid, *_array(Doubles(heights.shape, rows_of))])


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
    heights, drawn = channel.heights, channel.mask

    def rows_of(rows: slice) -> NDArray[np.float64]:
        marked = ~np.isfinite(heights[rows])
        if drawn is not None:
            marked |= drawn[rows]
        return marked.astype(np.float64)

    if drawn is None and all(np.isfinite(heights[rows]).all() for rows in _blocks(heights.shape)):
        return []
    grid = _grid(channel) + _unit("si_unit_z", "")
    return obj(name, "GwyDataField", [grid, *_array(Doubles(heights.shape, rows_of))])

"""The bytes of components of a Gwyddion file, as Gwyddion of the same version writes them.

Type codes are always given: a guess would write a title of one character as type ``c``, on which
Gwyddion stumbles. Fields are turned into bytes block by block when they are written, so that a
large one is never in memory twice.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, OutputError
from afmsr_core.io.gwylayout import Layout
from afmsr_core.io.units import to_si

__all__ = ["PIXEL", "Encoder", "Numbers", "Part", "flag", "text", "utf_8"]

PIXEL = 8  # bytes of a double
_BLOCK = 1 << 20  # pixels that are turned into bytes at a time
_ITEMS = {"D": "<f8", "I": "<i4"}


class Numbers:
    """The bytes of an array of numbers, made while they are written.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    code : str
        Type code of the array, ``"D"`` or ``"I"``.
    rows_of : callable
        Returns the numbers of some rows.
    """

    def __init__(
        self, shape: tuple[int, int], code: str, rows_of: Callable[[slice], NDArray[Any]]
    ) -> None:
        self._shape = shape
        self._rows_of = rows_of
        self._item = _ITEMS[code]
        self.code = code

    @property
    def count(self) -> int:
        """How many numbers."""
        return self._shape[0] * self._shape[1]

    def __len__(self) -> int:
        return int(np.dtype(self._item).itemsize) * self.count

    def __iter__(self) -> Iterator[memoryview]:
        for rows in _blocks(self._shape):
            yield np.ascontiguousarray(self._rows_of(rows), dtype=self._item).data.cast("B")


Part = bytes | memoryview | Numbers


def _blocks(shape: tuple[int, int]) -> Iterator[slice]:
    step = max(1, _BLOCK // shape[1])
    for top in range(0, shape[0], step):
        yield slice(top, min(top + step, shape[0]))


# --- the same in both versions ---------------------------------------------------------------


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


def flag(name: str, value: bool) -> bytes:
    """Return a boolean component."""
    return _head(name, "b") + bytes([value])


def _si(unit: str) -> tuple[float, str]:
    """Return divisor and SI unit; dividing by 1e9 keeps nm closer than multiplying by 1e-9."""
    if unit == "nm":
        return 1e9, "m"
    factor, base = to_si(unit)
    return 1.0 / factor, base


def _resolution(channel: Channel) -> bytes:
    return b"".join(
        _head(name, "i") + struct.pack("<i", value)
        for name, value in (("xres", channel.xres), ("yres", channel.yres))
    )


# --- what differs ----------------------------------------------------------------------------


class Encoder:
    """Makes components of one version.

    Parameters
    ----------
    layout : Layout
        Of the version.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def size_field(self, parts: Sequence[Part], name: str) -> bytes:
        """Return the bytes that tell the size of an object's body.

        Raises
        ------
        OutputError
            If the body exceeds what the format can express, which is 4 GiB in version 2.
        """
        size = sum(len(part) for part in parts)
        self.check_size(size, name)
        return self._layout.size.pack(size)

    def check_size(self, size: int, name: str) -> None:
        """Refuse a body of so many bytes that the format cannot express. Raises as `size_field`."""
        if size > self._layout.largest:
            raise OutputError(
                f"{name}: {size / 2**30:.1f} GiB do not fit in a .gwy file, which holds at most "
                f"4 GiB; write fewer channels to one file, or write .npy"
            )

    def texts(self, name: str, values: Sequence[bytes]) -> bytes:
        """Return a component that is a list of strings without NUL, whatever their encoding."""
        count = self._layout.size.pack(len(values))
        return _head(name, "S") + count + b"".join(value + b"\0" for value in values)

    def obj(self, name: str, kind: str, parts: Iterable[Part]) -> list[Part]:
        """Return a component that is an object of type `kind` with the components `parts`."""
        body = list(parts)
        return [_head(name, "o") + _string(kind) + self.size_field(body, name), *body]

    def _grid(self, channel: Channel, unit_z: str) -> bytes:
        """Return resolution, size, offsets and units, in SI units."""
        factor, unit = _si(channel.lateral_unit)
        head = _resolution(channel)
        places = (
            ("xreal", channel.xreal),
            ("yreal", channel.yreal),
            ("xoff", channel.xoff),
            ("yoff", channel.yoff),
        )
        for name, value in places:
            head += _head(name, "d") + struct.pack("<d", value / factor)
        return (
            head + self._unit(self._layout.unit_xy, unit) + self._unit(self._layout.unit_z, unit_z)
        )

    def _unit(self, name: str, unit: str) -> bytes:
        body = text("unitstr", unit)
        size = self.size_field([body], name)
        return _head(name, "o") + _string(self._layout.unit) + size + body

    def _array(self, numbers: Numbers) -> list[Part]:
        return [_head("data", numbers.code) + self._layout.size.pack(numbers.count), numbers]

    def field(self, name: str, channel: Channel) -> list[Part]:
        """Return the heights as a component that is a field, in SI base units.

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

        data = self._array(Numbers(heights.shape, "D", rows_of))
        return self.obj(name, self._layout.field, [self._grid(channel, unit), *data])

    def mask(self, name: str, channel: Channel) -> list[Part]:
        """Return the mask, with the pixels that were not measured, as a component.

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

        def rows_of(rows: slice) -> NDArray[np.bool_]:
            marked = ~np.isfinite(heights[rows])
            if drawn is not None:
                marked |= drawn[rows]
            return marked

        measured = (np.isfinite(heights[rows]).all() for rows in _blocks(heights.shape))
        if drawn is None and all(measured):
            return []
        whole = self._layout.whole_masks
        head = _resolution(channel) if whole else self._grid(channel, "")
        data = self._array(Numbers(heights.shape, "I" if whole else "D", rows_of))
        return self.obj(name, self._layout.mask, [head, *data])

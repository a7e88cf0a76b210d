"""The byte structure of native Gwyddion files, checked before anything of it is believed.

A file is a magic of four bytes and one root object. An object is its type name, the size of its
body and the body: a run of components, each a name, a type code and a value. Version 2
(``GWYP``) has sizes and counts of 32 bits, version 3 (``GWYQ``) of 64 bits; all is little-endian.
What else differs is in `afmsr_core.io.gwylayout`.

`Structure` walks the whole file once, in linear time and without copying data, so that a file
that lies about a length is refused with the place of the lie. Only then are values handed out. (The
parser of the gwyfile library trusts every length and may never return.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import numpy as np

from afmsr_core.errors import CorruptFileError, UnsupportedContentError
from afmsr_core.io.gwylayout import LAYOUTS, VERSION_3
from afmsr_core.text import decoded

__all__ = ["Component", "GwyObject", "Structure"]

# Real files nest two or three levels; Python's own stack would stand some hundreds.
_MAX_DEPTH = 64
_SCALARS = {"b": "<B", "c": "<B", "h": "<h", "i": "<i", "q": "<q", "f": "<f", "d": "<d"}
_ARRAYS = {"C": "u1", "H": "<i2", "I": "<i4", "Q": "<i8", "F": "<f4", "D": "<f8"}
_SIZES = {code: struct.calcsize(form) for code, form in _SCALARS.items()}
_ITEM_SIZES = {code: np.dtype(form).itemsize for code, form in _ARRAYS.items()}
# Objects, and the boxed values of version 3, such as colours, which are laid out as objects.
_OBJECTS = frozenset("or")


class Component(NamedTuple):
    """Where one component of an object lies in the file.

    Attributes
    ----------
    name : str
        Such as ``"/0/data"``.
    code : str
        Type code, such as ``"o"`` for an object.
    start, value, end : int
        Byte offsets of the name, of the value behind the type code, and of what follows.
    """

    name: str
    code: str
    start: int
    value: int
    end: int


class GwyObject(dict[str, Any]):
    """An object of the file: the values of its components by their names.

    Parameters
    ----------
    name : str
        Its type, such as ``"GwyDataField"``.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Structure:
    """The checked structure of one native Gwyddion file.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        File name for messages.

    Attributes
    ----------
    layout : Layout
        Of its version.
    components : tuple of Component
        Components of the root object, in the order of the file.
    body : int
        Byte offset of the first component.

    Raises
    ------
    CorruptFileError
        If a length, count or string leaves its object, a name is not UTF-8, a type code is
        unknown or objects nest deeper than 64; the message names the byte. Text that is a value
        may be of any encoding. A later Gwyddion 3 may know more type codes: inside an object, whose
        end is known, they are passed over, and only who asks for what that object holds is refused.
    UnsupportedContentError
        If the root is not the container of a Gwyddion file.

    References
    ----------
    Gwyddion user guide, "Gwyddion native data files".
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        if data[:4] not in LAYOUTS:
            self._corrupt(0, f"the first bytes are {data[:4]!r} instead of 'GWYP' or 'GWYQ'")
        self.layout = LAYOUTS[data[:4]]
        self._size = self.layout.size
        root, self.body, end = self._object_head(4, len(data))
        self.components = tuple(self._walk_components(self.body, end, 0))
        if end != len(data):
            self._corrupt(end, f"{len(data) - end} bytes follow the end of the root object")
        if root != self.layout.root:
            raise UnsupportedContentError(
                f"{name}: the file holds a {root!r} instead of a {self.layout.root!r}; "
                f"open it in Gwyddion and save it as .gwy"
            )

    def _corrupt(self, position: int, found: str) -> NoReturn:
        raise CorruptFileError(
            f"{self.name}: damaged at byte {position}: {found}; "
            f"take the file from its source again, or open and save it in Gwyddion"
        )

    # --- the walk ------------------------------------------------------------------------

    def _behind_text(self, start: int, end: int) -> int:
        """Return the offset behind the NUL of the string at `start`."""
        nul = self.data.find(b"\0", start, end)
        if nul < 0:
            self._corrupt(start, "a text has no end inside its object")
        return nul + 1

    def _name(self, start: int, end: int) -> tuple[str, int]:
        """Return the name of a component or type at `start` and the offset behind its NUL."""
        after = self._behind_text(start, end)
        try:
            return self.data[start : after - 1].decode("utf-8"), after
        except UnicodeDecodeError as error:
            self._corrupt(start + error.start, "a name is not UTF-8")

    def _number(self, start: int, end: int) -> tuple[int, int]:
        """Return the size or count at `start` and the offset behind it."""
        after = start + self._size.size
        if after > end:
            self._corrupt(start, "a length is cut off")
        return self._size.unpack_from(self.data, start)[0], after

    def _object_head(self, start: int, end: int) -> tuple[str, int, int]:
        """Return type name, start and end of the body of the object at `start`."""
        kind, after = self._name(start, end)
        size, body = self._number(after, end)
        if size > end - body:
            self._corrupt(after, f"object {kind!r} claims {size} bytes, {end - body} are left")
        return kind, body, body + size

    def _walk_components(
        self, start: int, end: int, depth: int, lenient: bool = False
    ) -> Iterator[Component]:
        """Check the components between `start` and `end`, values and all, and yield them.

        If `lenient`, a type code that is unknown ends the walk, because the end of its value is.
        """
        if depth > _MAX_DEPTH:
            self._corrupt(start, f"objects are nested deeper than {_MAX_DEPTH}")
        position = start
        while position < end:
            name, after = self._name(position, end)
            if after >= end:
                self._corrupt(position, f"component {name!r} is cut off")
            code = chr(self.data[after])
            if code not in self.layout.codes:
                if not lenient:
                    self._corrupt(after, f"type code {code!r} is unknown")
                return
            stop = self._walk_value(code, after + 1, end, depth)
            yield Component(name, code, position, after + 1, stop)
            position = stop

    def _walk_value(self, code: str, start: int, end: int, depth: int) -> int:
        """Check the value at `start` and return the offset behind it."""
        if code in _SCALARS:
            stop = start + _SIZES[code]
            if stop > end:
                self._corrupt(start, "a number is cut off")
            return stop
        if code == "s":
            return self._behind_text(start, end)
        if code in _OBJECTS:
            return self._walk_object(start, end, depth)
        count, after = self._number(start, end)
        least = _ITEM_SIZES.get(code, 1)
        if count > (end - after) // least:
            self._corrupt(start, f"an array claims {count} items, {end - after} bytes are left")
        if code in _ARRAYS:
            return after + count * least
        if code == "S":
            return self._walk_texts(count, after, end)
        for _ in range(count):
            after = self._walk_object(after, end, depth)
        return after

    def _walk_object(self, start: int, end: int, depth: int) -> int:
        _, body, stop = self._object_head(start, end)
        for _ in self._walk_components(body, stop, depth + 1, lenient=self.layout is VERSION_3):
            pass
        return stop

    def _walk_texts(self, count: int, start: int, end: int) -> int:
        """Check `count` strings at `start` and return the offset behind them."""
        position = start
        for _ in range(count):
            position = self.data.find(b"\0", position, end) + 1
            if position == 0:
                self._corrupt(start, f"a list claims {count} texts and has fewer")
        return position

    # --- values --------------------------------------------------------------------------

    def bytes_of(self, component: Component) -> bytes:
        """Return the component as it stands in the file: name, type code and value."""
        return self.data[component.start : component.end]

    def members(self, component: Component) -> tuple[Component, ...]:
        """Return the components of the object that `component` holds.

        Raises
        ------
        CorruptFileError
            If one of them has a type code that is unknown.
        """
        _, body, end = self._object_head(component.value, component.end)
        return tuple(self._walk_components(body, end, 1))

    def texts(self, component: Component) -> tuple[bytes, ...]:
        """Return the strings of the list that `component` holds, byte for byte."""
        count, start = self._number(component.value, component.end)
        return tuple(self.data[start : component.end].split(b"\0")[:count])

    def value(self, component: Component) -> Any:
        """Return the value of a component.

        Parameters
        ----------
        component : Component
            One of `components`.

        Returns
        -------
        bool, int, float, str, ndarray, list of str, GwyObject or list of GwyObject
            By type code. Arrays are read-only views into the file, not copies.

        Raises
        ------
        CorruptFileError
            If it is an object with a type code in it that is unknown.
        """
        return self._value(component.code, component.value)[0]

    def _value(self, code: str, start: int) -> tuple[Any, int]:
        # But for unknown type codes, nothing is checked here: the walk has seen every byte of it.
        end = len(self.data)
        if code in _SCALARS:
            (number,) = struct.unpack_from(_SCALARS[code], self.data, start)
            return bool(number) if code == "b" else number, start + _SIZES[code]
        if code == "s":
            after = self._behind_text(start, end)
            return decoded(self.data[start : after - 1]), after
        if code in _OBJECTS:
            return self._parse_object(start)
        count, after = self._number(start, end)
        if code in _ARRAYS:
            stop = after + count * _ITEM_SIZES[code]
            return np.frombuffer(self.data, _ARRAYS[code], count, after), stop
        items: list[Any] = []
        for _ in range(count):
            item, after = self._value("s", after) if code == "S" else self._parse_object(after)
            items.append(item)
        return items, after

    def _parse_object(self, start: int) -> tuple[GwyObject, int]:
        kind, position, end = self._object_head(start, len(self.data))
        found = GwyObject(kind)
        while position < end:
            name, after = self._name(position, end)
            code = chr(self.data[after])
            if code not in self.layout.codes:
                self._corrupt(after, f"type code {code!r} is unknown")
            found[name], position = self._value(code, after + 1)
        return found, end

"""From Gwyddion's field objects to channels: sizes, units, masks, with nothing believed unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel, marked
from afmsr_core.errors import CorruptFileError, ReadError, UnsupportedContentError
from afmsr_core.io.gwystructure import GwyObject
from afmsr_core.io.units import from_file
from afmsr_core.picture.looks import Look
from afmsr_core.picture.ranges import Range

__all__ = ["channel_of"]

_FIELDS = frozenset(("GwyDataField", "GwyField"))
_UNITS_XY = ("si_unit_xy", "unit_xy")
_UNITS_Z = ("si_unit_z", "unit_z")


def channel_of(
    field: GwyObject,
    mask: Any,
    *,
    title: str,
    number: int,
    path: Path | None,
    palette: str = "",
    ends: tuple[float, float] | None = None,
) -> Channel:
    """Return the channel that a field object and, if there is one, a mask object describe.

    Parameters
    ----------
    field : GwyObject
        A ``GwyDataField`` (version 2) or ``GwyField`` (version 3).
    mask : GwyObject or None
        A ``GwyDataField`` or ``GwyNield``, marked where above 0, as Gwyddion counts.
    title : str
        Title of the channel.
    number : int
        Its number.
    path : Path, optional
        File that it came from.
    palette : str
        That it is shown in.
    ends : tuple of float, optional
        Fixed values at the ends of the colours, as the field holds values.

    Returns
    -------
    Channel

    Raises
    ------
    CorruptFileError
        If a part has the wrong type, or sizes contradict each other.
    UnsupportedContentError
        If the object is not a field.
    FieldError
        If the physical size is not positive.
    """
    where = f"{path.name if path else 'gwy data'}, channel {number}" + (title and f" {title!r}")
    if field.name not in _FIELDS:
        raise UnsupportedContentError(
            f"{where}: holds a {field.name!r} instead of a field; choose another channel"
        )
    values = _array(field, where)
    factor, unit = _unit(field, _UNITS_Z, where)
    scale, lateral_unit = _unit(field, _UNITS_XY, where)
    with np.errstate(over="ignore", invalid="ignore"):
        heights = np.multiply(values, factor, dtype=np.float64)
    return Channel(
        heights,
        # Gwyddion too takes a field without a size for one unit wide.
        xreal=_number(field, "xreal", 1.0, where) * scale,
        yreal=_number(field, "yreal", 1.0, where) * scale,
        xoff=_number(field, "xoff", 0.0, where) * scale,
        yoff=_number(field, "yoff", 0.0, where) * scale,
        unit=unit,
        lateral_unit=lateral_unit,
        title=title,
        mask=None if mask is None else _mask(mask, heights.shape, where),
        path=path,
        number=number,
        look=_look(palette, ends, factor),
    )


def _look(palette: str, ends: tuple[float, float] | None, factor: float) -> Look | None:
    if ends is not None and ends[0] != ends[1]:  # else all that the colours show is an edge
        low, high = sorted(end * factor for end in ends)
        return Look(palette, Range(low, high, "the range that the file stores"))
    return Look(palette) if palette else None


def _corrupt(where: str, found: str) -> ReadError:
    return CorruptFileError(f"{where}: {found}; open the file in Gwyddion and save it again")


def _array(field: GwyObject, where: str) -> NDArray[Any]:
    sizes: tuple[Any, Any] = field.get("xres"), field.get("yres")
    data = field.get("data")
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise _corrupt(where, f"{field.name} has resolution {sizes[0]!r} x {sizes[1]!r}")
    if not isinstance(data, np.ndarray):
        raise _corrupt(where, f"{field.name} has no data")
    xres, yres = sizes
    if data.size != xres * yres:
        raise _corrupt(where, f"{field.name} has {data.size} values instead of {xres} x {yres}")
    return data.reshape(yres, xres)


def _number(field: GwyObject, name: str, default: float, where: str) -> float:
    value = field.get(name, default)
    if not isinstance(value, int | float):
        raise _corrupt(where, f"{name} is not a number")
    return float(value)


def _unit(field: GwyObject, names: tuple[str, ...], where: str) -> tuple[float, str]:
    """Return factor and unit; a field without unit objects is dimensionless, as in Gwyddion."""
    for name in names:
        if name in field:
            unit = field[name]
            text = unit.get("unitstr", "") if isinstance(unit, dict) else None
            if not isinstance(text, str):
                raise _corrupt(where, f"{name} is not a unit")
            return from_file(text)
    return 1.0, ""


def _mask(mask: Any, shape: tuple[int, ...], where: str) -> NDArray[np.bool_]:
    kind = getattr(mask, "name", None)
    if kind not in _FIELDS and kind != "GwyNield":
        raise _corrupt(where, "the mask is not a field")
    values = _array(mask, f"{where}, mask")
    if values.shape != shape:
        found = f"the mask has {values.shape[1]} x {values.shape[0]} pixels"
        raise _corrupt(where, f"{found}, the channel {shape[1]} x {shape[0]}")
    return marked(values)

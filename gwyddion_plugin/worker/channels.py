"""The `Channel` of a field of Gwyddion's or of the files of a request, and back: worker only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel, marked
from afmsr_core.errors import CorruptFileError, OutputError, UnreadableFileError
from afmsr_core.io.units import from_file
from afmsr_core.stopped import without_unmeasured
from gwyddion_plugin.exchange.dump import DOUBLE, MAX_SIDE, RawField, regular
from gwyddion_plugin.worker import request_values
from gwyddion_plugin.worker.protocol import RESULT, RESULT_MASK, file_name

__all__ = ["channel_from", "channel_of", "described", "field_of", "per_base_unit", "write_channel"]

_PER_NM = 1e9  # nm in a metre


def channel_from(folder: Path, field: Mapping[str, Any]) -> Channel:
    """Return the channel that a request describes; lines never measured are NaN.

    Parameters
    ----------
    folder : Path
        Where its files are.
    field : mapping
        FIELD of :mod:`gwyddion_plugin.worker.protocol`.

    Raises
    ------
    ProtocolError
        If the description is incomplete, or something in it is of another type.
    UnreadableFileError, CorruptFileError
        If a file is not there or not as long as the resolution says.
    FieldError
        If the resolution or size is not positive.
    """
    yres, xres = _shape(field)
    name = file_name(field.get("data"))
    mask = field.get("mask")
    return _channel(
        _doubles(folder / name, yres, xres),
        _doubles(folder / file_name(mask), yres, xres) if mask else None,
        *_labels(field),
    )


def described(field: Mapping[str, Any]) -> Channel:
    """Return a channel as a request describes it, with heights of 0: no file is read.

    Raises
    ------
    ProtocolError, FieldError
        As of `channel_from`.
    """
    return _placed(np.broadcast_to(0.0, _shape(field)), None, *_labels(field))


def _shape(field: Mapping[str, Any]) -> tuple[int, int]:
    yres, xres = (request_values.count(field, side, MAX_SIDE) for side in ("yres", "xres"))
    return yres, xres


def _labels(field: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[str, str], str]:
    """Return the lengths, the units and the title in a description."""
    lengths = (
        *(request_values.number(field, side) for side in ("xreal", "yreal")),
        *(request_values.number(field, offset, 0.0) for offset in ("xoff", "yoff")),
    )
    units = request_values.name(field, "unit_xy"), request_values.name(field, "unit_z")
    return lengths, units, request_values.name(field, "title")


def channel_of(field: RawField) -> Channel:
    """Return the channel that Gwyddion handed out; it comes without offsets and title.

    Lines that were never measured are NaN, as in a file that is read.
    """
    shape = field.yres, field.xres
    return _channel(
        np.frombuffer(field.data, "<f8").reshape(shape),
        None if field.mask is None else np.frombuffer(field.mask, "<f8").reshape(shape),
        (field.xreal, field.yreal, 0.0, 0.0),
        (field.unit_xy, field.unit_z),
    )


def _channel(
    values: NDArray[np.float64],
    mask: NDArray[np.float64] | None,
    lengths: tuple[float, ...],
    units: tuple[str, str],
    title: str = "",
) -> Channel:
    factor, _ = from_file(units[1])
    return without_unmeasured(_placed(values * factor, mask, lengths, units, title))


def _placed(
    heights: NDArray[np.float64],
    mask: NDArray[np.float64] | None,
    lengths: tuple[float, ...],
    units: tuple[str, str],
    title: str,
) -> Channel:
    scale, lateral_unit = from_file(units[0])
    xreal, yreal, xoff, yoff = (scale * length for length in lengths)
    return Channel(
        heights,
        xreal=xreal,
        yreal=yreal,
        xoff=xoff,
        yoff=yoff,
        unit=from_file(units[1])[1],
        lateral_unit=lateral_unit,
        title=title,
        mask=None if mask is None else marked(mask),
        number=0,
    )


def _doubles(path: Path, yres: int, xres: int) -> NDArray[np.float64]:
    try:
        size = regular(path).stat().st_size
        if size != DOUBLE * xres * yres:
            raise CorruptFileError(
                f"{path.name}: holds {size / DOUBLE:g} values instead of {xres} x {yres}; try again"
            )
        values = np.fromfile(path, "<f8", xres * yres)
    except OSError as error:
        raise UnreadableFileError(
            f"{path}: cannot be read ({error.strerror}); try again"
        ) from error
    if values.size != xres * yres:
        raise CorruptFileError(f"{path.name}: became shorter while it was read; try again")
    return values.reshape(yres, xres).astype(np.float64, copy=False)


def write_channel(
    folder: Path, channel: Channel, names: tuple[str, str] = (RESULT, RESULT_MASK)
) -> dict[str, Any]:
    """Write a channel into the folder of a request and return its description.

    Parameters
    ----------
    folder : Path
        Where the files go.
    channel : Channel
        What to write.
    names : tuple of str
        Names of the files of the values and of the mask.

    Raises
    ------
    OutputError
        If the system refuses to write.
    """
    values, mask = _finite(channel)
    _write(folder / names[0], values)
    if mask is not None:
        _write(folder / names[1], mask)
    per_metre = per_base_unit(channel.lateral_unit)
    return {
        "xres": channel.xres,
        "yres": channel.yres,
        "xreal": channel.xreal / per_metre,
        "yreal": channel.yreal / per_metre,
        "xoff": channel.xoff / per_metre,
        "yoff": channel.yoff / per_metre,
        "unit_xy": _base(channel.lateral_unit),
        "unit_z": _base(channel.unit),
        "title": channel.title,
        "data": names[0],
        "mask": names[1] if mask is not None else None,
    }


def field_of(channel: Channel) -> RawField:
    """Return what Gwyddion takes back."""
    values, mask = _finite(channel)
    per_metre = per_base_unit(channel.lateral_unit)
    return RawField(
        xres=channel.xres,
        yres=channel.yres,
        xreal=channel.xreal / per_metre,
        yreal=channel.yreal / per_metre,
        unit_xy=_base(channel.lateral_unit),
        unit_z=_base(channel.unit),
        data=_bytes(values),
        mask=None if mask is None else _bytes(mask),
    )


def _finite(channel: Channel) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """Return heights in the base unit, and the mask.

    Pixels that were not measured get the mean of the others and are marked in the mask, since
    Gwyddion's fields have no other way to tell.
    """
    values, mask = channel.heights, channel.mask
    missing = ~np.isfinite(values)
    if missing.any():
        values = np.where(missing, values[~missing].mean(), values)
        mask = missing if mask is None else mask | missing
    return values / per_base_unit(channel.unit), mask


def per_base_unit(unit: str) -> float:
    """Return how many of a unit are one of Gwyddion's: 1e9 nm are a metre, others are the same."""
    return _PER_NM if unit == "nm" else 1.0


def _base(unit: str) -> str:
    return "m" if unit == "nm" else unit


def _bytes(values: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(values, "<f8").data.cast("B")


def _write(path: Path, values: NDArray[Any]) -> None:
    """Write as ``tofile`` does, which however does not tell a full disk from other trouble."""
    try:
        with path.open("wb") as file:
            file.write(_bytes(values))
    except OSError as error:
        needed = math.ceil(DOUBLE * values.size / 1e6)
        raise OutputError(
            f"{path}: not written ({error.strerror}); the result needs {needed} MB there: "
            f"free some space, or set TMPDIR to another folder"
        ) from error

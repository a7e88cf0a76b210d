"""Between the files of a request and a `Channel`: only the worker comes here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import CorruptFileError, FieldError, OutputError, UnreadableFileError
from afmsr_core.io.units import from_file
from gwyddion_plugin.protocol import RESULT, RESULT_MASK, ProtocolError, file_name

__all__ = ["channel_from", "write_channel"]

_MASKED = 0.5  # from here on Gwyddion counts a pixel of a mask as marked
_PER_NM = 1e9  # nm in a metre


def channel_from(folder: Path, field: Mapping[str, Any]) -> Channel:
    """Return the channel that a request describes.

    Parameters
    ----------
    folder : Path
        Where its files are.
    field : mapping
        FIELD of :mod:`gwyddion_plugin.protocol`.

    Raises
    ------
    ProtocolError
        If the description is incomplete.
    UnreadableFileError, CorruptFileError
        If a file is not there or not as long as the resolution says.
    FieldError
        If the resolution or size is not positive.
    """
    try:
        xres, yres = int(field["xres"]), int(field["yres"])
        xreal, yreal = float(field["xreal"]), float(field["yreal"])
        xoff, yoff = float(field.get("xoff", 0)), float(field.get("yoff", 0))
        name = file_name(field["data"])
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(
            f"worker protocol: the field is not described ({error!r}); it needs xres, yres, "
            f"xreal, yreal, unit_xy, unit_z and data"
        ) from error
    if xres < 1 or yres < 1:
        raise FieldError(f"the channel has {xres} x {yres} pixels; choose another channel")
    factor, unit = from_file(str(field.get("unit_z") or ""))
    scale, lateral_unit = from_file(str(field.get("unit_xy") or ""))
    mask = field.get("mask")
    return Channel(
        _doubles(folder / name, yres, xres) * factor,
        xreal=xreal * scale,
        yreal=yreal * scale,
        xoff=xoff * scale,
        yoff=yoff * scale,
        unit=unit,
        lateral_unit=lateral_unit,
        title=str(field.get("title") or ""),
        mask=_doubles(folder / file_name(mask), yres, xres) >= _MASKED if mask else None,
        number=0,
    )


def _doubles(path: Path, yres: int, xres: int) -> NDArray[np.float64]:
    try:
        values = np.fromfile(path, "<f8")
    except OSError as error:
        raise UnreadableFileError(
            f"{path}: cannot be read ({error.strerror}); try again"
        ) from error
    if values.size != xres * yres:
        raise CorruptFileError(
            f"{path.name}: holds {values.size} values instead of {xres} x {yres}; try again"
        )
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

    Pixels that were not measured get the mean of the others and are marked in the mask, since
    Gwyddion's fields have no other way to tell.

    Raises
    ------
    OutputError
        If the system refuses to write.
    """
    values, mask = channel.heights, channel.mask
    missing = ~np.isfinite(values)
    if missing.any():
        values = np.where(missing, values[~missing].mean(), values)
        mask = missing if mask is None else mask | missing
    _write(folder / names[0], values / _PER_NM if channel.unit == "nm" else values)
    if mask is not None:
        _write(folder / names[1], mask)
    lateral = _PER_NM if channel.lateral_unit == "nm" else 1.0
    return {
        "xres": channel.xres,
        "yres": channel.yres,
        "xreal": channel.xreal / lateral,
        "yreal": channel.yreal / lateral,
        "xoff": channel.xoff / lateral,
        "yoff": channel.yoff / lateral,
        "unit_xy": "m" if channel.lateral_unit == "nm" else channel.lateral_unit,
        "unit_z": "m" if channel.unit == "nm" else channel.unit,
        "title": channel.title,
        "data": names[0],
        "mask": names[1] if mask is not None else None,
    }


def _write(path: Path, values: NDArray[Any]) -> None:
    """Write as ``tofile`` does, which however does not tell a full disk from other trouble."""
    try:
        with path.open("wb") as file:
            file.write(np.ascontiguousarray(values, "<f8").data.cast("B"))
    except OSError as error:
        needed = math.ceil(8 * values.size / 1e6)
        raise OutputError(
            f"{path}: not written ({error.strerror}); the result needs {needed} MB there: "
            f"free some space, or set TMPDIR to another folder"
        ) from error

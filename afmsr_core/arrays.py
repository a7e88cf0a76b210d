"""What Python users hold (a path, an array of NumPy or xarray) as the channel that it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.io.units import from_file
from afmsr_core.stopped import without_infinite

if TYPE_CHECKING:
    import xarray

    Scan = str | os.PathLike[str] | Channel | ArrayLike | xarray.DataArray

__all__ = ["as_channel"]

EVEN = 1e-3
"""Of a pixel: how far coordinates may be off an even grid. Files round them to some digits."""

Pair = Sequence[float]


def as_channel(
    scan: Scan,
    *,
    channel: str | int | None = None,
    size: Pair | None = None,
    pixel_size: Pair | None = None,
    unit: str | None = None,
    title: str | None = None,
) -> Channel:
    """Return a scan, in whatever form it comes, as a channel.

    Parameters
    ----------
    scan : path, Channel, array_like of shape (yres, xres), or xarray.DataArray
        A path is read. An array of NumPy needs its size and `unit`. A DataArray has dimensions
        ``y`` and ``x`` with even coordinates, and units in the attribute ``units`` of itself
        and of both; rows come in the order of growing ``y``.
    channel : str or int, optional
        Of a file: number, title or pattern; the first with heights by default.
    size : (float, float), optional
        Of an array: height and width of the area in nm.
    pixel_size : (float, float), optional
        Of an array, instead: height and width of a pixel in nm.
    unit : str, optional
        Of the values of an array: ``"nm"``, ``"m"``, ``"V"``, ``""`` for a bare number.
    title : str, optional
        Of an array.

    Returns
    -------
    Channel

    Raises
    ------
    UsageError
        If an array lacks size or unit, or they are given for what has its own.
    FieldError
        If an array is not two-dimensional, or its coordinates are not even.
    ReadError, ChannelNotFoundError
        If a file cannot be read, or lacks the channel.

    Examples
    --------
    >>> as_channel(np.zeros((2, 4)), pixel_size=(100, 50), unit="nm")
    <Channel: 4 x 2 px, 200 nm x 200 nm, 0 to 0 nm>
    """
    described = {"size": size, "pixel_size": pixel_size, "unit": unit, "title": title}
    is_file = isinstance(scan, str | os.PathLike)
    if channel is not None and not is_file:
        raise UsageError("channel= chooses one of a file; what was given is no path")
    labelled = hasattr(scan, "dims") and hasattr(scan, "coords")
    if is_file or labelled or isinstance(scan, Channel):
        given = [name for name, value in described.items() if value is not None]
        if given:
            raise UsageError(f"{given[0]}= describes a bare array; what was given has its own")
    if isinstance(scan, Channel):
        return without_infinite(scan)
    if is_file:
        return _of_file(Path(scan), channel)  # type: ignore[arg-type]
    if labelled:
        return without_infinite(_of_labelled(scan))
    return without_infinite(_of_array(np.asarray(scan), size, pixel_size, unit, title or ""))


def _of_file(path: Path, which: str | int | None) -> Channel:
    found = io.select(io.read(path), which)
    if len(found) > 1:
        titles = ", ".join(f"{one.number} {one.title!r}" for one in found)
        raise UsageError(f"{path.name}: channel={which!r} fits {titles}; give one by its number")
    return found[0]


def _of_array(
    values: NDArray[Any], size: Pair | None, pixel_size: Pair | None, unit: str | None, title: str
) -> Channel:
    if values.ndim != 2:
        raise FieldError(f"an array of shape {values.shape}: a scan has rows and columns")
    if (size is None) == (pixel_size is None):
        raise UsageError("an array: give either size=(height, width) or pixel_size=(dy, dx), in nm")
    if unit is None:
        raise UsageError('an array: give unit=, such as "nm"; else nm and volts look the same')
    try:
        down, across = (float(side) for side in (size or pixel_size or ()))
    except (TypeError, ValueError) as error:
        raise UsageError("an array: its size is two numbers, height and width, in nm") from error
    if size is None:
        down, across = down * values.shape[0], across * values.shape[1]
    factor, base = from_file(unit)
    return Channel(_numbers(values) * factor, xreal=across, yreal=down, unit=base, title=title)


def _of_labelled(data: Any) -> Channel:
    if set(data.dims) != {"y", "x"}:
        raise FieldError(f"a DataArray with dimensions {data.dims}: rename them to 'y' and 'x'")
    data = data.transpose("y", "x").sortby(["y", "x"])
    if "units" not in data.attrs:
        raise UsageError('a DataArray: set attrs["units"], such as "nm"; nothing else tells it')
    factor, unit = from_file(str(data.attrs["units"]))
    (yreal, yoff, lateral_unit), (xreal, xoff, other) = (_axis(data, name) for name in "yx")
    if lateral_unit != other:
        raise FieldError(f"a DataArray: x is in {other!r} and y in {lateral_unit!r}")
    mask = data.coords["mask"].values if "mask" in data.coords else None
    title = str(data.attrs.get("long_name") or data.name or "")
    return Channel(
        _numbers(data.values) * factor, xreal, yreal, xoff, yoff, unit, lateral_unit, title, mask
    )


def _axis(data: Any, name: str) -> tuple[float, float, str]:
    """Return extent, offset and unit of a dimension."""
    places = np.asarray(data[name].values, dtype=np.float64)
    if name not in data.coords or places.size < 2 or "units" not in data[name].attrs:
        raise FieldError(
            f"a DataArray: give {name} coordinates of pixel centres, two or more, with "
            f'attrs["units"], such as "nm"'
        )
    pixel = (places[-1] - places[0]) / (places.size - 1)
    even = places[0] + pixel * np.arange(places.size)
    if not np.abs(places - even).max() <= EVEN * pixel:
        raise FieldError(f"a DataArray: {name} is not evenly spaced; resample it first")
    factor, unit = from_file(str(data[name].attrs["units"]))
    return (
        float(pixel * places.size * factor),
        float((places[0] - pixel / 2) * factor),
        unit,
    )


def _numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind not in "fiu":
        raise FieldError(f"an array of {values.dtype}: heights are real numbers")
    return np.asarray(values, dtype=np.float64)

"""Images and movies of JPK in HDF5 (``.h5-jpk``), as the NanoRacer writes them.

The layout, found in files: a group ``Measurement_NNN`` holds a group ``Channel_NNN`` for each
signal, and there a table with a row for each pixel (the fast axis first, the lowest line first)
and a column for each frame. ``net-encoder.scaling`` turns counts into the unit that it names;
``position-pattern.grid`` of the measurement tells the size. AFMReader 0.0.7 reads height and
orientation the same; Gwyddion 3.11 opens the tables as images of pixels by frames.
"""

from __future__ import annotations

import cmath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import (
    CorruptFileError,
    MissingReaderError,
    UnsupportedContentError,
    pip_install,
)
from afmsr_core.io.raw import movie

__all__ = ["IN_CHILD", "NAME", "knows", "read"]

NAME = "JPK (HDF5)"
IN_CHILD = True
"""HDF5's own library parses the file."""

_GRID = "position-pattern.grid."
_SCALING = "net-encoder.scaling."


def knows(path: Path, start: bytes) -> bool:
    """Return whether the file is of this format: HDF5 under its suffix."""
    return path.suffix.lower() == ".h5-jpk" and start.startswith(b"\x89HDF\r\n\x1a\n")


def read(path: Path) -> list[Channel]:
    """Read the images, of a movie each frame.

    Raises
    ------
    MissingReaderError
        If h5py is not installed.
    CorruptFileError
        If the file is damaged or contradicts itself.
    UnsupportedContentError
        If it holds no image, or one whose pixels are not on a plain grid.
    FieldError
        If the size of the scan is not positive.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingReaderError(
            f"{path.name}: a file of {NAME}, for which no reader is installed; {pip_install('raw')}"
        ) from error
    channels: list[Channel] = []
    try:
        with h5py.File(path, "r") as file:
            for name in sorted(file):
                if name.startswith("Measurement_"):
                    channels += _measurement(path, file[name])
    # What h5py raises for a damaged file is not documented.
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise CorruptFileError(
            f"{path.name}: damaged ({error}); take the file from its source again"
        ) from error
    if not channels:
        raise UnsupportedContentError(
            f"{path.name}: holds no image, perhaps only force curves; choose a file with a scan"
        )
    return [channel.replace(number=number) for number, channel in enumerate(channels)]


def _measurement(path: Path, group: Any) -> list[Channel]:
    """Return the frames of all signals of one measurement."""
    grid = group.attrs
    if _GRID + "ilength" not in grid:
        return []
    xres, yres = (int(grid[_GRID + key]) for key in ("ilength", "jlength"))
    if _text(grid, _GRID + "reflect", "false") != "false":
        raise UnsupportedContentError(
            f"{path.name}: its grid of pixels is mirrored, which is not described; save it as "
            f".jpk with the instrument's program"
        )
    signals = []
    for name in sorted(group):
        if not name.startswith("Channel_"):
            continue
        channel = group[name]
        for table in channel.values():
            # Not the thumbnail, which has a size of its own.
            if table.ndim == 2 and table.shape[0] == xres * yres and table.shape[1] > 0:
                signals.append(_signal(channel.attrs, table, xres, yres))
    unit = _text(grid, _GRID + "unit.unit", "m")
    size = float(grid[_GRID + "ulength"]), float(grid[_GRID + "vlength"])
    return movie.channels(path, signals, size, unit, _origin(grid, *size))


def _origin(grid: Mapping[str, Any], width: float, height: float) -> tuple[float, float]:
    """Return where the grid begins, which is what ``.jpk`` gives and Gwyddion takes for offset."""
    x, y, angle = (float(grid.get(_GRID + key, 0.0)) for key in ("xcenter", "ycenter", "theta"))
    half = complex(width, height) / 2 * cmath.exp(1j * angle)
    return x - half.real, y - half.imag


def _signal(attributes: Mapping[str, Any], table: Any, xres: int, yres: int) -> movie.Signal:
    """Return one signal."""
    style = _text(attributes, _SCALING + "style", "offsetmultiplier")
    if style != "offsetmultiplier":
        raise ValueError(f"a scaling of style {style!r}")
    title = _text(attributes, "channel.fancy-name", _text(attributes, "channel.name", ""))
    if _text(attributes, "retrace", "false") == "true":
        title = f"{title} (retrace)"
    counts = np.ascontiguousarray(table[()].T).reshape(-1, yres, xres)[:, ::-1]
    return movie.Signal(
        title,
        _text(attributes, _SCALING + "unit.unit", ""),
        counts,
        float(attributes[_SCALING + "multiplier"]),
        float(attributes[_SCALING + "offset"]),
    )


def _text(attributes: Mapping[str, Any], key: str, default: str) -> str:
    value = attributes.get(key, default)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

"""What SurfaceTopography reads, as channels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.io.files import contents, head
from afmsr_core.io.raw import igor
from afmsr_core.io.units import from_file

__all__ = ["read"]


def read(path: Path) -> list[Channel] | None:
    """Return the channels that SurfaceTopography finds; None if it is not installed."""
    try:
        from SurfaceTopography.IO import open_topography
    except ImportError:
        return None
    channels = []
    with warnings.catch_warnings(), _ampere():
        warnings.simplefilter("ignore")
        try:
            with open_topography(_source(path)) as reader:
                for info in reader.channels:
                    channel = _channel(path, reader, info)
                    if channel is not None:
                        channels.append(channel)
        # Some forty readers of others, each with errors of its own: whatever they raise means
        # that the next reader gets its chance.
        except Exception:
            return []
    return channels


@contextmanager
def _ampere() -> Iterator[None]:
    """Let "A" be the ampere, which it is in every file of an SPM, and "Å" alone the ångström.

    SurfaceTopography 1.27 takes "A" for ångström, hence currents for heights, in all formats but
    ``.ibw``. Without that it leaves out what is no length, or the whole file to the next reader.
    """
    from SurfaceTopography.Support import UnitConversion

    tables = UnitConversion.length_units, UnitConversion.length_units_to_utf8
    kept = [table.pop("A", None) for table in tables]
    try:
        yield
    finally:
        for table, value in zip(tables, kept, strict=True):
            if value is not None:
                table["A"] = value


def _source(path: Path) -> str | io.BytesIO:
    """Return what to open: the file, of an Igor wave its bytes with clean labels."""
    if igor.knows(head(path, 2)):
        return io.BytesIO(igor.with_clean_labels(contents(path)))
    return str(path)


def _channel(path: Path, reader: Any, info: Any) -> Channel | None:
    """Return one channel; None for line scans, maps without grid, and data without scale."""
    if info.dim != 2 or not isinstance(info.unit, str) or info.physical_sizes is None:
        return None
    topography = reader.topography(channel_index=info.index)
    if not topography.is_uniform or not isinstance(topography.unit, str):
        return None
    scale, lateral_unit = from_file(topography.unit)
    factor, unit = scale, lateral_unit
    data_unit = info.data_unit if isinstance(info.data_unit, str) else topography.unit
    if from_file(data_unit)[1] != lateral_unit:
        # Heights are given in the lateral unit, other quantities in their own.
        factor, unit = from_file(data_unit)
    # Theirs is indexed (column, row), ours (row, column); both count rows from the top.
    values = np.ma.filled(np.ma.asarray(topography.heights(), dtype=np.float64), np.nan).T
    width, height = topography.physical_sizes
    return Channel(
        np.ascontiguousarray(values) * factor,
        xreal=float(width) * scale,
        yreal=float(height) * scale,
        unit=unit,
        lateral_unit=lateral_unit,
        title=str(info.name or ""),
        path=path,
        number=int(info.index),
    )

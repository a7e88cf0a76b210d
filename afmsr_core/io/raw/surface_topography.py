"""What SurfaceTopography reads, as channels. Runs in the process of foreign readers."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import (
    AfmsrError,
    CorruptFileError,
    FieldError,
    UnknownFormatError,
    UnsupportedContentError,
)
from afmsr_core.io.channels import Channels, Unreadable
from afmsr_core.io.files import contents, head
from afmsr_core.io.raw import igor
from afmsr_core.io.raw.limits import OTHERWISE
from afmsr_core.io.raw.messages import Reading
from afmsr_core.io.raw.said import sentences
from afmsr_core.io.units import from_file

__all__ = ["NAME", "prepare", "read"]

NAME = "SurfaceTopography"

_START = 512
"""Bytes from which its readers judge whether a file may be theirs."""

_TEXT = ("asc", "xyz")
"""Its readers of plain text, which take seconds for every megabyte of something else."""

_HEADER = re.compile(
    rb"unit|width|length|breite|largeur|pixel|scale|bit2nm|wyko|valid|scan data|^\s*#", re.I | re.M
)
"""What a text with a unit says near its beginning; one without is of no use to us."""

_NO_SCANS = ("hgt",)
"""Elevations of the earth: any file of one of three sizes is taken for one."""


def prepare() -> None:
    """Load the package, which takes a second or two."""
    import SurfaceTopography.IO  # noqa: F401


def read(path: Path) -> Reading:
    """Return the images that SurfaceTopography finds in a file.

    Offsets are told of JPK's files only (else they are 0). Channels whose unit it does not tell
    are left out.

    Raises
    ------
    UnknownFormatError
        If none of its readers opens the file.
    UnsupportedContentError
        If one does, but finds no image, or none with a unit.
    FieldError
        If no image has a size.
    CorruptFileError
        If no image can be read.
    """
    import SurfaceTopography

    with _ampere(), _heard() as heard, _opened(path, heard) as reader:
        good: list[Channel] = []
        bad: list[Unreadable] = []
        useless: list[AfmsrError] = []
        for info in reader.channels:
            if info.dim != 2:
                continue
            try:
                good.append(_channel(path, reader, info))
            except UnsupportedContentError as error:
                useless.append(error)
            except FieldError as error:
                bad.append(Unreadable(int(info.index), str(info.name or ""), error))
            except MemoryError:
                raise
            except Exception as error:  # of any of forty readers
                fault = CorruptFileError(
                    f"{path.name}: {NAME} fails on it ({type(error).__name__}: {error}); "
                    f"{OTHERWISE}"
                )
                bad.append(Unreadable(int(info.index), str(info.name or ""), fault))
        if not good:
            for reason in (*(one.error for one in bad), *useless):
                raise reason
            raise UnsupportedContentError(
                f"{path.name}: holds no image, only curves or spectra; choose a file with a scan"
            )
        told = tuple(sentences(NAME, heard))
        channels = Channels((channel.replace(warnings=told) for channel in good), bad)
        return Reading(channels, SurfaceTopography.__version__, reader.format())


@contextmanager
def _opened(path: Path, heard: list[str]) -> Iterator[Any]:
    """Open the file with the first reader that can."""
    from SurfaceTopography.IO import MagicMatch, open_topography, readers

    start = head(path)
    for kind in readers:
        name = kind.format()
        unlikely = name in _NO_SCANS or (name in _TEXT and not _is_text_with_header(start))
        if unlikely or kind.can_read(start[:_START]) == MagicMatch.NO:
            continue
        heard.clear()  # what those before it said is not about this format
        try:
            reader = open_topography(_source(path, start), format=name)
        except MemoryError:
            raise
        except Exception:  # it is not of this format, or damaged: each has errors of its own
            continue
        with reader:
            yield reader
        return
    raise UnknownFormatError(f"{path.name}: of no format that {NAME} knows")


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


def _source(path: Path, start: bytes) -> str | io.BytesIO:
    """Return what to open: the file, of an Igor wave its bytes with clean labels."""
    if igor.knows(start):
        return io.BytesIO(igor.with_clean_labels(contents(path)))
    return str(path)


def _is_text_with_header(start: bytes) -> bool:
    return b"\0" not in start and _HEADER.search(start) is not None


def _channel(path: Path, reader: Any, info: Any) -> Channel:
    """Return one channel; refuse a map without grid, and data without scale."""
    where = f"{path.name}, channel {info.index} {str(info.name or '')!r}"
    if not isinstance(info.unit, str):
        raise UnsupportedContentError(
            f"{where}: {NAME} finds no unit; open it in the instrument's program and save it there "
            f"in another format"
        )
    sizes = info.physical_sizes
    if sizes is None or not all(np.isfinite(size) and size > 0 for size in sizes):
        raise FieldError(
            f"{where}: the scan size must be positive, found {_listed(sizes)}; set it in the "
            f"instrument's program, or in Gwyddion with Dimensions and Units, and save it as .gwy"
        )
    topography = reader.topography(channel_index=info.index)
    if not topography.is_uniform or not isinstance(topography.unit, str):
        raise UnsupportedContentError(f"{where}: not on a grid; map it to one in Gwyddion")
    scale, lateral_unit = from_file(topography.unit)
    factor, unit = scale, lateral_unit
    data_unit = info.data_unit if isinstance(info.data_unit, str) else topography.unit
    if from_file(data_unit)[1] != lateral_unit:
        # Heights are given in the lateral unit, other quantities in their own.
        factor, unit = from_file(data_unit)
    # Theirs is indexed (column, row), ours (row, column); both count rows from the top.
    values = np.ma.filled(np.ma.asarray(topography.heights(), dtype=np.float64), np.nan).T
    width, height = topography.physical_sizes
    xoff, yoff = _offset(info)
    return Channel(
        np.ascontiguousarray(values) * factor,
        xreal=float(width) * scale,
        yreal=float(height) * scale,
        xoff=xoff,
        yoff=yoff,
        unit=unit,
        lateral_unit=lateral_unit,
        title=str(info.name or ""),
        path=path,
        number=int(info.index),
    )


def _offset(info: Any) -> tuple[float, float]:
    """Return the offset in nm, which stands in the metadata of JPK alone, in m."""
    metadata = info.info.get("raw_metadata")
    if not isinstance(metadata, Mapping):
        return 0.0, 0.0
    x, y = (metadata.get(key, 0.0) for key in ("GridX0", "GridY0"))
    return float(x) * 1e9, float(y) * 1e9


def _listed(sizes: Any) -> str:
    return "none" if sizes is None else " x ".join(f"{float(size):g}" for size in sizes)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect what the package warns of, in either of Python's two ways."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    def hear(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category is UserWarning:  # all others are for programmers
            heard.append(str(message))

    logger, ear = logging.getLogger("SurfaceTopography"), Ear(logging.WARNING)
    logger.addHandler(ear)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = hear
            yield heard
    finally:
        logger.removeHandler(ear)

"""Files of instruments, through the readers of others.

SurfaceTopography (the extra ``raw``) goes first, because it is a Python package that works
wherever afmsr does; what it does not know goes to Gwyddion's import modules, if Gwyddion is
installed. Gwyddion runs as a program of its own, so that neither a crash nor a hang of a reader
of some 170 formats, nor its licence, reaches the caller.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import (
    AfmsrError,
    CorruptFileError,
    MissingReaderError,
    UnknownFormatError,
    UnsupportedContentError,
    pip_install,
)
from afmsr_core.io.files import head
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.units import from_file

__all__ = ["FORMATS", "RawFormat", "known_format", "read"]

_TIMEOUT = 60.0  # Seconds. Gwyddion imports within a tenth; a file on a slow network takes longer.
_UNKNOWN_TO_GWYDDION = "No module can load this file type"
_INSTALL_GWYDDION = "install Gwyddion 2 (gwyddion.net, or apt-get install gwyddion)"


class RawFormat(NamedTuple):
    """An instrument's format as far as we can tell it without its reader.

    Attributes
    ----------
    name : str
        Of instrument or maker.
    begins : tuple of bytes
        With what the file may begin; empty if that says too little.
    suffixes : tuple of str
        Suffixes that stand for the format where its first bytes do not.
    python : bool
        Whether SurfaceTopography reads it; Gwyddion reads all of them.
    """

    name: str
    begins: tuple[bytes, ...]
    suffixes: tuple[str, ...]
    python: bool


FORMATS = (
    RawFormat("Gwyddion 1", (b"GWYO",), (), False),
    RawFormat("Bruker Nanoscope", (b"\\*File list", b"\\*Force file list"), (".spm",), True),
    RawFormat("Asylum Research (Igor)", (), (".ibw",), True),
    RawFormat("JPK", (), (".jpk", ".jpk-qi-image"), True),
    RawFormat("Nanosurf", (b"[DataSet]",), (".nid", ".ezd"), True),
    RawFormat("Agilent or Keysight", (b"fileType      Image",), (".mi",), True),
    RawFormat("Park Systems", (), (".tif", ".tiff"), True),
    RawFormat("WSxM", (b"WSxM file copyright",), (".stp", ".top"), True),
    RawFormat("Nanonis", (b":NANONIS_VERSION:",), (".sxm",), False),
    RawFormat("RHK", ("STiMage".encode("utf-16-le"),), (".sm4",), False),
    RawFormat("Anasys", (), (".axz", ".axd"), False),
)


def known_format(path: str | Path) -> RawFormat | None:
    """Return the instrument's format that content or else suffix tell, None if neither does."""
    path = Path(path)
    start = head(path, 64)
    for known in FORMATS:
        # The RHK mark stands behind its own length.
        if any(start.startswith(mark) or start[2:].startswith(mark) for mark in known.begins):
            return known
    suffix = path.suffix.lower()
    return next((known for known in FORMATS if suffix in known.suffixes), None)


def read(path: str | Path) -> list[Channel]:
    """Read the channels of an instrument's file.

    Parameters
    ----------
    path : path
        File of any format that SurfaceTopography or an installed Gwyddion 2 reads.

    Returns
    -------
    list of Channel
        Images only, in the reader's order, with the reader's titles and numbers.
        SurfaceTopography does not tell offsets (0 then) and leaves out channels that it cannot
        scale; heights and sizes are the same from both readers.

    Raises
    ------
    UnreadableFileError
        If there is no such file or the system does not let us read it.
    MissingReaderError
        If the format is known, but no reader for it is installed.
    UnknownFormatError
        If no reader knows the format.
    CorruptFileError
        If a reader knows the format, but fails on the file.
    UnsupportedContentError
        If the file holds no image with unit and size.
    """
    path = Path(path)
    known = known_format(path)
    python = _surface_topography(path)
    if python:
        return python
    program = shutil.which("gwyddion")
    if program:
        try:
            return _gwyddion(program, path)
        except UnknownFormatError:
            pass
    raise _refusal(path, known, python is not None, program is not None)


def _refusal(path: Path, known: RawFormat | None, python: bool, gwyddion: bool) -> AfmsrError:
    """Return the error that says why no reader gave a channel, and what would help."""
    if known and gwyddion:
        return CorruptFileError(
            f"{path.name}: named like a file of {known.name}, but no reader knows its content; "
            f"take the file from its source again"
        )
    if known and known.python and python:
        return CorruptFileError(
            f"{path.name}: a file of {known.name} without an image that SurfaceTopography can "
            f"read; take it from its source again, or {_INSTALL_GWYDDION}"
        )
    if known:
        cure = f"{pip_install('raw')}, or " if known.python else ""
        return MissingReaderError(
            f"{path.name}: a file of {known.name}, for which no reader is installed; "
            f"{cure}{_INSTALL_GWYDDION}"
        )
    missing = [] if python else [pip_install("raw")]
    missing += [] if gwyddion else [_INSTALL_GWYDDION]
    more = f", or, for more formats, {' or '.join(missing)}" if missing else ""
    return UnknownFormatError(
        f"{path.name}: of no format that we know; save it as .gwy or .gsf with the program that "
        f"opens it{more}"
    )


# --- SurfaceTopography -------------------------------------------------------------------


def _surface_topography(path: Path) -> list[Channel] | None:
    """Return the channels that SurfaceTopography finds; None if it is not installed."""
    try:
        from SurfaceTopography.IO import open_topography
    except ImportError:
        return None
    channels = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with open_topography(str(path)) as reader:
                for info in reader.channels:
                    channel = _channel(path, reader, info)
                    if channel is not None:
                        channels.append(channel)
        # Some forty readers of others, each with errors of its own: whatever they raise means
        # that the next reader gets its chance.
        except Exception:
            return []
    return channels


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


# --- Gwyddion ----------------------------------------------------------------------------


def _gwyddion(program: str, path: Path) -> list[Channel]:
    """Return the channels that Gwyddion's import modules find."""
    with tempfile.TemporaryDirectory(prefix="afmsr-") as folder:
        output = Path(folder, "converted.gwy")
        # A home of its own: the user's plug-ins and settings have no part in this.
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DISPLAY", "WAYLAND_DISPLAY", "LANGUAGE")
        }
        environment.update(HOME=folder, USERPROFILE=folder, LC_ALL="C.UTF-8")
        try:
            done = subprocess.run(
                [program, f"--convert-to-gwy={output}", str(path.resolve())],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CorruptFileError(
                f"{path.name}: Gwyddion did not finish reading it within {_TIMEOUT:.0f} s; "
                f"open it there and save it as .gwy"
            ) from error
        except OSError as error:
            raise MissingReaderError(
                f"{path.name}: Gwyddion could not be started ({error}); {pip_install('raw')}, or "
                f"{_INSTALL_GWYDDION} again"
            ) from error
        said = done.stderr.decode("utf-8", "replace")
        if _UNKNOWN_TO_GWYDDION in said:
            raise UnknownFormatError(f"{path.name}: of no format that Gwyddion knows")
        if done.returncode != 0 or not output.is_file():
            raise CorruptFileError(
                f"{path.name}: Gwyddion knows the format but fails on the file "
                f"({_reason(said, path, done.returncode)}); take the file from its source again"
            )
        channels = GwyFile.open(output).channels()
    for bad in channels.unreadable:
        raise bad.error
    if not channels:
        raise UnsupportedContentError(
            f"{path.name}: holds no image, perhaps only spectra or volume data; "
            f"choose a file with a scan"
        )
    return [channel.replace(path=path) for channel in channels]


def _reason(said: str, path: Path, status: int) -> str:
    """Return what Gwyddion said about the file, in one line."""
    mark = f"{path.name}: "
    for line in said.splitlines():
        if mark in line:
            return line.partition(mark)[2].strip().rstrip(".")
    return f"it crashed with signal {-status}" if status < 0 else f"exit status {status}"

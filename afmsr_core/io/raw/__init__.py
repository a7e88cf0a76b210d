"""Files of instruments, through the readers of others.

SurfaceTopography (the extra ``raw``) goes first, because it is a Python package that works
wherever afmsr does; what it does not know goes to Gwyddion's import modules, if Gwyddion is
installed. Gwyddion runs as a program of its own, so that neither a crash nor a hang of a reader
of some 170 formats, nor its licence, reaches the caller.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from afmsr_core.channel import Channel
from afmsr_core.errors import (
    AfmsrError,
    CorruptFileError,
    MissingReaderError,
    UnknownFormatError,
    pip_install,
)
from afmsr_core.io.files import head
from afmsr_core.io.raw import surface_topography
from afmsr_core.io.raw.corrections import corrected
from afmsr_core.io.raw.formats import FORMATS, RawFormat, known_format
from afmsr_core.io.raw.gwyddion import INSTALL
from afmsr_core.io.raw.gwyddion import read as read_with_gwyddion
from afmsr_core.io.raw.own import OWN, START

__all__ = ["FORMATS", "RawFormat", "known_format", "read"]


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
    start = head(path, START)
    for own in OWN:
        if own.knows(path, start):
            return own.read(path)
    known = known_format(path)
    python = surface_topography.read(path)
    if python:
        return corrected(path, "SurfaceTopography", python)
    program = shutil.which("gwyddion")
    if program:
        try:
            return corrected(path, "Gwyddion 2", read_with_gwyddion(program, path))
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
            f"read; take it from its source again, or {INSTALL}"
        )
    if known:
        cure = f"{pip_install('raw')}, or " if known.python else ""
        return MissingReaderError(
            f"{path.name}: a file of {known.name}, for which no reader is installed; "
            f"{cure}{INSTALL}"
        )
    missing = [] if python else [pip_install("raw")]
    missing += [] if gwyddion else [INSTALL]
    more = f", or, for more formats, {' or '.join(missing)}" if missing else ""
    return UnknownFormatError(
        f"{path.name}: of no format that we know; save it as .gwy or .gsf with the program that "
        f"opens it{more}"
    )

"""Files of instruments: by readers of ours, and through those of others.

Ours read the kinds that others get wrong or lack. Then come, as far as they are installed,
SurfaceTopography and the converter of gwyddionpy, which the extra ``raw`` brings, Gwyddion 2 and
Gwyddion 3. Those of others run outside this process, with a limit on time and memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import (
    CorruptFileError,
    MissingReaderError,
    ReadError,
    UnknownFormatError,
    UnsupportedContentError,
    pip_install,
)
from afmsr_core.io.channels import Channels, unreadable
from afmsr_core.io.files import head
from afmsr_core.io.raw.child import CHILD
from afmsr_core.io.raw.corrections import corrected
from afmsr_core.io.raw.formats import FORMATS, TEXT, RawFormat, known_format
from afmsr_core.io.raw.gwyddion import INSTALL
from afmsr_core.io.raw.limits import limit_of
from afmsr_core.io.raw.own import OWN, START, OwnReader
from afmsr_core.io.raw.readers import READERS, SURFACE_TOPOGRAPHY, Reader
from afmsr_core.quantity import sides
from afmsr_core.text import table_of_numbers

__all__ = ["FORMATS", "READERS", "RawFormat", "end", "known_format", "prepare", "read"]


def read(path: str | Path) -> Channels:
    """Read the channels of an instrument's file.

    Parameters
    ----------
    path : path
        File of a format that a reader of ours or an installed one of others knows.

    Returns
    -------
    Channels
        Images only, in the reader's order, with the reader's titles and numbers. Their history
        begins with a step ``"read"`` that names the reader, its version and the format.
        SurfaceTopography does not tell offsets (0 then); heights and sizes are the same from all.

    Raises
    ------
    UnreadableFileError
        If there is no such file or the system does not let us read it.
    MissingReaderError
        If the format is known, but no reader for it is installed.
    UnknownFormatError
        If no reader knows the format.
    CorruptFileError
        If the readers that know the format fail on the file, or exceed their limits.
    UnsupportedContentError
        If the file is sound and holds no image with a unit.
    FieldError
        If it gives no scan size.
    """
    path = Path(path)
    start = head(path, START)
    for own in OWN:
        if own.knows(path, start):
            return _recorded(_read_by(own, path), "afmsr", __version__, own.NAME)
    known = known_format(path)
    failures: dict[str, ReadError] = {}
    for reader in _in_order(known):
        if not reader.find():
            continue
        try:
            found = reader.read(path, known is not None)
            channels = corrected(path, reader.name, found.channels)
            _check_sizes(path, reader.name, channels)
        except ReadError as error:  # not a FieldError: the next reader might invent a size
            failures[reader.name] = error
        else:
            rest = Channels(channels, unreadable(found.channels))
            return _recorded(rest, reader.name, found.version, found.format)
    raise _refusal(path, known, failures)


def prepare(path: str | Path) -> None:
    """Let the process of foreign readers start, if the file is one that it may have to read.

    Loading them takes a second or two, during which this process has other things to do. Never
    raises: what is wrong with the file, `read` tells.
    """
    try:
        start = head(path, START)
    except ReadError:
        return
    path = Path(path)
    for own in OWN:
        if own.knows(path, start):
            if getattr(own, "IN_CHILD", False):
                CHILD.start(own.__name__)
            return
    if _in_order(known_format(path))[0] is SURFACE_TOPOGRAPHY and SURFACE_TOPOGRAPHY.find():
        CHILD.start(SURFACE_TOPOGRAPHY.module)


def end() -> None:
    """End the process of foreign readers at once; a file that it is at is given up.

    Whoever waits for that file gets `afmsr_core.errors.Cancelled`. The next file starts another.
    """
    CHILD.end()


def _in_order(known: RawFormat | None) -> list[Reader]:
    """Return the readers in the order of asking: last those that do not read a known format."""
    return sorted(READERS, key=lambda reader: known is not None and not known.read_by(reader.name))


def _read_by(own: OwnReader, path: Path) -> Sequence[Channel]:
    if not getattr(own, "IN_CHILD", False):
        return own.read(path)
    return CHILD.read(path, own.__name__, f"the reader of {own.NAME}", limit_of(path)).channels


def _check_sizes(path: Path, reader: str, channels: Sequence[Channel]) -> None:
    """Refuse what a reader made of a file of another format, such as gwyddionpy of a BMP picture.

    Raises
    ------
    UnknownFormatError
        If no channel has sides that can be scanned.
    """
    areas = [(one.xreal, one.yreal) for one in channels if one.lateral_unit == "nm"]
    if areas and not any(min(pair) >= LEAST and max(pair) <= MOST for pair in areas):
        raise UnknownFormatError(
            f"{path.name}: {reader} reads a scan of {sides(*areas[0], 'nm', 3)}, which no "
            f"instrument makes; save it as .gwy or .gsf with the program that opens it"
        )


LEAST, MOST = 1e-3, 1e9
"""Sides of a scan in nm, far beyond those there are: a hundredth of an atom, and a metre."""


def _recorded(channels: Sequence[Channel], reader: str, version: str, format: str) -> Channels:
    """Return the channels with a history that begins with who read them."""
    step = Step("read", version, {"reader": reader, "format": format})
    told = (channel.replace(history=(step, *channel.history)) for channel in channels)
    return Channels(told, unreadable(channels))


_MOST_TELLING = (UnsupportedContentError, CorruptFileError, MissingReaderError)
"""Of several readers' errors: one that understood the file goes before one that did not."""


def _refusal(path: Path, known: RawFormat | None, failures: dict[str, ReadError]) -> ReadError:
    """Return the error that says why no reader gave a channel, and what would help."""
    if known == TEXT and (fault := _fault_of_text(head(path, _TEXT_LOOKED_AT))):
        return UnsupportedContentError(f"{path.name}: {fault}")
    if known is None:
        # Its readers of tables and containers open much that is no scan.
        failures = {
            name: error for name, error in failures.items() if name != SURFACE_TOPOGRAPHY.name
        }
    for kind in _MOST_TELLING:
        for error in failures.values():
            if isinstance(error, kind):
                return error
    missing = [reader for reader in READERS if not reader.find()]
    if known is None:
        cure = _cure(missing)
        more = f", or, for more formats, {cure}" if cure else ""
        return UnknownFormatError(
            f"{path.name}: of no format that we know; save it as .gwy or .gsf with the program "
            f"that opens it{more}"
        )
    if any(known.read_by(name) for name in failures):
        return CorruptFileError(
            f"{path.name}: looks like a file of {known.name}, but no reader knows its content; "
            f"take the file from its source again"
        )
    return MissingReaderError(
        f"{path.name}: a file of {known.name}, for which no reader is installed; "
        f"{_cure([reader for reader in missing if known.read_by(reader.name)])}"
    )


_TEXT_LOOKED_AT = 1 << 16  # bytes: the header and some rows


def _fault_of_text(start: bytes) -> str:
    """Return what keeps a text with a header, which begins so, from being read; or nothing."""
    complete = start[: start.rfind(b"\n") + 1]
    if "decimal commas" in table_of_numbers(complete):
        return "its numbers have decimal commas; write them with decimal points"
    try:
        complete.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"its text is not UTF-8 (at byte {error.start}); save it as UTF-8"
    return ""


def _cure(missing: Sequence[Reader]) -> str:
    """Return what to install to have one of these readers."""
    names = {reader.name for reader in missing}
    cures = [pip_install("raw")] if names & {"SurfaceTopography", "gwyddionpy"} else []
    if "Gwyddion 2" in names:
        cures.append(INSTALL)
    return ", or ".join(cures)

"""Files in and out: every format becomes a list of `Channel`, and back.

What a file is, its content tells, not its suffix. The native formats of Gwyddion and ours are
read here; files of instruments need a reader of others, see `afmsr_core.io.raw`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from afmsr_core.channel import Channel, names_feedback
from afmsr_core.errors import (
    ChannelNotFoundError,
    CorruptFileError,
    ReadError,
    UnknownFormatError,
    UsageError,
    did_you_mean,
)
from afmsr_core.io.channels import FRAME, Channels, Unreadable, unreadable
from afmsr_core.io.files import find_files, head, is_folder
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.units import is_known
from afmsr_core.stopped import without_unmeasured
from afmsr_core.text import table_of_numbers

__all__ = [
    "SUFFIXES",
    "GwyFile",
    "as_gwy",
    "find_files",
    "is_folder",
    "prepare",
    "read",
    "select",
    "unreadable",
    "write",
]


def _read_gwy(path: Path) -> list[Channel]:
    return GwyFile.open(path).channels(as_stored=True)


def _read_gsf(path: Path) -> list[Channel]:
    from afmsr_core.io import gsf

    return [gsf.read(path)]


def _read_npy(path: Path) -> list[Channel]:
    from afmsr_core.io import npy

    return [npy.read(path)]


def _read_raw(path: Path) -> list[Channel]:
    from afmsr_core.io import raw

    try:
        return raw.read(path)
    except UnknownFormatError as error:
        if told := table_of_numbers(head(path)):
            raise UnknownFormatError(f"{path.name}: {told}") from error
        raise


_READERS: dict[bytes, Callable[[Path], list[Channel]]] = {
    b"GWYP": _read_gwy,
    b"GWYQ": _read_gwy,
    b"Gwyddion Simple Field": _read_gsf,
    b"\x93NUMPY": _read_npy,
}


def read(path: str | Path) -> list[Channel]:
    """Read all channels of a file.

    Parameters
    ----------
    path : path
        A ``.gwy`` of Gwyddion 1, 2 or 3, a ``.gsf``, a ``.npy`` with its JSON file, or a file
        of an instrument.

    Returns
    -------
    list of Channel
        Lengths in nm, everything else in its own unit without prefix. Lines that were never
        measured are NaN, and a warning of the channel names them, see `afmsr_core.stopped`. A
        bad channel beside good ones is left out; `unreadable` tells.

    Raises
    ------
    UnreadableFileError
        If the file is absent, a folder, or the system does not let us read it.
    UnknownFormatError
        If its content is of no format that we know.
    CorruptFileError
        If the bytes are cut short or contradict themselves.
    UnsupportedContentError
        If the file is sound but holds nothing that we can use.
    MissingReaderError
        If the format is known, but its reader is not installed.
    FieldError
        If a physical size is not positive.
    """
    path = Path(path)
    start = head(path, 32)
    if not start:
        raise CorruptFileError(f"{path.name}: the file is empty; take it from its source again")
    reader = next((one for magic, one in _READERS.items() if start.startswith(magic)), _read_raw)
    found = reader(path)
    return Channels(map(without_unmeasured, found), unreadable(found))


def prepare(path: str | Path) -> None:
    """Start what reading a file will need, if that takes its time, and do not wait for it.

    That is the process of foreign readers, for a file of an instrument; nothing for all others.
    Never raises: what is wrong with the file, `read` tells.
    """
    try:
        start = head(path, 32)
    except ReadError:
        return
    if start and not start.startswith(tuple(_READERS)):
        from afmsr_core.io import raw

        raw.prepare(path)


def as_gwy(path: str | Path) -> GwyFile:
    """Return a file as a Gwyddion file to which channels can be added.

    A native file of version 2 or 3 keeps all that it holds; of any other format the channels
    become those of a new file and keep their numbers. Raises as `read` does.
    """
    path = Path(path)
    if head(path, 4) in (b"GWYP", b"GWYQ"):
        return GwyFile.open(path)
    return GwyFile.new(read(path), path)


def select(channels: Sequence[Channel], spec: str | int | None = None) -> list[Channel]:
    """Return the channels that the user asked for.

    Parameters
    ----------
    channels : sequence of Channel
        All channels of a file.
    spec : str or int, optional
        Number of the channel in its file, its title, or a pattern for titles such as
        ``"height*"``; upper and lower case are the same. A whole title goes before a number,
        and both before a pattern. None: the first channel that holds heights; amplitude and
        deflection in nm come after those. The first frame of a movie warns of the others.

    Returns
    -------
    list of Channel
        At least one; a title or pattern may fit several.

    Raises
    ------
    ChannelNotFoundError
        If there is none; the message lists what there is.
    CorruptFileError, FieldError, UnsupportedContentError
        If it is there and bad; without `spec`, if it may be the one with the heights.

    Examples
    --------
    >>> import numpy as np
    >>> flat = Channel(np.zeros((2, 2)), 10.0, 10.0, title="Height", number=0)
    >>> phase = flat.replace(title="Phase", unit="deg", number=12)
    >>> [channel.title for channel in select([phase, flat])]
    ['Height']
    >>> [channel.number for channel in select([flat, phase], "PH*")]
    [12]
    """
    bad = unreadable(channels)
    if spec is None:
        found = sorted((c for c in channels if c.is_height), key=_is_unlike_heights)[:1]
        asked = [one for one in bad if found and _rank(one) < _rank(found[0])]
        wanted = "no channel with heights"
    else:
        matching = _matching((*channels, *bad), str(spec))
        found = [one for one in matching if isinstance(one, Channel)]
        asked = [one for one in matching if isinstance(one, Unreadable)]
        wanted = f"no channel {str(spec)!r}"
    for one in asked:
        raise one.error
    if found:
        return found if spec is not None else [_one_of_many(found[0], channels)]
    file = next((channel.path.name for channel in channels if channel.path), "the file")
    listed = ", ".join(
        f"{_numbered(channel)} ({channel.unit or 'no unit'})" for channel in channels
    )
    listed += "".join(f", {_numbered(one)} (cannot be used: {one.error})" for one in bad)
    listing: list[_Listed] = [*channels, *bad]
    titles = [one.title for one in listing if one.title.strip()]
    hint = "" if spec is None else did_you_mean(str(spec), titles)
    begin = f".{hint} It" if hint else "; it"
    raise ChannelNotFoundError(
        f"{file}: {wanted}{begin} holds {listed or 'no channel'}; choose one by number or title"
        f"{_unknown_units(channels) if spec is None else ''}"
    )


def _one_of_many(channel: Channel, channels: Sequence[Channel]) -> Channel:
    """Have a frame of a movie that nobody chose say that there are others."""
    name, frame, _ = channel.title.rpartition(FRAME)
    count = sum(one.title.rpartition(FRAME)[:2] == (name, frame) for one in channels)
    if not frame or count < 2:
        return channel
    told = (
        f"this is the first of {count} frames of a movie; choose another by its number, or take "
        f"all channels"
    )
    return channel.replace(warnings=(*channel.warnings, told))


def _unknown_units(channels: Iterable[Channel]) -> str:
    """Return what to say where a unit that is not known may have hidden heights."""
    unknown = dict.fromkeys(one.unit for one in channels if not is_known(one.unit))
    told = ", ".join(map(repr, unknown))
    return f" (units that afmsr does not know: {told}; a length is nm, µm, m)" if told else ""


_Listed = Channel | Unreadable


def _numbered(channel: _Listed) -> str:
    return f"{channel.number} {channel.title!r}" if channel.title.strip() else channel.name


def _is_unlike_heights(channel: _Listed) -> bool:
    return names_feedback(channel.title) or "phase" in channel.title.casefold()


def _rank(channel: _Listed) -> tuple[bool, int]:
    return _is_unlike_heights(channel), -1 if channel.number is None else channel.number


def _matching(channels: Sequence[_Listed], spec: str) -> list[_Listed]:
    name = spec.strip().casefold()
    tests: tuple[Callable[[_Listed], bool], ...] = (
        lambda channel: channel.name.strip().casefold() == name,
        lambda channel: channel.number is not None and str(channel.number) == name,
        lambda channel: fnmatch.fnmatchcase(channel.title.strip().casefold(), name),
    )
    for test in tests:
        found = [channel for channel in channels if test(channel)]
        if found:
            return found
    return []


def _write_gwy(path: Path, channels: Sequence[Channel], force: bool) -> None:
    GwyFile.new(channels).save(path, force)


def _write_gsf(path: Path, channels: Sequence[Channel], force: bool) -> None:
    from afmsr_core.io import gsf

    gsf.write(path, _only(path, channels), force)


def _write_npy(path: Path, channels: Sequence[Channel], force: bool) -> None:
    from afmsr_core.io import npy

    npy.write(path, _only(path, channels), force)


def _write_csv(path: Path, channels: Sequence[Channel], force: bool) -> None:
    from afmsr_core.io import csvfile

    csvfile.write(path, _only(path, channels), force)


_WRITERS: dict[str, Callable[[Path, Sequence[Channel], bool], None]] = {
    ".gwy": _write_gwy,
    ".gsf": _write_gsf,
    ".npy": _write_npy,
    ".csv": _write_csv,
}
SUFFIXES = tuple(_WRITERS)


def _only(path: Path, channels: Sequence[Channel]) -> Channel:
    if len(channels) != 1:
        raise UsageError(
            f"{path.name}: {path.suffix} holds one channel, {len(channels)} were given; "
            f"choose one, or write .gwy"
        )
    return channels[0]


def write(path: str | Path, channels: Channel | Iterable[Channel], force: bool = False) -> None:
    """Write channels to a file, complete or not at all.

    Parameters
    ----------
    path : path
        Target; its suffix tells the format: ``.gwy`` (any number of channels), ``.gsf``,
        ``.npy`` or ``.csv`` (one channel).
    channels : Channel or iterable of Channel
        What to write.
    force : bool
        Replace the target if it exists.

    Raises
    ------
    UsageError
        If the suffix is of no format that we write, or the format does not hold that many.
    OutputExistsError
        If the target exists and `force` is false.
    OutputError
        If the system refuses to write.
    FieldError
        If the values do not fit the format.
    """
    path = Path(path)
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(
            f"{path.name}: no format is written under {path.suffix or 'no suffix'!r}; "
            f"use {', '.join(SUFFIXES)}"
        )
    writer(path, [channels] if isinstance(channels, Channel) else list(channels), force)

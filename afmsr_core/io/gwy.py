"""Native Gwyddion files of versions 2 and 3: read them, add channels, leave the rest alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import IO, Any, NamedTuple

from afmsr_core.channel import Channel
from afmsr_core.errors import (
    ChannelNotFoundError,
    CorruptFileError,
    FieldError,
    OutputError,
    UnsupportedContentError,
)
from afmsr_core.io.atomic import writing
from afmsr_core.io.channels import Channels, Unreadable
from afmsr_core.io.files import contents
from afmsr_core.io.gwyencode import PIXEL, Encoder, Numbers, Part, flag, text, utf_8
from afmsr_core.io.gwyfield import channel_of
from afmsr_core.io.gwylayout import LAYOUTS, VERSION_3
from afmsr_core.io.gwylog import log_entry
from afmsr_core.io.gwystructure import Component, Structure
from afmsr_core.io.history import from_meta, log_of, to_meta
from afmsr_core.stopped import without_unmeasured
from afmsr_core.text import decoded

__all__ = ["GwyFile", "log_entry"]

_EMPTY = b"GWYPGwyContainer\0\0\0\0\0"
_FIXED = 1  # of the ways to choose the range of colours, of which Gwyddion has four
_LINKS = "__links__"
"""Of version 3: lists components whose text is the name of another, which stands in for them."""


class _Added(NamedTuple):
    """A channel that was added but is in no file yet, and its components.

    `looks` are without their names, by the name with ``{}`` for the number.
    """

    number: int
    channel: Channel
    parts: tuple[Part, ...]
    looks: Mapping[str, bytes]
    log: tuple[bytes, ...]
    meta: Mapping[str, bytes]


class GwyFile:
    """A native Gwyddion file: its channels, and a way to add more.

    The file is never rebuilt. Adding a channel puts new components behind those that are there,
    so that everything else, whatever it is, keeps every byte; only the size of the root object
    changes. A file that got no channel is saved as it was read. A file stays of its version; new
    ones are of version 2, which Gwyddion 2 and 3 both open.

    Use `open`, `from_bytes` or `new` to get one.

    Examples
    --------
    >>> import numpy as np
    >>> scan = Channel(np.zeros((2, 4)), xreal=400.0, yreal=200.0, title="Height")
    >>> file = GwyFile.new([scan]).with_channel(scan.replace(title="Copy"), like=0)
    >>> file.numbers, file.channel(1).title
    ((0, 1), 'Copy')
    """

    def __init__(
        self, structure: Structure, path: Path | None = None, added: tuple[_Added, ...] = ()
    ) -> None:
        self._structure = structure
        # Of two with the same name the last counts, as in Gwyddion 3.
        self._components = {component.name: component for component in structure.components}
        self._links = self._listed_links()
        self._added = added
        self.layout = structure.layout
        self._encode = Encoder(self.layout)
        self.path = path

    @classmethod
    def open(cls, path: str | Path) -> GwyFile:
        """Read and check a file.

        Parameters
        ----------
        path : path
            A native Gwyddion file of version 2 or 3.

        Returns
        -------
        GwyFile

        Raises
        ------
        UnreadableFileError
            If there is no such file or the system does not let us read it.
        CorruptFileError
            If the bytes are cut short or contradict themselves.
        UnsupportedContentError
            If it is of another format, of Gwyddion 1, or without the usual container.
        """
        path = Path(path)
        return cls.from_bytes(contents(path), path)

    @classmethod
    def from_bytes(cls, data: bytes, path: Path | None = None) -> GwyFile:
        """Check the bytes of a file; `path` is where they came from. Raises as `open` does."""
        name = path.name if path else "gwy data"
        if data[:4] == b"GWYO":
            raise UnsupportedContentError(
                f"{name}: the file is of Gwyddion 1; open it in Gwyddion 2 and save it as .gwy"
            )
        if len(data) >= 4 and data[:4] not in LAYOUTS:
            raise UnsupportedContentError(
                f"{name}: not a native Gwyddion file, it begins with {data[:4]!r}; open it in "
                f"Gwyddion and save it as .gwy"
            )
        return cls(Structure(data, name), path)

    @classmethod
    def new(
        cls, channels: Iterable[Channel], path: Path | None = None, shown: bool = True
    ) -> GwyFile:
        """Return a file of version 2 with these channels.

        The history of a channel, if it has one, is put into its metadata as JSON and into its
        log.

        Parameters
        ----------
        channels : iterable of Channel
            What it will hold, numbered from 0.
        path : path, optional
            File, of another format, that all of them are from; they keep their numbers.
        shown : bool
            Whether Gwyddion opens a window for each; else they are in its data browser.
        """
        file = cls(Structure(_EMPTY, path.name if path else "new file"), path)
        for position, channel in enumerate(channels):
            own = channel.number if path else None
            number = position if own is None else own
            log, meta = log_of(channel.history), _encoded(to_meta(channel.history))
            file = file._extended(number, channel, {}, tuple(map(utf_8, log)), meta, shown)
        return file

    # --- what is in it -------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Version of the format: 2 or 3."""
        return self.layout.version

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the channels, ascending; gaps are usual."""
        found = {added.number for added in self._added}
        for component in self._structure.components:
            match = self.layout.channels.fullmatch(component.name)
            if match and component.code == "o":
                found.add(int(match[1]))
        return tuple(sorted(found))

    def title(self, number: int) -> str:
        """Return the title of a channel, empty if it has none."""
        for added in self._added:
            if added.number == number:
                return added.channel.title
        component = self._find(self.layout.title, number)
        if component is None or component.code not in "cs":
            return ""
        title = self._structure.value(component)
        # Some writers store a title of one character as a character.
        return title if isinstance(title, str) else chr(title)

    def channel(self, number: int) -> Channel:
        """Return one channel, with heights and sizes in nm.

        Values of other quantities are in their own unit without prefix (mV become V). A unit
        with a prefix is taken at its word: a third-party file that says ``nm`` holds nm. Lines
        that were never measured are NaN, see `afmsr_core.stopped`.

        Parameters
        ----------
        number : int
            One of `numbers`.

        Returns
        -------
        Channel
            With its mask, title, history, number and path; offsets that the file does not give
            are 0, and a history that makes no sense is empty.

        Raises
        ------
        ChannelNotFoundError
            If the file has no such channel.
        CorruptFileError
            If field and mask contradict themselves or each other.
        UnsupportedContentError
            If the channel is not a field of numbers.
        FieldError
            If its physical size is not positive.
        """
        for added in self._added:
            if added.number == number:
                return added.channel
        return without_unmeasured(self._stored(number))

    def _stored(self, number: int) -> Channel:
        """Return a channel with every value that the file gives."""
        if number not in self.numbers:
            listed = ", ".join(map(str, self.numbers)) or "none"
            raise ChannelNotFoundError(
                f"{self._structure.name}: no channel {number}; the file has {listed}"
            )
        found = channel_of(
            self._value(self.layout.data, number),
            self._value(self.layout.marked, number),
            title=self.title(number),
            number=number,
            path=self.path,
            palette=self._text(self.layout.palette, number),
            ends=self._ends(number),
        )
        return found.replace(history=from_meta(self.meta(number)))

    def channels(self, as_stored: bool = False) -> Channels:
        """Return all channels in the order of their numbers; one that is bad costs no other.

        Parameters
        ----------
        as_stored : bool
            With every value that the file gives, be it of lines that were never measured.

        Returns
        -------
        Channels
            A list that knows what it lacks.

        Raises
        ------
        CorruptFileError, FieldError, UnsupportedContentError
            If all are bad: as `channel` does for the first.
        """
        good, bad = [], []
        for number in self.numbers:
            try:
                good.append(self._stored(number) if as_stored else self.channel(number))
            except (CorruptFileError, FieldError, UnsupportedContentError) as error:
                bad.append(Unreadable(number, self.title(number), error))
        if bad and not good:
            raise bad[0].error
        return Channels(good, bad)

    def log(self, number: int) -> tuple[str, ...]:
        """Return the log of a channel as Gwyddion keeps it, oldest entry first."""
        return tuple(map(decoded, self._log_parts(number)))

    def meta(self, number: int) -> dict[str, str]:
        """Return the metadata of a channel, those that are text."""
        for added in self._added:
            if added.number == number:
                return {name: _text_of(part) for name, part in added.meta.items()}
        return {
            member.name: self._structure.value(member)
            for member in self._members(self.layout.meta, number)
            if member.code == "s"
        }

    def _listed_links(self) -> frozenset[str]:
        links = self._components.get(_LINKS)
        if self._structure.layout is not VERSION_3 or links is None or links.code != "S":
            return frozenset()
        return frozenset(map(decoded, self._structure.texts(links)))

    def _find(self, key: str, number: int) -> Component | None:
        component = self._components.get(key.format(number))
        passed = set()
        while component is not None and component.name in self._links and component.code == "s":
            passed.add(component.name)
            component = self._components.get(self._structure.value(component))
            if component is not None and component.name in passed:
                return None  # they stand in for each other
        return component

    def _text(self, key: str, number: int) -> str:
        component = self._find(key, number)
        if component is None or component.code != "s":
            return ""
        return str(self._structure.value(component))

    def _ends(self, number: int) -> tuple[float, float] | None:
        """Return the fixed range of colours, if that is what the channel is shown in."""
        if self._number(self.layout.mapping, number) != _FIXED:
            return None
        low, high = (self._number(end, number) for end in (self.layout.low, self.layout.high))
        if not all(isinstance(end, float) and isfinite(end) for end in (low, high)):
            return None
        return low, high

    def _number(self, key: str, number: int) -> Any:
        """Return a number; None for what is absent or anything else."""
        component = self._find(key, number)
        if component is None or component.code not in "chiqfd":
            return None
        return self._structure.value(component)

    def _value(self, key: str, number: int) -> Any:
        component = self._find(key, number)
        return None if component is None else self._structure.value(component)

    # --- adding --------------------------------------------------------------------------

    def with_channel(
        self,
        channel: Channel,
        like: int | None = None,
        log: Sequence[str] = (),
        meta: Mapping[str, str] | None = None,
        shown: bool = True,
    ) -> GwyFile:
        """Return this file with one channel more; nothing is written yet.

        The field is written in SI base units. Pixels that were not measured (NaN) get the mean
        of the measured ones and are marked in the mask, because Gwyddion's fields have no other
        way to tell.

        Parameters
        ----------
        channel : Channel
            What to add. Its number becomes the first above those of all channels which nothing in
            the file has.
        like : int, optional
            Channel that it was made from: palette, colour range, mask colour, metadata and log
            are taken over; not a fixed range that the look of `channel` lacks, as after
            levelling.
        log : sequence of str
            Entries to put behind that log; see `log_entry`.
        meta : mapping of str to str, optional
            Metadata to add; they replace those of the same name. Gwyddion shows the values as
            Pango markup, so write ``<`` and ``&`` as entities, or escape them in JSON.
        shown : bool
            Whether Gwyddion opens a window for it; else it is in the data browser.

        Returns
        -------
        GwyFile

        Raises
        ------
        ChannelNotFoundError
            If the file has no channel `like`.
        FieldError
            If not one pixel of the channel is finite.
        OutputError
            If a file of version 2 would exceed the 4 GiB that the format can express.
        """
        if like is not None and like not in self.numbers:
            self.channel(like)
        number = self._next_number()
        looks = {} if like is None else self._looks(like)
        open_range = channel.look is not None and channel.look.shown is None
        if open_range and like is not None and self._ends(like) is not None:
            looks = {key: part for key, part in looks.items() if key not in self.layout.range}
        entries = (*(() if like is None else self._log_parts(like)), *map(utf_8, log))
        notes = {} if like is None else self._meta_parts(like)
        notes.update(_encoded(meta or {}))
        return self._extended(number, channel, looks, entries, notes, shown)

    def _extended(
        self,
        number: int,
        channel: Channel,
        looks: Mapping[str, bytes],
        log: tuple[bytes, ...],
        meta: Mapping[str, bytes],
        shown: bool,
    ) -> GwyFile:
        # A component's name is all before its first NUL; the number in it is ours.
        named, encode = self.layout, self._encode
        parts: list[Part] = [key.format(number).encode() + part for key, part in looks.items()]
        parts += encode.field(named.data.format(number), channel)
        if log:
            strings = encode.texts("strings", log)
            parts += encode.obj(named.log.format(number), "GwyStringList", [strings])
        parts.append(text(named.title.format(number), channel.title))
        parts.append(flag(named.visible.format(number), shown))
        parts += encode.mask(named.marked.format(number), channel)
        if meta:
            parts += encode.obj(named.meta.format(number), named.notes, meta.values())
        kept = channel.replace(number=number, path=self.path)
        added = _Added(number, kept, tuple(parts), looks, log, meta)
        return GwyFile(self._structure, self.path, (*self._added, added))

    def _next_number(self) -> int:
        # Not one of the left-overs of removed channels, or the new one would inherit them. And no
        # larger than need be: Gwyddion 3 does not open files with large numbers.
        matches = (
            self.layout.numbers.match(component.name) for component in self._components.values()
        )
        used = {int(match[1]) for match in matches if match}
        number = max(self.numbers, default=-1) + 1
        while number in used:
            number += 1
        if number >= 2**31:
            raise OutputError(
                f"{self._structure.name}: channel numbers are used up at {number - 1}; "
                f"copy the channels to a new file in Gwyddion"
            )
        return number

    def _looks(self, number: int) -> dict[str, bytes]:
        """Return how a channel is shown, as in `_Added`."""
        for added in self._added:
            if added.number == number:
                return dict(added.looks)
        found = {}
        for key in self.layout.looks:
            component = self._find(key, number)
            if component is not None:
                found[key] = self._structure.data[component.value - 2 : component.end]
        return found

    def _meta_parts(self, number: int) -> dict[str, bytes]:
        """Return the metadata of a channel as whole components, by name."""
        for added in self._added:
            if added.number == number:
                return dict(added.meta)
        return {
            member.name: self._structure.bytes_of(member)
            for member in self._members(self.layout.meta, number)
        }

    def _log_parts(self, number: int) -> tuple[bytes, ...]:
        """Return the lines of a channel's log as they stand in the file."""
        for added in self._added:
            if added.number == number:
                return added.log
        members = {one.name: one for one in self._members(self.layout.log, number)}
        strings = members.get("strings")
        if strings is None or strings.code != "S":
            return ()
        return self._structure.texts(strings)

    def _members(self, key: str, number: int) -> tuple[Component, ...]:
        """Return the components of an object of the root; none if it is no object."""
        component = self._find(key, number)
        if component is None or component.code != "o":
            return ()
        return self._structure.members(component)

    def check_room(self, pixels: int, name: str) -> None:
        """Refuse so many pixels more, of fields and masks, if they do not fit.

        For whoever would compute them first. What stands beside the numbers, such as the log, is
        not counted; `save` counts all.

        Parameters
        ----------
        pixels : int
            Of all that will be added.
        name : str
            Of the file that will be written, for the message.

        Raises
        ------
        OutputError
            If a file of version 2 would exceed the 4 GiB that the format can express.
        """
        held = len(self._structure.data) - self._structure.body
        held += sum(len(part) for added in self._added for part in added.parts)
        self._encode.check_size(held + PIXEL * pixels, name)

    # --- saving --------------------------------------------------------------------------

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write the file, complete or not at all.

        Parameters
        ----------
        path : path
            Target.
        force : bool
            Replace the target if it exists; it may be the file that was read.

        Raises
        ------
        OutputExistsError
            If the target exists and `force` is false.
        OutputError
            If the system refuses to write, or the content of version 2 exceeds 4 GiB.
        """
        parts = self._parts(Path(path).name)
        with writing(path, force) as file:
            _write_parts(file, parts)

    def write_to(self, file: IO[bytes], name: str) -> None:
        """Write the file into one that is open, for whoever writes several together.

        Parameters
        ----------
        file : binary file
            Open for writing; see :func:`afmsr_core.io.atomic.writing_all`.
        name : str
            Of the file, for the message.

        Raises
        ------
        OutputError
            If the content of version 2 exceeds 4 GiB.
        """
        _write_parts(file, self._parts(name))

    def _parts(self, name: str) -> list[Part]:
        """Return all that the file consists of; `name` is for the message if it is too large."""
        data, body = self._structure.data, self._structure.body
        if not self._added:
            return [data]
        added = [part for channel in self._added for part in channel.parts]
        old = memoryview(data)[body:]
        size = self._encode.size_field([old, *added], name)
        return [data[: body - len(size)], size, old, *added]


def _write_parts(file: IO[bytes], parts: Iterable[Part]) -> None:
    for part in parts:
        file.writelines(part if isinstance(part, Numbers) else (part,))


def _encoded(meta: Mapping[str, str]) -> dict[str, bytes]:
    return {name: text(name, value) for name, value in meta.items()}


def _text_of(component: bytes) -> str:
    """Return the value of a string component, as this module wrote or found it."""
    _, _, value = component.partition(b"\0")
    return decoded(value[1:-1]) if value[:1] == b"s" else ""

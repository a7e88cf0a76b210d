"""What Gwyddion's import modules read, as channels.

Three programs have them: the converter that comes with gwyddionpy, Gwyddion 2 and Gwyddion 3. Each
runs as a program of its own, so that neither a crash nor a hang of a reader of some 150 formats,
nor its licence, reaches the caller.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import (
    AfmsrError,
    CorruptFileError,
    FieldError,
    MissingReaderError,
    OutputError,
    UnknownFormatError,
    UnsupportedContentError,
)
from afmsr_core.io.channels import Channels, Unreadable
from afmsr_core.io.files import contents, head
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.raw.limits import OTHERWISE, Limit, confine, limit_of
from afmsr_core.io.raw.messages import Reading
from afmsr_core.io.raw.said import sentences
from afmsr_core.leftovers import leftover

__all__ = ["GWYDDIONPY", "GWYDDION_2", "GWYDDION_3", "INSTALL", "Converter"]

INSTALL = "install Gwyddion 2 (gwyddion.net, or apt-get install gwyddion)"

_UNKNOWN = "No module can load this file type"
_EMPTY = ("File contains no (importable) data", "parameter `n_dim[1]' is invalid")
"""Of a module that knows the file and finds no image, such as in an Igor wave that is a curve."""

_LOG = 1 << 16  # bytes of what it says that are looked at
_GROWTH = 8  # times as large a file may become: bytes to doubles

_GLIB = re.compile(
    r"(?:\([^)]*\): (?:(?P<domain>[\w-]+)-)?|\*\* \([^)]*\): )(?:WARNING|CRITICAL)(?: \*\*)?: "
    r"(?:[\d:.]+: )?(?P<text>.*)"
)
"""A warning as GLib prints it: of a module, of Gwyddion, or of the libraries below."""

_OF_THE_FILE = (None, "Module", "Gwyddion", "GwyProcess", "GwyFile", "Gwyfile")
"""Domains whose warnings are about the file; those of GTK and its like are about the machine."""

_NATIVE = b"GWYO"  # Gwyddion 1, whose masks are the user's
_INVENTED = re.compile(
    r"^(?!Spectrum).* is 0(?:\.0)?(?: or [\w ]+)?, fixing (?:it )?to 1\b"
    r"|^Invalid value of Control::[XY] Amplitude"
)
"""What Gwyddion says when a file gives no size and it takes one metre or one unit for it."""

_LACKING = re.compile(
    r"Header field .(?:scan|[xy])[ _-]?(?:size|range|length|amplitude).* is missing", re.I
)
"""What it says when it refuses such a file."""

_ONE_METRE = 1e9
"""In nm. No scan is so large; it is what Gwyddion takes where a file gives nothing."""


@dataclass(frozen=True)
class Converter:
    """A program that turns what Gwyddion's import modules read into a ``.gwy``.

    Attributes
    ----------
    name : str
        For messages and the record.
    find : callable
        Returns where it is, None if it is not installed.
    arguments : callable
        Gets input and output, returns the command without the program.
    version : callable
        Gets where it is, returns its version.
    """

    name: str
    find: Callable[[], str | None]
    arguments: Callable[[str, str], list[str]]
    version: Callable[[str], str]

    @property
    def installed(self) -> str | None:
        """Its version; None if it is not here."""
        program = self.find()
        return None if program is None else self.version(program)

    def read(self, path: Path, known: bool = True) -> Reading:
        """Return the images of a file.

        Parameters
        ----------
        path : Path
            The file.
        known : bool
            Whether mark or suffix say that it is an instrument's.

        Raises
        ------
        UnknownFormatError
            If no import module knows the file.
        UnsupportedContentError
            If it holds no image.
        FieldError
            If it gives no scan size.
        CorruptFileError
            If the program fails, crashes or goes beyond its limit.
        MissingReaderError
            If the program cannot be started.
        OutputError
            If it fails and the folder for temporary files has little room.
        """
        program = self.find()
        if program is None:
            raise MissingReaderError(f"{path.name}: {self.name} is not installed; {INSTALL}")
        with (
            tempfile.TemporaryDirectory(prefix="afmsr-") as folder,
            leftover(lambda: shutil.rmtree(folder, ignore_errors=True)),
        ):
            output = Path(folder, "converted.gwy")
            status, said = self._convert(program, path, output, limit_of(path))
            if status != 0 or not output.is_file():
                _check_room(self.name, path, folder)
                raise self._failure(path, known, status, said)
            file = GwyFile.from_bytes(contents(output), path)
        warned = _warnings(said)
        for text in warned:
            if _INVENTED.search(text):
                raise _without_size(path.name, f"{self.name} warns: {text}")
        channels = _measured(file.channels(as_stored=True), self.name)
        if not channels:
            raise UnsupportedContentError(
                f"{path.name}: holds no image, only curves, spectra or volume data; choose a file "
                f"with a scan"
            )
        told = tuple(sentences(self.name, warned))
        own_masks = head(path, len(_NATIVE)) == _NATIVE
        told_of = (
            (one if own_masks else _unfilled(one)).replace(warnings=(*one.warnings, *told))
            for one in channels
        )
        return Reading(Channels(told_of, channels.unreadable), self.version(program), _module(file))

    def _convert(self, program: str, path: Path, output: Path, limit: Limit) -> tuple[int, str]:
        """Return exit status and what the program said."""
        log = output.with_name("said")
        try:
            with (
                log.open("wb") as said,
                subprocess.Popen(
                    [program, *self.arguments(str(path.absolute()), str(output))],
                    env=_environment(output.parent),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    start_new_session=True,  # Ctrl+C is for the command, which ends it
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                ) as process,
            ):
                confine(process.pid, limit)
                with leftover(lambda: _kill(process)):
                    try:
                        status = process.wait(limit.seconds)
                    except BaseException:
                        _kill(process)
                        raise
        except subprocess.TimeoutExpired as error:
            raise CorruptFileError(
                f"{path.name}: {self.name} did not finish within {limit.seconds:.0f} s, its limit "
                f"for a file of this size; {OTHERWISE}"
            ) from error
        except OSError as error:
            raise MissingReaderError(
                f"{path.name}: {self.name} could not be started ({error}); install it again"
            ) from error
        return status, contents(log, _LOG).decode("utf-8", "replace")

    def _failure(self, path: Path, known: bool, status: int, said: str) -> AfmsrError:
        # A module that takes rubbish for its own finds no data in it.
        empty = any(words in said for words in _EMPTY)
        if _UNKNOWN in said or (empty and not known):
            return UnknownFormatError(f"{path.name}: of no format that {self.name} knows")
        if empty:
            return UnsupportedContentError(
                f"{path.name}: {self.name} finds no image in it, perhaps only curves or spectra; "
                f"choose a file with a scan"
            )
        reason = _reason(said, path, status)
        if _LACKING.search(reason):
            return _without_size(path.name, reason)
        return CorruptFileError(f"{path.name}: {self.name} fails on it ({reason}); {OTHERWISE}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it started: the converter's is begun by a script."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _check_room(program: str, path: Path, folder: str) -> None:
    """Blame the folder for temporary files if it is too full for what a file may become."""
    free, wanted = shutil.disk_usage(folder).free, _GROWTH * path.stat().st_size
    if free < wanted:
        raise OutputError(
            f"{path.name}: {program} fails on it, and {folder} has room for {free / 1e6:.1f} MB of "
            f"the {wanted / 1e6:.1f} MB that it may need; free some space there, or name another "
            f"folder with TMPDIR"
        )


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a program that shall see neither settings nor display."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "LANGUAGE")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    home = str(folder)
    return environment | {"HOME": home, "USERPROFILE": home, "LC_ALL": "C.UTF-8"}


def _reason(said: str, path: Path, status: int) -> str:
    """Return what the program said about the file, in one line."""
    for line in said.splitlines():
        for mark in (f"{path.name}: ", f"{path.name}': "):
            if mark in line:
                return line.partition(mark)[2].strip().rstrip(".")
    return f"it crashed with signal {-status}" if status < 0 else f"exit status {status}"


def _warnings(said: str) -> list[str]:
    """Return what import modules warned of, without what other libraries say."""
    found = (_GLIB.search(line) for line in said.splitlines())
    return [match["text"] for match in found if match and match["domain"] in _OF_THE_FILE]


def _measured(channels: Channels, name: str) -> Channels:
    """Set aside those whose size was invented by the reader of that name."""
    good: list[Channel] = []
    bad = list(channels.unreadable)
    for channel in channels:
        one = 1.0 if channel.lateral_unit != "nm" else _ONE_METRE
        if channel.xreal == channel.yreal == one and channel.lateral_unit in ("nm", ""):
            error = _without_size(channel.where, f"{name} takes 1 m for it")
            bad.append(Unreadable(int(channel.number or 0), channel.title, error))
        else:
            good.append(channel)
    if bad and not good:
        raise bad[0].error
    return Channels(good, bad)


def _unfilled(channel: Channel) -> Channel:
    """Return a channel with NaN where its file has none: Gwyddion interpolates and marks there."""
    if channel.mask is None:
        return channel
    return channel.replace(heights=np.where(channel.mask, np.nan, channel.heights), mask=None)


def _without_size(where: str, found: str) -> FieldError:
    return FieldError(
        f"{where}: the file gives no scan size, or one of zero ({found}); set it in the "
        f"instrument's program, or in Gwyddion with Dimensions and Units, and save it as .gwy"
    )


def _module(file: GwyFile) -> str:
    """Return which import module read it, from the log that it leaves with every channel."""
    for number in file.numbers[:1]:
        for entry in file.log(number)[:1]:
            if match := re.match(r"file::([\w-]+)", entry):
                return match[1]
    return ""


@functools.cache
def _said_version(program: str) -> str:
    """Return the version that Gwyddion says it has."""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    match = re.search(rb"\d+\.\d[\w.]*", done.stdout)
    return match[0].decode() if match else "unknown"


def _converter() -> str | None:
    try:
        from gwyddionpy_converter import binary_path

        return str(binary_path())
    except (ImportError, FileNotFoundError):
        return shutil.which("gwyconvert")


def _converter_version(program: str) -> str:
    from importlib import metadata

    try:
        return metadata.version("gwyddionpy-converter")
    except metadata.PackageNotFoundError:
        return "unknown"


GWYDDIONPY = Converter(
    "gwyddionpy", _converter, lambda source, target: [source, target], _converter_version
)
GWYDDION_2 = Converter(
    "Gwyddion 2",
    lambda: shutil.which("gwyddion"),
    lambda source, target: [f"--convert-to-gwy={target}", source],
    _said_version,
)
GWYDDION_3 = Converter(
    "Gwyddion 3",
    lambda: shutil.which("gwyddion3"),
    lambda source, target: [f"--convert-to-gwy2={target}", source],
    _said_version,
)

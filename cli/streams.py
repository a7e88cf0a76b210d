"""The standard streams: whether they can be written to decides nothing about the work.

A stream may be closed (``>&-``), full (``>/dev/full``) or unread (``| head``). What is done for
files is done all the same; what could not be told is known at the end.

On a terminal, one line may move (progress): whatever else is written takes its place, so that no
two of them share a line.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from afmsr_core.ticking import LOCK

__all__ = ["Stream", "draw", "say", "streams", "unwritten"]

WIDTH = 80  # columns of a terminal that does not tell
WIPE = "\r\x1b[K"  # to the beginning of the line, and all of it away

_CONTROL = re.compile(r"(\r?\x1b\[[0-9;]*[Km])|\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Characters that steer a terminal: titles and file names may hold any. What we and argparse send
(to begin a line again, to colour) is the group, and the ends of lines are no match."""


def _visible(found: re.Match[str]) -> str:
    return found[1] or ascii(found[0])[1:-1]


class Stream:
    """A text stream that never raises when it cannot be written to.

    Parameters
    ----------
    stream : text file or None
        As Python made it; None if it was closed from the beginning.

    Attributes
    ----------
    error : OSError or None
        Why something was not written.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.error: OSError | None = None
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or note why not; a line that moves makes room."""
        with LOCK:
            if text and self.isatty():
                draw("")
                _Line.free = text.endswith("\n")
            self._write(text)
        return len(text)

    def draw(self, text: str) -> None:
        """Write a line that the next thing written replaces, unless another is not at its end."""
        with LOCK:
            if _Line.free and text != _Line.drawn:
                _Line.drawn = text
                self._write(WIPE + _cut(text, self._columns()))
                self.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.fileno()).columns or WIDTH
        except (OSError, ValueError, AttributeError):
            return WIDTH

    def _write(self, text: str) -> None:
        try:
            if self._stream is None:
                raise OSError(errno.EBADF, "it is closed")
            self._stream.write(_CONTROL.sub(_visible, text))
        except OSError as error:
            self._give_up(error)

    def flush(self) -> None:
        """Write out what is waiting, or note why not."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        """Send the rest nowhere: Python writes once more at exit, and would fail again."""
        self.error = self.error or error
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


class _Line:
    """The line of the terminal where the cursor is, which stdout and stderr share.

    Attributes
    ----------
    drawn : str
        What moves there; empty for nothing.
    free : bool
        Whether nothing else has begun there.
    """

    drawn = ""
    free = True


def draw(text: str) -> None:
    """Show what moves in the last line of the terminal on stderr; nothing takes it away."""
    if isinstance(sys.stderr, Stream):
        sys.stderr.draw(text)


def _cut(text: str, columns: int) -> str:
    """Return what fits into a line of the terminal: of a longer one only the last could be wiped.

    Examples
    --------
    >>> _cut("scan.gwy", 9), _cut("scan.gwy", 8), _cut("走査", 4)
    ('scan.gwy', 'scan.g…', '走…')
    """
    from unicodedata import east_asian_width

    wide = [2 if east_asian_width(sign) in "WF" else 1 for sign in text]
    if sum(wide) < columns:
        return text
    room, kept = columns - 2, 0
    while kept < len(text) and room >= wide[kept]:
        room -= wide[kept]
        kept += 1
    return f"{text[:kept]}…"


@contextlib.contextmanager
def streams() -> Iterator[tuple[Stream, Stream]]:
    """Have stdout and stderr be a :class:`Stream` each.

    Yields
    ------
    stdout, stderr : Stream
    """
    _occupy()
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show is no failure
            stream.reconfigure(errors="backslashreplace")
    _Line.drawn, _Line.free = "", True
    sys.stdout, sys.stderr = out, err = Stream(before[0]), Stream(before[1])
    try:
        yield out, err
    finally:
        draw("")
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def say(line: str) -> None:
    """Write to stderr, past what other threads may hold; it may take forever."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        start = WIPE.encode() if sys.stderr.isatty() else b""
        os.write(sys.stderr.fileno(), start + f"{line}\n".encode())


def _occupy() -> None:
    """Let no file of ours have the number of a closed standard stream: libraries write to it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def unwritten() -> OSError | None:
    """Return why something was not written to standard output, or None if all was."""
    return getattr(sys.stdout, "error", None)

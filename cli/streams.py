"""The standard streams: whether they can be written to decides nothing about the work.

A stream may be closed (``>&-``), full (``>/dev/full``) or unread (``| head``). What is done for
files is done all the same; what could not be told is known at the end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO

__all__ = ["Stream", "say", "streams", "unwritten"]


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
        """Write, or note why not."""
        try:
            if self._stream is None:
                raise OSError(errno.EBADF, "it is closed")
            self._stream.write(_CONTROL.sub(_visible, text))
        except OSError as error:
            self._give_up(error)
        return len(text)

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
    sys.stdout, sys.stderr = out, err = Stream(before[0]), Stream(before[1])
    try:
        yield out, err
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def say(line: str) -> None:
    """Write to stderr, past what other threads may hold; it may take forever."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        start = b"\r\x1b[K" if sys.stderr.isatty() else b""
        os.write(sys.stderr.fileno(), start + f"{line}\n".encode())


def _occupy() -> None:
    """Let no file of ours have the number of a closed standard stream: libraries write to it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def unwritten() -> OSError | None:
    """Return why something was not written to standard output, or None if all was."""
    return getattr(sys.stdout, "error", None)

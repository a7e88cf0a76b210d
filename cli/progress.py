"""Progress on stderr: a moving line on a terminal, a line a file elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

__all__ = ["Progress"]

REDRAW_EVERY = 0.1  # seconds


class Progress:
    """Tells how far a run over several files is.

    Parameters
    ----------
    total : int
        Number of files.
    quiet : bool
        Say nothing.
    """

    def __init__(self, total: int, quiet: bool = False) -> None:
        self._total = total
        self._done = 0
        self._quiet = quiet
        self._moving = not quiet and sys.stderr.isatty()
        self._began = time.monotonic()
        self._drawn = 0.0

    def within(self, name: str) -> Callable[[float], None] | None:
        """Return what a file's own progress is given to; None where nobody would see it."""
        if not self._moving:
            return None

        def draw(fraction: float) -> None:
            now = time.monotonic()
            if now - self._drawn > REDRAW_EVERY:
                self._drawn = now
                self._line(f"{name} {fraction:4.0%}")

        return draw

    def done(self, line: str) -> None:
        """Report one finished file."""
        self._done += 1
        if self._quiet:
            return
        left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        count = f"[{self._done}/{self._total}] " if self._total > 1 else ""
        ahead = f"  ({left:.0f} s left)" if self._done < self._total and left >= 2 else ""
        self._line(f"{count}{line}{ahead}", end="\n")

    def say(self, line: str) -> None:
        """Tell what must be told, also to those who want no progress."""
        self._line(line, end="\n")

    def _line(self, text: str, end: str = "") -> None:
        start = "\r\x1b[K" if self._moving else ""
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)

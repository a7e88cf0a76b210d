"""Bytes and rate of a download, on stderr."""

from __future__ import annotations

import sys
import time

from .streams import draw

__all__ = ["Meter"]

REDRAW_EVERY = 0.1  # seconds


class Meter:
    """A moving line on a terminal, one line elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()
        self._first: int | None = None
        self._drawn = 0.0
        self._line = ""

    def __call__(self, done: int, total: int | None) -> None:
        """Show bytes done, and in all if that is known."""
        now = time.monotonic()
        if self._first is None:
            self._first = done
        rate = (done - self._first) / max(now - self._began, 1e-3)
        whole = f" of {total / 1e6:.1f}" if total else ""
        self._line = f"{self._name}: {done / 1e6:.1f}{whole} MB, {rate / 1e6:.1f} MB/s"
        if sys.stderr.isatty() and now - self._drawn > REDRAW_EVERY:
            self._drawn = now
            draw(self._line)

    def end(self) -> None:
        """Leave the last figures standing."""
        if self._line:
            print(self._line, file=sys.stderr, flush=True)

"""Progress on stderr: on a terminal a line that moves every second, elsewhere a line a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from afmsr_core.quantity import duration
from afmsr_core.ticking import Ticker

from .streams import draw

__all__ = ["Progress"]

REDRAW_EVERY = 0.1  # seconds, at most
WORTH_TELLING = 2.0  # seconds; what is done sooner needs no forecast


class Progress:
    """Tells how far a run is, and how long it still takes. End it, or use it as a context.

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
        self._name, self._fraction = "", 0.0  # of the file that is being worked on
        self._began = self._heard = time.monotonic()
        self._drawn = 0.0
        moving = not quiet and sys.stderr.isatty()
        self._ticker = Ticker(self._draw) if moving else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end()

    def within(self, name: str) -> Callable[[float], None] | None:
        """Return what a file's own progress is given to; None where nobody would see it."""
        if self._ticker is None:
            return None
        self._name = name

        def hear(fraction: float) -> None:
            self._fraction, self._heard = fraction, time.monotonic()
            if self._heard - self._drawn > REDRAW_EVERY:
                self._draw()

        hear(0.0)
        return hear

    def done(self, line: str, more: Sequence[str] = ()) -> None:
        """Report one finished file, in one line and perhaps some more below it."""
        self._done += 1
        self._name, self._fraction, self._heard = "", 0.0, time.monotonic()
        if self._quiet:
            return
        count = f"[{self._done}/{self._total}] " if self._total > 1 else ""
        left = self._left()
        worth = self._ticker is None and left is not None and left >= WORTH_TELLING
        ahead = f"  ({duration(left or 0)} left)" if worth else ""
        self.say("\n".join([f"{count}{line}{ahead}", *(f"    {one}" for one in more)]))

    def say(self, line: str) -> None:
        """Tell what must be told, also to those who want no progress."""
        print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Tell no more."""
        if self._ticker is not None:
            self._ticker.stop()
            draw("")

    def _left(self) -> float | None:
        """Return how many seconds it still takes, if it goes on as before; None if unknown."""
        share = (self._done + self._fraction) / max(self._total, 1)
        if not share > 0:
            return None
        took = self._heard - self._began
        return max(0.0, took / share * (1 - share) - (time.monotonic() - self._heard))

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        if self._done < self._total:
            draw(", ".join(filter(None, (self._count(), self._time(), self._name))))

    def _count(self) -> str:
        if self._total > 1:
            return f"{self._done} of {self._total} done"
        return f"{self._fraction:.0%} done"

    def _time(self) -> str:
        left = self._left()
        if not left:  # nothing is known yet, or it takes longer than was thought
            return f"{duration(time.monotonic() - self._began)} so far"
        return f"{duration(max(left, 1.0))} left"

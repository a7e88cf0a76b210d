"""What is done every second beside the work, such as telling how long it still takes."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["LOCK", "Ticker"]

LOCK = threading.RLock()
"""For what a ticker and the work both touch."""


class Ticker:
    """Does something again and again in a thread of its own, until it is stopped.

    Parameters
    ----------
    do : callable
        What to do; it must not raise.
    every : float
        Seconds between two times.
    """

    def __init__(self, do: Callable[[], object], every: float = 1.0) -> None:
        self._do, self._every = do, every
        self._stopped = threading.Event()
        threading.Thread(target=self._tick, daemon=True).start()

    def stop(self) -> None:
        """Do it no more; more than once is no harm."""
        with LOCK:
            self._stopped.set()

    def _tick(self) -> None:
        while not self._stopped.wait(self._every):
            with LOCK:
                if not self._stopped.is_set():
                    self._do()

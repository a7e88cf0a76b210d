"""What the server says of failures: seldom, and without ever waiting for somebody to read it.

A line for each request fills a pipe that nobody reads (64 KiB on Linux), and then whoever writes
the next line stops for ever.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from typing import TYPE_CHECKING

from afmsr_core.survey.guard import Rate

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["Seldom", "log_seldom"]

LINES = (20, 0.1)
"""At once, and then each second: what is wrong a thousand times is told in the first lines."""

WAITING = 100
"""Lines that wait for a slow reader; what comes then is dropped."""

STDERR = 2


class Seldom(logging.Handler):
    """Writes to a file descriptor from a thread of its own, `LINES` at the most.

    Parameters
    ----------
    descriptor : int
        Where lines go.
    """

    def __init__(self, descriptor: int = STDERR) -> None:
        super().__init__()
        self._descriptor, self._rate = descriptor, Rate(*LINES)
        self._lines: queue.Queue[str] = queue.Queue(WAITING)
        threading.Thread(target=self._write, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line over to the thread, or drop it."""
        if self._rate.allows(""):
            with contextlib.suppress(queue.Full):
                self._lines.put_nowait(f"{self.format(record)}\n")

    def _write(self) -> None:
        while True:
            line = self._lines.get().encode("utf-8", "backslashreplace")
            with contextlib.suppress(OSError):  # a descriptor that is closed
                os.write(self._descriptor, line)


def log_seldom(app: Flask) -> None:
    """Have the application and waitress say what fails, and nothing of what does not."""
    handler = Seldom()
    for logger in (app.logger, logging.getLogger("waitress")):
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)
    # It tells how many requests wait, at every request that does.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)

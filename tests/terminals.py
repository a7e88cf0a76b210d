"""A program at a terminal, as a person sees it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest

STEERING = re.compile(r"\x1b\][^\x07]*\x07|\x1b\[[0-9;?]*[A-Za-z=>]|\x1b[=>()][0-9A-B]?")


class Terminal:
    """What a program writes to its terminal; `read` waits for it, `type` is the keyboard."""

    def __init__(self, master: int) -> None:
        self._master = master
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def read(self, until: str, timeout: float = 30.0) -> str:
        """Return all that is seen, once it fits a pattern."""
        end = time.monotonic() + timeout
        while not re.search(until, self.plain):
            left = end - time.monotonic()
            if left <= 0 or not self._more(left):
                pytest.fail(f"no {until!r} on the terminal: {self.seen!r}")
        return self.plain

    def rest(self, timeout: float = 60.0) -> str:
        """Return all that is seen until the program ends."""
        while self._more(timeout):
            pass
        return self.seen

    @property
    def plain(self) -> str:
        return STEERING.sub("", self.seen)

    def _more(self, timeout: float) -> bool:
        if not select.select([self._master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self._master, 4096)
        except OSError:  # Linux says so that the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


@contextlib.contextmanager
def at_terminal(command: Sequence[str], env: Mapping[str, str]) -> Iterator[Terminal]:
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    child, master = pty.fork()
    if child == 0:
        os.execvpe(command[0], list(command), dict(env))
    try:
        yield Terminal(master)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(master)

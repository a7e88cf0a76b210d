"""Ctrl+C and SIGTERM: acknowledged at once, and obeyed where Python itself cannot listen.

Python raises ``KeyboardInterrupt`` between two of its instructions, in the main thread. A network
at work, a flush to the disk or a thread that is waited for give it no occasion for seconds. So a
thread hears of the signal as soon as it comes, tells that it was heard, and ends the process if
the main thread has not unwound in time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from afmsr_core.errors import Cancelled
from afmsr_core.leftovers import remove_all

__all__ = ["INTERRUPTED", "PATIENCE", "asked", "stoppable"]

PATIENCE = 1.0  # seconds to unwind; what is left of 2 s is for removing files and for the system
SAYING = 0.2  # seconds that a message may take: nobody may read the other end of a pipe
SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPING = "afmsr: stopping…"
INTERRUPTED = "afmsr: interrupted; nothing half written is left"


_asked = threading.Event()


def asked() -> bool:
    """Whether the process is about to stop.

    What fails from then on may have failed for that: some libraries make an error of their own of
    a KeyboardInterrupt.
    """
    return _asked.is_set()


@contextlib.contextmanager
def stoppable(
    patience: float = PATIENCE, say: Callable[[str], object] = lambda line: None
) -> Iterator[None]:
    """Have Ctrl+C and SIGTERM raise KeyboardInterrupt, and end the process if that takes long.

    Parameters
    ----------
    patience : float
        Seconds that the main thread has to unwind. A second signal ends them.
    say : callable
        Gets what there is to tell, from other threads; it may take forever.

    Notes
    -----
    Signals belong to the main thread; in another one nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = os.pipe()
    if hasattr(os, "set_blocking"):  # not on Windows before Python 3.12, where nothing asks for it
        os.set_blocking(told, False)
    watch = _Watch(patience, say)
    # A shell makes what it starts in the background deaf to Ctrl+C, and so it stays.
    ours = [one for one in SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, watch.interrupt) for one in ours}
    wakeup = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=watch.listen, args=(heard,), daemon=True).start()
    try:
        yield
    finally:
        watch.left.set()
        _asked.clear()
        signal.set_wakeup_fd(wakeup)
        for one, handler in before.items():
            signal.signal(one, handler)
        os.close(told)  # which ends the thread


class _Watch:
    """What the main thread and the one that listens know of each other."""

    def __init__(self, patience: float, say: Callable[[str], object]) -> None:
        self.left = threading.Event()
        self._patience, self._say = patience, say
        self._first = threading.Lock()
        self._acknowledged = threading.Event()

    def interrupt(self, signum: int, frame: object) -> None:
        """Unwind the main thread, at the next of its instructions."""
        _asked.set()
        self._acknowledge()
        raise KeyboardInterrupt

    def listen(self, heard: int) -> None:
        """Hear signals, whatever the main thread does: there is some time once, none twice."""
        stopping = False
        while found := os.read(heard, 1):
            if found[0] not in SIGNALS:
                continue
            if stopping:
                self._end()
            stopping = True
            _asked.set()
            for then in (self._acknowledge, self._expect):
                threading.Thread(target=then, daemon=True).start()
        os.close(heard)

    def _expect(self) -> None:
        if not self.left.wait(self._patience):
            self._end()

    def _acknowledge(self) -> None:
        """Tell once that the signal was heard; who comes second waits a little for the first."""
        if self._first.acquire(blocking=False):
            self._say(STOPPING)
            self._acknowledged.set()
        else:
            self._acknowledged.wait(SAYING)

    def _end(self) -> None:
        remove_all()
        last = threading.Thread(target=self._say, args=(INTERRUPTED,), daemon=True)
        last.start()
        last.join(SAYING)
        os._exit(Cancelled.exit_status)

"""What must not stay behind when a process has to end at once.

A run that is interrupted unwinds, and every ``finally`` on the way removes what is half written.
Where there is no time to unwind (a network, a reader of others or the disk holds the process in
code that no exception reaches), :func:`remove_all` does the same from another thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

__all__ = ["always", "leftover", "remove_all", "settling"]

PATIENCE = 0.5  # seconds for steps that belong together; a folder on a network may hang in one

_removals: dict[object, Callable[[], object]] = {}
_lock = threading.RLock()


@contextlib.contextmanager
def leftover(remove: Callable[[], object]) -> Iterator[None]:
    """Have `remove` called if the process must end at once before the block is left.

    Parameters
    ----------
    remove : callable
        Takes away a temporary file, or ends a child process. It may be called from any thread,
        and while the block is still at work. Leaving the block does not call it.
    """
    key = object()
    with _lock:
        _removals[key] = remove
    try:
        yield
    finally:
        del _removals[key]


def always(remove: Callable[[], object]) -> None:
    """Do as :func:`leftover` does, as long as the process runs."""
    with _lock:
        _removals[object()] = remove


@contextlib.contextmanager
def settling() -> Iterator[None]:
    """Keep :func:`remove_all` waiting for steps that belong together, such as several renames.

    Once everything is being removed, the block is not entered any more.
    """
    with _lock:
        yield


def remove_all() -> None:
    """Remove all that would be left; the process must end after it.

    Whoever is about to make something new, or to give a file its name, waits for that end.
    """
    _lock.acquire(timeout=PATIENCE)  # and never released
    for remove in reversed(list(_removals.values())):
        with contextlib.suppress(OSError):
            remove()

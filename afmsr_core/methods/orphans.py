"""Temporary files whose process was killed, told from what a living one is writing.

A living process holds a lock on its temporary file, and the system lets go of it when the process
ends, however it ends. Where there are no such locks (Windows, some network folders), a file that
nobody has written to for a while counts as left.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

__all__ = ["ABANDONED", "abandoned", "hold", "sweep"]

ABANDONED = 900.0
"""Seconds without a lock to go by: the time-outs of a download are shorter."""

NEWBORN = 1.0
"""Seconds that a process has to lock a file that it just made; it needs microseconds."""


def hold(file: IO[bytes]) -> bool:
    """Keep an open file from `abandoned` until it is closed; False where another holds it."""
    return _locked(file) is not False


def abandoned(path: Path) -> bool:
    """Return whether nobody is writing to a temporary file any more."""
    try:
        with path.open("r+b") as file:
            locked = _locked(file)
        if locked is None:
            return time.time() - path.stat().st_mtime > ABANDONED
    except OSError:  # gone meanwhile, or not ours
        return False
    return locked


def sweep(paths: Iterable[Path]) -> None:
    """Remove those temporary files that nobody is writing to any more."""
    for path in paths:
        with contextlib.suppress(OSError):
            young = NEWBORN - (time.time() - path.stat().st_mtime)
            if abandoned(path):
                time.sleep(max(0.0, min(NEWBORN, young)))
                if abandoned(path):
                    path.unlink()


def _locked(file: IO[bytes]) -> bool | None:
    """Lock a file; False where another process has, None where there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True

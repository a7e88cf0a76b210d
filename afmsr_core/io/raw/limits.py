"""How long reading a file may take, and how much memory, before its reader is ended."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["OTHERWISE", "Limit", "confine", "limit_of"]

OTHERWISE = (
    "take the file from its source again, or open it in the instrument's program and save it there "
    "in another format"
)
"""What to do about a file on which a reader fails."""

_SECONDS = 10.0
"""For any file. The largest of the originals takes its slowest reader half a second here; a busy
machine, a cold disk or a folder on the network take ten times as long."""

_BYTES_PER_SECOND = 1 << 20
"""A slow network and a reader of text; binary formats are read at a hundred times this rate."""

_SECONDS_ON_UNKNOWN = 2.5
_BYTES_PER_SECOND_OF_UNKNOWN = 1 << 26
"""For SurfaceTopography on content of no known mark and suffix: it tries forty formats, binary
ones in no time, and those of text take a second for every megabyte of rubbish. With the start of
its process and the readers after it, 16 MB are refused within 5 s."""

_MEMORY = 2 << 30
"""Bytes for any file, beyond what the program takes when it has read nothing."""

_MEMORY_PER_BYTE = 64
"""A digit of text becomes a double, and several copies of it, on its way through a reader."""


class Limit(NamedTuple):
    """What a reader may take for one file.

    Attributes
    ----------
    seconds : float
        Of wall-clock time.
    memory : int
        Bytes beyond what the program takes without a file.
    """

    seconds: float
    memory: int


def limit_of(path: Path, known: bool = True) -> Limit:
    """Return what reading a file may take.

    Parameters
    ----------
    path : Path
        The file; its size counts.
    known : bool
        Whether mark or suffix say that it is an instrument's.
    """
    size = path.stat().st_size
    if known:
        seconds = _SECONDS + size / _BYTES_PER_SECOND
    else:
        seconds = _SECONDS_ON_UNKNOWN + size / _BYTES_PER_SECOND_OF_UNKNOWN
    return Limit(seconds, _MEMORY + _MEMORY_PER_BYTE * size)


def confine(pid: int, limit: Limit) -> None:
    """Hold a process that was just started to a limit, also when nobody is left to watch it.

    Linux only: elsewhere a process cannot limit another, and its time is all that is watched.
    """
    if sys.platform != "linux":
        return
    import resource

    seconds = int(limit.seconds) + 1
    with contextlib.suppress(OSError):  # it may have ended already
        resource.prlimit(pid, resource.RLIMIT_AS, (limit.memory, limit.memory))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit.memory, limit.memory))
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))

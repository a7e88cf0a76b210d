"""Our own readers of instruments' files, for the kinds that readers of others get wrong or lack.

Each is a module of this room with three names:

``NAME : str``
    The format as the record and messages call it, such as ``"Agilent or Keysight"``.
``knows(path, start) -> bool``
    Whether the file is of this format, from its first bytes (up to `START`) and its name.
``read(path) -> list of Channel``
    Its images; raises a `ReadError` or `FieldError` for a file that it knows and cannot use.

One that leans on a parser of others (h5py, igor2) also says ``IN_CHILD = True``: it runs in the
child process that foreign readers run in, with a limit on time and memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from afmsr_core.channel import Channel
from afmsr_core.io.raw import asd, iso28600, jpk_hdf5, mi

__all__ = ["OWN", "START", "OwnReader"]

START = 4096
"""Bytes of a file that `knows` is given, fewer where the file is shorter."""


class OwnReader(Protocol):
    """A module that reads one format."""

    __name__: str
    NAME: str

    def knows(self, path: Path, start: bytes) -> bool:
        """Return whether the file is of this format."""

    def read(self, path: Path) -> list[Channel]:
        """Return the images of a file of this format."""


OWN: Sequence[OwnReader] = (asd, iso28600, jpk_hdf5, mi)
"""In the order in which they are asked; the first that knows a file reads it."""

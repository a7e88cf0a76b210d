"""Temporary files: where large ones go, and what is said when there is no room for them."""

from __future__ import annotations

import os
from pathlib import Path

from afmsr_core.errors import OutputError

__all__ = ["no_room", "roomy_folder"]


def roomy_folder() -> str | None:
    """Return where a large file is on a disk, for ``/tmp`` is in memory on many systems.

    Returns
    -------
    str or None
        None for the folder that the tempfile module chooses: the user named one with ``TMPDIR``,
        or there is no better one.
    """
    disk = Path("/var/tmp")
    if os.environ.get("TMPDIR") or not os.access(disk, os.W_OK):
        return None
    return str(disk)


def no_room(error: OSError, folder: str | None = None, size: int = 0) -> OutputError:
    """Return the error that says that a temporary file could not be made or filled, and the cure.

    Parameters
    ----------
    error : OSError
        What the system said.
    folder : str, optional
        Where; by default the folder that the tempfile module chooses.
    size : int
        Bytes that were wanted, if that is known.
    """
    import tempfile

    if folder is None:
        try:
            folder = tempfile.gettempdir()
        except OSError:  # not one folder takes files
            folder = "no folder for temporary files"
    wanted = f" of {size / 2**30:.1f} GiB" if size else ""
    return OutputError(
        f"{folder}: no room for a temporary file{wanted} ({error.strerror or error}); free some "
        f"space there, or name another folder with TMPDIR"
    )

"""What the import modules of an installed Gwyddion read, as channels.

Gwyddion runs as a program of its own, so that neither a crash nor a hang of a reader of some 170
formats, nor its licence, reaches the caller.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from afmsr_core.channel import Channel
from afmsr_core.errors import (
    CorruptFileError,
    MissingReaderError,
    UnknownFormatError,
    UnsupportedContentError,
    pip_install,
)
from afmsr_core.io.gwy import GwyFile

__all__ = ["INSTALL", "read"]

INSTALL = "install Gwyddion 2 (gwyddion.net, or apt-get install gwyddion)"
_TIMEOUT = 60.0  # Seconds. It imports within a tenth; a file on a slow network takes longer.
_UNKNOWN_TO_GWYDDION = "No module can load this file type"


def read(program: str, path: Path) -> list[Channel]:
    """Return the channels that Gwyddion's import modules find."""
    with tempfile.TemporaryDirectory(prefix="afmsr-") as folder:
        output = Path(folder, "converted.gwy")
        # A home of its own: the user's plug-ins and settings have no part in this.
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DISPLAY", "WAYLAND_DISPLAY", "LANGUAGE")
        }
        environment.update(HOME=folder, USERPROFILE=folder, LC_ALL="C.UTF-8")
        try:
            done = subprocess.run(
                [program, f"--convert-to-gwy={output}", str(path.resolve())],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CorruptFileError(
                f"{path.name}: Gwyddion did not finish reading it within {_TIMEOUT:.0f} s; "
                f"open it there and save it as .gwy"
            ) from error
        except OSError as error:
            raise MissingReaderError(
                f"{path.name}: Gwyddion could not be started ({error}); {pip_install('raw')}, or "
                f"{INSTALL} again"
            ) from error
        said = done.stderr.decode("utf-8", "replace")
        if _UNKNOWN_TO_GWYDDION in said:
            raise UnknownFormatError(f"{path.name}: of no format that Gwyddion knows")
        if done.returncode != 0 or not output.is_file():
            raise CorruptFileError(
                f"{path.name}: Gwyddion knows the format but fails on the file "
                f"({_reason(said, path, done.returncode)}); take the file from its source again"
            )
        channels = GwyFile.open(output).channels(as_stored=True)
    for bad in channels.unreadable:
        raise bad.error
    if not channels:
        raise UnsupportedContentError(
            f"{path.name}: holds no image, perhaps only spectra or volume data; "
            f"choose a file with a scan"
        )
    return [channel.replace(path=path) for channel in channels]


def _reason(said: str, path: Path, status: int) -> str:
    """Return what Gwyddion said about the file, in one line."""
    mark = f"{path.name}: "
    for line in said.splitlines():
        if mark in line:
            return line.partition(mark)[2].strip().rstrip(".")
    return f"it crashed with signal {-status}" if status < 0 else f"exit status {status}"

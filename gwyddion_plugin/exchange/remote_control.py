"""Open a finished file in the Gwyddion that is running, by its remote control.

Gwyddion cannot take it while it waits for its plug-in, so another process does it, which is
over after a while in any case: with no Gwyddion running, the call would start one and stay.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main", "open_file", "program"]

LIMIT = 20.0  # seconds


def program() -> str | None:
    """Return the Gwyddion that started this process, else the first on PATH; None without."""
    with contextlib.suppress(OSError):
        parent = Path(f"/proc/{os.getppid()}/exe").readlink()
        if parent.name.startswith("gwyddion"):
            return str(parent)
    return shutil.which("gwyddion") or shutil.which("gwyddion3")


def open_file(file: Path) -> bool:
    """Begin to open a file in the running Gwyddion; tell whether there is such a program."""
    gwyddion = program()
    if gwyddion is None:
        return False
    # A path, not a module: what an isolated interpreter can import does not matter then.
    subprocess.Popen(
        [sys.executable, "-I", __file__, gwyddion, str(file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    return True


def main(argv: Sequence[str]) -> int:
    """Run ``GWYDDION --remote-existing FILE`` under a time limit."""
    gwyddion, file = argv
    try:
        done = subprocess.run([gwyddion, "--remote-existing", file], timeout=LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A screen that nobody sees, with a window manager, a keyboard and a camera."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

TOOLS = {
    "Xvfb": "xvfb",
    "openbox": "openbox",
    "xdotool": "xdotool",
    "import": "imagemagick",
}
"""Programs by name, and the Debian packages that they are in."""
SERVER = ["Xvfb", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
LATE = 20.0  # seconds; nothing here takes as long on an idle machine


def missing_tools() -> list[str]:
    """Return the Debian packages of the tools that are not installed."""
    found = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    try:
        import tkinter  # noqa: F401
    except ImportError:
        found.append("python3-tk")
    return found


def wait_for(condition: Callable, what: str = "it", seconds: float = LATE):
    """Return what the condition returns once that is true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds:g} s")


def alive(pid: int) -> bool:
    """Return whether a process runs; one that is dead and not buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Screen:
    """A virtual X server of its own."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self._server = subprocess.Popen(
            [*SERVER, "-displayfd", str(writer)],
            pass_fds=[writer],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writer)
        with os.fdopen(reader) as file:
            self.display = f":{file.readline().strip()}"
        self._manager = self._start("openbox")
        wait_for(lambda: self._ask("getactivewindow", check=False) is not None)

    def _start(self, *command: str) -> subprocess.Popen:
        environment = os.environ | {"DISPLAY": self.display}
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)

    def _ask(self, *command: str, check: bool = True) -> str:
        environment = os.environ | {"DISPLAY": self.display}
        done = subprocess.run(
            ["xdotool", *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LATE,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def windows(self, name: str) -> list[str]:
        """Return the visible windows whose title matches, as numbers."""
        return self._ask("search", "--onlyvisible", "--name", name, check=False).split()

    def window(self, name: str) -> str:
        """Wait for a window, give it the keyboard, and return it."""
        found = wait_for(lambda: self.windows(name), f"a window {name!r}")[-1]
        self.activate(found)
        return found

    def activate(self, window: str) -> None:
        """Give a window the keyboard."""
        self._ask("windowactivate", "--sync", window)

    def sleep(self, seconds: float) -> None:
        """Wait for what cannot be seen from outside, such as the painting of a window."""
        time.sleep(seconds)

    def key(self, *keys: str, pause: float = 0.1) -> None:
        """Press keys, one after the other; a list that opens needs a longer pause."""
        for key in keys:
            self._ask("key", key)
            time.sleep(pause)

    def size(self, window: str) -> tuple[int, int]:
        told = self._ask("getwindowgeometry", window)
        width, height = re.search(r"Geometry: (\d+)x(\d+)", told).groups()
        return int(width), int(height)

    def resize(self, window: str, width: int, height: int) -> None:
        """Give a window another size, as its user would with the mouse."""
        self._ask("windowsize", "--sync", window, str(width), str(height))

    def photograph(self, path: Path, window: str = "root") -> None:
        """Write a picture of the screen, or of one window with its frame."""
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["import", "-display", self.display, "-window", window, str(path)]
        subprocess.run(command, timeout=LATE, check=True)

    def close(self) -> None:
        for process in (self._manager, self._server):
            process.terminate()
            process.wait(LATE)

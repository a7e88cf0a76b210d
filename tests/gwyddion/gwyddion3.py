"""The real Gwyddion 3 in its root, with the module that the installer compiled there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homes import FUNCTION, Home
from roots import Root
from screen import Screen, wait_for

from afmsr_core.io.gwy import GwyFile

HARNESS3 = Path(__file__).with_name("harness3.py")
INSTALLING = ("-m", "gwyddion_plugin.installing")
MENU = "/_Basic Operations/AFM Super-_Resolution..."
# At the places of the lists in gwyddion_plugin/gwyddion3/choices.c.
SCALES = ("auto", "4", "1x4", "1x2")
BACKGROUNDS = ("none", "plane", "poly2", "poly3", "poly4", "poly5")
ROWS = ("none", "rows-median", "rows-median-diff")


@dataclass
class Answer:
    """What the real program did."""

    before: list[int]
    after: list[int]
    titles: dict[str, str]
    shown: list[int]
    menu: dict[str, str | None]
    seconds: list[float]
    messages: str

    @property
    def added(self) -> list[int]:
        return [number for number in self.after if number not in self.before]


def libraries(root: Root) -> list[str]:
    """Return the names of Gwyddion's libraries, each behind those that it needs."""
    found = {path.name for path in root.folder.glob("usr/lib/*/libgwy*3-*.so")}
    order = ("libgwyddion3-", "libgwyui3-", "libgwyapp3-")
    return [next(name for name in found if name.startswith(start)) for start in order]


def version(root: Root) -> str:
    """Return Gwyddion's version, as the names of its libraries have it."""
    return libraries(root)[0].removeprefix("libgwyddion3-").removesuffix(".so")


def install(home: Home, root: Root, *options: str | Path) -> str:
    """Run the installer inside the root."""
    program = root.command(home.python, *INSTALLING, "--gwyddion-dir", home.gwyddion3_dir, *options)
    done = home.call(*program, limit=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(
    home: Home,
    root: Root,
    source: Path,
    target: Path | None = None,
    numbers: tuple[int, ...] = (0,),
    settings: dict[str, Any] | None = None,
    limit: float = 120,
) -> Answer:
    """Run the module on images of a file, in the real libraries, as Ctrl+F does."""
    calls = [(FUNCTION, settings or {})] * len(numbers)
    return run_all(home, root, source, calls, target, numbers, limit=limit)


def run_all(
    home: Home,
    root: Root,
    source: Path,
    calls: list[tuple[str, dict[str, Any]]],
    target: Path | None = None,
    numbers: tuple[int, ...] = (),
    forget: bool = False,
    limit: float = 300,
) -> Answer:
    """Run functions with their settings, each on an image; on the first if none is named."""
    on = numbers or (0,) * len(calls)
    runs = [
        {"function": function, "number": number, "settings": settings}
        for (function, settings), number in zip(calls, on, strict=True)
    ]
    job = {"source": str(source), "target": target and str(target), "runs": runs, "forget": forget}
    job["libraries"] = libraries(root)
    command = root.command(sys.executable, HARNESS3, json.dumps(job))
    done = home.call(*command, limit=limit)
    assert done.returncode == 0, done.stdout + done.stderr
    return Answer(**json.loads(done.stdout.splitlines()[-1]), messages=done.stderr)


def copy_module(source: Path, home: Home) -> Home:
    """Give a home what was installed in another one: to compile takes seconds."""
    shutil.copytree(source, home.gwyddion3_dir)
    return home


KEY, FIX_ZERO = "ctrl+shift+F9", "ctrl+shift+F8"
ACCELERATORS = (
    '(gtk_accel_path "<image>/Process/Basic Operations/AFM Super-Resolution" '
    '"<Primary><Shift>F9")\n'
    '(gtk_accel_path "<image>/Process/Level/Fix Zero" "<Primary><Shift>F8")\n'
)
WINDOW = r"scan\.gwy.*Gwyddion"
DIALOG = "^AFM Super-Resolution$"


class Program:
    """A running Gwyddion 3 with one file, whose module is bound to a key."""

    def __init__(self, home: Home, root: Root, screen: Screen, folder: Path, scan: Path) -> None:
        self.home, self.screen = home, screen
        keys = home.gwyddion3_dir / "ui" / "accel_map"
        keys.parent.mkdir(exist_ok=True)
        keys.write_text(ACCELERATORS)
        self.file = folder / "scan.gwy"
        shutil.copy(scan, self.file)
        home.variables["DISPLAY"] = screen.display
        self.said = folder / "said"
        options = ["--no-remote", "--no-splash", "--disable-gl"]
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                root.command(root.release.program, *options, self.file),
                env=home.environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.window = screen.window(WINDOW)
        screen.sleep(0.5)

    @property
    def images(self) -> int:
        return len(self.screen.windows(WINDOW))

    def start(self) -> str:
        """Press the module's key, and return the dialog."""
        self.screen.activate(self.window)
        self.screen.key(KEY)
        return self.screen.window(DIALOG)

    def repeat(self) -> None:
        self.screen.activate(self.window)
        self.screen.key("ctrl+f")

    def preview(self) -> None:
        """Wait until the dialog shows one."""
        pattern = "tmp/afmsr-*/preview-overview.raw"
        wait_for(lambda: list(self.home.runtime.glob(pattern)), "a preview")
        self.screen.sleep(1.0)

    def save(self) -> GwyFile:
        before = self.file.stat().st_mtime_ns
        self.screen.activate(self.window)
        self.screen.key("ctrl+s")
        wait_for(lambda: self.file.stat().st_mtime_ns != before, "saving")
        self.screen.sleep(0.5)
        return GwyFile.open(self.file)

    def end(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

"""``python tests/gwyddion/measure.py``: what the plug-in costs, measured side by side.

Gwyddion's start with and without it; from the call, and from pressing OK, to the result, with
and without a worker in memory; and where the time goes. Medians and extremes of alternating runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from homes import FUNCTION, HARNESS, Home
from screen import LATE, Screen, missing_tools, wait_for

from afmsr_core import io
from gwyddion_plugin.exchange import dump, menu
from gwyddion_plugin.exchange.dump import RawField

EXAMPLE = Path(__file__).parents[2] / "afmsr_core" / "data" / "example_low.gwy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{len(os.sched_getaffinity(0))} processors, load {load}; {runs} runs in turn, seconds\n")
    with tempfile.TemporaryDirectory(prefix="afmsr-test-") as name:
        folder = Path(name)
        start_up(folder, runs)
        calls(folder, runs)
        pieces(runs)
        if missing := missing_tools():
            print(f"the dialog: not measured, not installed: {', '.join(missing)}")
        else:
            dialog(folder, runs)


def new_home(folder: Path, name: str, install: bool = True) -> Home:
    home = Home(folder / name, folder / f"{name}-run")
    for made in (home.folder, home.runtime, home.gwyddion_dir):
        made.mkdir()
    if install:
        home.install()
    return home


def show(what: str, seconds: list[float]) -> None:
    middle, low, high = statistics.median(seconds), min(seconds), max(seconds)
    print(f"{what:58} {middle:6.3f}   ({low:.3f} to {high:.3f})")


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def start_up(folder: Path, runs: int) -> None:
    """All modules and plug-ins of the real program registered, a file loaded."""
    homes = {"with": new_home(folder, "with"), "without": new_home(folder, "without", False)}
    took: dict[str, list[float]] = {name: [] for name in homes}
    for turn in range(runs + 1):
        for name, home in homes.items():
            command = (sys.executable, HARNESS, FUNCTION, EXAMPLE, "-")
            seconds = timed(lambda home=home, command=command: home.call(*command))
            if turn:
                took[name].append(seconds)
    for name, seconds in took.items():
        show(f"Gwyddion's start {name} the plug-in", seconds)


def field_file(folder: Path) -> Path:
    channel = io.select(io.read(EXAMPLE))[0]
    path = folder / "field.dump"
    path.write_bytes(b"")
    values = (channel.heights / 1e9).astype("<f8").tobytes()
    size = channel.xreal / 1e9, channel.yreal / 1e9
    dump.overwrite(path, RawField(channel.xres, channel.yres, *size, "m", "m", values))
    return path


def calls(folder: Path, runs: int) -> None:
    """Ctrl+F in Gwyddion: the plug-in is called without a dialog; 128 x 128 px, afm."""
    cold, warm = new_home(folder, "cold"), new_home(folder, "warm")
    warm.variables["AFMSR_WARM_MINUTES"] = "1"
    took: dict[str, list[float]] = {"cold": [], "warm": []}
    for turn in range(runs + 1):
        for name, home in (("cold", cold), ("warm", warm)):
            file = field_file(home.runtime)
            command = (home.launcher, "run", "noninteractive", file)
            seconds = timed(lambda home=home, command=command: home.call(*command))
            if turn:
                took[name].append(seconds)
            if name == "warm":
                wait_for(lambda: list((warm.runtime / "afmsr").glob("*.address")))
    for name, seconds in took.items():
        show(f"call without a dialog to result, worker {name}", seconds)
    warm.call(
        sys.executable, "-c", "from gwyddion_plugin.worker import resident; resident.stop_all()"
    )


def pieces(runs: int) -> None:
    """Where the time goes: processes of their own, so that nothing is imported yet."""
    parts = {
        "python -I": "pass",
        "  plug-in without dialog: imports": "import gwyddion_plugin.proxy",
        "  plug-in with dialog: imports": "import gwyddion_plugin.window.interactive_run",
        "  worker: imports until it says ready": "import gwyddion_plugin.worker.__main__",
        "  worker: numpy, OpenCV, the library": "import gwyddion_plugin.worker.answers, cv2",
        "  worker: the same and ONNX Runtime": "import gwyddion_plugin.worker.answers, "
        "cv2, onnxruntime",
        "  worker: the same and the network": "from afmsr_core.upscale import *; "
        "import cv2; Upscaler(Settings(scale='4'))",
    }
    took: dict[str, list[float]] = {name: [] for name in parts}
    quiet = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    for turn in range(runs + 1):
        for name, code in parts.items():
            command = [sys.executable, "-I", "-c", code]
            seconds = timed(lambda command=command: subprocess.run(command, env=quiet, check=True))
            if turn:
                took[name].append(seconds)
    for name, seconds in took.items():
        show(name, seconds)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from afmsr_core.upscale import Settings, Upscaler

    upscaler, channel = Upscaler(Settings()), io.select(io.read(EXAMPLE))[0]
    upscaler(channel)
    show("  the arithmetic, 128 x 128 px", [timed(lambda: upscaler(channel)) for _ in range(runs)])
    assert np.isfinite(channel.heights).all()


def dialog(folder: Path, runs: int) -> None:
    """From pressing OK to the end of the plug-in, when Gwyddion shows the result."""
    screen = Screen()
    try:
        cold, warm = new_home(folder, "cold-dialog"), new_home(folder, "warm-dialog")
        warm.variables["AFMSR_WARM_MINUTES"] = "1"
        took: dict[str, list[float]] = {}
        for turn in range(runs + 1):
            for name, home in (("cold", cold), ("warm", warm)):
                shown, pressed = one_dialog(home, screen)
                if turn:
                    took.setdefault(f"call to the dialog on the screen, {name}", []).append(shown)
                    took.setdefault(f"OK to result, {name}", []).append(pressed)
        for name, seconds in took.items():
            show(name, seconds)
        warm.call(
            sys.executable, "-c", "from gwyddion_plugin.worker import resident; resident.stop_all()"
        )
    finally:
        screen.close()


def one_dialog(home: Home, screen: Screen) -> tuple[float, float]:
    home.variables["DISPLAY"] = screen.display
    began = time.perf_counter()
    process = subprocess.Popen(
        [home.launcher, "run", "modal", field_file(home.runtime)], env=home.environment
    )
    title = f"^{menu.TITLE}$"
    wait_for(lambda: screen.windows(title))
    shown = time.perf_counter() - began
    screen.window(title)
    wait_for(lambda: list(home.runtime.glob("tmp/afmsr-*/overview.ppm")), "a preview")
    screen.sleep(0.5)
    began = time.perf_counter()
    screen.key("Return", pause=0)
    process.wait(LATE)
    return shown, time.perf_counter() - began


if __name__ == "__main__":
    main()

"""A Gwyddion that runs the script for pygwy in a real Python 2.7.

The real pygwy is no longer packaged; ``pygwy_stub`` does what it does with a script, and refuses
what it refuses. The worker is the real one.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import gwyddion_plugin.pygwy
from afmsr_core.channel import Channel
from afmsr_core.upscale import upscale
from gwyddion_plugin.worker.client import worker_command

HOST = Path(__file__).with_name("pygwy_stub") / "host.py"
METRE = 1e-9  # in nm
PALETTE, METADATA = "Gwyddion.net", {"Speed": "1 Hz"}


@functools.cache
def python_2_7() -> str | None:
    """Return a real Python 2.7, if there is one."""
    found = [shutil.which("python2.7"), shutil.which("python2")]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found += [str(path) for path in sorted(root.glob("versions/2.7*/bin/python2.7"))]
    for program in filter(None, found):
        # A shim of pyenv is there even if no Python 2.7 is chosen.
        done = subprocess.run([program, "-c", "import ctypes"], capture_output=True, check=False)
        if done.returncode == 0:
            return program
    return None


class Host:
    """A Gwyddion with one or two channels, and the script in it."""

    def __init__(self, python2: str, home: Any, folder: Path) -> None:
        self.python2, self.home, self.folder = python2, home, folder
        self.command = worker_command()
        self.scenario = {
            "number": 0, "mode": "RUN_IMMEDIATE", "cancel_at": None, "window": True,
            "pointer": True, "encoding": "utf-8", "user": [], "constants": {}, "environment": {},
            "items": {},
        }  # fmt: skip

    def add_channel(
        self,
        values: np.ndarray,
        mask: np.ndarray | None = None,
        number: int = 0,
        unit_z: str = "m",
        title: str = "Höhe <1>",
    ) -> None:
        field = self._field(f"in-{number}", values, unit_z)
        prefix, items = f"/{number}", self.scenario["items"]
        items |= {
            f"{prefix}/data": field,
            f"{prefix}/data/title": title,
            f"{prefix}/data/log": "file::gwyfile()\n",
            f"{prefix}/base/palette": PALETTE,
            f"{prefix}/base/range-type": 1,
            f"{prefix}/base/min": -1.0,
            f"{prefix}/meta": METADATA,
        }
        if mask is not None:
            items[f"{prefix}/mask"] = self._field(f"mask-{number}", mask, "")
        self.scenario["number"] = number

    def _field(self, name: str, values: np.ndarray, unit_z: str) -> dict[str, Any]:
        path = self.folder / f"{name}.raw"
        path.write_bytes(np.ascontiguousarray(values, "<f8").tobytes())
        yres, xres = values.shape
        return {
            "xres": xres, "yres": yres, "xreal": xres / 12 * 1e-6, "yreal": yres / 12 * 1e-6,
            "xoff": 1e-6, "yoff": -5e-7, "unit_xy": "m", "unit_z": unit_z, "data": str(path),
        }  # fmt: skip

    def run(self, limit: float = 60, **scenario: Any) -> dict[str, Any]:
        script, told = self.folder / "afmsr_pygwy.py", self.folder / "scenario.json"
        script.write_text(gwyddion_plugin.pygwy.script(self.command), encoding="ascii")
        told.write_text(json.dumps(self.scenario | scenario))
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        done = self.home.call(self.python2, HOST, script, told, report, limit=limit)
        assert done.returncode == 0, done.stderr
        found = json.loads(report.read_text())
        assert not any("AssertionError" in error for error in found["errors"]), found["errors"]
        assert found["printed"] == ""  # anything else opens a window in Gwyddion
        assert (found["waiting"], found["threads"], found["timers"]) == (False, 1, 0)
        assert found["sigpipe"], "the host's handling of signals was changed"
        assert self.home.left_over == []
        return found


def values_of(told: dict[str, Any]) -> np.ndarray:
    """Return the values of a field that the host has told."""
    return np.fromfile(told["data"], "<f8").reshape(told["yres"], told["xres"])


def new_channel(report: dict[str, Any], before: int = 1) -> dict[str, Any]:
    """Return the items of the new channel, by their key in it."""
    prefix = f"/{before}/"
    return {
        key.removeprefix(prefix): value
        for key, value in report["items"].items()
        if key.startswith(prefix)
    }


def nothing_added(host: Host, report: dict[str, Any]) -> bool:
    """Whether the file has what it had before."""
    return set(report["items"]) == set(host.scenario["items"])


def upscaled(scan: np.ndarray, marked: np.ndarray | None = None, **settings: Any) -> Channel:
    """Return what afmsr makes of a scan of the host."""
    channel = Channel(
        scan / METRE, xreal=3e-6 / METRE, yreal=2e-6 / METRE, mask=marked, title="Höhe <1>"
    )
    return upscale(channel, **settings)

"""Time functions of the real Gwyddion 2 from inside: ``python inside_gwyddion.py JOB``.

JOB is an object of JSON: ``source``, ``target`` (a file to save, or null), ``runs`` and
``calls``, each with a process function and the numbers that its settings get. The calls take
turns; it prints the seconds of each as JSON. A program of its own, like tests/gwyddion/harness.py,
which it uses: the libraries take over a process.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "gwyddion"))

from harness import Gwyddion

SETTERS = {"ratio": ("double", ctypes.c_double), "interp": ("enum", ctypes.c_int)}


def main(text: str) -> None:
    job = json.loads(text)
    gwyddion = Gwyddion()
    data = gwyddion.load(job["source"])
    seconds: dict[str, list[float]] = {name: [] for name in job["calls"]}
    for turn in range(job["runs"] + 1):
        for name, (function, settings) in job["calls"].items():
            for key, number in settings.items():
                _set(gwyddion, f"/module/{function}/{key}", *SETTERS[key], number)
            before = len(gwyddion.numbers(data))
            began = time.perf_counter()
            gwyddion.run(function, data, 0)
            lasted = time.perf_counter() - began
            if len(gwyddion.numbers(data)) != before + 1:
                sys.exit(f"{name}: Gwyddion's {function} made no channel")
            if turn or not job["runs"]:
                seconds[name].append(lasted)
    if job["target"]:
        gwyddion.save(data, job["target"])
    print(json.dumps(seconds))


def _set(gwyddion: Gwyddion, key: str, kind: str, number: type, value: float) -> None:
    glib = ctypes.CDLL("libglib-2.0.so.0")
    glib.g_quark_from_string.restype = ctypes.c_uint32
    glib.g_quark_from_string.argtypes = [ctypes.c_char_p]
    setter = getattr(ctypes.CDLL("libgwyddion2.so.0"), f"gwy_container_set_{kind}")
    setter.argtypes = [ctypes.c_void_p, ctypes.c_uint32, number]
    setter.restype = None
    setter(gwyddion.app_settings_get(), glib.g_quark_from_string(key.encode()), value)


if __name__ == "__main__":
    main(sys.argv[1])

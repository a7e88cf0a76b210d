"""A repeat (Ctrl+F) in the real Gwyddion 3: the module, a worker in memory, beside its own Scale...

In one process of the program, in turns; before and after, the methods alone in a process that is
warm. What the module itself costs is told by bicubic, whose arithmetic takes next to no time and so
does not vary with what the machine does besides. Needs what the tests of Gwyddion 3 need: root, apt
and a mirror of Debian.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import clock
from benchmarks.markdown import table

TESTS = Path(__file__).resolve().parents[1] / "tests" / "gwyddion"
SCALE = "Scale... to 4x"
METHODS = ("afm", "bicubic")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=9, help="after a warm-up (%(default)s)")


def run(args: argparse.Namespace) -> None:
    sys.path.insert(0, str(TESTS))
    import gwyddion3
    import roots
    from homes import FUNCTION, Home

    from afmsr_core import data, io
    from afmsr_core.upscale import Settings, Upscaler

    try:
        newer = roots.root(roots.NEWEST)
    except roots.NoRootError as error:
        print(f"click3: {error}")
        return
    scan = Path(data.example_pair()[0])
    channel = io.select(io.read(scan))[0]
    upscalers = {name: Upscaler(Settings(method=name)) for name in METHODS}
    calls = [(FUNCTION, {"method": name}) for name in METHODS] + [("scale", {"ratio": 4.0})]
    with tempfile.TemporaryDirectory(prefix="afmsr-test-") as folder:
        home = Home(Path(folder), Path(folder))
        home.gwyddion3_dir.mkdir()
        home.variables["AFMSR_WARM_MINUTES"] = "1"
        gwyddion3.install(home, newer)
        alone = {name: _alone(one, channel, args.runs) for name, one in upscalers.items()}
        answer = gwyddion3.run_all(home, newer, scan, calls * (args.runs + 1), forget=True)
        for name, one in upscalers.items():
            alone[name] += _alone(one, channel, args.runs)
        stop = "from gwyddion_plugin.worker import resident; resident.stop_all()"
        home.call(sys.executable, "-c", stop)
    warm = answer.seconds[len(calls) :]
    took = {SCALE: warm[len(METHODS) :: len(calls)]}
    for place, name in enumerate(METHODS):
        took[_inside(name)] = warm[place :: len(calls)]
        took[f"{name} alone, outside"] = alone[name]
    times = {what: clock.Times.of(seconds) for what, seconds in took.items()}
    heading = f"inside Gwyddion {gwyddion3.version(newer)}, {channel.xres} x {channel.yres} to 4x"
    print(table((heading, "seconds"), list(times.items())))
    own = times[_inside("bicubic")].median - times["bicubic alone, outside"].median
    beyond = times[_inside("afm")].median - times[SCALE].median
    print(
        f"\nThe module takes {own:.3f} s beyond its method. Repeated (Ctrl+F) with afm, it takes "
        f"{beyond:.3f} s beyond Gwyddion's own time."
    )


def _inside(method: str) -> str:
    return f"the module, worker warm, {method}"


def _alone(upscaler: Any, channel: Any, runs: int) -> list[float]:
    upscaler(channel)
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        upscaler(channel)
        seconds.append(time.perf_counter() - began)
    return seconds

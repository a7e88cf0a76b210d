"""A click in the real Gwyddion 2: its own Scale... and the plug-in, cold and warm.

Inside: what the program waits for, in one process, in turns. ``nothing`` is a plug-in that only
hands back a finished field of the result's size: Gwyddion's own time for any plug-in.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clock, process
from benchmarks.markdown import table

TESTS = Path(__file__).resolve().parents[1] / "tests" / "gwyddion"
INSIDE = Path(__file__).with_name("inside_gwyddion.py")
INTERPOLATIONS = {"linear": 1, "Key (bicubic)": 2, "B-spline": 3}  # GwyInterpolationType
PLUGIN = "plug-in, worker warm"
NOTHING = "plug-in that does nothing"
ECHO = "afmsr_benchmark_nothing"
IDLE = 1.0  # seconds that the worker is told to stay
PATIENCE = 30.0  # seconds; nothing here takes as long


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=5, help="after a warm-up (%(default)s)")
    parser.add_argument("--sides", default="128,512", help="input pixels (%(default)s)")


def run(args: argparse.Namespace) -> None:
    if shutil.which("gwyddion") is None:
        print("click: Gwyddion 2 is not installed (apt-get install gwyddion)")
        return
    sys.path.insert(0, str(TESTS))
    import measure

    with tempfile.TemporaryDirectory(prefix="afmsr-test-") as name:
        folder = Path(name)
        for side in map(int, args.sides.split(",")):
            _inside(folder, side, args.runs)
            print(flush=True)
        _processes(folder, args.runs)
        print(flush=True)
        _worker(measure.new_home(folder, "worker"), folder, args.runs)
        print(flush=True)
        _dialog(folder, args.runs)


def _scan(folder: Path, side: int) -> Path:
    from afmsr_core import data, io
    from afmsr_core.channel import Channel

    if side == 128:
        return Path(data.example_pair()[0])
    path = folder / f"scan{side}.gwy"
    heights = np.random.default_rng(0).normal(size=(side, side)).cumsum(axis=1)
    io.write(path, [Channel(heights, 10.0 * side, 10.0 * side, title="Height")])
    return path


def _inside(folder: Path, side: int, runs: int) -> None:
    """Time the functions inside the program, the plug-in with a worker in memory."""
    import measure
    from homes import FUNCTION

    home = measure.new_home(folder, f"inside{side}")
    home.variables["AFMSR_WARM_MINUTES"] = "1"
    _install_nothing(home, 4 * side)
    calls: dict[str, tuple[str, dict[str, float]]] = {
        f"Scale... to 4x, {name}": ("scale", {"ratio": 4.0, "interp": number})
        for name, number in INTERPOLATIONS.items()
    }
    calls |= {NOTHING: (ECHO, {}), PLUGIN: (FUNCTION, {})}
    job = {"source": str(_scan(folder, side)), "target": None, "runs": runs, "calls": calls}
    done = home.call(sys.executable, INSIDE, json.dumps(job), limit=300)
    if done.returncode:
        raise SystemExit(done.stderr)
    home.call(
        sys.executable, "-c", "from gwyddion_plugin.worker import resident; resident.stop_all()"
    )
    found = json.loads(done.stdout.splitlines()[-1])
    _told(f"inside Gwyddion, {side} x {side} to {4 * side} x {4 * side}", found)
    beyond = clock.Times.of(found[PLUGIN]).median - clock.Times.of(found[NOTHING]).median
    print(f"\nRepeated (Ctrl+F), the plug-in takes {beyond:.3f} s beyond Gwyddion's own time.")


def _install_nothing(home: Any, side: int) -> None:
    """Install a plug-in that answers with a field that was made before."""
    from gwyddion_plugin.exchange import dump
    from gwyddion_plugin.exchange.dump import RawField

    answer = home.folder / "answer.dump"
    answer.write_bytes(b"")
    values = np.random.default_rng(0).normal(size=(side, side)).tobytes()
    dump.overwrite(answer, RawField(side, side, 1e-6, 1e-6, "m", "m", values))
    place = home.gwyddion_dir / "plugins" / "process" / "nothing"
    place.mkdir(parents=True)
    program = place / "nothing"
    program.write_text(f'#!/bin/sh\nexec cat "{answer}" >"$3"\n')
    program.chmod(0o755)
    (place / "nothing.rgi").write_text(f"{ECHO}\n/_Plug-Ins/_Nothing\nnoninteractive\n")


def _processes(folder: Path, runs: int) -> None:
    """Time whole processes: load, upscale, save."""
    import measure

    home = measure.new_home(folder, "process", install=False)
    source, target = str(_scan(folder, 128)), str(folder / "out.gwy")
    alone = ["env", *(f"{name}={text}" for name, text in home.environment.items())]
    upscale = [sys.executable, "-m", "afmsr_cli.main", "upscale", source, "-o", target, "--force"]
    reference = "Gwyddion's libraries, Scale..., Key"
    job = {"source": source, "target": target, "runs": 0}
    job["calls"] = {"": ("scale", {"ratio": 4.0, "interp": INTERPOLATIONS["Key (bicubic)"]})}
    commands = {
        reference: [*alone, sys.executable, str(INSIDE), json.dumps(job)],
        "afmsr upscale --method bicubic": [*upscale, "--quiet", "--method", "bicubic"],
        "afmsr upscale": [*upscale, "--quiet"],
    }
    costs = process.compare(commands, runs)
    process.told(costs, reference, "whole process, 128 x 128, .gwy to .gwy")


def _worker(home: Any, folder: Path, runs: int) -> None:
    """Time requests to the plug-in's worker, cold and warm, and look at its memory."""
    from afmsr_core import io
    from afmsr_core.upscale import Settings, Upscaler
    from gwyddion_plugin.exchange.dump import RawField

    channel = io.select(io.read(_scan(folder, 128)))[0]
    values = (channel.heights / 1e9).astype("<f8").tobytes()
    field = RawField(channel.xres, channel.yres, 1e-6, 1e-6, "m", "m", values)
    command = [sys.executable, "-I", "-m", "gwyddion_plugin.worker"]
    upscaler = Upscaler(Settings())
    upscaler(channel)
    cold, warm, asked, alone = [], [], [], []
    for turn in range(runs + 1):
        seconds, _, _ = _asked([*command, "--cold"], home, field, keep=0)
        cold += [seconds] * bool(turn)
    _asked(command, home, field, keep=PATIENCE)
    _until(lambda: list((home.runtime / "afmsr").glob("*.address")))
    for _ in range(runs):
        seconds, request, pid = _asked(command, home, field, keep=PATIENCE)
        warm.append(seconds)
        asked.append(request)
        began = time.perf_counter()
        upscaler(channel)
        alone.append(time.perf_counter() - began)
    idle = _resident(pid)
    _asked(command, home, field, keep=IDLE)
    began = time.perf_counter()
    _until(lambda: not (home.runtime / "afmsr").exists())
    left = time.perf_counter() - began
    took = {
        "first request, from the start of its process": cold,
        "second request, from the start of the client's process": warm,
        "second request, from asking to the answer": asked,
        "the upscaling alone, in a process that is warm": alone,
    }
    _told("the worker, 128 x 128, default network", took)
    print(
        f"\nIdle, the worker holds {idle:.0f} MB. Told to stay {IDLE:g} s, it left after "
        f"{left:.1f} s, and its files with it."
    )


def _asked(command: list[str], home: Any, field: Any, keep: float) -> tuple[float, float, int]:
    """Return seconds since the start, seconds since the request, and who did it."""
    from gwyddion_plugin.worker import field_files

    with tempfile.TemporaryDirectory(dir=home.runtime) as folder:
        described = field_files.write(Path(folder), field)
        request = {"type": "upscale", "id": 1, "folder": folder, "field": described, "keep": keep}
        began = time.perf_counter()
        worker = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=home.environment,
        )
        assert worker.stdin is not None and worker.stdout is not None
        ready = json.loads(worker.stdout.readline())
        asked = time.perf_counter()
        worker.stdin.write(json.dumps(request).encode() + b"\n")
        worker.stdin.flush()
        while (answer := json.loads(worker.stdout.readline()))["type"] == "progress":
            pass
        ended = time.perf_counter()
        if answer["type"] != "result":
            raise SystemExit(f"the worker: {answer}")
        worker.stdin.close()
        worker.stdout.close()
        if not keep or ready["warm"]:
            worker.wait(PATIENCE)
        return ended - began, ended - asked, ready["pid"]


def _resident(pid: int) -> float:
    """Return the memory that a process holds, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _until(condition: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("the worker did not come or go in time")
        time.sleep(0.01)


def _dialog(folder: Path, runs: int) -> None:
    """Time OK in the dialog to the result, on a screen of its own."""
    import measure

    if missing := measure.missing_tools():
        print(f"the dialog: not measured, not installed: {', '.join(missing)}")
        return
    screen = measure.Screen()
    took: dict[str, list[float]] = {}
    try:
        homes = {name: measure.new_home(folder, f"{name}-ok") for name in ("cold", "warm")}
        homes["warm"].variables["AFMSR_WARM_MINUTES"] = "1"
        for turn in range(runs + 1):
            for name, home in homes.items():
                shown, pressed = measure.one_dialog(home, screen)
                if turn:
                    took.setdefault(f"menu to dialog, worker {name}", []).append(shown)
                    took.setdefault(f"OK to result, worker {name}", []).append(pressed)
        homes["warm"].call(
            sys.executable, "-c", "from gwyddion_plugin.worker import resident; resident.stop_all()"
        )
    finally:
        screen.close()
    _told("the dialog, 128 x 128, default network", took)


def _told(heading: str, took: Mapping[str, Sequence[float]]) -> None:
    print(table((heading, "seconds"), [(name, clock.Times.of(took[name])) for name in took]))

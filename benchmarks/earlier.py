"""The default network, the command and the warm click, beside an earlier build, in turns.

The earlier build is a checkout of the repository::

    git worktree add ../earlier 2dbdee6
    python -m benchmarks earlier ../earlier
    git worktree remove ../earlier

Both builds are copied, and run in an interpreter of their own with the packages that are
installed here. ``the pass`` is the engine alone, on the whole field. ``the warm click`` is what
Gwyddion waits for when the last upscaling is repeated: the plug-in that each build installs,
with its worker in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clock, process
from benchmarks.markdown import head, line

OURS, EARLIER = "this build", "earlier build"
PACKAGES = {"afmsr_core": "afmsr_core", "afmsr_cli": "cli", "gwyddion_plugin": "gwyddion_plugin"}
TESTS = Path(__file__).resolve().parents[1] / "tests" / "gwyddion"
SMALL = 128
PASS = """
import json, sys, time
import numpy as np
from afmsr_core.inference import open_engine
from afmsr_core.methods import registry
side, threads = map(int, sys.argv[1:])
engine = open_engine(registry.get("afm"), device="cpu", threads=threads)
planes = np.random.default_rng(0).random((1, 1, side, side), dtype=np.float32)
for _ in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    engine.run(planes)
    taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps(taken), flush=True)
"""
STOP = "from gwyddion_plugin.worker import resident; resident.stop_all()"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("earlier", type=Path, metavar="CHECKOUT", help="of an earlier build")
    parser.add_argument("--side", type=int, default=1024, help="of the large field (%(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="after a warm-up (%(default)s)")
    parser.add_argument("--large-runs", type=int, default=2, help="on it (%(default)s)")
    parser.add_argument("--threads", default="1,2", help="of the passes (%(default)s)")
    parser.add_argument(
        "--clock", choices=tuple(clock.CLOCKS), default="wall", help="of the passes"
    )


def run(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="afmsr-test-") as name:
        folder = Path(name)
        checkouts = {OURS: Path(__file__).resolve().parents[1], EARLIER: args.earlier.resolve()}
        pythons = {
            which: _interpreter(folder / which.replace(" ", "_"), checkout)
            for which, checkout in checkouts.items()
        }
        columns = "threads", "field", EARLIER, OURS, "ratio", "of a pixel to that of the first"
        print(head(("the pass, seconds", *columns), words=3))
        for threads in map(int, args.threads.split(",")):
            first = None
            for side, runs in ((SMALL, args.runs), (args.side, args.large_runs)):
                times = _passes(pythons, side, threads, runs, args.clock)
                ours, theirs = times[OURS], times[EARLIER]
                each = ours.median / side**2
                first = first or each
                cells = theirs, ours, f"{ours.median / theirs.median:.2f}", f"{each / first:.2f}"
                print(line("default network", threads, f"{side} x {side}", *cells), flush=True)
        print()
        _commands(pythons, folder, args.runs)
        print()
        _clicks(pythons, folder, args.runs)


def _interpreter(folder: Path, checkout: Path) -> Path:
    """Return a Python that has the packages of a checkout and those that are installed here."""
    code = folder / "code"
    for package, source in PACKAGES.items():
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(checkout / source, code / package, ignore=without)
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    installed = [path for path in sys.path if path.endswith("-packages")]
    (site / "checkout.pth").write_text("\n".join([str(code), *installed]), encoding="utf-8")
    python = folder / "venv" / "bin" / "python"
    for package in PACKAGES:
        ask = f"import {package}; print({package}.__file__)"
        said = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True, check=True)
        if Path(said.stdout.strip()).parent != code / package:
            raise SystemExit(f"{said.stdout.strip()} runs, not the code of {checkout}")
    return python


def _passes(
    pythons: Mapping[str, Path], side: int, threads: int, runs: int, of: str
) -> dict[str, clock.Times]:
    with contextlib.ExitStack() as stack:
        calls: dict[str, Callable[[], object]] = {
            which: stack.enter_context(_pass(python, side, threads))
            for which, python in pythons.items()
        }
        return clock.turns(calls, runs, of)


@contextlib.contextmanager
def _pass(python: Path, side: int, threads: int) -> Iterator[Callable[[], clock.Elsewhere]]:
    """Yield a call that makes a process run the engine once."""
    command = [python, "-I", "-c", PASS, str(side), str(threads)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdin is not None and engine.stdout is not None

        def call() -> clock.Elsewhere:
            assert engine.stdin is not None and engine.stdout is not None
            engine.stdin.write("\n")
            engine.stdin.flush()
            return clock.Elsewhere(**json.loads(engine.stdout.readline()))

        yield call
        engine.stdin.close()


def _commands(pythons: Mapping[str, Path], folder: Path, runs: int) -> None:
    from afmsr_core import data

    scan = str(data.example_pair()[0])
    commands = {}
    for which, python in pythons.items():
        result = str(folder / f"{which}.gwy")
        afmsr = [str(python), "-I", "-m", "afmsr_cli.main", "upscale", scan, "-o", result]
        commands[which] = [*afmsr, "--force", "--quiet"]
    told = f"afmsr upscale, {SMALL} x {SMALL}"
    process.told(process.compare(commands, runs), EARLIER, told)


def _clicks(pythons: Mapping[str, Path], folder: Path, runs: int) -> None:
    """Time the plug-ins as Gwyddion calls them, each with a worker of its own in memory."""
    sys.path.insert(0, str(TESTS))
    import measure

    homes = {}
    try:
        calls: dict[str, Callable[[], object]] = {}
        for number, (which, python) in enumerate(pythons.items()):
            home = homes[which] = measure.new_home(folder, f"home{number}", install=False)
            home.variables["AFMSR_WARM_MINUTES"] = "5"
            install = "-I", "-m", "afmsr_cli.main", "plugin", "install"
            done = home.call(python, *install, "--gwyddion-dir", home.gwyddion_dir)
            if done.returncode:
                raise SystemExit(f"{which}: {done.stderr}")
            calls[which] = lambda home=home: _click(home)  # type: ignore[misc]
        for call in calls.values():
            call()  # starts the worker
        times = {of: clock.turns(calls, runs, of) for of in clock.CLOCKS}
    finally:
        for home in homes.values():
            home.call(sys.executable, "-c", STOP)
    columns = "seconds", "ratio", "processor s", "ratio"
    print(head((f"the warm click, {SMALL} x {SMALL}", *columns)))
    for which in calls:
        cells: list[object] = []
        for taken in times.values():
            cells += [taken[which], f"{taken[which].median / taken[EARLIER].median:.2f}"]
        print(line(which, *cells))


def _click(home: Any) -> clock.Elsewhere:
    """Have the plug-in repeat the last upscaling on a field as Gwyddion hands it out."""
    from gwyddion_plugin.exchange import dump
    from gwyddion_plugin.exchange.dump import RawField

    heights = np.random.default_rng(0).normal(size=(SMALL, SMALL)).cumsum(axis=1) * 1e-9
    field = RawField(SMALL, SMALL, 1e-6, 1e-6, "m", "m", heights.astype("<f8").tobytes())
    file = home.runtime / "field.dump"
    file.write_bytes(b"")
    dump.overwrite(file, field)
    given = file.stat().st_size
    began, spent = time.perf_counter(), _spent(home)
    done = home.call(home.launcher, "run", "noninteractive", file)
    lasted, spent = time.perf_counter() - began, _spent(home) - spent
    if done.returncode or file.stat().st_size < 15 * given:
        raise SystemExit(f"the plug-in: {done.stdout}{done.stderr}")
    return clock.Elsewhere(lasted, spent)


def _spent(home: Any) -> float:
    """Return the processor time of all processes that were waited for, and of the worker."""
    import resource

    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = ours.ru_utime + ours.ru_stime
    for file in (home.runtime / "afmsr").glob("*.address"):
        worker = int(file.read_text(encoding="utf-8").splitlines()[-1])
        seconds += time.clock_gettime((~worker << 3) | 2)  # as clock_getcpuclockid(3) makes it
    return seconds

"""Many small scans: the command against the engine alone, and one process against several."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clock, process
from benchmarks.markdown import head, line


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scans", type=int, default=1000, help="(%(default)s)")
    parser.add_argument("--side", type=int, default=64, help="input pixels (%(default)s)")
    parser.add_argument("--jobs", default="1,2", help="with commas (%(default)s)")
    parser.add_argument("--method", default="afm")
    parser.add_argument("--rounds", type=int, default=3, help="parts, which take turns")


def run(args: argparse.Namespace) -> None:
    """Print scans a second.

    In turns: the engine alone on fields in memory; one scan after the other, read, computed and
    written; and the same with the steps overlapping, as the command does. Each on one thread.
    """
    from afmsr_core.batch.overlapping import overlapping
    from afmsr_core.batch.plan import Job
    from afmsr_core.batch.work import Work
    from afmsr_core.inference import open_engine
    from afmsr_core.methods import Network, registry
    from afmsr_core.upscale import Settings, Upscaler

    with tempfile.TemporaryDirectory(dir=process.disk()) as folder:
        scans = made(Path(folder) / "in", args.scans, args.side)
        upscaler, work = Upscaler(Settings(method=args.method, threads=1)), Work()
        method = registry.get(args.method)
        if not isinstance(method, Network):
            raise SystemExit(f"{args.method} is an interpolation; choose a network")
        engine = open_engine(method, threads=1)
        plane = np.random.default_rng(0).random((1, 1, args.side, args.side), dtype=np.float32)
        engine.run(plane)

        def alone(part: list[Path], name: str) -> None:
            for _ in part:
                engine.run(plane)

        def one_by_one(part: list[Path], name: str) -> None:
            for path in part:
                work(Job(path, Path(folder) / name / path.name), upscaler)

        def overlap(part: list[Path], name: str) -> None:
            jobs = [Job(path, Path(folder) / name / path.name) for path in part]
            for record in overlapping(jobs, work, upscaler, lambda name: None):
                if "error" in record:
                    raise SystemExit(record["error"])

        ways = {"the engine alone": alone, "one by one": one_by_one, "overlapping": overlap}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for turn in range(args.rounds):
            part = scans[turn :: args.rounds]
            for name, way in ways.items():
                began, busy = time.perf_counter(), time.process_time()
                way(part, f"{name} {turn}")
                lasted = time.perf_counter() - began
                found[name].append((len(part) / lasted, (time.process_time() - busy) / len(part)))
        what = f"{args.scans} scans, {args.side} x {args.side}, {args.method}"
        print(head((what, "scans a second", "of the engine", "processor ms a scan")))
        for name, rates in found.items():
            pairs = zip(rates, found["the engine alone"], strict=True)
            share = statistics.median(rate[0] / base[0] for rate, base in pairs)
            rate, cost = (statistics.median(column) for column in zip(*rates, strict=True))
            print(line(name, f"{rate:.1f}", f"{share:.2f}", f"{1e3 * cost:.1f}"), flush=True)
        print()
        _several(Path(folder), args)


def _several(folder: Path, args: argparse.Namespace) -> None:
    """Print what several processes of one thread give: bare engines, and the command.

    Bare engines share nothing but the machine, so their ratio is what it has to give. One process
    of the command reads and writes on a second processor if there is one, so it is measured
    confined to one too: that is a worker of one processor, which the others are compared with. The
    start-up is told apart, by a run with a few scans only. All take turns, and ratios are those of
    a turn: a machine's pace may change between them.
    """
    scans = sorted((folder / "in").iterdir())
    ways = [(1, True), *((jobs, False) for jobs in map(int, args.jobs.split(",")))]
    turns: list[dict[tuple[int, bool], tuple[float, ...]]] = []
    for turn in range(args.rounds):
        turns.append({})
        for jobs, confined in ways:
            part = scans[turn :: args.rounds]
            alone, alone_ms = _engines(jobs, args)
            few, left = part[: 2 * jobs], len(part) - 2 * jobs
            start, all_of_it = (
                _command(folder / f"{turn} {jobs} {confined} {len(chosen)}", chosen, jobs, confined)
                for chosen in (few, part)
            )
            rate = left / (all_of_it.seconds - start.seconds)
            busy = 1e3 * (all_of_it.busy - start.busy) / left
            turns[-1][jobs, confined] = alone, alone_ms, start.seconds, rate, busy
    heading = "processes, one thread each", "engines alone, scans a second", "ratio"
    heading += "processor ms a scan", "start-up of afmsr upscale --jobs, s"
    heading += "scans a second after it", "ratio", "processor ms a scan"
    print(head(heading))
    for way in ways:
        columns = zip(*(turn[way] for turn in turns), strict=True)
        alone, alone_ms, start, rate, busy = map(statistics.median, columns)
        ratios = [
            clock.Times.of([turn[way][at] / turn[ways[0]][at] for turn in turns]) for at in (0, 3)
        ]
        jobs, confined = way
        print(
            f"| {jobs}{', on one processor' if confined else ''} | {alone:.1f} | {ratios[0]} "
            f"| {alone_ms:.1f} | {start:.1f} | {rate:.1f} | {ratios[1]} | {busy:.1f} |",
            flush=True,
        )


CONFINED = "import os, sys; os.sched_setaffinity(0, {0}); os.execv(sys.executable, sys.argv[1:])"


def _command(source: Path, scans: list[Path], jobs: int, confined: bool) -> process.Cost:
    source.mkdir()
    for path in scans:
        (source / path.name).symlink_to(path)
    command = [sys.executable, "-m", "afmsr_cli.main", "upscale", str(source), "--quiet"]
    command += ["-o", f"{source} out", "--jobs", str(jobs), "--threads", "1"]
    if confined:
        command = [sys.executable, "-c", CONFINED, *command]
    return process.compare({"": command}, 0)[""]


def _engines(count: int, args: argparse.Namespace) -> tuple[float, float]:
    """Return scans a second of so many processes that do nothing else, and ms of each scan."""
    scans = max(1, args.scans // args.rounds)
    command = [sys.executable, "-c", ENGINE, args.method, str(args.side), str(scans)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(count)]
    for one in running:
        one.stdout.readline()  # it is ready
    for one in running:
        one.stdin.write("\n")
        one.stdin.flush()
    found = [tuple(map(float, one.communicate()[0].split())) for one in running]
    lasted, busy = zip(*found, strict=True)
    return count * scans / max(lasted), 1e3 * statistics.mean(busy) / scans


ENGINE = """
import sys, time
import numpy as np
from afmsr_core.inference import open_engine
from afmsr_core.methods import registry
method, side, scans = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
engine = open_engine(registry.get(method), threads=1)
plane = np.random.default_rng(0).random((1, 1, side, side), dtype=np.float32)
engine.run(plane)
print("ready", flush=True)
sys.stdin.readline()
began, busy = time.perf_counter(), time.process_time()
for _ in range(scans):
    engine.run(plane)
print(time.perf_counter() - began, time.process_time() - busy)
"""


def made(folder: Path, count: int, side: int) -> list[Path]:
    """Write so many scans and return their paths."""
    from afmsr_core import io
    from afmsr_core.channel import Channel

    folder.mkdir()
    paths = []
    random = np.random.default_rng(0)
    for number in range(count):
        heights = random.normal(size=(side, side)).cumsum(axis=1)
        paths.append(folder / f"scan{number:05}.gwy")
        io.write(paths[-1], [Channel(heights, 10.0 * side, 10.0 * side, title="Height")])
    return paths

"""Many small scans: the command against the engine alone, and one process against several."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import process


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
    from afmsr_cli.inputs import Job
    from afmsr_cli.upscaling import Work, overlapping
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
        print(f"| {what} | scans a second | of the engine | processor ms a scan |")
        print("|---|---|---|---|")
        for name, rates in found.items():
            pairs = zip(rates, found["the engine alone"], strict=True)
            share = statistics.median(rate[0] / base[0] for rate, base in pairs)
            rate, cost = (statistics.median(column) for column in zip(*rates, strict=True))
            print(f"| {name} | {rate:.1f} | {share:.2f} | {1e3 * cost:.1f} |", flush=True)
        print("\n| afmsr upscale, start-up included | seconds | scans a second | ratio |")
        print("|---|---|---|---|")
        first = None
        for jobs in args.jobs.split(","):
            command = [sys.executable, "-m", "afmsr_cli.main", "upscale", str(Path(folder) / "in")]
            command += ["-o", str(Path(folder) / f"out{jobs}"), "--jobs", jobs, "--threads", "1"]
            command += ["--method", args.method, "--quiet"]
            lasted = process.compare({"": command}, 0)[""].seconds
            first = first or lasted
            rate, ratio = args.scans / lasted, first / lasted
            print(f"| --jobs {jobs} | {lasted:.1f} | {rate:.1f} | {ratio:.2f} |", flush=True)


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

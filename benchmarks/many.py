"""What 100,000 scans on 1,000 workers would do, worked out from costs measured here.

Measured: a task's cost to the scheduler and the client (``benchmarks cluster``), a scan's cost to
a worker from file to file on one thread, its calls to the file system as the system sees them
(strace) and its bytes. The rest is arithmetic, and the run takes as long as the slowest of its
limits: the scheduler, the client, the workers.
"""

from __future__ import annotations

import argparse
import collections
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import process
from benchmarks.markdown import head, line
from benchmarks.report import measured
from benchmarks.throughput import made

LIVES = 1000.0  # hours between two failures of a worker, assumed: a node every six weeks
PROGRAM = """
import sys
from pathlib import Path
from afmsr_core.batch.plan import Job
from afmsr_core.batch.work import Work
from afmsr_core.upscale import Settings, Upscaler
source, target = map(Path, sys.argv[1:3])
upscaler = Upscaler(Settings(method="bicubic", threads=1))
for path in sorted(source.iterdir())[: int(sys.argv[3])]:
    record = Work()(Job(path, target / path.name), upscaler)
    assert "error" not in record, record
"""
_CALL = re.compile(r"^\d+ +(\w+)\(")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scans", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--workers", type=int, default=1000, help="one thread each (%(default)s)")
    parser.add_argument("--sides", default="64,128,256,512", help="input pixels (%(default)s)")
    parser.add_argument("--measured", type=int, default=200, help="scans on the real cluster")


def run(args: argparse.Namespace) -> None:
    from afmsr_core.batch.cluster import SCANS_A_TASK

    cluster = measured(f"benchmarks cluster --workers 1 --scans {args.measured}", quiet=True)
    rows = [
        dict(zip(t["columns"], row, strict=True)) for t in cluster["tables"] for row in t["rows"]
    ]
    if cluster["failed"] or not rows:
        print(f"many: left out, no cost of a task: {cluster['text'][-300:]}")
        return
    scheduler, client = (rows[0][f"{who} ms a task"] / 1e3 for who in ("scheduler", "client"))
    tasks = -(-args.scans // SCANS_A_TASK)
    print(
        f"A task is {SCANS_A_TASK} scans; it costs the scheduler {1e3 * scheduler:.1f} ms and the "
        f"client {1e3 * client:.1f} ms. {args.scans:,} scans are {tasks:,} tasks: "
        f"{tasks * scheduler:.0f} s and {tasks * client:.0f} s of one thread each.\n"
    )
    calls, flushes = _file_calls()
    columns = "scans", "a scan, s", "a task, s", "workers that keep the scheduler busy"
    columns += f"{args.scans:,} scans on {args.workers:,} workers, s", "limit"
    columns += "file calls a second", "MB a second written", "workers that fail"
    print(head((*columns, "scans done twice")))
    for side in map(int, args.sides.split(",")):
        seconds, written = _scan(side)
        limits = {
            "scheduler": tasks * scheduler,
            "client": tasks * client,
            "workers": args.scans * seconds / args.workers,
        }
        limit = max(limits, key=lambda name: limits[name])
        lasts = limits[limit]
        dead = args.workers * lasts / 3600 / LIVES
        rate = f"{args.scans * sum(calls.values()) / lasts:.0f}" if calls else ""
        cells = f"{side} x {side}", f"{seconds:.3f}", f"{SCANS_A_TASK * seconds:.2f}"
        cells += f"{SCANS_A_TASK * seconds / scheduler:.0f}", f"{lasts:.0f}", limit, rate
        cells += f"{args.scans * written / lasts / 1e6:.0f}", f"{dead:.2f}"
        print(line(*cells, f"{dead * SCANS_A_TASK:.1f}"), flush=True)
    if calls:
        told = ", ".join(f"{number:.1f} {name}" for name, number in calls.items())
        print(
            f"\nCalls to the file system a scan: {told}; flushed to the disk {flushes:.1f} times."
        )
    else:
        print(
            "\nCalls to the file system were not counted: strace is not installed or not allowed."
        )
    print(
        f"A worker is taken to fail once in {LIVES:g} hours; the task that it was at is done again "
        f"elsewhere."
    )


def _scan(side: int, count: int = 4) -> tuple[float, int]:
    """Return seconds a scan on one thread, from file to file, and the bytes of a result."""
    from afmsr_core.batch.plan import Job
    from afmsr_core.batch.work import Work
    from afmsr_core.upscale import Settings, Upscaler

    upscaler = Upscaler(Settings(threads=1))
    with tempfile.TemporaryDirectory(dir=process.disk()) as folder:
        scans = made(Path(folder) / "in", count + 1, side)
        jobs = [Job(path, Path(folder) / "out" / path.name) for path in scans]
        Work()(jobs[0], upscaler)
        began = time.perf_counter()
        for job in jobs[1:]:
            Work()(job, upscaler)
        seconds = (time.perf_counter() - began) / count
        return seconds, jobs[0].target.stat().st_size


def _file_calls(few: int = 4, many: int = 20) -> tuple[dict[str, float], float]:
    """Return the calls a scan that name a file of the run, by name, and the flushes to the disk.

    Counted by strace in two runs, whose difference is free of start-up; empty without strace.
    """
    if shutil.which("strace") is None:
        return {}, 0.0
    counts = []
    with tempfile.TemporaryDirectory(dir=process.disk()) as folder:
        source, log = Path(folder) / "in", Path(folder) / "log"
        made(source, many, 32)
        for number in (few, many):
            target = Path(folder) / f"out{number}"
            trace = ["strace", "-f", "-y", "-e", "trace=%file,fsync,fdatasync", "-o", str(log)]
            program = [sys.executable, "-c", PROGRAM, str(source), str(target), str(number)]
            done = subprocess.run([*trace, *program], capture_output=True, check=False)
            if done.returncode:
                return {}, 0.0
            lines = [
                line for line in log.read_text(errors="replace").splitlines() if folder in line
            ]
            named = (found[1] for line in lines if (found := _CALL.match(line)))
            counts.append(collections.Counter(named))
    each = {
        name: (counts[1][name] - counts[0][name]) / (many - few)
        for name in sorted(counts[1])
        if counts[1][name] > counts[0][name]
    }
    flushes = sum(each.pop(name, 0.0) for name in ("fsync", "fdatasync"))
    return each, flushes

"""Peak memory of the whole command against the size of the scan, default network."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import process

SIDES = "128,512,1024,2048"  # 4096 takes some minutes
MEGA = 1e6


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sides", default=SIDES, help="input pixels, with commas (%(default)s)")
    parser.add_argument("--threads", default="1", help="of the engine (%(default)s)")
    parser.add_argument("--method", default="afm")


def run(args: argparse.Namespace) -> None:
    print("| scan | result | seconds | peak MB | above the smallest, MB per Mpx of result |")
    print("|---|---|---|---|---|")
    first = None
    for side in map(int, args.sides.split(",")):
        cost = _upscaled(side, args.method, args.threads)
        pixels = (4 * side) ** 2 / MEGA
        first = first or (cost.megabytes, pixels)
        more = pixels - first[1]
        each = f"{(cost.megabytes - first[0]) / more:.1f}" if more else ""
        size = f"{side} x {side} | {4 * side} x {4 * side}"
        print(f"| {size} | {cost.seconds:.1f} | {cost.megabytes:.0f} | {each} |", flush=True)


def _upscaled(side: int, method: str, threads: str) -> process.Cost:
    with tempfile.TemporaryDirectory(dir=process.disk()) as folder:
        scan, result = Path(folder) / "scan.gwy", Path(folder) / "fine.gwy"
        # In a process of its own: on Linux a child's peak counts what its parent had.
        make = [sys.executable, "-c", MAKE, str(scan), str(side)]
        process.compare({"make": make}, 0)
        command = [sys.executable, "-m", "afmsr_cli.main", "upscale", str(scan), "-o", str(result)]
        options = ["--method", method, "--threads", threads, "--quiet"]
        return process.compare({"upscale": [*command, *options, "--force"]}, 0)["upscale"]


MAKE = """
import sys
import numpy as np
from afmsr_core import io
from afmsr_core.channel import Channel
side = int(sys.argv[2])
y, x = np.mgrid[:side, :side].astype(np.float32)
heights = 20 * np.sin(x / 9) * np.cos(y / 7) + np.random.default_rng(0).normal(size=(side, side))
io.write(sys.argv[1], [Channel(heights, 10.0 * side, 10.0 * side, title="Height")])
"""

"""Peak memory of the whole command against the size of the scan, default network.

Every result is read again, and parts of it are compared with what crops of the scan give.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import process
from benchmarks.markdown import head

SIDES = "128,512,1024,2048"  # 4096 takes some minutes
MEGA = 1e6


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sides", default=SIDES, help="input pixels, with commas (%(default)s)")
    parser.add_argument("--threads", default="1", help="of the engine (%(default)s)")
    parser.add_argument("--method", default="afm")
    parser.add_argument(
        "--shares", type=int, metavar="SIDE", help="instead: what takes the processor's time"
    )


def run(args: argparse.Namespace) -> None:
    if args.shares:
        subprocess.run(
            [sys.executable, "-c", SHARES, str(args.shares), args.method, args.threads], check=True
        )
        return
    heading = "scan", "result", "seconds", "processor s", "peak MB"
    heading += "above the smallest, MB per Mpx of result", "off its crops, of the range"
    print(head(heading))
    first = None
    for side in map(int, args.sides.split(",")):
        cost, off = _upscaled(side, args.method, args.threads)
        pixels = (4 * side) ** 2 / MEGA
        first = first or (cost.megabytes, pixels)
        more = pixels - first[1]
        each = f"{(cost.megabytes - first[0]) / more:.1f}" if more else ""
        size = f"{side} x {side} | {4 * side} x {4 * side}"
        print(
            f"| {size} | {cost.seconds:.1f} | {cost.busy:.1f} | {cost.megabytes:.0f} | {each} "
            f"| {off} |",
            flush=True,
        )


def _upscaled(side: int, method: str, threads: str) -> tuple[process.Cost, str]:
    with tempfile.TemporaryDirectory(dir=process.disk()) as folder:
        scan, result = Path(folder) / "scan.gwy", Path(folder) / "fine.gwy"
        # In a process of its own: on Linux a child's peak counts what its parent had.
        make = [sys.executable, "-c", MAKE, str(scan), str(side)]
        process.compare({"make": make}, 0)
        command = [sys.executable, "-m", "afmsr_cli.main", "upscale", str(scan), "-o", str(result)]
        options = ["--method", method, "--threads", threads, "--quiet"]
        cost = process.compare({"upscale": [*command, *options, "--force"]}, 0)["upscale"]
        check = [sys.executable, "-c", CHECK, str(scan), str(result), method]
        said = subprocess.run(check, check=True, stdout=subprocess.PIPE, text=True).stdout
        return cost, said.strip()


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

SHARES = """
import sys, tempfile, time
from pathlib import Path
import numpy as np
from afmsr_core.upscale import upscaler as corridor
from afmsr_core.channel import Channel
from afmsr_core.io import GwyFile
from benchmarks.process import disk
side, method, threads = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
heights = np.random.default_rng(0).normal(size=(side, side)).cumsum(axis=1)
channel, spent = Channel(heights, 1000.0, 1000.0), {}

def timed(what, call):
    def within(*given, **named):
        began = time.process_time()
        result = call(*given, **named)
        spent[what] = spent.get(what, 0.0) + time.process_time() - began
        return result
    return within

upscaler = corridor.Upscaler(corridor.Settings(method=method, threads=threads))
engine = upscaler.engines.of(upscaler.method)
engine.run = timed("network", engine.run)
corridor.level = timed("levelling", corridor.level)
corridor.interpolate_part = timed("interpolation", corridor.interpolate_part)
upscaler._finish = timed("background, mean and tilt put back", upscaler._finish)
began = time.process_time()
result = upscaler(channel)
with tempfile.TemporaryDirectory(dir=disk()) as folder:
    write = lambda: GwyFile.new([channel, result]).save(Path(folder) / "both.gwy")
    timed("writing", write)()
whole = time.process_time() - began
spent["all else"] = whole - sum(spent.values())
print(f"| {side} x {side}, {method} | processor s | share |\\n|---|---|---|")
for what, seconds in spent.items():
    print(f"| {what} | {seconds:.2f} | {seconds / whole:.3f} |")
"""

# Parts of the result against the same parts upscaled by themselves. Whole and part are moved to
# the mean and tilt of their input, so they may differ by a plane.
CHECK = """
import sys
import numpy as np
from afmsr_core import io
from afmsr_core.surfaces import fit_plane
from afmsr_core.levelling import level
from afmsr_core.upscale import Settings, Upscaler
scan, method = io.read(sys.argv[1])[0], sys.argv[3]
again, fine = io.read(sys.argv[2])
assert np.array_equal(again.heights, scan.heights), "the scan in the result is another"
assert (fine.xreal, fine.yreal, fine.unit) == (scan.xreal, scan.yreal, scan.unit), fine
assert np.isfinite(fine.heights).all()
side, edge, part = scan.xres, 40, 40
assert fine.heights.shape == (4 * side, 4 * side), fine.heights.shape
relief, worst = level(scan).channel, 0.0
alone = Upscaler(Settings(method=method, level="none", restore_background=False, threads=1))
for top, left in ((0, 0), (side // 2 - 20, side // 3), (side - part, side - part)):
    rows, cols = (slice(max(0, at - edge), min(side, at + part + edge)) for at in (top, left))
    crop = relief.replace(heights=relief.heights[rows, cols], mask=None)
    skip = 4 * (top - rows.start), 4 * (left - cols.start)
    expected = alone(crop).heights[skip[0] : skip[0] + 4 * part, skip[1] : skip[1] + 4 * part]
    found = fine.heights[4 * top : 4 * (top + part), 4 * left : 4 * (left + part)]
    difference = found - expected
    worst = max(worst, float(np.abs(fit_plane(difference).subtracted_from(difference)).max()))
moved = abs(float(fine.heights.mean() - scan.heights.mean()))
assert moved < 1e-6 * np.ptp(scan.heights), moved
worst /= np.ptp(scan.heights)
assert worst < 1e-4, worst
print(f"{worst:.0e}")
"""

"""Cost against the size of the scan: seconds of the whole corridor, and the exponent.

From 1024 pixels on one run without a warm-up.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks import clock
from benchmarks.markdown import table

SIDES = "64,128,256,512,1024,2048"
LARGE = 1024  # pixels; from here on one run
SEED = 0


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=3)
    parser.add_argument("--sides", default=SIDES, help="input pixels, with commas (%(default)s)")
    parser.add_argument("--methods", default="bicubic,afm", help="with commas (%(default)s)")
    parser.add_argument("--plot", type=Path, help="write a figure")


def run(args: argparse.Namespace) -> None:
    from afmsr_core.channel import Channel
    from afmsr_core.upscale import Settings, Upscaler

    sides = [int(side) for side in args.sides.split(",")]
    names = args.methods.split(",")
    upscalers = {name: Upscaler(Settings(method=name, threads=args.threads)) for name in names}
    rows = {}
    random = np.random.default_rng(SEED)
    for side in sides:
        scan = Channel(random.normal(size=(side, side)), side, side)
        calls = {
            name: lambda one=one, scan=scan: one(scan)  # type: ignore[misc]
            for name, one in upscalers.items()
        }
        rows[side] = clock.turns(calls, args.runs if side < LARGE else 0, args.clock)
    cells = ([f"{side} x {side}", *map(times.get, names)] for side, times in rows.items())
    print(table(["input", *(f"{name}, s" for name in names)], cells))
    powers = {name: _power({side: rows[side][name].median for side in sides}) for name in names}
    print("\nSeconds grow with the pixels to the power of ", end="")
    print(", ".join(f"{power:.2f} ({name})" for name, power in powers.items()), end=".\n")
    if args.plot:
        _plot(args.plot, rows, powers)


def _power(seconds: dict[int, float]) -> float:
    """Return the slope of log seconds over log pixels, by least squares."""
    pixels = np.log([side**2 for side in seconds])
    return float(np.polyfit(pixels, np.log(list(seconds.values())), 1)[0])


def _plot(path: Path, rows: dict[int, dict[str, clock.Times]], powers: dict[str, float]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.add_subplot()
    for name, power in powers.items():
        seconds = [times[name].median for times in rows.values()]
        axes.loglog(list(rows), seconds, "o-", label=f"{name}: pixels$^{{{power:.2f}}}$")
    axes.set_xlabel("side of the scan / px")
    axes.set_ylabel("time / s")
    axes.set_xticks(list(rows), [str(side) for side in rows])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=120, metadata={"Software": None})

"""Cost against the size of the scan: seconds of the whole corridor, and the exponent."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np

from benchmarks import clock

SIDES = "64,128,256,512,1024"


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=2)
    parser.add_argument("--sides", default=SIDES, help="input pixels, with commas (%(default)s)")
    parser.add_argument("--methods", default="bicubic,afm", help="with commas (%(default)s)")
    parser.add_argument("--plot", type=Path, help="write a figure (needs matplotlib)")


def run(args: argparse.Namespace) -> None:
    from afmsr_core.channel import Channel
    from afmsr_core.upscale import Settings, Upscaler

    sides = [int(side) for side in args.sides.split(",")]
    names = args.methods.split(",")
    upscalers = {name: Upscaler(Settings(method=name, threads=args.threads)) for name in names}
    rows = {}
    random = np.random.default_rng(0)
    for side in sides:
        scan = Channel(random.normal(size=(side, side)), side, side)
        calls = {
            name: lambda one=one, scan=scan: one(scan)  # type: ignore[misc]
            for name, one in upscalers.items()
        }
        rows[side] = clock.fastest(calls, args.runs if side < 1024 else 0, args.clock)
    print(f"| input | {' | '.join(f'{name}, s' for name in names)} |")
    print(f"|---|{'---|' * len(names)}")
    for side, best in rows.items():
        print(f"| {side} x {side} | {' | '.join(f'{best[name]:.3f}' for name in names)} |")
    print("\nseconds grow with the pixels to the power of ", end="")
    pixels = np.log([side**2 for side in sides])
    powers = {
        name: float(np.polyfit(pixels, np.log([rows[side][name] for side in sides]), 1)[0])
        for name in names
    }
    print(", ".join(f"{power:.2f} ({name})" for name, power in powers.items()))
    if args.plot:
        _plot(args.plot, rows, powers)


def _plot(path: Path, rows: dict[int, dict[str, float]], powers: dict[str, float]) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        print("no plot: pip install 'afmsr[eval]'")
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.add_subplot()
    for name, power in powers.items():
        seconds = [best[name] for best in rows.values()]
        axes.loglog(list(rows), seconds, "o-", label=f"{name}: pixels$^{{{power:.2f}}}$")
    axes.set_xlabel("side of the scan / px")
    axes.set_ylabel("time / s")
    axes.set_xticks(list(rows), [str(side) for side in rows])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path)

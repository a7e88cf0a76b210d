"""A scan of full lines, 512 x 128, against the square one of the same time, 128 x 128."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.grid import LINES_X4, SQUARE
from afmsr_core.inference import open_engine
from afmsr_core.methods import Network, registry
from benchmarks import clock, process
from benchmarks.markdown import head, line

SHAPES = {"128 x 128": (128, 128), "512 x 128": (128, 512)}
SCALES = {"128 x 128": SQUARE, "512 x 128": LINES_X4}
METHOD = "afm"


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=11)


def run(args: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    passes = {}
    for name, shape in SHAPES.items():
        network = registry.get(METHOD, SCALES[name])
        if not isinstance(network, Network):
            raise SystemExit(f"{METHOD} is no network at {SCALES[name]}")
        engine = open_engine(network, device="cpu", threads=args.threads)
        planes = rng.random((1, 1, *shape), np.float32)
        passes[name] = lambda engine=engine, planes=planes: engine.run(planes)
    times = clock.turns(passes, args.runs, args.clock)
    reference = next(iter(SHAPES))
    print(head(("pass of the network", "seconds", "ratio")))
    for name, taken in times.items():
        print(line(name, taken, f"{taken.median / times[reference].median:.2f}"))
    print()
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        for name, shape in SHAPES.items():
            scan = Path(folder) / f"{shape[1]}.gwy"
            heights = rng.normal(size=shape).cumsum(axis=1)
            io.write(scan, [Channel(heights, 1000.0, 1000.0, title="Height")])
            result = str(Path(folder) / "out.gwy")
            afmsr = [sys.executable, "-m", "afmsr_cli.main", "upscale", str(scan), "-o", result]
            commands[name] = [*afmsr, "--force", "--quiet"]
        process.told(process.compare(commands, args.runs), reference, "afmsr upscale")

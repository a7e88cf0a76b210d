"""What a pixel costs by the side of a field and of the tiles it is cut into, default network.

``seen`` is the pixels that the network works on, halos included, over those of the field. The
first row is the field that the others are compared with.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from afmsr_core.inference import Tiles, open_engine, run_tiled
from afmsr_core.methods import Network, registry
from benchmarks import clock
from benchmarks.markdown import table

METHOD = "afm"
CUTS = (128, 256, 512)


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=3)
    parser.add_argument("--side", type=int, default=1024, help="of the large field (%(default)s)")
    parser.add_argument("--small-side", type=int, default=128, help="of the first (%(default)s)")


def run(args: argparse.Namespace) -> None:
    network = registry.get(METHOD)
    if not isinstance(network, Network):
        raise SystemExit(f"{METHOD} is no network")
    engine = open_engine(network, device="cpu", threads=args.threads)
    rng = np.random.default_rng(0)
    calls, seen = {}, {}
    for side in (args.small_side, args.side):
        planes = rng.random((1, side, side), np.float32)
        result = np.zeros((side * network.scale.rows, side * network.scale.columns))

        def store(rows: slice, cols: slice, values: Any, result: Any = result) -> None:
            result[rows, cols] = values[0]

        for cut in (None, side, *(cut for cut in CUTS if cut < side)):
            tiles = Tiles.for_network(network, cut, (side, side))
            name = side, tiles.side
            seen[name] = sum(
                (rows.stop - rows.start) * (cols.stop - cols.start)
                for _, _, rows, cols in tiles.cover(side, side)
            )
            calls[name] = lambda p=planes, s=store, t=tiles.side: run_tiled(  # type: ignore[misc]
                engine, network, p, s, side=t
            )
            if side == args.small_side:
                break
    named = {str(name): call for name, call in calls.items()}
    times = clock.turns(named, args.runs, args.clock)
    rows, first = [], 0.0
    for name in calls:
        each = times[str(name)].median / name[0] ** 2
        first = first or each
        chosen = Tiles.for_network(network, None, (name[0], name[0])).side == name[1]
        tile = f"{name[1]} x {name[1]}{', chosen' if chosen else ''}"
        ratio, work = f"{each / first:.2f}", f"{seen[name] / name[0] ** 2:.2f}"
        rows.append((f"{name[0]} x {name[0]}", tile, work, f"{each * 1e6:.2f}", ratio))
    print(table(("field", "tiles", "seen", "microseconds a pixel", "ratio"), rows))

"""``python -m benchmarks.simulation``: the virtual AFM against real scans, and how fast it is."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from afmsr_core.errors import AfmsrError
from afmsr_core.simulation import PRESETS, SPECIMENS, simulate_pair
from afmsr_core.simulation.instrument import Instrument
from afmsr_core.simulation.pair import surface_for
from benchmarks.markdown import head, line
from benchmarks.simulation.figures import REAL, Figures, measure


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--scans", type=int, default=40, metavar="N", help="default: %(default)s")
    parser.add_argument("--size", type=int, default=192, metavar="PX", help="default: %(default)s")
    parser.add_argument("--preset", default="typical", choices=PRESETS)
    parser.add_argument("--corpus", type=Path, help="measure its pairs of real scans, too")
    parser.add_argument("--speed", type=int, metavar="PX", help="only the time of scans this large")
    args = parser.parse_args(argv)
    try:
        if args.speed:
            _speed(args.speed)
            return 0
        found = {"simulated": simulated(args.scans, args.size, args.preset)}
        if args.corpus:
            found["real, the same way"] = _real(args.corpus)
        _table(found)
    except AfmsrError as error:
        print(f"benchmarks.simulation: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def simulated(scans: int, size: int, preset: str) -> list[Figures]:
    """Measure simulated scans, as many of every typical kind of surface."""
    kinds = [kind.name for kind in SPECIMENS if kind.typical]
    found = []
    for seed in range(scans):
        name = kinds[seed % len(kinds)]
        pair = simulate_pair(name, size=size, preset_name=preset, seed=seed)
        trace, retrace = pair.high
        found.append(measure(trace.heights, retrace.heights, (trace.dx, trace.dy)))
    return found


def quartiles(figures: Sequence[Figures], name: str) -> tuple[float, float, float]:
    """Return median, lower and upper quartile of a figure."""
    values = [getattr(one, name) for one in figures]
    lower, median, upper = np.nanpercentile(values, [25, 50, 75])
    return float(median), float(lower), float(upper)


def _real(corpus: Path) -> list[Figures]:
    from benchmarks.retrace.pairs import SPLITS, read_pairs

    return [
        measure(one.trace, one.retrace, one.pixel_nm if one.size_known else None)
        for split in SPLITS
        for one in read_pairs(corpus, split)
        if min(one.trace.shape) >= 64 and max(one.trace.shape) <= 512
    ]


def _table(found: dict[str, list[Figures]]) -> None:
    print(head(("figure", "real, published", *found)))
    for name in [*REAL, "backlash", "near", "far", "exponent", "offsets_exponent", "scars"]:
        cells = [REAL.get(name), *(quartiles(one, name) for one in found.values())]
        print(line(name, *map(_cell, cells)))
    for title, figures in found.items():
        share = statistics.fmean(one.scars > 0 for one in figures)
        print(f"\n{title}: {len(figures)} scans, {share:.0%} with a scar")


def _cell(values: tuple[float, float, float] | None) -> str:
    if values is None:
        return "–"
    median, lower, upper = values
    return f"{median:.3g} [{lower:.2g}–{upper:.2g}]"


def _speed(size: int) -> None:
    """Print processor times: the machine may have other things to do."""
    print(head((f"{size} x {size}", "processor seconds")))
    rng = np.random.default_rng(0)
    conditions = PRESETS["typical"].draw(rng, pixel=12.0, slope=36.0)
    surface, area = surface_for("film", size, conditions, rng)
    made = _seconds(lambda: Instrument(surface, area, conditions, rng))
    instrument = Instrument(surface, area, conditions, rng)
    print(f"| bring the tip to the surface: dilation, once | {made:.2f} |")
    print(f"| a scan, trace and retrace | {_seconds(lambda: instrument.scan(size, size)):.2f} |")
    low = _seconds(lambda: instrument.scan(size // 4, size // 4))
    print(f"| the scan with a quarter of the pixels | {low:.2f} |")
    for kind in SPECIMENS:
        whole = _seconds(lambda name=kind.name: simulate_pair(name, size=size, seed=1), 1)
        print(f"| a whole pair, {kind.name}, the surface included | {whole:.2f} |")


def _seconds(job: Callable[[], object], runs: int = 3) -> float:
    taken = []
    for _ in range(runs):
        began = time.process_time()
        job()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())

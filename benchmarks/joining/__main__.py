"""``python -m benchmarks.joining``: the joint scan against the trace alone, by their errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from afmsr_core.errors import AfmsrError
from afmsr_core.simulation import PRESETS
from afmsr_core.upscale import Settings, Upscaler
from benchmarks.joining.repeated import Judged, repeated
from benchmarks.joining.virtual import gains
from benchmarks.markdown import head, line

JUDGED = [name for name in PRESETS if name != "ideal"]  # whose trace has no error to take off
COLUMNS = ("preset", "scans", "joined", "before", "median", "falls", "after", "median", "falls")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.joining", description=__doc__)
    parser.add_argument("--scans", type=int, default=16, metavar="N", help="default: %(default)s")
    parser.add_argument("--presets", nargs="*", default=JUDGED, choices=PRESETS)
    parser.add_argument("--method", default="afm", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--corpus", type=Path, help="judge its repeated scans, too")
    args = parser.parse_args(argv)
    try:
        if args.presets:
            _virtual(args.presets, args.scans, args.method)
        if args.corpus:
            _repeated(args.corpus)
    except AfmsrError as error:
        print(f"benchmarks.joining: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _virtual(presets: Sequence[str], scans: int, method: str) -> None:
    upscaler = Upscaler(Settings(method=method, threads=1))
    print(f"Change of the error against the exact surface in dB, before and after {method}:\n")
    print(head(COLUMNS))
    for preset in presets:
        found = [gains(preset, seed, upscaler) for seed in range(scans)]
        cells = []
        for values in (np.array([one[n] for one in found]) for n in (0, 1)):
            cells += [
                f"{values.mean():+.2f}",
                f"{np.median(values):+.2f} (most {values.max():+.2f})",
            ]
            cells.append(f"{np.mean(values < 0):.0%}")
        print(line(preset, scans, sum(one[2] for one in found), *cells), flush=True)


def _repeated(corpus: Path) -> None:
    """Print every pair whose trace was joined, and how many fall in each group."""
    print("\nTruth is another scan of the place, its same way or both ways:\n")
    print(head(_REPEATED, 2))
    groups: dict[str, list[Judged]] = {}
    for one in repeated(corpus):
        sample = one.scan.split("__")[0]
        groups.setdefault(f"{one.way}s, {sample}", []).append(one)
        if one.way == "trace":
            same, both, best = (f"{change:+.2f}" for change in one.changes)
            cells = f"{one.alone[0]:.4g}", f"{one.joint[0]:.4g}", same, best, both
            print(line(*(name.split("__")[-2] for name in (one.scan, one.truth)), *cells))
    print(f"\n{head(_GROUPS)}")
    for name, found in groups.items():
        changes = np.array([one.changes for one in found])
        mean, falls, most = changes.mean(axis=0), np.mean(changes < 0, axis=0), changes.max(axis=0)
        cells = [f"{mean[n]:+.3f} | {falls[n]:.0%} | {most[n]:+.2f}" for n in (0, 1)]
        print(line(name, len(found), *cells, f"{mean[2]:+.2f}"))


_REPEATED = ("scan", "truth", "alone, nm", "joint, nm", "dB", "at best", "dB, both ways")
_GROUPS = (
    "joined", "pairs", "same way", "falls", "most", "both ways", "falls", "most", "at best",
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())

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
from benchmarks.joining.repeated import repeated
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
    found = list(repeated(corpus))
    print(f"\nTruth is the trace of another scan of the place:\n\n{head(_REPEATED, 2)}")
    changes = []
    for one, other, alone, both in found:
        changes.append(20 * np.log10(both / alone))
        cells = f"{alone:.3f}", f"{both:.3f}", f"{changes[-1]:+.2f}"
        print(line(*(name.split("__")[-2] for name in (one, other)), *cells))
    if changes:
        print(
            f"\n{len(changes)} pairs: {np.mean(changes):+.3f} dB in the mean; falls on "
            f"{np.mean(np.array(changes) < 0):.0%}; most {max(changes):+.2f} dB"
        )


_REPEATED = ("scan", "truth", "trace, nm", "joint, nm", "dB")

if __name__ == "__main__":
    sys.exit(main())

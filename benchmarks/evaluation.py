"""``afmsr-eval`` from command to report, beside an earlier build, with the scores of both.

The earlier build is a checkout of the repository::

    git worktree add ../earlier 2dbdee6
    python -m benchmarks evaluation --earlier ../earlier
    git worktree remove ../earlier

    python -m benchmarks evaluation --earlier ../earlier --pairs 12 \
        --methods bilinear,bicubic,lanczos4,afm,carn_m --weights carn_m=carn_m.pth

It runs in this interpreter, with the packages that are installed here; its commands take turns
with ours, on the same pairs.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import process
from benchmarks.markdown import table

OURS, EARLIER = "this build", "earlier build"
PACKAGES = {"afmsr_core": "afmsr_core", "afmsr_cli": "cli"}  # and their folders in a checkout
PROGRAM = """
import shutil, sys
from pathlib import Path
code, wanted, results = map(Path, sys.argv[1:4])
sys.path.insert(0, str(code))
import afmsr_core, afmsr_cli
from afmsr_cli.main import main
for package in (afmsr_core, afmsr_cli):
    if Path(package.__file__).resolve().parents[1] != wanted:
        sys.exit(f"{package.__file__} runs, not the code in {wanted}")
shutil.rmtree(results, ignore_errors=True)
sys.exit(main(["eval", *sys.argv[4:], "-o", str(results), "--quiet"]))
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--earlier", type=Path, metavar="CHECKOUT", help="of an earlier build")
    parser.add_argument("--pairs", type=int, default=8, help="simulated (%(default)s)")
    parser.add_argument("--methods", default="bilinear,bicubic,lanczos4,afm", help="(%(default)s)")
    parser.add_argument(
        "--weights", action="append", default=[], metavar="METHOD=FILE", help="as afmsr-eval takes"
    )
    parser.add_argument("--runs", type=int, default=3, help="after a warm-up; 0: the first")


def run(args: argparse.Namespace) -> None:
    checkouts = {OURS: Path(__file__).resolve().parents[1]}
    if args.earlier:
        checkouts[EARLIER] = args.earlier.resolve()
    with tempfile.TemporaryDirectory(dir=process.disk()) as place:
        folder = Path(place)
        simulate = ["simulate", "-o", str(folder / "pairs"), "--seed", "1", "--quiet"]
        simulate += ["--pairs", str(args.pairs)]
        subprocess.run([sys.executable, "-m", "afmsr_cli.main", *simulate], check=True)
        evaluate = [str(folder / "pairs"), "--methods", args.methods]
        evaluate += [f"--weights={weights}" for weights in args.weights]
        commands = {}
        for name, checkout in checkouts.items():
            code = folder / f"code of {name}"
            code.mkdir()
            for package, source in PACKAGES.items():
                (code / package).symlink_to(checkout / source, target_is_directory=True)
            results = folder / f"results of {name}"
            commands[name] = [
                *(sys.executable, "-c", PROGRAM, str(code), str(checkout), str(results)),
                *evaluate,
            ]
        costs = process.compare(commands, args.runs)
        found = [
            json.loads((folder / f"results of {name}" / "results.json").read_text("utf-8"))
            for name in checkouts
        ]
    print(f"{args.pairs} pairs, {args.methods}, medians of {max(1, args.runs)} runs in turn\n")
    process.told(costs, OURS, "afmsr-eval, from command to report")
    if args.earlier:
        _tell_differences(*found)


def _tell_differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Print how far the scores are apart, metric by metric."""
    known = dict(_scores(theirs))
    apart: dict[tuple[str, str], list[float]] = defaultdict(list)
    for key, value in _scores(ours):
        if key in known:
            apart[key[-2], key[-1]].append(_apart(value, known[key]))
    rows = [
        (f"{metric} ({protocol})", len(each), each.count(0.0), f"{max(each):.1e}")
        for (protocol, metric), each in apart.items()
    ]
    columns = "scores", "compared", "equal to the bit", "largest relative difference"
    print(f"\n{table(columns, rows)}")


def _scores(results: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], float | None]]:
    """Yield pair, method, protocol and metric, and the score."""
    for pair in results["pairs"]:
        for protocol, methods in pair["scores"].items():
            for method, metrics in methods.items():
                for metric, score in metrics.items():
                    yield (pair["id"], method, protocol, metric), score["value"]


def _apart(one: float | None, other: float | None) -> float:
    if one == other:
        return 0.0
    if one is None or other is None:
        return math.inf
    return abs(one - other) / max(abs(one), abs(other))

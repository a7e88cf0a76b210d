"""``python -m benchmarks.retrace``: upscaled retraces against traces, for all methods at hand."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from afmsr_core import __version__, methods
from afmsr_core.alignment import AlignmentSettings
from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, UsageError
from afmsr_core.evaluation import methods_at_hand, runs
from afmsr_core.grid import LINES_X4
from afmsr_core.io.atomic import writing
from afmsr_core.quantity import counted
from afmsr_core.upscale import Settings, Upscaler
from benchmarks.retrace import figures, table
from benchmarks.retrace.pairs import SPLITS, read_pairs, trained_samples
from benchmarks.retrace.score import (
    BORDER,
    LINES,
    MAX_RESIDUAL,
    ROWS,
    RULE,
    Outcome,
    scale_of,
    score_pair,
)

PACKAGES = ("numpy", "scipy", "opencv-python", "scikit-image", "onnxruntime", "torch", "torchsr")
OURS = "afm"  # trained on part of the train split


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    args = _parser().parse_args(argv)
    try:
        weights = _weights(args.weights)
        of_squares = {n: file for n, file in weights.items() if not n.startswith(LINES)}
        names, missing = _methods(args.methods, of_squares)
        names += _of_lines(names) if args.lines else []
        ran = {name: _Method(name, weights, args.threads) for name in names}
        outcomes = []
        pairs = read_pairs(args.corpus, args.split)
        for number, pair in enumerate(pairs, 1):
            outcomes.append(score_pair(pair, ran, args.max_residual))
            verdict = outcomes[-1].reason or "scored"
            print(f"{number}/{len(pairs)} {pair.name}: {verdict}", file=sys.stderr, flush=True)
        if not any(one.scores for one in outcomes):
            print(table.dropped(outcomes), file=sys.stderr)
            return 3
        _report(outcomes, ran, missing, args)
    except AfmsrError as error:
        print(f"benchmarks.retrace: {error}", file=sys.stderr)
        return error.exit_status
    return 0


class _Method:
    """A method, and what it ran with: engine, device, hash of the weights."""

    def __init__(self, name: str, weights: Mapping[str, Path], threads: int | None) -> None:
        self._upscaler = Upscaler(
            Settings(
                method=name.removeprefix(LINES),
                restore_background=False,
                weights=weights.get(name),
                threads=threads,
                scale=scale_of(name).option,  # whatever the shape of the truth's pixels
            )
        )
        self.settings: dict[str, Any] = {}

    def __call__(self, channel: Channel) -> Channel:
        result = self._upscaler(channel)
        self.settings = dict(result.history[-1].settings)
        return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrace", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the pair lists")
    parser.add_argument("--split", choices=SPLITS, default=SPLITS[0])
    parser.add_argument("--methods", metavar="A,B", help="default: all that can run here")
    parser.add_argument("--weights", nargs="+", action="extend", default=[], metavar="METHOD=FILE")
    parser.add_argument(
        "--lines", action="store_true",
        help="also scans of all pixels of the lines, in the same scan time",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, help="of a network (default: all processors)")
    parser.add_argument(
        "--max-residual", type=float, default=MAX_RESIDUAL, metavar="PX",
        help=f"drop pairs that stay further apart (default: {MAX_RESIDUAL:g})",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="gets scores.json and figures"
    )
    return parser


def _weights(given: Sequence[str]) -> dict[str, Path]:
    files = {}
    for item in given:
        name, sign, file = item.partition("=")
        if not (name and sign and file):
            raise UsageError(f"--weights {item}: give METHOD=FILE, such as carn_m=carn_m.pth")
        lines = LINES if name.startswith(LINES) else ""
        files[lines + methods.get(name.removeprefix(LINES)).name] = Path(file)
    return files


def _methods(asked: str | None, weights: Mapping[str, Path]) -> tuple[list[str], dict[str, str]]:
    """Return the methods to run, bicubic among them, and why others cannot run."""
    if asked is None:
        for name, file in weights.items():  # one that was given by name must run
            runs(name, file)
        return methods_at_hand(methods.names(), weights)
    names = list(dict.fromkeys([*(methods.get(name).name for name in asked.split(","))]))
    for name in names:
        runs(name, weights.get(name))
    return (names if table.REFERENCE in names else [table.REFERENCE, *names]), {}


def _of_lines(names: Sequence[str]) -> list[str]:
    """Return what the methods that take lines with all of their pixels are called on them."""
    found = []
    for name in names:
        with suppress(UsageError):  # a network that was not trained for them
            methods.get(name, LINES_X4)
            found.append(f"{LINES}{name}")
    return found


def _report(
    outcomes: Sequence[Outcome],
    ran: Mapping[str, _Method],
    missing: Mapping[str, str],
    args: argparse.Namespace,
) -> None:
    """Print the tables; write every score and the figures if a folder was given."""
    groups = _groups(outcomes, list(ran), args)
    made_with = _versions()
    hashes = {name: one.settings.get("weights_sha256", "") for name, one in ran.items()}
    known = [f"{name} {digest[:12]}" for name, digest in hashes.items() if digest]
    print("versions: " + ", ".join(f"{name} {version}" for name, version in made_with.items()))
    print(f"weights: {', '.join(known) or 'none'}")
    print(f"not run, no weights: {', '.join(missing) or 'none'}\n")
    for group in groups:
        print(f"### {group.title}\n\n{table.markdown(group.summary)}")
        if args.lines:
            print(table.same_time(group.summary))
        print(table.per_scan(group.outcomes, group.methods))
    print(f"{table.NOTE}\n")
    print(f"Dropped:\n\n{table.dropped(outcomes)}")
    if args.output is None:
        return
    args.output.mkdir(parents=True, exist_ok=True)
    result = {
        "split": args.split,
        "versions": made_with,
        "methods": {name: one.settings for name, one in ran.items()},
        "not_run": dict(missing),
        "rule": RULE.format(limit=args.max_residual),
        "rows": ROWS,
        "border_px": BORDER,
        "alignment": AlignmentSettings(max_residual=args.max_residual).as_dict(),
        "tables": [
            {"title": g.title, "methods": list(g.methods), "rows": g.summary} for g in groups
        ],
        "pairs": [one.as_dict() for one in outcomes],
    }
    with writing(args.output / "scores.json", force=True) as file:
        file.write(json.dumps(result, indent=1).encode())
    shown = groups[-1]  # in train, the one that has our network too
    figures.gains(shown.outcomes, shown.methods, args.output)
    figures.cases(shown.outcomes, _hero(shown.methods), args.output)


@dataclass(frozen=True)
class _Group:
    """Scans that are tabled together, and methods that were trained on none of them."""

    title: str
    outcomes: Sequence[Outcome]
    methods: Sequence[str]

    @cached_property
    def summary(self) -> list[dict[str, Any]]:
        return table.summarise(self.outcomes, self.methods)


def _groups(
    outcomes: Sequence[Outcome], names: Sequence[str], args: argparse.Namespace
) -> list[_Group]:
    scored = [one for one in outcomes if one.scores]
    if args.split == "dev":
        return [_Group(f"dev: {_size(scored)}", scored, names)]
    others = [name for name in names if name.removeprefix(LINES) != OURS]
    groups = [_Group(f"train, methods not trained on it: {_size(scored)}", scored, others)]
    trained = trained_samples(args.corpus)
    unseen = [one for one in scored if one.pair.sample not in trained]
    if OURS in names and unseen:
        title = f"train, samples that {OURS} was not trained on: {_size(unseen)}"
        groups.append(_Group(title, unseen, names))
    return groups


def _size(scored: Sequence[Outcome]) -> str:
    samples = len({one.pair.sample for one in scored})
    return f"{counted(len(scored), 'scan')} of {counted(samples, 'sample')}"


def _hero(names: Sequence[str]) -> str:
    """Return the method whose good and bad cases are shown: ours, or the first network."""
    networks = [name for name in names if table.kind_of(name) == "network"]
    rest = [name for name in names if name != table.REFERENCE]
    return OURS if OURS in names else (networks or rest or list(names))[0]


def _versions() -> dict[str, str]:
    found = {"afmsr": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


if __name__ == "__main__":
    sys.exit(main())

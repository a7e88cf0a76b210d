"""Roughness, grains and pores: scan, bicubic and network against the full scan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from afmsr_core.metrics.grains import KINDS, Rule
from afmsr_core.metrics.numbers import REPORTED, numbers_of
from benchmarks.markdown import table
from benchmarks.trust.cases import BORDER, CONDITIONS, FACTOR, Case, Field, Method, cases
from training import corpus

METHODS = ("bicubic", "afm")
FEW = 10  # grains in the full scan, below which a ratio of counts says nothing
SIZES = {"diameter": "diameter", "width": "width at half height", "height": "height"}

Numbers = dict[str, Any]
Found = Mapping[tuple[str, str], list[tuple[Numbers, Numbers]]]
"""By condition and name of what is compared: its numbers, and those of the full scan."""


def grains(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the tables."""
    methods = {name: Method(name) for name in METHODS}
    found: dict[tuple[str, str], list[tuple[Numbers, Numbers]]] = defaultdict(list)
    for case in cases(corpus.dev_scans(folder), CONDITIONS):
        size = case.scan.nm_per_px or 1.0  # without a scale, ratios are what they are
        pixels = (size, size)
        coarse = (FACTOR * size, FACTOR * size)
        rule = Rule.of(case.coarse, coarse, FACTOR * size)
        truth = numbers_of(case.right, pixels, rule)
        scan = numbers_of(_inside(case), coarse, rule)
        found[case.condition, "the scan"].append((scan, truth))
        for name, method in methods.items():
            result = case.registered(method(case.coarse))
            found[case.condition, name].append((numbers_of(result, pixels, rule), truth))
    return "\n".join([_roughness(found), _counts(found), _sizes(found)])


def _roughness(found: Found) -> str:
    words = (
        "## Roughness\n\n"
        "Over that of the full scan: median and quartiles over the coarse scans of the dev split; "
        "in brackets the share in which the full scan's lies in the 95 % interval.\n\n"
    )
    rows = []
    for (condition, name), pairs in found.items():
        cells = []
        for parameter in REPORTED:
            ratio = [got[parameter] / true[parameter] for got, true in pairs]
            ends = [(got["intervals"][parameter], true[parameter]) for got, true in pairs]
            inside = np.mean([low <= value <= high for (low, high), value in ends])
            cells.append(f"{_spread(ratio)} [{inside:.0%}]")
        rows.append((condition, name, len(pairs), *cells))
    return words + table(("condition", "of", "scans", *REPORTED), rows, words=2) + "\n"


def _counts(found: Found) -> str:
    words = (
        "## Grains and pores: count\n\n"
        f"Coarse scans whose full scan has at least {FEW}. Count over that of the full scan: "
        "median and quartiles; error: median over the scans; inside: the full scan's count lies "
        "in the 95 % interval.\n\n"
    )
    rows = []
    for kind in KINDS:
        for (condition, name), pairs in found.items():
            told = _enough(pairs, kind)
            ratio = [got["count"] / true["count"] for got, true in told]
            inside = np.mean(
                [got["count_low"] <= true["count"] <= got["count_high"] for got, true in told]
            )
            error = np.median(np.abs(np.array(ratio) - 1))
            told_of = len(told), _spread(ratio), f"{error:.0%}", f"{inside:.0%}"
            rows.append((kind, condition, name, *told_of))
    columns = "", "condition", "of", "scans", "count over true one", "error", "inside"
    return words + table(columns, rows, words=3) + "\n"


def _sizes(found: Found) -> str:
    words = (
        "## Grains and pores: size\n\n"
        "Of the same: mean over that of the full scan, median and quartiles over the scans; in "
        "brackets the share in which the full scan's mean lies in the 95 % interval.\n\n"
    )
    rows = []
    for kind in KINDS:
        for (condition, name), pairs in found.items():
            cells = []
            for size in SIZES:
                told = [
                    (got, true[size])
                    for got, true in _enough(pairs, kind)
                    if got[f"{size}_low"] is not None and true[size]
                ]
                ratio = [got[size] / true for got, true in told]
                inside = np.mean(
                    [got[f"{size}_low"] <= true <= got[f"{size}_high"] for got, true in told]
                )
                cells.append(f"{_spread(ratio)} [{inside:.0%}]")
            rows.append((kind, condition, name, *cells))
    return words + table(("", "condition", "of", *SIZES.values()), rows, words=3) + "\n"


def _enough(pairs: list[tuple[Numbers, Numbers]], kind: str) -> list[tuple[Numbers, Numbers]]:
    """Return grains of those that have enough in the full scan."""
    return [(got[kind], true[kind]) for got, true in pairs if true[kind]["count"] >= FEW]


def _spread(ratio: list[float]) -> str:
    low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _inside(case: Case) -> Field:
    """Return the coarse scan without the border that is not scored."""
    edge = BORDER // FACTOR
    return case.coarse[edge:-edge, edge:-edge]

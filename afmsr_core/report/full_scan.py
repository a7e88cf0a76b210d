"""The table on the numbers of a full scan: whether the truth lies where they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from afmsr_core.quantity import counted
from afmsr_core.report.contents import Record, Results
from afmsr_core.report.table import Cell, Table, csv_text, in_full, number_cell

__all__ = ["longs", "sentences", "table"]

SHOWN = {
    "Sdq": "Sdq",
    "Sdr": "Sdr",
    "S10z": "S10z",
    "Sal": "Sal",
    "hills.count": "Grains, count",
    "hills.diameter": "Grains, diameter",
    "hills.width": "Grains, width",
    "dales.count": "Pores, count",
    "dales.diameter": "Pores, diameter",
    "dales.width": "Pores, width",
}
"""Numbers of the table; the others are in the CSV. Sa and Sq any scan gives."""

STATED = 0.95

RULE = (
    "Median and 95 % interval of what a full scan of the same place gives, as afmsr upscale tells "
    "it from the low-resolution scan alone, with surfaces drawn at random that fit that; and the "
    "same number of the truth, on its pixels, where results are scored. Truth over median: of the "
    "middle pair; 1 is right. Half-width: upper end over median, the geometric mean. S-filter: the "
    "pixel of the truth, for grains, pores and S10z a Gaussian of two measured pixels; no L-filter."
)


def _told(pair: Record) -> Record:
    found = (pair.get("trust") or {}).get("full_scan")
    return found if isinstance(found, dict) else {}


def table(results: Results, data_set: str) -> Table | None:
    """Return how often the truth lies in the interval of each number, or None."""
    told = [found for pair in results.pairs_of(data_set) if (found := _told(pair).get("numbers"))]
    rows = []
    for name, called in SHOWN.items():
        each = [one[name] for one in told if name in one]
        if each:
            inside = [one["low"] <= one["truth"] <= one["high"] for one in each]
            ratios = [one["truth"] / one["median"] for one in each]
            rows.append(
                [
                    Cell(called, name),
                    Cell(f"{sum(inside)} of {len(each)}", float(np.mean(inside))),
                    number_cell(float(np.median(ratios)), 2),
                    _times([one["high"] / one["median"] for one in each]),
                ]
            )
    if not rows:
        return None
    first = next(
        found for pair in results.pairs_of(data_set) if (found := _told(pair)).get("draws")
    )
    return Table(
        name=results.slug("full-scan", data_set),
        caption=f"Numbers of a full scan, by {results.label(first['method'])}"
        f"{results.of(data_set)}",
        head=[
            Cell("Number"),
            Cell("Inside", "Inside, share of pairs", below=f"{100 * STATED:g} % stated"),
            Cell("Truth", "Truth over median", below="over median"),
            Cell("Half-width", "Half-width, factor", below="factor"),
        ],
        rows=rows,
        remarks=[
            RULE,
            f"{counted(len(told), 'pair')}; {first['draws']} surfaces each, seed {first['seed']}.",
        ],
    )


def _times(factors: Sequence[float]) -> Cell:
    mean = float(np.exp(np.mean(np.log(factors))))
    return Cell(f"× {mean:.3g}", mean)


def sentences(results: Results) -> Iterator[str]:
    """Return why there are no numbers of a full scan of some or all pairs."""
    scored = [pair for pair in results.pairs if pair.get("status") == "scored"]
    reasons: dict[str, list[str]] = {}
    for pair in scored:
        if reason := str(_told(pair).get("reason") or ""):
            reasons.setdefault(reason, []).append(str(pair.get("id")))
    for reason, who in reasons.items():
        where = "" if len(who) == len(scored) else f" ({', '.join(who)})"
        yield f"Numbers of a full scan{where}: none, because {reason}."


def longs(results: Results) -> Iterator[tuple[str, str]]:
    """Return name and text of a CSV file with every number, pair by pair."""
    rows = list(_rows(results))
    if rows:
        head = ("pair", "data set", "method", "number", "median", "low", "high", "truth", "inside")
        yield "trust-full-scan", csv_text([head, *rows])


def _rows(results: Results) -> Iterator[Sequence[Any]]:
    for pair in results.pairs:
        found = _told(pair)
        for name, one in (found.get("numbers") or {}).items():
            values = map(in_full, (one[key] for key in ("median", "low", "high", "truth")))
            inside = int(one["low"] <= one["truth"] <= one["high"])
            who = pair.get("id"), pair.get("data_set") or "", found["method"], name
            yield *who, *values, inside

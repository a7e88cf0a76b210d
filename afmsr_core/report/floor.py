"""The floor: how much of every error is the truth's own noise, which no method can get below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from afmsr_core.quantity import counted
from afmsr_core.report.contents import Record, Results
from afmsr_core.report.table import MISSING, Cell, Table, csv_text, in_full, number, significant

__all__ = ["longs", "most_to_gain", "sentence", "table"]

RULE = (
    "The truth is a scan and has noise of its own; no method can come nearer to it than that. "
    "Told by the exact surface, where that is known: what the truth errs and no result shares. By "
    "trace and retrace: what they differ by, without what wanders slowly and is in both. By one "
    "scan: white noise and steps from line to line alone, so the floor is higher than that. Line "
    "offsets: of the lines of both scans, within the error of {who}."
)
WAYS = {
    "exact surface": "exact surface",
    "trace and retrace": "trace and retrace",
    "scan": "one scan",
}
BOUNDS = ("trace and retrace", "scan")
"""Sources that see a part of the noise only."""


def _floor(pair: Record) -> Record:
    found = (pair.get("trust") or {}).get("truth")
    return found if isinstance(found, dict) and found.get("noise") is not None else {}


def _shown(results: Results) -> str:
    """Return the method whose error is held against the floor: a network, if one ran."""
    return (results.networks or results.ran or [""])[-1]


def _errors(results: Results, pair: Record) -> tuple[float | None, float | None]:
    """Return the errors of the reference and of the method that is shown."""
    reference, shown = (
        results.score(pair, "nm", name, "rmse").value
        for name in (results.reference, _shown(results))
    )
    return reference, shown


def table(results: Results, data_set: str) -> Table | None:
    """Return error, floor and line offsets of every pair, or None if nothing is known."""
    pairs = [pair for pair in results.pairs_of(data_set) if _floor(pair)]
    if not pairs:
        return None
    unit, who = results.height_unit, results.label(_shown(results))
    rows = []
    for pair in pairs:
        floor = _floor(pair)
        reference, shown = _errors(results, pair)
        noise, source = float(floor["noise"]), str(floor["source"])
        offsets = (floor.get("line_offsets") or {}).get(_shown(results))
        bound = "≥ " if source in BOUNDS else ""
        rows.append(
            [
                Cell(str(pair["id"])),
                _plain(reference),
                _plain(shown),
                Cell(f"{bound}{significant(noise)}", noise),
                Cell(WAYS.get(source, source)),
                _percent(_share(noise, shown), bound),
                _plain(offsets),
                _most(noise, reference, "≤ " if bound else ""),
            ]
        )
    label = results.label(results.reference)
    return Table(
        name=results.slug("floor", data_set),
        caption=f"The noise of the truth in the error of every pair{results.of(data_set)}",
        head=[
            Cell("Pair"),
            Cell(f"RMSE of {label}, {unit}"),
            Cell(f"RMSE of {who}, {unit}"),
            Cell(f"Truth’s noise, {unit}", below="the floor"),
            Cell("Told by"),
            Cell("Share, %", f"Share of the squared error of {who}, %", below="of squared error"),
            Cell(f"Line offsets, {unit}", below="of both scans"),
            Cell("Most to gain, dB", f"Most to gain over {label}, dB", below=f"over {label}"),
        ],
        rows=rows,
        remarks=[RULE.format(who=who)],
    )


def sentence(results: Results, data_set: str) -> str:
    """Return how much of the error is the truth's own noise; empty if it is not known."""
    pairs = [pair for pair in results.pairs_of(data_set) if _floor(pair)]
    shares, most, bounds = [], [], False
    for pair in pairs:
        noise = float(_floor(pair)["noise"])
        reference, shown = _errors(results, pair)
        share, limit = _share(noise, shown), _limit(noise, reference)
        if share is None or limit is None:
            continue
        shares.append(100 * share)
        most.append(limit)
        bounds |= _floor(pair)["source"] in BOUNDS
    if not shares:
        return ""
    who, other = results.label(_shown(results)), results.label(results.reference)
    least = "at least " if bounds else ""
    many = len(shares) > 1
    spread = f" ({min(shares):.0f} % to {max(shares):.0f} %)" if many else ""
    where = f" on the median of {counted(len(shares), 'pair')}{spread}" if many else ""
    of = f" of {name}" if (name := results.called(data_set)) else ""
    return (
        f"The truth{of} is a scan, too: its own noise makes up {least}{np.median(shares):.0f} % of "
        f"the squared error of {who}{where}, so no method can gain more than "
        f"{np.median(most):.1f} dB over {other}{' there' if many else ''}."
    )


def _share(noise: float, error: float | None) -> float | None:
    """Return the share of the noise in a squared error; more than all of it is all."""
    return min(1.0, (noise / error) ** 2) if error else None


def _plain(value: float | None) -> Cell:
    return Cell(MISSING) if value is None else Cell(significant(value), value)


def _percent(share: float | None, bound: str) -> Cell:
    return Cell(MISSING) if share is None else Cell(f"{bound}{100 * share:.0f}", 100 * share)


def _most(noise: float, reference: float | None, bound: str) -> Cell:
    gain = _limit(noise, reference)
    return Cell(MISSING) if gain is None else Cell(f"{bound}{number(gain, 1)}", gain)


def _limit(noise: float, reference: float | None) -> float | None:
    """Return the gain over an error that leaves the noise alone, in dB."""
    if not reference or not noise:
        return None
    return max(0.0, 20 * float(np.log10(reference / noise)))


def most_to_gain(results: Results, data_set: str) -> dict[str, float]:
    """Return the gain over the reference, in dB, that no method can pass, by id of the pair.

    Where the noise of the truth is only partly known the true limit is lower.
    """
    found = {
        str(pair["id"]): _limit(float(_floor(pair)["noise"]), _errors(results, pair)[0])
        for pair in results.pairs_of(data_set)
        if _floor(pair)
    }
    return {pair: gain for pair, gain in found.items() if gain is not None}


def longs(results: Results) -> Iterator[tuple[str, str]]:
    """Return name and text of CSV files: the truth's noise, and errors against exact surfaces."""
    rows = list(_rows(results))
    if len(rows) > 1:
        yield "trust-truth", csv_text(rows)


def _rows(results: Results) -> Iterator[Sequence[Any]]:
    parts = ("noise", "white", "lines", "along")
    yield (
        *("pair", "data set", "unit", "told by", *parts, "method", "rmse", "line offsets"),
        *("rmse to exact surface under the tip", "rmse to exact surface"),
    )
    for pair in results.pairs:
        floor = _floor(pair)
        if not floor:
            continue
        exact = ((pair.get("trust") or {}).get("exact") or {}).get("methods") or {}
        unit = (pair.get("high") or {}).get("unit", "nm")
        numbers = [in_full(floor.get(part)) for part in parts]
        for method in results.ran:
            against = exact.get(method) or {}
            yield (
                *(pair.get("id"), pair.get("data_set") or "", unit, floor.get("source"), *numbers),
                method,
                in_full(results.score(pair, "nm", method, "rmse").value),
                in_full((floor.get("line_offsets") or {}).get(method)),
                *(in_full(against.get(key)) for key in ("rmse", "rmse_surface")),
            )

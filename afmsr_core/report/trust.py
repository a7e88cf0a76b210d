"""The trust section: what results invent and miss, and how often intervals hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from afmsr_core.quantity import counted
from afmsr_core.report.contents import Record, Results, slug
from afmsr_core.report.table import MISSING, Cell, Table, csv_text, digits, in_full, number_cell

__all__ = [
    "RULE",
    "alarm",
    "detail",
    "intervals",
    "levels_of",
    "longs",
    "pair_detail",
    "sentences",
    "summary",
]

RULE = (
    "Features are hills and hollows of up to a few measured pixels, higher than 5 σ, where σ is "
    "what the noise of the truth and of the low-resolution scan leaves in detail of that size. "
    "Invented: in the result, and not half as high within half a measured pixel in the truth; "
    "missing: the other way round."
)
SHOWN = 0.9
"""Stated share of the interval that the summary tells."""

ALARMING = 2.0
"""Intervals are called off that miss so many times as many pixels as they state. Of samples that
the calibration had not seen, the 90 % interval missed 8 % to 15 % in the mean (docs/trust.md)."""

JUDGED = (
    ("after_noise", "With the truth’s noise, %"),
    ("within_lines", "Without line offsets, %"),
    ("exact", "Exact surface, %"),
)
"""What coverage is judged by besides, and the heads of its columns."""

KINDS = ("invented", "missing")


def _trust(pair: Record, what: str) -> Record:
    """Return a part of what a record tells of trust; empty if it tells nothing."""
    found = (pair.get("trust") or {}).get(what)
    return found if isinstance(found, dict) else {}


# --- detail ------------------------------------------------------------------------------


def detail(results: Results, data_set: str) -> Table | None:
    """Return how much detail every method invents and misses on a data set, or None."""
    return _detail(
        results,
        results.pairs_of(data_set),
        results.slug("detail", data_set),
        results.of(data_set),
    )


def pair_detail(results: Results, pair: Record, name: str) -> Table | None:
    """Return the same of one pair; `name` is its part of a link."""
    return _detail(results, [pair], slug("pair-detail", name), "")


def _detail(results: Results, pairs: Sequence[Record], name: str, of: str) -> Table | None:
    told = [(found, found["methods"]) for pair in pairs if (found := _trust(pair, "detail")).get(
        "methods")]  # fmt: skip
    if not told:
        return None
    found = {m: [(one, ms[m]) for one, ms in told if m in ms] for m in results.ran}
    heights = [
        one[f"{kind}_{what}"]
        for of_method in found.values()
        for _, one in of_method
        for kind in KINDS
        for what in ("height", "highest")
        if one.get(f"{kind}_{what}") is not None
    ]
    decimals = min(digits(heights), 2)
    rows = []
    for method in results.ran:
        if not found[method]:
            note = "not aligned with the truth"
            rows.append([Cell(results.label(method)), *[Cell(MISSING, note=note)] * 10])
            continue
        note = "" if len(found[method]) == len(told) else f"{len(found[method])} of {len(told)}"
        cells = [Cell(results.label(method), method, note=note + " pairs" if note else "")]
        for kind, side in zip(KINDS, ("result", "truth"), strict=True):
            cells += _cells(found[method], kind, side, decimals)
        rows.append(cells)
    unit = results.height_unit
    heads = []
    for kind, whole in zip(KINDS, ("in the result", "in the truth"), strict=True):
        word = kind.capitalize()
        heads += [
            Cell(word, below="features"),
            Cell("per µm²", f"{word} per µm²"),
            Cell("%", f"{word}, % of all {whole}", below=f"of all {whole}"),
            Cell(f"Height, {unit}", f"{word}, median height, {unit}", below="median"),
            Cell(f"Highest, {unit}", f"{word}, highest, {unit}"),
        ]
    low, high = ([one[f"noise_{side}"] for one, _ in told] for side in ("low", "truth"))
    noise = (
        f"Noise: truth {_range(high)} {unit}, one pixel of the low-resolution scan {_range(low)} "
        f"{unit}. Counts are sums"
    )
    return Table(
        name=name,
        caption=f"Invented and missing detail above 5 σ of the noise{of}",
        head=[Cell("Method"), *heads],
        rows=rows,
        remarks=[
            RULE,
            f"{noise} over {counted(len(told), 'pair')}, heights medians of the "
            "pairs' medians. Heights are those above, or below, the surroundings.",
        ],
    )


def _cells(
    found: Sequence[tuple[Record, Record]], kind: str, side: str, decimals: int
) -> Iterator[Cell]:
    count = sum(one[kind] for _, one in found)
    total = sum(one[f"features_{side}"] for _, one in found)
    areas = [whole.get("area_um2") for whole, _ in found]
    known = [area for area in areas if area]
    yield Cell(str(count), count)
    density = count / sum(known) if known and len(known) == len(areas) else None
    yield number_cell(density, 2)
    share = 100 * count / total if total else None
    yield number_cell(share, 1)
    for what, summary in (("height", np.median), ("highest", np.max)):
        values = [one[f"{kind}_{what}"] for _, one in found if one[f"{kind}_{what}"] is not None]
        value = float(summary(values)) if values else None
        yield number_cell(value, decimals)


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2g}", f"{max(values):.2g}"
    return low if low == high else f"{low} to {high}"


# --- intervals ---------------------------------------------------------------------------


def levels_of(results: Results, data_set: str) -> list[list[Record]]:
    """Return stated and true coverage of every pair of a data set that has an interval."""
    found = (_trust(pair, "interval").get("levels") for pair in results.pairs_of(data_set))
    return [levels for levels in found if levels]


def intervals(results: Results, data_set: str) -> Table | None:
    """Return how often the truth lies within the intervals, and how wide they are, or None."""
    pairs = levels_of(results, data_set)
    if not pairs:
        return None
    rows = []
    widths = [level["half_width"] for levels in pairs for level in levels]
    judged = [(key, head) for key, head in JUDGED if _of_levels(pairs, key, SHOWN)]
    for column in zip(*pairs, strict=False):
        inside = [100 * one["coverage"] for one in column]
        half = _geometric([one["half_width"] for one in column])
        stated = column[0]["stated"]
        means = [100 * float(np.mean(_of_levels(pairs, key, stated))) for key, _ in judged]
        rows.append(
            [
                Cell(f"{100 * stated:g} %", stated),
                *(
                    number_cell(one, 1)
                    for one in (float(np.mean(inside)), min(inside), max(inside), *means)
                ),
                number_cell(half, digits(widths)),
            ]
        )
    of = results.of(data_set)
    return Table(
        name=results.slug("intervals", data_set),
        caption=f"Truth within the intervals of {_who(results)}{of}",
        head=[
            Cell("Stated"),
            Cell("Inside, %", below="mean of pairs"),
            Cell("Least, %", below="of a pair"),
            Cell("Most, %", below="of a pair"),
            *(Cell(head, below="mean of pairs") for _, head in judged),
            Cell(f"Half-width, {results.height_unit}", below="geometric mean"),
        ],
        rows=rows,
        remarks=[
            f"{counted(len(pairs), 'pair')}. Share of the pixels in which the truth "
            "lies within result ± half-width, after the plane of the difference. What is left of "
            "misalignment counts as an error.",
            *([" ".join((JUDGING, *(MEANT[key] for key, _ in judged)))] if judged else []),
        ],
    )


JUDGING = "The interval is for the surface, and the truth is a scan of it."
MEANT = {
    "after_noise": "With the truth’s noise: that is added to the half-width, as the root of the "
    "sum of squares.",
    "within_lines": "Without line offsets: and the median of every line is taken off "
    "the difference, because offsets of whole lines are those of the two scans.",
    "exact": "Exact surface: the half-width alone, against the surface that was simulated.",
}


def _of_levels(pairs: Sequence[Sequence[Record]], key: str, stated: float) -> list[float]:
    """Return what was counted for one stated coverage, of the pairs that have it."""
    found = (level.get(key) for levels in pairs for level in levels if level["stated"] == stated)
    return [one for one in found if one is not None]


def _geometric(values: Sequence[float]) -> float:
    """Return the geometric mean: half-widths range over decades with the relief."""
    return float(np.exp(np.mean(np.log(values)))) if min(values) > 0 else float(np.mean(values))


def _who(results: Results) -> str:
    names = [_trust(pair, "interval").get("method") for pair in results.pairs]
    return ", ".join(results.label(name) for name in dict.fromkeys(filter(None, names)))


def sentences(results: Results) -> Iterator[str]:
    """Return why there is no detail, or no interval, of some or all pairs."""
    scored = [pair for pair in results.pairs if pair.get("status") == "scored"]
    if not any(pair.get("trust") for pair in scored):
        yield "Not computed: it needs a scored pair in the protocol nm."
        return
    for what, title in (("detail", "Detail"), ("interval", "Intervals")):
        reasons: dict[str, list[str]] = {}
        for pair in scored:
            reason = str(_trust(pair, what).get("reason") or "")
            if reason:
                reasons.setdefault(reason, []).append(str(pair.get("id")))
        for reason, who in reasons.items():
            where = "" if len(who) == len(scored) else f" of {', '.join(who)}"
            yield f"{title}{where}: none, because {reason}."


def summary(results: Results) -> str:
    """Return how often the interval holds on all pairs, and an alarm; empty if there is none."""
    pairs = [levels for data_set in results.data_sets for levels in levels_of(results, data_set)]
    raw = _of_levels(pairs, "coverage", SHOWN)
    if not raw:
        return ""
    noise, lines, exact = (_of_levels(pairs, key, SHOWN) for key, _ in JUDGED)
    who, least = f"{100 * SHOWN:g} % interval of {_who(results)}", 1.0 - ALARMING * (1.0 - SHOWN)
    judged = float(np.mean(exact or noise or raw))
    if judged >= least:
        differs = noise and _percent(noise) != _percent(raw)
        allowed = (
            f" ({_percent(noise)} once the truth’s own noise is allowed for)" if differs else ""
        )
        known = f"; against the exact surface it holds in {_percent(exact)}" if exact else ""
        return f"The {who} holds the truth in {_percent(raw)} of the pixels{allowed}{known}."
    told = [f"Do not rely on the {who}: it holds the truth in {_percent(raw)} of the pixels only"]
    if noise:
        told.append(f"{_percent(noise)} once the truth’s own noise is allowed for")
    if lines:
        told.append(f"{_percent(lines)} once offsets of whole lines are taken off, too")
    if exact:
        told.append(f"and {_percent(exact)} against the exact surface")
    return f"{', '.join(told)}. {_cure(lines, exact, least)}"


def alarm(results: Results) -> str:
    """Return the summary where the intervals miss so often that it is a warning; else empty."""
    told = summary(results)
    return told if told.startswith("Do not") else ""


def _cure(lines: Sequence[float], exact: Sequence[float], least: float) -> str:
    if lines and float(np.mean(lines)) >= least and not exact:
        return (
            "So within a line it holds, and between lines it does not: level the lines "
            "(--level plane+rows-median), or calibrate on pairs of your own (afmsr calibrate)."
        )
    return (
        "These scans have more noise, line offsets or distortion of their own than those it was "
        "calibrated on: calibrate on pairs of your own (afmsr calibrate)."
    )


def _percent(shares: Sequence[float]) -> str:
    return f"{100 * float(np.mean(shares)):.0f} %"


# --- one value a line --------------------------------------------------------------------


def longs(results: Results) -> Iterator[tuple[str, str]]:
    """Return name and text of CSV files with the same, pair by pair."""
    if any(_trust(pair, "detail").get("methods") for pair in results.pairs):
        yield "trust-detail", csv_text(_detail_rows(results))
    if any(_trust(pair, "interval").get("levels") for pair in results.pairs):
        yield "trust-intervals", csv_text(_interval_rows(results))


def _detail_rows(results: Results) -> Iterator[Sequence[Any]]:
    keys = [*(f"features_{side}" for side in ("result", "truth")), *KINDS]
    keys += [f"{kind}_{what}" for kind in KINDS for what in ("rate", "height", "highest")]
    yield "pair", "data set", "method", "unit", "area (um2)", *keys, "sigma"
    for pair in results.pairs:
        found = _trust(pair, "detail")
        unit = (pair.get("high") or {}).get("unit", "nm")
        for method, one in (found.get("methods") or {}).items():
            values = [found.get("area_um2"), *(one.get(key) for key in (*keys, "sigma"))]
            yield pair.get("id"), pair.get("data_set") or "", method, unit, *map(in_full, values)


def _interval_rows(results: Results) -> Iterator[Sequence[Any]]:
    keys = "coverage", "after_noise", "within_lines", "exact", "half_width"
    yield "pair", "data set", "method", "unit", "stated", *(key.replace("_", "-") for key in keys)
    for pair in results.pairs:
        found = _trust(pair, "interval")
        unit = (pair.get("high") or {}).get("unit", "nm")
        for level in found.get("levels") or []:
            values = (level.get(key) for key in ("stated", *keys))
            who = (pair.get("id"), pair.get("data_set") or "", found.get("method"), unit)
            yield *who, *map(in_full, values)

"""Tables of the numbers that are reported, of scan, results and truth; and of their quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from afmsr_core.report.contents import Record, Results, slug
from afmsr_core.report.table import (
    MISSING,
    Cell,
    Table,
    csv_text,
    digits,
    in_full,
    number,
    significant,
)

__all__ = ["longs", "pair_reported", "quality", "reported"]

LOW, TRUTH = "low-resolution scan", "truth"

RULE = (
    "Grains are hills and pores dales, parted by watersheds after a Gaussian filter whose cut-off "
    "is two measured pixels; hills that rise less than 5 % of the truth's Sz above their highest "
    "saddle are joined to a neighbour (Wolf's pruning, ISO 25178-2). One rule for all rows. Width: "
    "of the disc as large as what lies above half the height. The low-resolution scan counts with "
    "its whole area, so compare its grains per µm²."
)
QUALITY = (
    "Noise floor: white noise and line offsets of a pixel, from the scan alone. Streak index: mean "
    "height of scars over all pixels, over Sq. Resolved: frequency up to which odd and even lines "
    "show the same (ring correlation 0.5); 0.25 means that or more."
)


MEANS = "Noise floor: geometric mean (least to most); the others: mean ± standard deviation."


@dataclass(frozen=True)
class _Column:
    """One number.

    Attributes
    ----------
    title, below : str
        Its head; ``{unit}`` stands for the unit of the heights.
    of : callable
        Takes the numbers of a surface and returns value and interval.
    whole : bool
        Whether it is a count.
    """

    title: str
    below: str
    of: Callable[[Record], tuple[float | None, Sequence[float] | None]]
    whole: bool = False

    @property
    def is_length(self) -> bool:
        """Whether it ranges over decades with the relief or the size of the scans."""
        return "{unit}" in self.title or self.title.endswith(", nm")


def _parameter(name: str) -> Callable[[Record], tuple[float | None, Sequence[float] | None]]:
    return lambda one: (one.get(name), (one.get("intervals") or {}).get(name))


def _grain(kind: str, name: str) -> Callable[[Record], tuple[float | None, Sequence[float] | None]]:
    def found(one: Record) -> tuple[float | None, Sequence[float] | None]:
        told = one.get(kind) or {}
        ends = told.get(f"{name}_low"), told.get(f"{name}_high")
        return told.get(name), None if None in ends else ends  # type: ignore[return-value]

    return found


COLUMNS = (
    _Column("Sa, {unit}", "", _parameter("Sa")),
    _Column("Sq, {unit}", "", _parameter("Sq")),
    _Column("S10z, {unit}", "", _parameter("S10z")),
    _Column("Sdq", "", _parameter("Sdq")),
    _Column("Sdr, %", "", _parameter("Sdr")),
    _Column("Sal, nm", "", _parameter("Sal")),
    *(
        column
        for kind, what, height in (("hills", "Grains", "height"), ("dales", "Pores", "depth"))
        for column in (
            _Column(what, "count", _grain(kind, "count"), whole=True),
            _Column(f"{what} per µm²", "", _grain(kind, "per_um2")),
            _Column(f"{what}, width, nm", "mean", _grain(kind, "width")),
            _Column(f"{what}, {height}, {{unit}}", "mean", _grain(kind, "height")),
        )
    ),
)


def _numbers(pair: Record) -> Record:
    found = (pair.get("trust") or {}).get("numbers")
    return found if isinstance(found, dict) and not found.get("reason") else {}


def reported(results: Results, data_set: str) -> Table | None:
    """Return the numbers of a data set: means over its pairs, or None if there are none."""
    of = results.of(data_set)
    return _reported(results, results.pairs_of(data_set), results.slug("numbers", data_set), of)


def pair_reported(results: Results, pair: Record, name: str) -> Table | None:
    """Return the numbers of one pair with intervals; `name` is its part of a link."""
    return _reported(results, [pair], slug("pair-numbers", name), "")


def _reported(results: Results, pairs: Sequence[Record], name: str, of: str) -> Table | None:
    told = [numbers for pair in pairs if (numbers := _numbers(pair))]
    if not told:
        return None
    surfaces: list[tuple[str, str, list[Record]]] = [(LOW, "low", [one["low"] for one in told])]
    for method in results.ran:
        there = [one["methods"][method] for one in told if method in one["methods"]]
        surfaces.append((results.label(method), method, there))
    surfaces.append((TRUTH, "truth", [one["truth"] for one in told]))
    alone = len(told) == 1
    rows = [[Cell(label, key)] for label, key, _ in surfaces]
    for column in COLUMNS:
        found = [[column.of(one) for one in there] for _, _, there in surfaces]
        known = [[value for value, _ in each if value is not None] for each in found]
        decimals = 0 if column.whole else digits([value for each in known for value in each])
        for row, each, values in zip(rows, found, known, strict=True):
            ends = each[0][1] if alone and each else None
            row.append(_cell(values, ends, decimals, column.is_length))
    heads = [
        Cell(column.title.format(unit=results.height_unit), below=column.below)
        for column in COLUMNS
    ]
    shown = (
        "In brackets: 95 % interval for another place of the same sample (roughness: bootstrap "
        "over 16 blocks; counts: Poisson; sizes: bootstrap over grains that nothing cuts)."
        if alone
        else f"Over {len(told)} pairs: heights and lengths as geometric mean (least to most), "
        "because they range with the samples, the others as mean ± standard deviation. Intervals "
        "stand with each pair."
    )
    bias = [one["sq_bias_of_levelling"] for one in told if one.get("sq_bias_of_levelling")]
    lost = (
        f" Levelling took about {-100 * float(np.mean(bias)):.2g} % off the Sq of the scan "
        "(Nečas et al. 2020); it is not put back here."
        if bias
        else ""
    )
    return Table(
        name=name,
        caption=f"Numbers that are reported{of}",
        head=[Cell("Surface"), *heads],
        rows=rows,
        remarks=[RULE, shown + lost],
    )


def _cell(
    values: Sequence[float], ends: Sequence[float] | None, decimals: int, is_length: bool = False
) -> Cell:
    if not values:
        return Cell(MISSING)
    if is_length and len(values) > 1 and min(values) > 0:
        mean = float(np.exp(np.mean(np.log(values))))
        span = f"{significant(min(values))} to {significant(max(values))}"
        return Cell(f"{significant(mean)} ({span})", mean)
    mean = float(np.mean(values))
    text = number(mean, decimals)
    if ends is not None:
        text += f" ({number(ends[0], decimals)} to {number(ends[1], decimals)})"
    elif len(values) > 1:
        text += f" ± {number(float(np.std(values, ddof=1)), decimals)}"
    return Cell(text, mean)


def quality(results: Results, data_set: str) -> Table | None:
    """Return what the scans of a data set tell of their own quality, or None."""
    told = [
        found
        for pair in results.pairs_of(data_set)
        if (found := (pair.get("trust") or {}).get("quality"))
    ]
    if not told:
        return None
    names = ("noise_floor", "noise_over_sq", "streak_index", "resolved_frequency")
    heads = (
        Cell(f"Noise floor, {results.height_unit}"),
        Cell("Noise over Sq"),
        Cell("Streak index"),
        Cell("Resolved", "Resolved, cycles per pixel", below="cycles/px"),
    )
    rows = [[Cell(LOW, "low")], [Cell(TRUTH, "truth")]]
    for name in names:
        sides = [
            [one[side][name] for one in told if one[side].get(name) is not None]
            for side in ("low", "truth")
        ]
        decimals = digits([value for side in sides for value in side])
        for row, values in zip(rows, sides, strict=True):
            row.append(_cell(values, None, decimals, name == "noise_floor"))
    of = results.of(data_set)
    return Table(
        name=results.slug("quality", data_set),
        caption=f"Quality that the scans tell of themselves{of}",
        head=[Cell("Scan"), *heads],
        rows=rows,
        remarks=[QUALITY, *([MEANS] if len(told) > 1 else [])],
    )


def longs(results: Results) -> Iterator[tuple[str, str]]:
    """Return name and text of a CSV file with every number, pair by pair."""
    rows = list(_rows(results))
    if rows:
        head = ("pair", "data set", "surface", "unit", "number", "value", "low", "high")
        yield "trust-numbers", csv_text([head, *rows])


def _rows(results: Results) -> Iterator[Sequence[Any]]:
    for pair in results.pairs:
        found = _numbers(pair)
        if not found:
            continue
        unit = (pair.get("high") or {}).get("unit", "nm")
        surfaces = {"low": found["low"], **found["methods"], "truth": found["truth"]}
        for name, one in surfaces.items():
            for column in COLUMNS:
                value, ends = column.of(one)
                told = map(in_full, (value, *(ends or (None, None))))
                title = column.title.format(unit=unit)
                yield pair.get("id"), pair.get("data_set") or "", name, unit, title, *told

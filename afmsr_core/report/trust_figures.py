"""The figures of the trust section: the calibration curve, and where the intervals fail most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from afmsr_core.picture.palettes import DEFAULT, DIFFERENCE, ERROR
from afmsr_core.picture.ranges import Range
from afmsr_core.quantity import readable
from afmsr_core.report.contents import Fields, Floats, Record, Results
from afmsr_core.report.panels import onto
from afmsr_core.report.tiles import Panel, colour_bar, tile
from afmsr_core.report.trust import levels_of
from afmsr_core.surfaces import fit_plane
from afmsr_core.webpage.chart import Axes, Chart, Figure, legend

__all__ = ["curve", "worst"]

CASES = 3
"""Regions that are shown, of all pairs together."""

ALLOWED = {
    "after_noise": "the truth’s noise allowed for",
    "within_lines": "line offsets taken off, too",
    "exact": "against the exact surface",
}
"""What coverage is judged by besides, by the name of it in a record."""

BESIDE_SCARS = (3.0, 97.0)
"""Percentiles of the heights at the ends of the colours: intervals fail where scars are, whose
lines are a few percent of such a region, and the relief beside them is to be seen."""


def curve(results: Results, data_set: str) -> Figure | None:
    """Return stated coverage against the share of truth inside, of every pair and their mean."""
    pairs = levels_of(results, data_set)
    if not pairs:
        return None
    of = results.of(data_set)
    stated = [100 * one["stated"] for one in pairs[0]]
    inside = np.array([[100 * one["coverage"] for one in pair] for pair in pairs])
    mean = inside.mean(axis=0)
    told = "; ".join(f"{x:g} % stated, {y:.1f} % inside" for x, y in zip(stated, mean, strict=True))
    chart = Chart(400, 330, f"Calibration curve{of}: {told}.")
    least = max(0.0, 10 * float(np.floor(min(inside.min(), min(stated)) / 10)) - 5)
    axes = Axes(chart, (44, 26, 340, 260), (least, 100), (least, 100))
    axes.across("stated coverage (%)")
    axes.upwards("truth inside (% of the pixels)")
    chart.line(axes.x(least), axes.y(least), axes.x(100), axes.y(100), "axis dashed")
    chart.text(56, 46, "intervals too wide", "soft")
    chart.text(376, 276, "intervals too narrow", "soft", "end")
    if len(pairs) > 1:
        for one in inside:
            axes.curve(stated, one, "i0")
    axes.curve(stated, mean, "m0")
    names = [("m0", f"all of the error{f', mean of {len(pairs)} pairs' * (len(pairs) > 1)}")]
    for kind, (key, name) in zip(("m1", "m2", "m3"), ALLOWED.items(), strict=True):
        known = [pair for pair in pairs if all(one.get(key) is not None for one in pair)]
        if known:
            allowed = np.mean([[100 * one[key] for one in pair] for pair in known], axis=0)
            axes.curve(stated, allowed, kind)
            names.append((kind, name))
    names += [("i0", "single pairs")] if len(pairs) > 1 else []
    for x, y in zip(stated, mean, strict=True):
        chart.dot(axes.x(x), axes.y(float(y)), "mean m0", 4, f"{x:g} % stated, {y:.1f} % inside")
    return Figure(
        results.slug("calibration", data_set),
        f"Calibration curve{of}: how often the truth lies within the interval, against how "
        "often it should. Dashed: as stated.",
        [chart, legend(names)],
        2,
    )


@dataclass(frozen=True)
class _Case:
    """A region in which the truth lies far outside."""

    pair: Record
    region: Record
    fields: Fields
    half_width: Floats
    method: str


def worst(results: Results) -> list[Panel]:
    """Return the regions of all pairs in which the error exceeds the half-width most."""
    return [_panel(results, case, place) for place, case in enumerate(_cases(results), 1)]


def _cases(results: Results) -> Iterator[_Case]:
    found = [
        (pair, region)
        for pair in results.pairs
        if pair.get("status") == "scored"
        for region in ((pair.get("trust") or {}).get("interval") or {}).get("worst") or []
    ]
    found.sort(key=lambda one: -one[1]["ratio"])
    for pair, region in found[:CASES]:
        fields = results.fields(pair)
        method = pair["trust"]["interval"]["method"]
        if fields and fields.half_width is not None and method in fields.of_methods:
            yield _Case(pair, region, fields, fields.half_width, method)


def _panel(results: Results, case: _Case, place: int) -> Panel:
    fields, region, unit = case.fields, case.region, results.height_unit
    side = int(region["side"])
    top, left = int(region["row"]), int(region["column"])
    part = np.s_[top : top + side, left : left + side]
    levelled = fit_plane(fields.truth).subtracted_from(fields.truth)
    moved = onto(fields.of_methods[case.method], fields.truth, levelled)
    error, half = (moved - levelled)[part], case.half_width[part]
    tilt = levelled[part] - fit_plane(levelled[part]).subtracted_from(levelled[part])
    heights = [moved[part] - tilt, levelled[part] - tilt]
    shown = Range.of(heights, BESIDE_SCARS)
    # In one figure error and half-width have the same colours per height.
    most = Range.symmetric([error, half], noun="errors")
    wide = Range(0.0, most.high)
    who = results.label(case.method)
    images = [("result: " + who, heights[0], shown, DEFAULT), ("truth", heights[1], shown, DEFAULT)]
    if fields.low is not None:
        low = onto(fields.low, fields.truth, levelled)[part] - tilt
        images.insert(0, ("low resolution", low, shown, DEFAULT))
    images += [
        ("result − truth", error, most, DIFFERENCE),
        ("half-width, 90 %", half, wide, ERROR),
        ("outside the interval", np.maximum(np.abs(error) - half, 0.0), wide, ERROR),
    ]
    whole = (0, 0, error.shape[1], error.shape[0])
    columns = [
        [tile(field, whole, fields.pixel_size, ends, name, title=title, bar=title == "truth")]
        for title, field, ends, name in images
    ]
    bars = [
        colour_bar(shown, DEFAULT, "height", unit),
        colour_bar(most, DIFFERENCE, "error", unit),
        colour_bar(wide, ERROR, "half-width", unit),
    ]
    dy, dx = fields.pixel_size
    corner = case.pair.get("crop") or [0, 0]
    x, y = (readable(n, "nm", 3) for n in ((corner[1] + left) * dx, (corner[0] + top) * dy))
    share = 100 * float(np.mean(np.abs(error) > half))
    return Panel(
        f"trust-worst-{place}",
        f"{case.pair['id']}, {x} from the left and {y} from the top: the truth lies outside the "
        f"interval in {share:.0f} % of the pixels; mean error {readable(region['error'], unit, 2)},"
        f" mean half-width {readable(region['half_width'], unit, 2)}. Colours: {shown.words}.",
        columns,
        bars,
    )

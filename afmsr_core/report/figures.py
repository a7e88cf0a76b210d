"""The figures of scores: gains of methods and of line scans, and every metric pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from afmsr_core.report import floor, gains
from afmsr_core.report.contents import Floats, Metric, Record, Results
from afmsr_core.report.table import number
from afmsr_core.webpage.chart import LETTER, Axes, Chart, Figure

__all__ = ["LEGEND", "boxes", "chart_of_gains", "gained", "kinds"]

LEGEND = (
    "Dots: one pair each. Ring and bar: mean with its 95 % interval. +1 dB is an RMS error 11 % "
    "smaller. Strokes: what the truth’s own noise leaves to gain on each pair; at the edge, on how "
    "many that lies beyond."
)
"""Of the charts of gains."""

NETWORKS, INTERPOLATIONS = 10, 3
"""Ways in which ``chart.css`` draws methods, each in a colour and a dash of its own."""

WIDTH, ROW = 420.0, 30.0
"""Of the chart of gains, in pixels, and of a method in it."""
BOX_WIDTH, BOX_ROW = 286.0, 19.0
"""The same of the small charts."""
SPREAD = 5.0
"""Pixels by which neighbouring dots are moved apart."""
LIMIT = ("truth’s noise:", "the limit")
WIDER = 2.5
"""By how much the limits may widen the scale of the chart."""
CHANCE = {"beyond": "more than chance", "within": "may be chance", "unknown": "too few pairs"}
REACH = 0.5
"""dB that the chart of gains shows at least on either side, so that nothing looks large."""


def kinds(results: Results) -> Mapping[str, str]:
    """Return how each method is drawn: a class of ``chart.css``."""
    networks = [m for m in results.ran if m in results.networks]
    plain = [m for m in results.ran if m not in results.networks]
    return {m: f"m{i % NETWORKS}" for i, m in enumerate(networks)} | {
        m: f"i{i % INTERPOLATIONS}" for i, m in enumerate(plain)
    }


# --- the first screen --------------------------------------------------------------------


def gained(results: Results, data_set: str, protocol: str, most: int) -> Figure | None:
    """Return the gain of every method over the reference: a dot a pair, mean and interval.

    Where more than `most` methods ran, it shows those that are networks, if any is.
    """
    told = gains.of_data_set(results, data_set, protocol)
    every = {one["method"]: one for one in told.get("against_reference") or []}
    reference = results.label(told["reference"]) if every else ""
    limits = floor.most_to_gain(results, data_set) if protocol == "nm" else {}
    name = results.slug("gains", data_set, protocol)
    return chart_of_gains(results, name, every, (reference, "method"), most, limits)


def chart_of_gains(
    results: Results,
    name: str,
    gains_of: Mapping[str, Record],
    sides: tuple[str, str],
    most: int,
    limits: Mapping[str, float] | None = None,
) -> Figure | None:
    """Return gains of the second side over the first: a row a method, a dot a pair.

    Parameters
    ----------
    results : Results
        With the labels of the methods.
    name : str
        Of the figure's file.
    gains_of : mapping of str to Record
        The gains in dB, by the name of the method.
    sides : tuple of str
        What is better where a gain is below 0, and where it is above.
    most : int
        Methods above which only networks are shown.
    limits : mapping of str to float, optional
        What no method can gain on each pair, in dB.

    Returns
    -------
    Figure or None
        None if no method has a gain.
    """
    networks = results.networks
    shown = [method for method, one in gains_of.items() if one["gains"]]
    if not shown:
        return None
    shown.sort(key=lambda method: method not in networks)
    if len(shown) > most:
        shown = [method for method in shown if method in networks] or shown
    every = [gains_of[method] for method in shown]
    reference, limits = sides[0], limits or {}
    ends = [v for one in every for v in (*one["gains"], one["low"], one["high"]) if v is not None]
    low, high = min(-REACH, *ends), max(REACH, *ends)
    middle = float(np.median(list(limits.values()))) if limits else high
    if high < middle < low + WIDER * (high - low):  # to be seen, but not to rule the scale
        high = middle
    beyond = sum(gain > high for gain in limits.values())
    room = 0.06 * (high - low)
    labels = [results.label(method) for method in shown]
    left = LETTER * max(map(len, (*labels, LIMIT[0]) if limits else labels)) + 14
    right = 118.0
    height = ROW * (len(every) + bool(limits))
    chart = Chart(
        WIDTH,
        height + 62,
        f"Gain over {reference} in dB on every pair: "
        + "; ".join(
            f"{label} {number(one['mean'], 2)} in the mean, better on {one['wins']} of "
            f"{len(one['gains'])}"
            for label, one in zip(labels, every, strict=True)
        ),
    )
    box = (left, 24.0, WIDTH - left - right, height)
    axes = Axes(chart, box, (low - room, high + room * (3 if beyond else 1)), (0, 1))
    axes.across(f"dB over {reference} on the same pair")
    zero = axes.x(0)
    chart.line(zero, 18, zero, 24 + height, "zero")
    chart.text(zero - 6, 14, f"◂ {reference} better", "soft", "end")
    chart.text(zero + 6, 14, f"{sides[1]} better ▸", "soft")
    styles = kinds(results)
    for place, (method, label, one) in enumerate(zip(shown, labels, every, strict=True)):
        y = 24 + ROW * (place + 0.5)
        _gain(chart, axes, y, label, one, styles[method])
        mean = f"{gains.signed(one['mean'])} dB, " if one["mean"] is not None else ""
        result = f"{mean}{one['wins']} of {len(one['gains'])}"
        chart.text(WIDTH - right + 10, y - 2, result, "bold")
        chart.text(WIDTH - right + 10, y + 11, CHANCE[one["chance"]], "soft")
    if limits:
        _limits(chart, axes, 24 + height - ROW / 2, limits, high)
    return Figure(name, "", [chart])


def _limits(
    chart: Chart, axes: Axes, y: float, limits: Mapping[str, float], highest: float
) -> None:
    """Draw what no method can gain: a stroke a pair, and how many lie beyond the highest."""
    end = axes.box[0] + axes.box[2]
    chart.text(axes.box[0] - 8, y - 2, LIMIT[0], "soft", "end")
    chart.text(axes.box[0] - 8, y + 11, LIMIT[1], "soft", "end")
    for gain in limits.values():
        if gain <= highest:
            chart.line(axes.x(gain), y - 6, axes.x(gain), y + 6, "limit")
    if beyond := sum(gain > highest for gain in limits.values()):
        chart.text(end, y + 4, f"{beyond} ▸", "soft", "end")
    median = float(np.median(list(limits.values())))
    chart.text(end + 10, y - 2, f"≤ +{number(median, 1)} dB", "bold")
    chart.text(end + 10, y + 11, "median pair" if len(limits) > 1 else "on the pair", "soft")


def _gain(chart: Chart, axes: Axes, y: float, label: str, one: Record, kind: str) -> None:
    chart.text(axes.box[0] - 8, y + 4, label, anchor="end")
    for image, gain in zip(one["images"], one["gains"], strict=True):
        if gain is not None:
            chart.dot(axes.x(gain), y, f"dot {kind}", 4, f"{image}: {number(gain, 2)} dB")
    if one["low"] is not None:
        chart.line(axes.x(one["low"]), y, axes.x(one["high"]), y, f"bar {kind}")
    if one["mean"] is not None:
        chart.dot(axes.x(one["mean"]), y, f"mean {kind}", 5)


# --- every metric ------------------------------------------------------------------------


def boxes(results: Results, data_set: str, protocol: str) -> Figure | None:
    """Return box plots of every metric with scores: a box a method, a dot a pair."""
    charts = []
    for metric in results.metrics(protocol):
        values = [results.values(data_set, protocol, m, metric.name) for m in results.ran]
        if any(len(one) for one in values):
            charts.append(_boxes(results, metric, values))
    if not charts:
        return None
    return Figure(
        results.slug("boxes", data_set, protocol),
        f"Scores of all pairs{results.of(data_set)}, {results.scale(protocol)}. Box: quartiles and "
        "median; dot: one pair. Grey: interpolations. Arrows point to better, or to the value of a "
        "perfect result.",
        charts,
        4,
    )


def _boxes(results: Results, metric: Metric, values: Sequence[Floats]) -> Chart:
    every = np.concatenate(values)
    low, high = float(every.min()), float(every.max())
    # Values over decades, as errors of flat and of high samples are, are told apart by ratios.
    log = low > 0 and high / low > 30
    room = 0.0 if log else 0.06 * ((high - low) or abs(high) or 1.0)
    height = BOX_ROW * len(values)
    title = f"{metric.title} {metric.arrow}".rstrip()
    medians = (
        f"{results.label(m)} {np.median(one):.3g}"
        for m, one in zip(results.ran, values, strict=True)
        if len(one)
    )
    chart = Chart(BOX_WIDTH, height + 44, f"{metric.title}, medians: {', '.join(medians)}")
    chart.text(0, 13, title, "bold")
    left = min(LETTER * max(len(results.label(m)) for m in results.ran) + 10, 110.0)
    ends = (low / 1.1, high * 1.1) if log else (low - room, high + room)
    axes = Axes(chart, (left, 22, BOX_WIDTH - left - 16, height), ends, (0, 1), (log, False))
    axes.across()
    styles = kinds(results)
    for place, (method, one) in enumerate(zip(results.ran, values, strict=True)):
        y, kind = 22 + BOX_ROW * (place + 0.5), styles[method]
        chart.text(left - 6, y + 4, results.label(method), anchor="end")
        if not len(one):
            continue
        first, middle, last = (axes.x(float(v)) for v in np.percentile(one, (25, 50, 75)))
        chart.rect(first, y - 6, max(last - first, 1), 12, f"box {kind}")
        chart.line(middle, y - 6, middle, y + 6, f"bar {kind}")
        for index, value in enumerate(np.sort(one)):
            chart.dot(axes.x(float(value)), y + SPREAD * (index % 3 - 1), f"dot {kind}", 1.8)
    return chart

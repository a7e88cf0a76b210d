"""The figures of the statistics: box plots, p-values, and differences from the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from afmsr_core.report import verdicts
from afmsr_core.report.contents import Floats, Metric, Record, Results
from afmsr_core.report.drawing import INK, Picture, canvas, finish, kind_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["boxes", "differences", "triangles"]

COLUMNS = 4
ROW, HEAD = 0.21, 0.72  # inches per method, and per row of axes besides
AXES, GAP = 2.58, 0.28  # inches: width of axes, and between them; four fill the page
LABELS = 0.95  # inches left of the axes for the names of methods

P_BOUNDS = (0.0, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0)
"""Limits of the classes of p in heat maps: evidence is told by its order, not its digits."""

P_COLOURS = ("#0b3c6f", "#2f6fb2", "#7fb0dd", "#f4e3c1", "#f8f1e2", "#ffffff")


# --- box plots ---------------------------------------------------------------------------


def boxes(results: Results, data_set: str, protocol: str) -> Picture | None:
    """Return box plots of every metric with scores: one box a method, one point a pair."""
    shown = []
    for metric in results.metrics(protocol):
        values = [results.values(data_set, protocol, m, metric.name) for m in results.ran]
        if any(len(one) for one in values):
            shown.append((metric, values))
    if not shown:
        return None
    of = results.of(data_set)
    with canvas(*_size(len(shown), len(results.ran))) as figure:
        for axes, (metric, values) in zip(_grid(figure, len(shown), results), shown, strict=True):
            _box(axes, values, results)
            axes.set_title(f"{metric.title}\u00a0{metric.arrow}".rstrip(), loc="left")
        return finish(
            figure,
            results.slug("boxes", data_set, protocol),
            f"Box plots of {', '.join(metric.label for metric, _ in shown)} by method{of}.",
            f"Scores of all pairs{of}, {results.scale(protocol)}. Box: quartiles and median; "
            "whiskers: furthest within 1.5 interquartile ranges; point: one pair. "
            "Grey: interpolations, blue: networks. Arrows point to better.",
        )


def _box(axes: Axes, values: Sequence[Floats], results: Results) -> None:
    places = [place for place, one in enumerate(values) if len(one)]
    drawn = axes.boxplot(
        [values[place] for place in places],
        positions=places,
        orientation="horizontal",
        widths=0.62,
        patch_artist=True,
        showfliers=False,
        medianprops={"color": INK, "linewidth": 1.1},
        whiskerprops={"color": "#6b7480", "linewidth": 0.7},
        capprops={"color": "#6b7480", "linewidth": 0.7},
        manage_ticks=False,
    )
    for place, box in zip(places, drawn["boxes"], strict=True):
        colour = kind_colour(results.ran[place] in results.networks)
        box.set(facecolor=colour + "55", edgecolor=colour, linewidth=0.8)
        there = np.sort(values[place])
        offset = 0.22 * ((np.arange(len(there)) % 3) - 1)  # apart, and the same every time
        axes.plot(there, place + offset, ".", color=colour, markersize=2.8, alpha=0.8)


# --- differences from the reference ------------------------------------------------------


def differences(results: Results, data_set: str, protocol: str) -> Picture | None:
    """Return paired differences from the reference with intervals, one axes a metric."""
    shown = [
        (metric, analysis)
        for metric, analysis in results.analyses(data_set, protocol)
        if any(one.get("difference") is not None for one in analysis.get("against_reference") or [])
    ]
    if not shown:
        return None
    reference = results.label(shown[0][1]["against_reference"][0]["reference"])
    of = results.of(data_set)
    confidence = (shown[0][1].get("settings") or {}).get("confidence") or 0.95
    with canvas(*_size(len(shown), len(results.ran))) as figure:
        for axes, (metric, analysis) in zip(_grid(figure, len(shown), results), shown, strict=True):
            _forest(axes, analysis, results)
            axes.set_title(f"{metric.title}\u00a0{metric.arrow}".rstrip(), loc="left")
        return finish(
            figure,
            results.slug("differences", data_set, protocol),
            f"Mean differences from {reference} with confidence intervals, for "
            f"{', '.join(metric.label for metric, _ in shown)}{of}.",
            f"Mean difference from {reference} on the same pairs{of}, {results.scale(protocol)}, "
            f"with {100 * confidence:g} % bootstrap interval. "
            "Filled: significant (paired t, Holm). Band: margin of equivalence, within which a "
            "difference does not matter. Arrows point to better.",
        )


def _forest(axes: Axes, analysis: Record, results: Results) -> None:
    alpha = (analysis.get("settings") or {}).get("alpha") or 0.05
    axes.axvline(0.0, color="#6b7480", linewidth=0.8, zorder=1)
    margins = []
    for one in analysis["against_reference"]:
        if one.get("difference") is None or one["method"] not in results.ran:
            continue
        place = results.ran.index(one["method"])
        colour = kind_colour(one["method"] in results.networks)
        ends = one.get("ci_low"), one.get("ci_high")
        if None not in ends:
            axes.plot(ends, [place, place], color=colour, linewidth=1.3, zorder=2)
        p = one.get("p_t_holm")
        filled = p is not None and p < alpha
        axes.plot(
            one["difference"], place, "o", color=colour, markersize=4.2, zorder=3,
            markerfacecolor=colour if filled else "white", markeredgewidth=1.0,
        )  # fmt: skip
        margin = ((one.get("equivalence") or {}).get("margin") or {}).get("value")
        margins += [margin] if margin else []
    reference = analysis["against_reference"][0]["reference"]
    if reference in results.ran:
        axes.plot(0.0, results.ran.index(reference), "|", color=INK, markersize=7, zorder=3)
    if margins:
        # The band must not rule the axis: where it is wider than the differences, it is cut.
        low, high = axes.get_xlim()
        axes.axvspan(-margins[0], margins[0], color="#e9f0e4", zorder=0, linewidth=0)
        reach = 1.15 * max(abs(low), abs(high))
        if margins[0] > 3 * reach:
            axes.set_xlim(-reach, reach)


# --- p-values ----------------------------------------------------------------------------


def triangles(results: Results, data_set: str, metric: Metric, analysis: Record) -> Picture | None:
    """Return lower triangles of p-values, one-way and blocked side by side, of one metric."""
    found = [(t, m) for t, m in verdicts.matrices(analysis) if t in verdicts.TESTS[:2]]
    tested = [(test, matrix) for test, matrix in found if _any_p(matrix)]
    if not tested:
        return None
    names = list(tested[0][1]["methods"])
    cell = 0.32
    side = cell * (len(names) - 1)
    bottom, left, gap, right, top = 0.72, 0.95, 0.35, 0.7, 0.5
    size = (left + 2 * side + gap + right, bottom + side + top)
    of = results.of(data_set)
    with canvas(*size) as figure:
        for place, (test, matrix) in enumerate(tested):
            box = (left + place * (side + gap), bottom, side, side)
            axes = figure.add_axes(
                (box[0] / size[0], box[1] / size[1], side / size[0], side / size[1])
            )
            _triangle(axes, matrix, [results.label(n) for n in names], place == 0)
            axes.set_title(test, fontsize=8, loc="left", fontweight="normal")
        figure.text(0.06 / size[0], 1 - 0.14 / size[1], metric.label, fontsize=9.5,
                    fontweight="bold", va="top")  # fmt: skip
        bar = ((left + 2 * side + gap + 0.15) / size[0], bottom / size[1] + 0.1 * side / size[1],
               0.13 / size[0], 0.8 * side / size[1])  # fmt: skip
        _legend(figure.add_axes(bar))
        return finish(
            figure,
            results.slug("p-values", data_set, metric.protocol, metric.name),
            f"Heat maps of p-values of {metric.label} for every pair of methods{of}: "
            f"{' and '.join(test for test, _ in tested)}. The numbers are in tables/p-values.csv.",
            "",
        )


def _any_p(matrix: Record) -> bool:
    return any(p is not None for row in matrix.get("p") or [] for p in row)


def _triangle(axes: Axes, matrix: Record, labels: Sequence[str], named: bool) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    table = np.array(matrix["p"], dtype=np.float64)[1:, :-1]  # None becomes NaN
    count = len(table)
    lower = np.tril(np.ones_like(table, dtype=bool))
    norm = BoundaryNorm(P_BOUNDS, len(P_COLOURS))
    axes.pcolormesh(
        np.ma.masked_invalid(np.where(lower, table, np.nan)),
        cmap=ListedColormap(P_COLOURS), norm=norm, edgecolors="#c5ccd4", linewidth=0.4,
    )  # fmt: skip
    for row, column in zip(*np.nonzero(lower), strict=True):
        p = table[row, column]
        dark = math.isfinite(p) and p < P_BOUNDS[2]
        axes.text(column + 0.5, row + 0.52, _short(p), ha="center", va="center", fontsize=6.6,
                  color="white" if dark else INK)  # fmt: skip
    # Labels as text: axes with ticks take twice as long to draw.
    for place in range(count):
        axes.text(place + 0.75, count + 0.2, labels[place], rotation=50, ha="right", va="top",
                  rotation_mode="anchor", fontsize=7.5)  # fmt: skip
        if named:
            axes.text(-0.2, place + 0.52, labels[place + 1], ha="right", va="center", fontsize=7.5)
    axes.set(xlim=(0, count), ylim=(count, 0), aspect="equal")
    axes.set_axis_off()


def _short(p: float) -> str:
    """Return a p-value in four signs."""
    if not math.isfinite(p):
        return "–"
    if p < P_BOUNDS[1]:
        return "<.001"
    return f"{p:.3f}".lstrip("0") if p < 0.0995 else f"{p:.2f}"


def _legend(axes: Axes) -> None:
    """Draw the classes of p as a bar."""
    count = len(P_COLOURS)
    for place, colour in enumerate(P_COLOURS):
        axes.barh(place + 0.5, 1, height=1, color=colour, edgecolor="#c5ccd4", linewidth=0.4)
    axes.set_ylim(0, count)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.set_yticks(range(count + 1), [f"{bound:g}" for bound in P_BOUNDS])
    axes.yaxis.tick_right()
    axes.tick_params(length=0, labelsize=6.5, pad=2)
    axes.spines[:].set_visible(False)
    axes.set_title("p", fontsize=8, fontweight="normal", pad=4)


# --- what the small multiples share ------------------------------------------------------


def _size(count: int, methods: int) -> tuple[float, float]:
    rows, columns = -(-count // COLUMNS), min(count, COLUMNS)
    width = LABELS + columns * (AXES + GAP) - GAP + 0.12
    return width, rows * (HEAD + ROW * methods)


def _grid(figure: Figure, count: int, results: Results) -> list[Axes]:
    """Return axes in rows; the methods run down, named on the left of each row."""
    width, height = figure.get_size_inches()
    inner = ROW * len(results.ran)
    found = []
    for index in range(count):
        row, column = divmod(index, COLUMNS)
        left = LABELS + column * (AXES + GAP)
        bottom = height - (row + 1) * (HEAD + inner) + 0.4
        axes = figure.add_axes((left / width, bottom / height, AXES / width, inner / height))
        named = results.ran if column == 0 else []  # a tick without a label is not seen
        places: Any = range(len(named))
        axes.set_yticks(places, [results.label(m) for m in named])
        axes.set_ylim(len(results.ran) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.locator_params(axis="x", nbins=5)
        found.append(axes)
    return found

"""Charts as SVG that the page holds: its colours, light and dark, and text that is text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from afmsr_core.picture.scales import ticks as round_numbers
from afmsr_core.quantity import power_of_ten
from afmsr_core.webpage.html import figure, shipped

__all__ = ["Axes", "Chart", "Figure", "Scale", "legend", "standalone"]

LETTER = 6.3
"""Width of a letter in pixels, on average, at the size that ``chart.css`` sets."""

DECADE = (1.0, 2.0, 5.0)
FINER = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
"""Ticks in a decade of a logarithmic axis, and where less than a few of these would be shown."""
FEW, MANY = 3, 7
ROOM = 40.0
"""Pixels that a tick needs, with its number."""

LINE = 18.0
"""Pixels between the lines of a legend."""

GAP = 14.0
"""Pixels between charts of one file."""
MARGIN = 8.0

VARIABLE = re.compile(r"var\((--[\w-]+)\)")


class Scale:
    """Where values lie along an axis.

    Parameters
    ----------
    low, high : float
        Values at its ends; both above 0 if it is logarithmic.
    start, end : float
        Where the ends are, in pixels.
    log : bool
        Whether it is logarithmic.
    """

    def __init__(
        self, low: float, high: float, start: float, end: float, *, log: bool = False
    ) -> None:
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, value: float) -> float:
        """Return the place of a value in pixels."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(max(value, 1e-300))
        span = (high - low) or 1.0
        return self.start + (at - low) / span * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Return values with their numbers, few enough to be read."""
        most = max(2, min(MANY, int(abs(self.end - self.start) / ROOM)))
        if not self.log:
            return round_numbers(self.low, self.high, "", most)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for steps in ((1.0,), DECADE, FINER):
            found = [
                step * 10.0**power
                for power in range(first, last + 1)
                for step in steps
                if self.low * 0.9999 <= step * 10.0**power <= self.high * 1.0001
            ]
            if len(found) >= FEW:
                return [(value, plain(value)) for value in found[:: -(-len(found) // most)]]
        return round_numbers(self.low, self.high, "", most)


def plain(value: float) -> str:
    """Return a tick of a logarithmic axis.

    Examples
    --------
    >>> plain(0.02), plain(300.0), plain(1e6), plain(1e-5)
    ('0.02', '300', '10⁶', '10⁻⁵')
    """
    if 1e-3 <= value < 1e5:
        return f"{value:.10g}"
    power = math.floor(math.log10(value) + 1e-9)
    digit = value / 10.0**power
    raised = power_of_ten(power)
    return raised if abs(digit - 1) < 1e-9 else f"{digit:g}·{raised}"


class Chart:
    """One SVG.

    Parameters
    ----------
    width, height : float
        In pixels.
    alt : str
        What it shows, for those who do not see it.
    """

    def __init__(self, width: float, height: float, alt: str) -> None:
        self.width, self.height, self.alt = width, height, alt
        self.parts: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Draw a straight line of a class of ``chart.css``."""
        self.parts.append(
            f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        )

    def rect(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Draw a rectangle."""
        self.parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}"/>'
        )

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """Write a text; `anchor` is start, middle or end."""
        self.parts.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def picture(self, x: float, y: float, width: float, height: float, address: str) -> None:
        """Place an image that fills a rectangle; `address` is a data URI."""
        self.parts.append(
            f'<image x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'preserveAspectRatio="none" href="{address}"/>'
        )

    def dot(self, x: float, y: float, kind: str, size: float = 3.5, told: str = "") -> None:
        """Draw a dot; `told` is what a pointer that rests on it reads."""
        title = f"<title>{escape(told)}</title>" if told else ""
        self.parts.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{size:g}">{title}</circle>'
        )

    @property
    def inline(self) -> str:
        """The chart as a part of a page."""
        return self._svg('class="chart"')

    def _svg(self, attributes: str) -> str:
        return (
            f'<svg {attributes} width="{self.width:g}" height="{self.height:g}" '
            f'viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-label="{escape(self.alt)}">{"".join(self.parts)}</svg>'
        )

    def placed(self, x: float, y: float) -> str:
        """Return the chart as a part of a file."""
        return self._svg(f'x="{x:g}" y="{y:g}"')


@dataclass(frozen=True)
class Figure:
    """Charts that belong together, in the page and as a file.

    Attributes
    ----------
    name : str
        Of its file, without extension, and of the links to it.
    caption : str
        Printed below it.
    charts : sequence of Chart
        They flow into rows as wide as the page.
    columns : int
        Charts in a row of the file.
    """

    name: str
    caption: str
    charts: Sequence[Chart]
    columns: int = 1

    @property
    def html(self) -> str:
        """The figure as a part of the page."""
        inner = "".join(chart.inline for chart in self.charts)
        return figure(self.name, f'<div class="charts">{inner}</div>', self.caption)

    @property
    def svg(self) -> str:
        """The figure as a file."""
        return standalone(self.charts, self.columns)


class Axes:
    """Two scales in a chart.

    Parameters
    ----------
    chart : Chart
        In which they are drawn.
    box : tuple of float
        Left, top, width and height in pixels.
    x, y : tuple of float
        Ends of the scales.
    log : tuple of bool
        Whether the scale across, and that upwards, is logarithmic.
    """

    def __init__(
        self,
        chart: Chart,
        box: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
        log: tuple[bool, bool] = (False, False),
    ) -> None:
        left, top, width, height = box
        self.chart, self.box = chart, box
        self.x = Scale(*x, left, left + width, log=log[0])
        self.y = Scale(*y, top + height, top, log=log[1])

    def across(self, label: str = "") -> None:
        """Draw the scale along the foot, with lines upwards."""
        left, top, width, height = self.box
        for value, text in self.x.ticks():
            at = self.x(value)
            self.chart.line(at, top, at, top + height, "grid")
            self.chart.text(at, top + height + 15, text, "soft", "middle")
        self.chart.line(left, top + height, left + width, top + height, "axis")
        self.chart.text(left + width / 2, top + height + 32, label, anchor="middle")

    def upwards(self, label: str = "") -> None:
        """Draw the scale along the left, with lines across; its label stands above."""
        left, top, width, height = self.box
        for value, text in self.y.ticks():
            at = self.y(value)
            self.chart.line(left, at, left + width, at, "grid")
            self.chart.text(left - 6, at + 4, text, "soft", "end")
        self.chart.line(left, top, left, top + height, "axis")
        self.chart.text(2, top - 10, label)

    def curve(self, xs: Iterable[float], ys: Iterable[float], kind: str) -> None:
        """Draw a curve, cut at the ends of the scales."""
        left, top, width, height = self.box
        points = " ".join(
            f"{self.x(x) - left:.1f},{self.y(y) - top:.1f}"
            for x, y in zip(xs, ys, strict=True)
            if math.isfinite(y)
        )
        self.chart.parts.append(
            f'<svg x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}">'
            f'<polyline class="line {kind}" points="{points}"/></svg>'
        )


def legend(entries: Sequence[tuple[str, str]]) -> Chart:
    """Return the lines of some curves, each a class of ``chart.css``, with their names."""
    width = 52 + LETTER * max(len(name) for _, name in entries)
    chart = Chart(width, LINE * len(entries) + 30, "Legend: " + ", ".join(n for _, n in entries))
    for place, (kind, name) in enumerate(entries):
        y = 28 + LINE * place
        chart.line(2, y, 36, y, f"line {kind}")
        chart.text(44, y + 4, name)
    return chart


def standalone(charts: Sequence[Chart], columns: int = 1) -> str:
    """Return charts as an SVG file, row by row, in the colours for paper."""
    rows = [charts[start : start + columns] for start in range(0, len(charts), columns)]
    parts: list[str] = []
    top, width = MARGIN, 0.0
    for row in rows:
        left = MARGIN
        for chart in row:
            parts.append(chart.placed(left, top))
            left += chart.width + GAP
        width = max(width, left - GAP + MARGIN)
        top += max(chart.height for chart in row) + GAP
    height = top - GAP + MARGIN
    light = dict(re.findall(r"(--[\w-]+): (#\w+)", shipped("style.css").partition("@media")[0]))
    style = VARIABLE.sub(lambda found: light[found[1]], shipped("chart.css"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}">\n<style>{style}</style>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{"".join(parts)}\n</svg>\n'
    )

"""An image in a figure: its colours, frame, scale bar, and the bar of its colours."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import OutputError
from afmsr_core.picture.colours import as_png, colours
from afmsr_core.picture.palettes import palette
from afmsr_core.picture.ranges import Range
from afmsr_core.picture.scales import scale_bar, ticks
from afmsr_core.report.contents import Floats
from afmsr_core.webpage.chart import LETTER, Chart, standalone
from afmsr_core.webpage.html import figure

__all__ = ["SIDE", "Panel", "Window", "colour_bar", "tile"]

SIDE = 190.0
"""Of an image in the page, in pixels: six of them fill its width."""
TITLE = 19.0
BAR = 240.0, 10.0
"""Width and thickness of a colour bar."""

JPEG = 84
"""Quality of images in the page. Those of few pixels are PNG, and drawn pixel by pixel."""
FEW = 48 * 48

Pixels = NDArray[np.uint8]
Window = tuple[int, int, int, int]
"""First row, first column, width and height, in pixels."""


class Panel:
    """Images side by side, with the bars of their colours.

    Parameters
    ----------
    name, caption : str
        Of its file and of the links to it; what is printed below.
    columns : sequence of sequence of Chart
        Images, of which those of a column belong together.
    bars : sequence of Chart
        Of the colours.
    """

    def __init__(
        self,
        name: str,
        caption: str,
        columns: Sequence[Sequence[Chart]],
        bars: Sequence[Chart],
    ) -> None:
        self.name, self.caption, self.columns, self.bars = name, caption, columns, bars

    @property
    def html(self) -> str:
        """The panel as a part of the page; columns flow into as many rows as they need."""
        told = (f"<div>{''.join(one.inline for one in column)}</div>" for column in self.columns)
        bars = "".join(bar.inline for bar in self.bars)
        count = len(self.columns)
        inner = (
            f'<div class="tiles" style="--columns: {count}">{"".join(told)}</div>'
            f'<div class="charts">{bars}</div>'
        )
        return figure(self.name, inner, self.caption)

    @property
    def svg(self) -> str:
        """The panel as a file."""
        rows = max(map(len, self.columns))
        empty = Chart(self.columns[0][0].width, 0, "")
        charts = [
            column[row] if row < len(column) else empty
            for row in range(rows)
            for column in self.columns
        ]
        return standalone([*charts, *self.bars], len(self.columns))


def tile(
    field: Floats,
    window: Window,
    pixel_size: tuple[float, float],
    shown: Range,
    name: str,
    *,
    title: str = "",
    bar: bool = True,
    inner: Window | None = None,
    side: int | None = None,
) -> Chart:
    """Return a window of a field as an image, in the proportions of its area.

    Parameters
    ----------
    field : ndarray of float64, shape (yres, xres)
        NaN where nothing was measured.
    window : tuple of int
        What is shown.
    pixel_size : tuple of float
        Height and width of a pixel in nm.
    shown : Range
        At the ends of the colours.
    name : str
        Of the palette.
    title : str
        Printed above it.
    bar : bool
        Whether it has a scale bar.
    inner : tuple of int, optional
        A window that is framed in it.
    side : int, optional
        Pixels of its longer side, at the most; above them neighbours are averaged.
    """
    top, left, width, height = window
    across, down = width * pixel_size[1], height * pixel_size[0]
    unit = SIDE / max(across, down)
    head = TITLE if title else 0.0
    chart = Chart(SIDE, down * unit + head, f"{title or 'image'}: {name}")
    if title:
        chart.text(0, 13, title, "bold")
    seen = colours(field[top : top + height, left : left + width], shown, name)
    chart.picture(0, head, across * unit, down * unit, _address(_fewer(seen, side)))
    if inner and inner[2:] != window[2:]:
        dy, dx = pixel_size[0] * unit, pixel_size[1] * unit
        frame = (inner[1] - left) * dx, head + (inner[0] - top) * dy, inner[2] * dx, inner[3] * dy
        chart.rect(*frame, "under")
        chart.rect(*frame, "frame")
    if bar:
        _scale_bar(chart, across, across * unit)
    return chart


def _scale_bar(chart: Chart, across: float, width: float) -> None:
    """Draw a scale bar at the lower left of an image `across` nm and `width` pixels wide."""
    length = scale_bar(across, "nm")
    drawn, told = length.share * width, LETTER * len(length.text)
    ground = max(drawn, told) + 10
    foot = chart.height
    chart.rect(0, foot - 25, ground, 25, "ground")
    chart.rect((ground - drawn) / 2, foot - 7, drawn, 3, "onbar")
    chart.text(ground / 2, foot - 11, length.text, "on", "middle")


def _fewer(seen: Pixels, side: int | None) -> Pixels:
    """Return an image of at most `side` pixels a side; neighbours are averaged."""
    longest = max(seen.shape)
    if side is None or longest <= side:
        return seen
    import cv2

    rows, columns = (max(1, round(one * side / longest)) for one in seen.shape[:2])
    return np.asarray(cv2.resize(seen, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _address(seen: Pixels) -> str:
    """Return an RGB image as a data URI."""
    if seen.shape[0] * seen.shape[1] <= FEW:
        kind, data = "png", as_png(seen)
    else:
        import cv2

        how = [cv2.IMWRITE_JPEG_QUALITY, JPEG, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
               cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # fmt: skip
        done, found = cv2.imencode(".jpg", seen[..., ::-1], how)
        if not done:
            raise OutputError("no report: OpenCV cannot write JPEG here; install it again")
        kind, data = "jpeg", found.tobytes()
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def colour_bar(shown: Range, name: str, label: str, unit: str) -> Chart:
    """Return the bar of some colours with its numbers; `label` stands to its left."""
    left = LETTER * len(label) + 14
    width, thick = BAR
    chart = Chart(left + width + 60, 34, f"{label}: {shown.low:.3g} to {shown.high:.3g} {unit}")
    chart.text(0, 13, label)
    chart.picture(left, 3, width, thick, _ramp(name))
    chart.rect(left, 3, width, thick, "axis")
    span = (shown.high - shown.low) or 1.0
    for value, text in ticks(shown.low, shown.high, unit, 5):
        at = left + (value - shown.low) / span * width
        chart.line(at, 3 + thick, at, 6 + thick, "axis")
        chart.text(at, 18 + thick, text, "soft", "middle")
    return chart


@cache
def _ramp(name: str) -> str:
    return _address(palette(name)[None])

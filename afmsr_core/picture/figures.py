"""Panels as a figure for the screen or for a paper."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from afmsr_core.errors import UsageError
from afmsr_core.picture.layout import (
    BAR,
    BAR_GAP,
    HEAD,
    MARGIN,
    NOTE,
    TEXT,
    TICK,
    TITLE,
    Layout,
    Place,
    head_of,
)
from afmsr_core.picture.lettering import FAMILY, INCH, LINE, extent, height_of
from afmsr_core.picture.palettes import palette
from afmsr_core.picture.panels import Panel
from afmsr_core.picture.scales import scale_bar, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "drawn", "format_of"]

FORMATS = ("png", "svg", "pdf", "tiff")
_RASTER = ("png", "tiff")

ONE_WIDE, MANY_WIDE = 85.0, 180.0
"""Widths in mm of one column and of the text, of most journals: of one panel, and of several."""

_WIDEST, _COARSEST, _FINEST = 1000.0, 30.0, 2400.0  # mm and dpi; beyond is a slip of the pen
_MOST_PIXELS = 2e8  # of PNG and TIFF: what fits into the memory of any computer
_TICK_ROOM = 5.0  # mm that a number beside a colour bar takes of its height
_INK, _FAINT = "#1b1f24", "#57606a"

_ALONE = threading.Lock()

_EAST_ASIAN = ["Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "Hiragino Sans",
               "Malgun Gothic"]  # fmt: skip  # for what DejaVu lacks, where the computer has them
_STYLE: dict[str, Any] = {
    "font.family": [*FAMILY, "sans-serif"],
    "font.sans-serif": ["Verdana", "Arial"],  # for an SVG where there is no DejaVu
    "text.color": _INK,
    "text.hinting": "none",  # which would move letters to whole pixels, and lines out of the figure
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "afmsr",
    "pdf.fonttype": 42,  # as journals want it
    "savefig.facecolor": "white",
}


def format_of(path: Path) -> str:
    """Return the format that the name of a file asks for.

    Raises
    ------
    UsageError
        If it is none of `FORMATS`.
    """
    kind = path.suffix.lower().removeprefix(".")
    kind = {"tif": "tiff"}.get(kind, kind)
    if kind not in FORMATS:
        raise UsageError(
            f"{path}: {path.suffix or 'no suffix'} is no format of pictures; end the name with "
            f"{', '.join(f'.{one}' for one in FORMATS[:-1])} or .{FORMATS[-1]}"
        )
    return kind


def drawn(
    panels: Sequence[Panel | None],
    kind: str = "png",
    *,
    width: float | None = None,
    dpi: float = 300.0,
    title: str = "",
    columns: int | None = None,
) -> bytes:
    """Return a figure of panels side by side as the bytes of a file.

    Each panel has the proportions of its area, a scale bar below and its title above. Where the
    panels of every row have the same range, unit and palette, a row has one colour bar. How the
    ends of the colours were chosen is told below.

    Parameters
    ----------
    panels : sequence of Panel or None
        At least one; None leaves a place empty.
    kind : {"png", "svg", "pdf", "tiff"}
        Text stays text in SVG and PDF, and pixels stay pixels.
    width : float, optional
        Of the figure in mm; by default `ONE_WIDE`, or `MANY_WIDE` for several panels.
    dpi : float
        Of PNG and TIFF, which tell it.
    title : str
        Above all.
    columns : int, optional
        In a row; by default up to four, in rows as long as each other.

    Returns
    -------
    bytes
        The same for the same input.

    Raises
    ------
    UsageError
        If the panels do not fit into the width.
    """
    if not any(panels):
        raise UsageError("a figure needs something to show; give a channel")
    if width is not None and not 0 < width <= _WIDEST:
        raise UsageError(f"--width {width:g}: give mm, up to {_WIDEST:g}")
    if not _COARSEST <= dpi <= _FINEST:
        raise UsageError(f"--dpi {dpi:g}: give {_COARSEST:g} to {_FINEST:g}")
    width = width or (ONE_WIDE if len(panels) == 1 else MANY_WIDE)
    with _styled():
        layout = Layout.of(panels, width, title, columns)
        if kind in _RASTER:
            if layout.width * layout.height * (dpi / INCH) ** 2 > _MOST_PIXELS:
                raise UsageError(
                    f"--dpi {dpi:g}: too many pixels at a width of {width:g} mm; give fewer dpi, "
                    f"or write .pdf, which keeps the pixels of the scan"
                )
            return _raster(_figure(layout, dpi), kind, dpi, layout)
        out = io.BytesIO()
        _figure(layout, None).savefig(out, format=kind, metadata=_metadata(kind, layout))
    return out.getvalue()


@contextmanager
def _styled() -> Iterator[None]:
    """Have Matplotlib draw in our style, whatever the user's is, and speak of errors only.

    Where it cannot write its cache, as on many a cluster, it would say so in each process, and of
    every sign that its fonts lack, which the figure shows as a box. Its style and fonts belong to
    the process: figures that two threads draw at once come out wrong.
    """
    import logging
    import warnings

    told = logging.getLogger("matplotlib")
    before = told.level
    told.setLevel(logging.ERROR)
    try:
        import matplotlib

        style: Any = _STYLE
        with _ALONE, warnings.catch_warnings(), matplotlib.rc_context():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(style)
            matplotlib.rcParams["font.family"] += _east_asian()
            yield
    finally:
        told.setLevel(before)


@lru_cache(maxsize=1)
def _east_asian() -> list[str]:
    """Return the fonts of `_EAST_ASIAN` that this computer has."""
    from matplotlib.font_manager import fontManager

    found = {font.name for font in fontManager.ttflist}
    return [name for name in _EAST_ASIAN if name in found]


def _metadata(kind: str, layout: Layout) -> dict[str, str | None]:
    """Return what a vector format is told: title and words, and no date."""
    if kind == "svg":
        return {"Date": None, "Creator": "afmsr", "Title": layout.name,
                "Description": layout.words}  # fmt: skip
    return {"CreationDate": None, "Creator": "afmsr", "Producer": None, "Title": layout.name,
            "Subject": layout.words}  # fmt: skip


def _raster(figure: Figure, kind: str, dpi: float, layout: Layout) -> bytes:
    """Return a figure as pixels without transparency, which not every journal takes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    seen = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
    told: dict[str, Any]
    if kind == "tiff":
        words = f"{layout.name}. {layout.words}".encode("ascii", "replace").decode()
        told = {"compression": "tiff_lzw", "description": words, "software": "afmsr"}
    else:
        chunks = PngInfo()
        for name, text in (("Software", "afmsr"), ("Title", layout.name),
                           ("Description", layout.words)):  # fmt: skip
            chunks.add_text(name, text)
        told = {"pnginfo": chunks}
    out = io.BytesIO()
    Image.fromarray(seen).save(out, kind.upper(), dpi=(dpi, dpi), **told)
    return out.getvalue()


# --- drawing -------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Return a text that Matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def _figure(layout: Layout, dpi: float | None) -> Figure:
    """Return the figure; all in one set of axes, in mm from the top left.

    Without `dpi` it is for a format that takes pixels as they are.
    """
    from matplotlib.figure import Figure

    size = layout.width / INCH, layout.height / INCH
    if dpi is not None:  # whole pixels; Matplotlib would cut the last off
        size = tuple((round(side * dpi) + 1e-6) / dpi for side in size)  # type: ignore[assignment]
    figure = Figure(figsize=size, dpi=dpi or 72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    _write(axes, layout.head, MARGIN, MARGIN, HEAD, weight="bold")
    for panel, place in zip(layout.panels, layout.places, strict=True):
        _draw(axes, panel, place, dpi)
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0), aspect="auto")
    foot = layout.height - MARGIN - height_of(layout.foot, NOTE)
    _write(axes, layout.foot, MARGIN, foot, NOTE, color=_FAINT)
    left, line = MARGIN, NOTE * LINE
    for colour, word in layout.legend:
        _box(axes, (left, foot - line - 0.2, 2.2, 2.2), np.array(colour) / 255)
        _write(axes, (word,), left + 2.9, foot - line - 0.4, NOTE)
        left += 2.9 + extent(word, NOTE) + 4.0
    return figure


def _draw(axes: Axes, panel: Panel, place: Place, dpi: float | None) -> None:
    start = place.top - head_of(place.title, place.subtitle)
    _write(axes, place.title, place.left, start, TITLE, weight="bold")
    _write(axes, place.subtitle, place.left, start + height_of(place.title, TITLE), TEXT)
    box = (place.left, place.top, place.width, place.height)
    _image(axes, panel.pixels(), box, dpi)
    bottom = place.top + place.height
    bar = scale_bar(panel.xreal, panel.lateral_unit)
    _box(axes, (place.left, bottom + 1.6, bar.share * place.width, 0.9), _INK)
    _write(axes, (bar.text,), place.left + bar.share * place.width + 1.2, bottom + 0.6, TEXT)
    if place.bar:
        _colour_bar(axes, panel, place, dpi)


def _colour_bar(axes: Axes, panel: Panel, place: Place, dpi: float | None) -> None:
    left = place.left + place.width + BAR_GAP
    ramp = palette(panel.palette)[::-1, None]
    _image(axes, ramp, (left, place.top, BAR, place.low), dpi)
    low, high = panel.shown.low, panel.shown.high
    for value, text in ticks(low, high, panel.unit, min(6, max(2, int(place.low / _TICK_ROOM)))):
        share = (value - low) / (high - low) if high > low else 0.5
        at = place.top + (1 - share) * place.low
        axes.plot([left + BAR, left + BAR + TICK], [at, at], color=_INK, linewidth=0.5)
        axes.text(left + BAR + TICK + 0.6, at, text, fontsize=TEXT, va="center_baseline")


def _image(
    axes: Axes, pixels: Any, box: tuple[float, float, float, float], dpi: float | None
) -> None:
    """Draw pixels as they are; where the figure has fewer of them, as their means."""
    left, top, width, height = box
    rows, columns = pixels.shape[:2]
    how = "none"
    if dpi is not None:
        fits = columns <= width * dpi / INCH and rows <= height * dpi / INCH
        how = "nearest" if fits else "antialiased"
    axes.imshow(
        pixels,
        extent=(left, left + width, top + height, top),
        interpolation=how,
        aspect="auto",
    )
    axes.plot(
        [left, left + width, left + width, left, left],
        [top, top, top + height, top + height, top],
        color=_INK,
        linewidth=0.4,
    )


def _box(axes: Axes, box: tuple[float, float, float, float], colour: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(box[:2], *box[2:], facecolor=colour, linewidth=0))


def _write(
    axes: Axes, lines: Sequence[str], left: float, top: float, size: float, **style: Any
) -> None:
    step = size * LINE
    for index, line in enumerate(lines):
        axes.text(
            left, top + (index + 0.78) * step, _plain(line), fontsize=size, va="baseline", **style
        )

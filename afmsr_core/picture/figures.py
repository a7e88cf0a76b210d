"""Panels as a figure for the screen or for a paper; everything is laid out in mm."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from afmsr_core.errors import UsageError
from afmsr_core.picture.colours import MASK_COLOUR
from afmsr_core.picture.palettes import palette, unmeasured_colour
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
_INCH = 25.4
_COLUMNS = 4  # panels in a row
_NARROWEST = 15.0  # mm of a panel, in which a scale bar can still be read
_TALLEST = 200.0  # mm of a panel by itself: what a page leaves
_TALL = 2.0  # widths of a column, which a panel beside others may be high
_LOWEST_BAR = 11.0  # mm of a colour bar, also beside a flat panel: room for two numbers
_LEAST = 0.5  # mm of a panel's side, of a single line too: else nothing would be seen
_OFF = 1e-6  # of the aspect, by rounding
_SQUEEZED = "Not in true proportions: the area is too narrow"
_MARGIN, _GAP = 1.5, 4.0  # around the figure, and between panels
_BAR_GAP, _BAR, _TICK = 1.8, 2.6, 0.9  # beside a panel: colour bar and its ticks
_ABOVE = 0.6  # between its title and a panel
_FOOT = 4.6  # below a panel: scale bar and its length
_LEADING = 1.25  # of lines, in heights of the font
_POINT = _INCH / 72
_HEAD, _TITLE, _TEXT, _NOTE = 9.0, 8.0, 7.0, 6.5  # points
_TICK_ROOM = 5.0  # mm that a number beside a colour bar takes of its height
_NAMED = 40  # letters of a title that a note repeats
_WORD = re.compile(r"\d+ × \d+ px\S*|\S+")  # what no line ends in
_THIN = "\N{THIN SPACE}"  # between digits
_LINES = 2  # of a title, after which it is cut
_INK, _FAINT = "#1b1f24", "#57606a"

_ALONE = threading.Lock()

_FAMILY = ["DejaVu Sans"]  # comes with Matplotlib: the same everywhere
_EAST_ASIAN = ["Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "Hiragino Sans",
               "Malgun Gothic"]  # fmt: skip  # for what it lacks, where the computer has them
_SQUARE = 1.0  # advance of a sign that it lacks, in heights of the font: most are East Asian
_STYLE: dict[str, Any] = {
    "font.family": [*_FAMILY, "sans-serif"],
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
        layout = _Layout.of(panels, width, title, columns)
        if kind in _RASTER:
            if layout.width * layout.height * (dpi / _INCH) ** 2 > _MOST_PIXELS:
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


def _metadata(kind: str, layout: _Layout) -> dict[str, str | None]:
    """Return what a vector format is told: title and words, and no date."""
    if kind == "svg":
        return {"Date": None, "Creator": "afmsr", "Title": layout.name,
                "Description": layout.words}  # fmt: skip
    return {"CreationDate": None, "Creator": "afmsr", "Producer": None, "Title": layout.name,
            "Subject": layout.words}  # fmt: skip


def _raster(figure: Figure, kind: str, dpi: float, layout: _Layout) -> bytes:
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


# --- layout --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """Where a panel stands, in mm from the top left; with or without a colour bar."""

    left: float
    top: float
    width: float
    height: float
    bar: bool
    title: tuple[str, ...]
    subtitle: tuple[str, ...]

    @property
    def low(self) -> float:
        """How far its colour bar reaches down, which may be below a flat panel."""
        return max(self.height, _LOWEST_BAR) if self.bar else self.height


@dataclass(frozen=True)
class _Layout:
    """A figure in mm."""

    panels: Sequence[Panel]
    places: Sequence[_Place]
    width: float
    height: float
    name: str
    head: tuple[str, ...]
    words: str
    foot: tuple[str, ...]
    legend: Sequence[tuple[tuple[int, int, int], str]]

    @classmethod
    def of(
        cls, places_of: Sequence[Panel | None], width: float, title: str, columns: int | None
    ) -> _Layout:
        """Lay panels out in rows."""
        columns = columns or -(-len(places_of) // -(-len(places_of) // _COLUMNS))
        rows = [places_of[at : at + columns] for at in range(0, len(places_of), columns)]
        panels = [one for one in places_of if one is not None]
        shared = all(
            len({(one.shown, one.unit, one.palette) for one in row if one}) <= 1 for row in rows
        )
        room = max(_bar_room(one) for one in panels)
        bars = 1 if shared else columns
        wide = (width - 2 * _MARGIN - (columns - 1) * _GAP - bars * room) / columns
        if wide < _NARROWEST:
            least = columns * (_NARROWEST - wide) + width
            raise UsageError(
                f"--width {width:g}: too narrow for {columns} in a row; give at least {least:.0f}"
            )
        head = _wrapped(title, _HEAD, width - 2 * _MARGIN, bold=True)
        top = _MARGIN + (_lines(head, _HEAD) + 1.0 if head else 0.0)
        places: list[_Place] = []
        tallest = _TALLEST if len(panels) == 1 else min(_TALLEST, _TALL * wide)
        step = wide + _GAP + (0.0 if shared else room)
        for row in rows:
            found = {column: one for column, one in enumerate(row) if one is not None}
            placed = [
                _Place(
                    _MARGIN + column * step, 0.0, *_fitted(wide, one.aspect, tallest),
                    bar=not shared or column == max(found),
                    title=_wrapped(one.title, _TITLE, wide, bold=True),
                    subtitle=_wrapped(one.subtitle, _TEXT, wide),
                )
                for column, one in found.items()
            ]  # fmt: skip
            top += max((_head_of(one.title, one.subtitle) for one in placed), default=0.0)
            places += [replace(one, top=top) for one in placed]
            top += max((max(one.height + _FOOT, one.low) for one in placed), default=0.0) + 1.0
        legend = _legend(panels)
        top += _NOTE * _POINT * _LEADING + 0.5 if legend else 0.0
        words = " ".join(f"{note}." for note in _notes(panels, places))
        foot = _wrapped(words, _NOTE, width - 2 * _MARGIN, lines=20)
        name = title or ", ".join(dict.fromkeys(one.title for one in panels if one.title))
        name, words = (_legible(one) for one in (name, words))
        return cls(panels, places, width, top + _lines(foot, _NOTE) + _MARGIN - 1.0,
                   name, head, words, foot, legend)  # fmt: skip


def _bar_room(panel: Panel) -> float:
    """Return what a colour bar takes beside a panel, numbers included."""
    texts = [text for _, text in ticks(panel.shown.low, panel.shown.high, panel.unit)]
    return _BAR_GAP + _BAR + _TICK + 0.6 + max(_extent(text, _TEXT) for text in texts)


def _head_of(title: Sequence[str], subtitle: Sequence[str]) -> float:
    """Return the height that the words above a panel take, in mm."""
    lines = _lines(title, _TITLE) + _lines(subtitle, _TEXT)
    return lines + _ABOVE if lines else 0.0


def _fitted(width: float, aspect: float, tallest: float) -> tuple[float, float]:
    """Return width and height of an area that is neither wider nor taller than may be."""
    across, down = min(width, tallest * aspect), min(width / aspect, tallest)
    return max(across, _LEAST), max(down, _LEAST)


def _notes(panels: Sequence[Panel], places: Sequence[_Place]) -> tuple[str, ...]:
    """Return what must be told, each once: of all, or of those that it is true of."""
    told: dict[str, list[str]] = {}
    for panel, place in zip(panels, places, strict=True):
        ends = (f"Colours span {panel.shown.words}",) if panel.shown.words else ()
        true = abs(place.width / place.height / panel.aspect - 1) < _OFF
        for note in (*ends, *panel.notes, *(() if true else (_SQUEEZED,))):
            told.setdefault(note, []).append(panel.title)
    return tuple(
        note if len(titles) == len(panels) else _of(titles, note) for note, titles in told.items()
    )


def _of(titles: Sequence[str], note: str) -> str:
    """Return a note with the names of what it is true of, if that has one."""
    half = _NAMED // 2
    short = (one if len(one) <= _NAMED else f"{one[:half]}…{one[-half:]}" for one in titles if one)
    named = ", ".join(dict.fromkeys(short))
    return f"{named}: {note[:1].lower()}{note[1:]}" if named else note


def _legend(panels: Sequence[Panel]) -> list[tuple[tuple[int, int, int], str]]:
    """Return what the colours mean that are no heights."""
    found = [(unmeasured_colour(one.palette), "not measured") for one in panels if one.lacks]
    found += [
        (MASK_COLOUR, one.marks) for one in panels if one.mask is not None and bool(one.mask.any())
    ]
    return list(dict.fromkeys(found))


# --- text ----------------------------------------------------------------------------------


def _extent(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a text in mm."""
    return sum(_advance(letter, bold) for letter in text) * size * _POINT


@lru_cache(maxsize=4096)
def _advance(letter: str, bold: bool) -> float:
    """Return how far a letter moves the pen, in heights of the font."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=_FAMILY, weight="bold" if bold else "normal")))
    font.set_size(100.0, 72)
    if not font.get_char_index(ord(letter)):
        return _SQUARE
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / 100


def _legible(text: str) -> str:
    """Return a text without what steers a terminal, or turns the direction of writing around.

    In the words of an SVG, such a character would make the file none.
    """
    kept = "".join(" " if sign.isspace() and sign != _THIN else sign for sign in text)
    return "".join(sign for sign in kept if sign.isprintable() or sign == _THIN)


def _plain(text: str) -> str:
    """Return a text that Matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def _wrapped(
    text: str, size: float, width: float, bold: bool = False, lines: int = _LINES
) -> tuple[str, ...]:
    """Return a text in lines that fit; what does not is cut, and seen to be."""
    found: list[str] = []
    for word in _WORD.findall(_legible(text)):
        longer = f"{found[-1]} {word}" if found else word
        if found and _extent(longer, size, bold) <= width:
            found[-1] = longer
        else:
            found.append(word)
    if len(found) > lines:
        found = [*found[: lines - 1], " ".join(found[lines - 1 :])]
    return tuple(_cut(line, size, width, bold) for line in found)


def _cut(line: str, size: float, width: float, bold: bool) -> str:
    """Return a line without its middle, if it is too long: names differ at their ends."""
    kept = len(line)
    shown = line
    while _extent(shown, size, bold) > width and kept > 2:
        kept -= 1
        shown = f"{line[: kept - kept // 2]}…{line[len(line) - kept // 2 :]}"
    return shown


def _lines(lines: Sequence[str], size: float) -> float:
    """Return the height of lines in mm."""
    return len(lines) * size * _POINT * _LEADING


# --- drawing -------------------------------------------------------------------------------


def _figure(layout: _Layout, dpi: float | None) -> Figure:
    """Return the figure; all in one set of axes, in mm from the top left.

    Without `dpi` it is for a format that takes pixels as they are.
    """
    from matplotlib.figure import Figure

    size = layout.width / _INCH, layout.height / _INCH
    if dpi is not None:  # whole pixels; Matplotlib would cut the last off
        size = tuple((round(side * dpi) + 1e-6) / dpi for side in size)  # type: ignore[assignment]
    figure = Figure(figsize=size, dpi=dpi or 72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    _write(axes, layout.head, _MARGIN, _MARGIN, _HEAD, weight="bold")
    for panel, place in zip(layout.panels, layout.places, strict=True):
        _draw(axes, panel, place, dpi)
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0), aspect="auto")
    foot = layout.height - _MARGIN - _lines(layout.foot, _NOTE)
    _write(axes, layout.foot, _MARGIN, foot, _NOTE, color=_FAINT)
    left, line = _MARGIN, _NOTE * _POINT * _LEADING
    for colour, word in layout.legend:
        _box(axes, (left, foot - line - 0.2, 2.2, 2.2), np.array(colour) / 255)
        _write(axes, (word,), left + 2.9, foot - line - 0.4, _NOTE)
        left += 2.9 + _extent(word, _NOTE) + 4.0
    return figure


def _draw(axes: Axes, panel: Panel, place: _Place, dpi: float | None) -> None:
    start = place.top - _head_of(place.title, place.subtitle)
    _write(axes, place.title, place.left, start, _TITLE, weight="bold")
    _write(axes, place.subtitle, place.left, start + _lines(place.title, _TITLE), _TEXT)
    box = (place.left, place.top, place.width, place.height)
    _image(axes, panel.pixels(), box, dpi)
    bottom = place.top + place.height
    bar = scale_bar(panel.xreal, panel.lateral_unit)
    _box(axes, (place.left, bottom + 1.6, bar.share * place.width, 0.9), _INK)
    _write(axes, (bar.text,), place.left + bar.share * place.width + 1.2, bottom + 0.6, _TEXT)
    if place.bar:
        _colour_bar(axes, panel, place, dpi)


def _colour_bar(axes: Axes, panel: Panel, place: _Place, dpi: float | None) -> None:
    left = place.left + place.width + _BAR_GAP
    ramp = palette(panel.palette)[::-1, None]
    _image(axes, ramp, (left, place.top, _BAR, place.low), dpi)
    low, high = panel.shown.low, panel.shown.high
    for value, text in ticks(low, high, panel.unit, min(6, max(2, int(place.low / _TICK_ROOM)))):
        share = (value - low) / (high - low) if high > low else 0.5
        at = place.top + (1 - share) * place.low
        axes.plot([left + _BAR, left + _BAR + _TICK], [at, at], color=_INK, linewidth=0.5)
        axes.text(left + _BAR + _TICK + 0.6, at, text, fontsize=_TEXT, va="center_baseline")


def _image(
    axes: Axes, pixels: Any, box: tuple[float, float, float, float], dpi: float | None
) -> None:
    """Draw pixels as they are; where the figure has fewer of them, as their means."""
    left, top, width, height = box
    rows, columns = pixels.shape[:2]
    how = "none"
    if dpi is not None:
        fits = columns <= width * dpi / _INCH and rows <= height * dpi / _INCH
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
    step = size * _POINT * _LEADING
    for index, line in enumerate(lines):
        axes.text(
            left, top + (index + 0.78) * step, _plain(line), fontsize=size, va="baseline", **style
        )

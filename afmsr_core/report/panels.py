"""Image panels as in the paper's Figures 1 and 2: whole crops above, details below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from afmsr_core.errors import FieldError
from afmsr_core.metrics.streaks import find_scars
from afmsr_core.preview import colours_of
from afmsr_core.report.contents import Fields, Floats, Record, Results
from afmsr_core.report.drawing import INK, Picture, canvas, finish_photo
from afmsr_core.surfaces import fit_plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CROP", "DETAIL", "Scale", "panel", "scale_of"]

CROP, DETAIL = 370, 80
"""Pixels of the truth that are shown, as in the paper: 94 and 20 of the low-resolution scan."""

SHOWN = (0.5, 99.5)
"""Percentiles at the ends of the colours: a spike must not rule them."""

COLUMNS = 7
IMAGE, GAP, TITLE, FOOT = 1.93, 0.07, 0.22, 0.36  # inches
BLOCK = TITLE + 2 * IMAGE + 2 * GAP  # of a whole crop, its title and its detail
SPARSE = 4
"""Of the truth every so many pixels, each way, make the colour scale."""

ARROWS = 5
"""Scars that get an arrow, the highest first."""

BAR_SHARE = 0.34
"""Of the width of an image that a scale bar may take."""


@dataclass(frozen=True)
class Scale:
    """Heights in nm at the ends of the colours, from the plane of the truth."""

    low: float
    high: float


def scale_of(truths: Sequence[Floats]) -> Scale:
    """Return the common scale of some fields, of which each is plane-levelled first."""
    every = [_levelled(one)[::SPARSE, ::SPARSE].ravel() for one in truths]
    values = np.concatenate(every) if every else np.zeros(1)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, SHOWN) if len(values) else (0.0, 1.0)
    return Scale(float(low), float(high) if high > low else float(low) + 1.0)


def panel(
    results: Results,
    pair: Record,
    fields: Fields,
    scale: Scale,
    name: str,
    *,
    dpi: float = 96,
    fine: bool = False,
    crop: int = CROP,
    detail: int = DETAIL,
) -> Picture:
    """Return the panel of a pair.

    Parameters
    ----------
    results, pair, fields
        The pair and its fields.
    scale : Scale
        Of the colours, the same for all pairs of a data set.
    name : str
        Of the files.
    dpi, fine
        As for `finish_photo`.
    crop, detail : int
        Edges of what is shown, in pixels of the truth.
    """
    window = _middle(fields.truth.shape, crop)
    inner = _most_relief(fields.truth, window, detail)
    images = list(_images(results, fields))
    rows = -(-len(images) // COLUMNS)
    columns = -(-len(images) // rows)  # rows of nearly the same length: no truth by itself
    width = columns * (IMAGE + GAP) - GAP + 2 * GAP
    height = rows * BLOCK + FOOT
    lines = _scar_lines(pair, fields)
    with canvas(width, height) as figure:
        # All in one set of axes, in inches from the top left: 24 sets cost ten times as long.
        axes = figure.add_axes((0, 0, 1, 1))
        for index, (label, field) in enumerate(images):
            row, column = divmod(index, columns)
            left, top = GAP + column * (IMAGE + GAP), row * BLOCK + TITLE
            axes.text(left, top - 0.05, label, fontsize=8.5, fontweight="bold", va="bottom")
            whole = _Place(window, fields.pixel_size, left, top)
            zoom = _Place(inner, fields.pixel_size, left, top + IMAGE + GAP)
            for place in (whole, zoom):
                place.show(axes, field, scale)
                place.bar(axes)
            if inner[2:] != window[2:]:
                whole.frame(axes, inner)
            whole.arrows(axes, lines.get(label, ()))
        axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
        axes.set_axis_off()
        _colour_bar(figure, scale, width, height, results.height_unit)
        shown = _physical(window, fields.pixel_size)
        of = f"{pair['id']}" + (f", {pair['data_set']}" if pair.get("data_set") else "")
        arrows = any(lines.values())
        low_px = _low_pixels(pair, fields, (window[2], inner[2]))
        return finish_photo(
            figure,
            name,
            f"Images of the pair {of}: {', '.join(label for label, _ in images)}; below each, the "
            "detail that is framed in it.",
            f"Pair {of}: {shown}, {window[2]} px of the high-resolution scan{low_px[0]}; details "
            f"{inner[2]} px{low_px[1]}, where the truth has most relief. The same colours "
            "everywhere in the data set, and every image on the plane of the truth; nothing is "
            "stretched." + (" Arrows: scars (streaks) found in that scan." if arrows else ""),
            dpi=dpi,
            fine=fine,
        )


# --- what is shown -----------------------------------------------------------------------


def _images(results: Results, fields: Fields) -> list[tuple[str, Floats]]:
    plane = fit_plane(fields.truth)
    truth = plane.subtracted_from(fields.truth)
    found = [("low resolution", fields.low)] if fields.low is not None else []
    found += [(results.label(name), field) for name, field in fields.of_methods.items()]
    levelled = [(label, _onto(np.asarray(field), fields.truth, truth)) for label, field in found]
    return [*levelled, ("truth", truth)]


def _onto(field: Floats, truth: Floats, levelled: Floats) -> Floats:
    """Return a field in the frame of the levelled truth: less the plane of their difference."""
    difference = field - truth
    if not np.isfinite(difference).any():
        return field
    flat = fit_plane(difference).subtracted_from(field)
    return np.asarray(flat + (levelled - truth))


def _levelled(field: Floats) -> Floats:
    if not np.isfinite(field).any():
        return field
    return np.asarray(fit_plane(field).subtracted_from(field))


Window = tuple[int, int, int, int]
"""First row, first column, width and height, in pixels."""


def _middle(shape: tuple[int, ...], size: int) -> Window:
    height, width = (min(size, side) for side in shape)
    return (shape[0] - height) // 2, (shape[1] - width) // 2, width, height


def _most_relief(truth: Floats, window: Window, size: int) -> Window:
    """Return the square of `size` pixels in the window in which the truth is steepest."""
    top, left, width, height = window
    seen = np.nan_to_num(truth[top : top + height, left : left + width])
    across, down = min(size, width), min(size, height)
    steep = sum(np.abs(slope) for slope in np.gradient(seen)) if min(seen.shape) > 1 else seen
    # A spike must not decide: slopes count up to what is usual.
    steep = np.minimum(steep, np.percentile(steep, 90))
    sums = np.pad(np.cumsum(np.cumsum(steep, axis=0), axis=1), ((1, 0), (1, 0)))
    boxes = sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across]
    boxes = boxes + sums[:-down, :-across]
    margin = max(0, min(width - across, height - down) // 16)  # off the border
    inner = boxes[margin : boxes.shape[0] - margin, margin : boxes.shape[1] - margin]
    row, column = np.unravel_index(int(np.argmax(np.round(inner, 6))), inner.shape)
    return top + int(row) + margin, left + int(column) + margin, across, down


def _low_pixels(pair: Record, fields: Fields, sizes: Sequence[int]) -> list[str]:
    """Return how many pixels of the low-resolution scan some widths are, in words."""
    low = pair.get("low") or {}
    try:
        ratio = low["xreal"] / low["xres"] / fields.pixel_size[1]
    except (KeyError, TypeError, ZeroDivisionError):
        return ["" for _ in sizes]
    if not 1 <= ratio < 100:
        return ["" for _ in sizes]
    return [f" ({size / ratio:.0f} of the low)" for size in sizes]


def _physical(window: Window, pixel_size: tuple[float, float]) -> str:
    across, down = window[2] * pixel_size[1], window[3] * pixel_size[0]
    if max(across, down) >= 1000:
        return f"{across / 1000:.3g} µm × {down / 1000:.3g} µm"
    return f"{across:.3g} nm × {down:.3g} nm"


# --- drawing -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """Where a window of a field is drawn: its corner in inches, within a square of `IMAGE`."""

    window: Window
    pixel_size: tuple[float, float]
    left: float
    top: float

    @property
    def inch(self) -> tuple[float, float]:
        """Height and width of a pixel in inches."""
        _, _, width, height = self.window
        dy, dx = self.pixel_size
        longest = max(width * dx, height * dy)
        return dy * IMAGE / longest, dx * IMAGE / longest

    @property
    def size(self) -> tuple[float, float]:
        """Height and width in inches."""
        return self.window[3] * self.inch[0], self.window[2] * self.inch[1]

    def at(self, row: float, column: float) -> tuple[float, float]:
        """Return where a place in the field is drawn: across and down."""
        top, left, _, _ = self.window
        return (
            self.left + (column - left) * self.inch[1],
            self.top + (row - top) * self.inch[0],
        )

    def show(self, axes: Axes, field: Floats, scale: Scale) -> None:
        """Draw the image."""
        top, left, width, height = self.window
        seen = field[top : top + height, left : left + width]
        down, across = self.size
        axes.imshow(
            colours_of(seen, scale.low, scale.high),
            interpolation="nearest" if max(seen.shape) < 200 else "auto",
            extent=(self.left, self.left + across, self.top + down, self.top),
            aspect="auto",
        )

    def frame(self, axes: Axes, inner: Window) -> None:
        """Frame a part of it."""
        corner = self.at(*inner[:2])
        across, down = inner[2] * self.inch[1], inner[3] * self.inch[0]
        for colour, line in (("black", 1.8), ("white", 0.8)):
            _rectangle(axes, corner, across, down, fill=False, edgecolor=colour, linewidth=line)

    def bar(self, axes: Axes) -> None:
        """Draw a scale bar of a round length at the lower left."""
        limit = BAR_SHARE * self.window[2] * self.pixel_size[1]
        power = 10.0 ** np.floor(np.log10(limit))
        nice = max(step * power for step in (1, 2, 5) if step * power <= limit)
        across = nice / self.pixel_size[1] * self.inch[1]
        text = f"{nice / 1000:g} µm" if nice >= 1000 else f"{nice:g} nm"
        foot = self.top + self.size[0]
        _rectangle(axes, (self.left, foot - 0.23), max(across, 0.38) + 0.12, 0.23,
                   facecolor="black", alpha=0.55, linewidth=0)  # fmt: skip
        start = self.left + 0.06 + max(0.38 - across, 0) / 2
        _rectangle(axes, (start, foot - 0.065), across, 0.03, facecolor="white", linewidth=0)
        axes.text(start + across / 2, foot - 0.085, text, color="white", fontsize=6.5,
                  ha="center", va="bottom")  # fmt: skip

    def arrows(self, axes: Axes, places: Sequence[tuple[float, float]]) -> None:
        """Point at the highest scars that begin within it, from their left."""
        top, left, width, height = self.window
        drawn: list[float] = []
        for row, column in places:
            inside = top < row < top + 0.84 * height and left <= column < left + 0.9 * width
            if not inside or any(abs(row - other) < 0.06 * height for other in drawn):
                continue
            drawn.append(row)
            tip, line = self.at(row, column)
            tip = max(tip, self.left + 0.16)
            axes.annotate(
                "", (tip, line), (tip - 0.17, line), annotation_clip=False,
                arrowprops={"arrowstyle": "-|>", "color": "#00e5ff", "linewidth": 1.1,
                            "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
            if len(drawn) == ARROWS:
                return


def _rectangle(
    axes: Axes, corner: tuple[float, float], width: float, height: float, **style: Any
) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(corner, width, height, **style))


def _colour_bar(figure: Figure, scale: Scale, width: float, height: float, unit: str) -> None:
    across, thick, bottom = min(2.6, 0.4 * width), 0.09, 0.16
    left = width - across - 0.1
    axes = figure.add_axes((left / width, bottom / height, across / width, thick / height))
    ramp: Any = colours_of(np.linspace(scale.low, scale.high, 256)[None, :], scale.low, scale.high)
    axes.imshow(ramp, aspect="auto", extent=(scale.low, scale.high, 0, 1))
    axes.set_yticks([])
    axes.tick_params(labelsize=6.8, length=2, pad=1.5)
    axes.locator_params(axis="x", nbins=5)
    axes.spines[:].set_linewidth(0.4)
    figure.text((left - 0.08) / width, (bottom + thick / 2) / height, f"height ({unit})",
                fontsize=7.5, ha="right", va="center", color=INK)  # fmt: skip


# --- scars -------------------------------------------------------------------------------


def _scar_lines(pair: Record, fields: Fields) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return where scars begin (row and column, truth pixels), by image in which they are."""
    found = {"truth": _scars(fields.truth, 1.0, 1.0)}
    low = pair.get("low") or {}
    try:
        steps = [
            low[f"{a}real"] / low[f"{a}res"] / fields.pixel_size[i] for i, a in enumerate("yx")
        ]
    except (KeyError, TypeError, ZeroDivisionError):
        return found
    if fields.low is not None and min(steps) >= 1:
        found["low resolution"] = _scars(fields.low, *steps)
    return found


def _scars(field: Floats, down: float, across: float) -> tuple[tuple[float, float], ...]:
    """Return the places of the highest scars of a scan whose pixels are repeated."""
    rows = (np.arange(int(field.shape[0] / down)) + 0.5) * down
    columns = (np.arange(int(field.shape[1] / across)) + 0.5) * across
    try:
        scars = find_scars(field[np.ix_(rows.astype(int), columns.astype(int))])
    except FieldError:
        return ()
    highest = sorted(scars, key=lambda scar: -abs(scar.height) * scar.pixels)
    return tuple(((s.row + s.width / 2) * down, s.start * across) for s in highest)

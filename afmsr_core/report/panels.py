"""Image panels as in the paper's Figures 1 and 2: whole crops above, details below, then errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from afmsr_core.errors import FieldError
from afmsr_core.metrics.streaks import find_scars
from afmsr_core.picture import colours_of
from afmsr_core.report.contents import Fields, Floats, Record, Results
from afmsr_core.report.drawing import Picture, canvas, finish_photo
from afmsr_core.report.places import IMAGE, Place, Window, colour_bar
from afmsr_core.surfaces import fit_plane

__all__ = [
    "CROP",
    "DETAIL",
    "Off",
    "Scale",
    "Window",
    "middle",
    "most_relief",
    "onto",
    "panel",
    "scale_of",
]

CROP, DETAIL = 370, 80
"""Pixels of the truth that are shown, as in the paper: 94 and 20 of the low-resolution scan."""

SHOWN = (0.5, 99.5)
"""Percentiles at the ends of the colours: a spike must not rule them."""

COLUMNS = 7
GAP, TITLE, FOOT = 0.07, 0.22, 0.36  # inches
BLOCK = TITLE + 3 * (IMAGE + GAP)  # of a whole crop, its title, its detail and its error
ERRORS = 99.0
"""Percentile of all methods' errors at the ends of their colours, which are symmetric."""

SPARSE = 4
"""Of the truth every so many pixels, each way, make the colour scale."""


@dataclass(frozen=True)
class Scale:
    """Heights in nm at the ends of the colours, from the plane of the truth."""

    low: float
    high: float

    def colours(self, heights: Floats) -> Floats:
        """Return RGB of heights."""
        return np.asarray(colours_of(heights, self.low, self.high))


@dataclass(frozen=True)
class Off:
    """The error at the ends of the colours: blue below the truth, red above, white right."""

    most: float

    @classmethod
    def of(cls, errors: Sequence[Floats]) -> Off:
        """Return the colours of some errors, by what nearly all of them stay within."""
        every = [np.abs(one[np.isfinite(one)]) for one in errors]
        values = np.concatenate(every) if every else np.zeros(0)
        most = float(np.percentile(values, ERRORS)) if len(values) else 0.0
        return cls(most or 1.0)

    def colours(self, error: Floats) -> Floats:
        """Return RGB of errors."""
        from matplotlib import colormaps

        drawn = colormaps["RdBu_r"](0.5 + error / (2 * self.most))[..., :3]
        return np.where(np.isfinite(error)[..., None], drawn, 0.5)


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
    window = middle(fields.truth.shape, crop)
    inner = most_relief(fields.truth, window, detail)
    images = list(_images(results, fields))
    rows = -(-len(images) // COLUMNS)
    columns = -(-len(images) // rows)  # rows of nearly the same length: no truth by itself
    width = columns * (IMAGE + GAP) - GAP + 2 * GAP
    height = rows * BLOCK + FOOT
    lines = _scar_lines(pair, fields)
    errors = _errors(results, fields, images)
    off = Off.of([_part(error, window) for error in errors.values()])
    with canvas(width, height) as figure:
        # All in one set of axes, in inches from the top left: 24 sets cost ten times as long.
        axes = figure.add_axes((0, 0, 1, 1))
        for index, (label, field) in enumerate(images):
            row, column = divmod(index, columns)
            left, top = GAP + column * (IMAGE + GAP), row * BLOCK + TITLE
            axes.text(left, top - 0.05, label, fontsize=8.5, fontweight="bold", va="bottom")
            whole = Place(window, fields.pixel_size, left, top)
            zoom = Place(inner, fields.pixel_size, left, top + IMAGE + GAP)
            for place in (whole, zoom):
                place.show(axes, field, scale.colours)
                place.bar(axes)
            if label in errors:
                below = Place(window, fields.pixel_size, left, top + 2 * (IMAGE + GAP))
                below.show(axes, errors[label], off.colours)
            if inner[2:] != window[2:]:
                whole.frame(axes, inner)
            whole.arrows(axes, lines.get(label, ()))
        axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
        axes.set_axis_off()
        unit = results.height_unit
        colour_bar(figure, scale.colours, (scale.low, scale.high), f"height ({unit})", width - 0.1)
        if errors:
            label = f"result − truth ({unit})"
            colour_bar(figure, off.colours, (-off.most, off.most), label, width / 2)
        shown = _physical(window, fields.pixel_size)
        of = f"{pair['id']}" + (f", {pair['data_set']}" if pair.get("data_set") else "")
        arrows = any(lines.values())
        low_px = _low_pixels(pair, fields, (window[2], inner[2]))
        return finish_photo(
            figure,
            name,
            f"Images of the pair {of}: {', '.join(label for label, _ in images)}; below each, the "
            "detail that is framed in it" + (", and its error." if errors else "."),
            f"Pair {of}: {shown}, {window[2]} px of the high-resolution scan{low_px[0]}; details "
            f"{inner[2]} px{low_px[1]}, where the truth has most relief. The same colours "
            "everywhere in the data set, and every image on the plane of the truth; nothing is "
            "stretched."
            + (" Below: result less truth, the same colours for all methods." if errors else "")
            + (" Arrows: scars (streaks) found in that scan." if arrows else ""),
            dpi=dpi,
            fine=fine,
        )


# --- what is shown -----------------------------------------------------------------------


def _images(results: Results, fields: Fields) -> list[tuple[str, Floats]]:
    plane = fit_plane(fields.truth)
    truth = plane.subtracted_from(fields.truth)
    found = [("low resolution", fields.low)] if fields.low is not None else []
    found += [(results.label(name), field) for name, field in fields.of_methods.items()]
    levelled = [(label, onto(np.asarray(field), fields.truth, truth)) for label, field in found]
    return [*levelled, ("truth", truth)]


def _errors(
    results: Results, fields: Fields, images: Sequence[tuple[str, Floats]]
) -> dict[str, Floats]:
    """Return result less truth of every method, both on the plane of the truth, by label."""
    truth = images[-1][1]
    labels = {results.label(name) for name in fields.of_methods}
    return {label: field - truth for label, field in images if label in labels}


def _part(field: Floats, window: Window) -> Floats:
    top, left, width, height = window
    return field[top : top + height, left : left + width]


def onto(field: Floats, truth: Floats, levelled: Floats) -> Floats:
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


def middle(shape: tuple[int, ...], size: int) -> Window:
    """Return the square of `size` pixels in the middle of a field, or what there is of it."""
    height, width = (min(size, side) for side in shape)
    return (shape[0] - height) // 2, (shape[1] - width) // 2, width, height


def most_relief(truth: Floats, window: Window, size: int) -> Window:
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

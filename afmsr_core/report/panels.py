"""Image panels as in the paper's Figures 1 and 2: whole crops above, details below, then errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afmsr_core.picture.palettes import DEFAULT, DIFFERENCE
from afmsr_core.picture.ranges import Range
from afmsr_core.quantity import readable
from afmsr_core.report.contents import Fields, Floats, Record, Results, of_lines, slug
from afmsr_core.report.tiles import Panel, Window, colour_bar, tile
from afmsr_core.surfaces import fit_plane

__all__ = ["CROP", "DETAIL", "middle", "most_relief", "onto", "panel"]

CROP, DETAIL = 370, 80
"""Pixels of the truth that are shown, as in the paper: 94 and 20 of the low-resolution scan."""

PIXELS = 6_000_000
"""Of all images of a page together, so that it can still be mailed."""
FEWEST = 150
"""Pixels a side that an image keeps however many there are."""


def side_of(results: Results, kept: int) -> int:
    """Return the pixels a side that each image of `kept` panels gets."""
    images = max(1, kept) * (2 * len(results.ran) + 2)
    return int(min(CROP, max(FEWEST, (PIXELS / images) ** 0.5)))


def panel(results: Results, pair: Record, fields: Fields, name: str, side: int) -> Panel:
    """Return the panel of a pair.

    Parameters
    ----------
    results, pair, fields
        The pair and its fields.
    name : str
        Part of the name of its file.
    side : int
        Pixels of an image in the page, at the most.
    """
    crop = int(results.setting("report", "crop", default=CROP))
    window = middle(fields.truth.shape, crop)
    inner = most_relief(
        fields.truth, window, int(results.setting("report", "detail", default=DETAIL))
    )
    images = _images(results, fields)
    errors = _errors(results, fields, images)
    heights = Range.of([_part(images[-1][1], window)])
    off = Range.symmetric([_part(error, window) for error in errors.values()], noun="errors")
    columns = []
    for label, field in images:
        size = fields.pixel_size
        column = [tile(field, window, size, heights, DEFAULT, title=label, inner=inner, side=side)]
        if inner[2:] != window[2:]:
            column.append(tile(field, inner, size, heights, DEFAULT))
        if label in errors:
            column.append(tile(errors[label], window, size, off, DIFFERENCE, bar=False, side=side))
        columns.append(column)
    unit = results.height_unit
    bars = [colour_bar(heights, DEFAULT, "height", unit)]
    bars += [colour_bar(off, DIFFERENCE, "result − truth", unit)] if errors else []
    of = f"{pair['id']}" + (f", {pair['data_set']}" if pair.get("data_set") else "")
    low_px = _low_pixels(pair, fields, (window[2], inner[2]))
    return Panel(
        slug("panel", name),
        f"Pair {of}: {_physical(window, fields.pixel_size)}, {window[2]} px of the "
        f"high-resolution scan{low_px[0]}; details {inner[2]} px{low_px[1]}, where the truth has "
        f"most relief. Colours: {heights.words} of the truth of this pair; every image on the "
        "plane of the truth."
        + (f" Below: result less truth, colours: {off.words} of all methods." if errors else ""),
        columns,
        bars,
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
    """Return how many pixels, or lines, of the low-resolution scan some widths are, in words."""
    low = pair.get("low") or {}
    try:
        # Along the axis on which it is coarser, which of a line scan is that across the lines.
        pixel = max(low["xreal"] / low["xres"], low["yreal"] / low["yres"])
        ratio = pixel / max(fields.pixel_size)
    except (KeyError, TypeError, ZeroDivisionError):
        return ["" for _ in sizes]
    if not 1 <= ratio < 100:
        return ["" for _ in sizes]
    of = "lines of the low" if of_lines(pair) else "of the low"
    return [f" ({size / ratio:.0f} {of})" for size in sizes]


def _physical(window: Window, pixel_size: tuple[float, float]) -> str:
    sides = window[2] * pixel_size[1], window[3] * pixel_size[0]
    return " × ".join(readable(side, "nm", 3) for side in sides)

"""The figures of the trust section: the calibration curve, and where the intervals fail most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from afmsr_core.report.contents import Fields, Floats, Record, Results
from afmsr_core.report.drawing import INK, Picture, canvas, finish, finish_photo, kind_colour
from afmsr_core.report.panels import Off, Scale, onto, scale_of
from afmsr_core.report.places import IMAGE, Place, Window
from afmsr_core.report.trust import levels_of
from afmsr_core.surfaces import fit_plane

__all__ = ["curve", "worst"]

CASES = 3
"""Regions that are shown, of all pairs together."""

GAP, HEAD, TITLE = 0.07, 0.2, 0.24  # inches
OUTSIDE = (0.75, 0.15, 0.15)  # RGB of a pixel whose truth lies outside
INSIDE = (0.93, 0.94, 0.95)


def curve(results: Results, data_set: str) -> Picture | None:
    """Return stated coverage against the share of truth inside, of every pair and their mean."""
    pairs = levels_of(results, data_set)
    if not pairs:
        return None
    of = results.of(data_set)
    stated = [100 * one["stated"] for one in pairs[0]]
    inside = np.array([[100 * one["coverage"] for one in pair] for pair in pairs])
    with canvas(4.3, 4.0) as figure:
        axes = figure.add_axes((0.14, 0.13, 0.82, 0.82))
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
        if len(pairs) > 1:
            for one in inside:
                axes.plot(stated, one, color="#9aa1aa", linewidth=0.8)
        colour = kind_colour(True)
        label = f"mean of {len(pairs)} pairs" if len(pairs) > 1 else "the pair"
        axes.plot(stated, inside.mean(axis=0), "o-", color=colour, linewidth=1.8, markersize=4,
                  label=label)  # fmt: skip
        least = 10 * np.floor(min(inside.min(), min(stated)) / 10) - 5
        axes.set(xlim=(max(0, least), 100), ylim=(max(0, least), 101))
        axes.set_xlabel("stated coverage (%)")
        axes.set_ylabel("truth inside (% of the pixels)")
        axes.grid()
        axes.set_axisbelow(True)
        axes.text(0.04, 0.86, "too wide", transform=axes.transAxes, color="#6b7480")
        axes.text(0.72, 0.1, "too narrow", transform=axes.transAxes, color="#6b7480")
        axes.legend(loc="upper left")
        told = "; ".join(
            f"{x:g} % stated, {y:.1f} % inside"
            for x, y in zip(stated, inside.mean(axis=0), strict=True)
        )
        return finish(
            figure,
            results.slug("calibration", data_set),
            f"Calibration curve{of}: {told}.",
            f"Calibration curve{of}: how often the truth lies within the interval, against how "
            "often it should. Dashed: as stated. "
            + ("Grey: single pairs." if len(pairs) > 1 else ""),
        )


@dataclass(frozen=True)
class _Case:
    """A region in which the truth lies far outside."""

    pair: Record
    region: Record

    @property
    def window(self) -> Window:
        """Where it lies in the fields."""
        side = int(self.region["side"])
        return int(self.region["row"]), int(self.region["column"]), side, side


def worst(results: Results) -> Picture | None:
    """Return the regions of all pairs in which the error exceeds the half-width most, or None."""
    cases = [
        _Case(pair, region)
        for pair in results.pairs
        if pair.get("status") == "scored"
        for region in ((pair.get("trust") or {}).get("interval") or {}).get("worst") or []
    ]
    cases.sort(key=lambda case: -case.region["ratio"])
    shown: list[tuple[_Case, Fields, Floats]] = []
    for case in cases[:CASES]:
        fields = results.fields(case.pair)
        method = case.pair["trust"]["interval"]["method"]
        if fields is None or fields.half_width is None or method not in fields.of_methods:
            continue
        shown.append((case, fields, fields.of_methods[method]))
    if not shown:
        return None
    who = results.label(shown[0][0].pair["trust"]["interval"]["method"])
    titles = [
        "low resolution",
        who,
        "truth",
        f"{who} − truth",
        "half-width, 90 %",
        "outside the interval",
    ]
    width = len(titles) * (IMAGE + GAP) + GAP
    block = IMAGE + TITLE + GAP
    height = HEAD + len(shown) * block
    with canvas(width, height) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        for column, title in enumerate(titles):
            axes.text(GAP + column * (IMAGE + GAP), HEAD - 0.05, title, fontsize=8.5,
                      fontweight="bold", va="bottom")  # fmt: skip
        for row, (case, fields, result) in enumerate(shown):
            top = HEAD + row * block + TITLE
            told, images = _row(results, case, fields, result)
            axes.text(GAP, top - 0.05, told, fontsize=7.5, va="bottom", color="#454c55")
            for column, image in enumerate(images):
                if image is None:
                    continue
                left = GAP + column * (IMAGE + GAP)
                place = Place((0, 0, *case.window[2:]), fields.pixel_size, left, top)
                place.show(axes, image, lambda rgb: rgb)
                if not column:
                    place.bar(axes)
        axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
        axes.set_axis_off()
        return finish_photo(
            figure,
            "trust-worst",
            f"Regions in which the truth lies furthest outside the 90 % interval of {who}: low-"
            "resolution scan, result, truth, error, half-width, and the pixels outside.",
            f"Where the truth lies furthest outside the 90 % interval of {who}: regions with the "
            "largest mean error over mean half-width, of all pairs. In a row error and half-width "
            "have the same colours per height, and the images are on the plane of the truth. Red: "
            "pixels in which the truth lies outside.",
            dpi=96 * 1.25,
            fine=True,
        )


def _row(
    results: Results, case: _Case, fields: Fields, result: Floats
) -> tuple[str, list[Floats | None]]:
    """Return what is told of a region, and its images as RGB."""
    top, left, across, down = case.window
    part = np.s_[top : top + down, left : left + across]
    levelled = fit_plane(fields.truth).subtracted_from(fields.truth)
    moved = onto(result, fields.truth, levelled)
    error = (moved - levelled)[part]
    half = np.zeros_like(error) if fields.half_width is None else fields.half_width[part]
    scale: Scale = scale_of([levelled[part]])
    tilt = levelled[part] - fit_plane(levelled[part]).subtracted_from(levelled[part])
    off = Off.of([error, half])
    outside = np.where((np.abs(error) > half)[..., None], OUTSIDE, INSIDE)
    low = None if fields.low is None else onto(fields.low, fields.truth, levelled)[part] - tilt
    images = [
        None if low is None else scale.colours(low),
        scale.colours(moved[part] - tilt),
        scale.colours(levelled[part] - tilt),
        off.colours(error),
        off.colours(half),
        outside,
    ]
    region, unit = case.region, results.height_unit
    dy, dx = fields.pixel_size
    corner = case.pair.get("crop") or [0, 0]
    x, y = (corner[1] + left) * dx / 1000, (corner[0] + top) * dy / 1000
    share = 100 * float(np.mean(np.abs(error) > half))
    ends = f"{scale.low:.2g} to {scale.high:.2g}".replace("-", "−")
    told = (
        f"{case.pair['id']}, from x {x:.3g} µm, y {y:.3g} µm: error {region['error']:.2g} {unit}, "
        f"half-width {region['half_width']:.2g} {unit} in the mean; {share:.0f} % outside; colours "
        f"of heights {ends} {unit}, of errors ±{off.most:.2g} {unit}"
    )
    return told, [None if one is None else np.asarray(one) for one in images]

"""Page: one scan and its result, in one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import json
import math
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.picture.colours import MASK_COLOUR
from afmsr_core.picture.palettes import DEFAULT, DIFFERENCE, ERROR, palette, unmeasured_colour
from afmsr_core.picture.ranges import Range
from afmsr_core.picture.scales import unit_for
from afmsr_core.quantity import readable, shown_unit
from afmsr_core.scan_page import tables
from afmsr_core.scan_page.fields import (
    GAP,
    Steps,
    block_of,
    packed,
    packed_mask,
    thinned,
    thinned_mask,
)
from afmsr_core.scan_page.next_time import next_time
from afmsr_core.scan_page.sentence import sentence
from afmsr_core.scan_page.subject import Subject
from afmsr_core.scan_page.trusted import Trusted, trusted
from afmsr_core.scan_page.words import length
from afmsr_core.surfaces import fit_plane
from afmsr_core.webpage.html import bullets, document, header, shipped, titled

__all__ = ["page"]

Field = NDArray[np.float64]

PALETTES = {"heights": DEFAULT, "difference": DIFFERENCE, "half_width": ERROR}

DOUBT_COLOUR = (0, 200, 255)
"""Of the mask of the half-widths, whose palette is red itself."""

DATUM = 1e3
"""Heights further than this from zero, in units of their span, get a larger unit: readings have
the datum in them, and seven digits of it help nobody."""

WIDE = 2.0
"""Width over height of an area from which on fewer views stand side by side."""

FINE = 100
"""Over the standard deviation of the noise: digits beyond that are only noise."""

MOST_DECIMALS = 8

TITLES = {
    "scan": "Scan",
    "bicubic": "Bicubic",
    "result": "Result",
    "difference": "Result − bicubic",
    "half_width": "Half-width",
}

BUTTONS = (
    ("in", "Zoom in", "+", False),
    ("out", "Zoom out", "−", False),
    ("reset", "Whole scan", "0", False),
    ("flicker", "Flicker", "F", True),
    ("column", "Profile down", "P", True),
    ("level", "Less the plane", "T", True),
    ("contrast", "Colours for this part", "C", True),
    ("marks", "Masks and places", "M", True),
    ("larger", "Larger views", "L", True),
)
"""Of each button: what it does in views.js, its text, its key, and whether it stays pressed."""

ALSO = (
    ("Arrows", "move a zoomed view (after Tab to a view)"),
    ("Shift + arrows", "move the cursor by a pixel"),
    ("Wheel, pinch", "zoom"),
    ("Drag", "move"),
)


def page(subject: Subject) -> str:
    """Return the whole page.

    Parameters
    ----------
    subject : Subject
        Scan and result.
    """
    known = trusted(subject)
    fields = _Fields(subject, known)
    data = json.dumps(fields.data(), allow_nan=False).replace("<", "\\u003c")
    body = "\n".join(
        (
            _head(subject, known, fields),
            _views(fields),
            titled("places", "Where to look again", tables.places(subject, known)),
            titled("numbers", "Numbers", tables.numbers(subject, known)),
            titled("next", "How to scan it next time", next_time(subject)),
            titled("provenance", "How it came about", tables.provenance(subject)),
            f'<script type="application/json" id="page-data">{data}</script>',
        )
    )
    script = "".join(shipped(name, __package__) for name in ("fields.js", "profile.js", "views.js"))
    title = f"{subject.scan.name}: scan and result"
    return document(title, body, css=shipped("style.css", __package__), script=script)


def _head(subject: Subject, known: Trusted, fields: _Fields) -> str:
    scan, result = subject.scan, subject.result
    area = " x ".join(length(side, scan) for side in (scan.xreal, scan.yreal))
    file = f"{result.path.name}, " if result.path else ""
    meta = f"{file}{area}, {scan.xres} x {scan.yres} px to {result.xres} x {result.yres} px"
    told = " ".join(f"<span>{escape(part)}</span>" for part in sentence(subject, known))
    drawn, warnings = subject.drawn, [_capital(w) for w in subject.warnings if w != subject.drawn]
    parts = (
        f'<p class="sentence drawn">{escape(drawn)}</p>' if drawn else "",
        f'<p class="sentence">{told}</p>',
        f'<div class="warnings">{bullets(warnings)}</div>' if warnings else "",
    )
    return header(scan.name, meta, "".join(parts))


def _capital(sentence: str) -> str:
    text = sentence[:1].upper() + sentence[1:]
    return text if text.endswith(".") else f"{text}."


# --- the fields, as the page's script reads them -----------------------------------------------


class _Fields:
    """The fields of a page: thinned, in whole steps, packed.

    Parameters
    ----------
    subject : Subject
        Scan and result.
    known : Trusted
        Of it.
    """

    def __init__(self, subject: Subject, known: Trusted) -> None:
        self.subject, self.known = subject, known
        self.scan = subject.scan
        scan, result = subject.scan, subject.result
        self.block = block_of(result.heights.shape)
        self.scan_block = block_of(scan.heights.shape)
        self.heights = {"scan": thinned(scan.heights, self.scan_block)}
        if subject.bicubic is not None:
            self.heights["bicubic"] = thinned(subject.bicubic.heights, self.block)
        self.heights["result"] = thinned(result.heights, self.block)
        self.half_width: Field | None = None
        if subject.half_width is not None:
            self.half_width = thinned(subject.half_width.heights, self.block)
        self.levels = scan.is_height
        self.plane = fit_plane(np.asarray(scan.heights))
        self.steps = {"heights": Steps.of(list(self.heights.values()), self.plane)}
        if self.half_width is not None:
            self.steps["half_width"] = Steps.of([self.half_width])

    def units(self) -> dict[str, dict[str, Any]]:
        """Return the unit in which heights are read, datum and all, and that of the relief.

        With as many decimals as steps and noise are worth.
        """
        reach = (Steps.of([one]) for one in self.heights.values())
        most = max(max(abs(one.low), abs(one.low + one.step * (GAP - 1))) for one in reach)
        span = self.steps["heights"].step * (GAP - 1)
        noise = self.known.noise.pixel / FINE if self.known.noise else 0.0
        finest = max(self.steps["heights"].step, noise)
        found = {}
        flat = most or 1.0  # what a scan without any relief is read in
        with_datum = max(span, most / DATUM) if span > 0 else flat
        for name, size in (("heights", with_datum), ("relief", span or flat)):
            divisor, unit = unit_for(0.0, size, self.scan.unit)
            decimals = math.ceil(-math.log10(finest / divisor)) if finest > 0 else 3
            found[name] = {
                "divisor": divisor,
                "name": unit,
                "decimals": max(0, min(MOST_DECIMALS, decimals)),
            }
        return found

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """The values at the ends of the colours."""
        level = [self.plane.subtracted_from(one) for one in self.heights.values()]
        if not self.levels:  # then there is nothing to take off
            level = list(self.heights.values())
        found = {"heights": Range.of(level), "tilted": Range.of(self.heights.values())}
        if (difference := self.difference) is not None:
            found["difference"] = Range.symmetric([difference])
        if self.half_width is not None:
            high = Range.of([self.half_width], (0.0, 99.5), "half-widths")
            found["half_width"] = Range(0.0, high.high, high.words)
        return found

    @property
    def difference(self) -> Field | None:
        """Result less bicubic, as far as the page shows them."""
        if "bicubic" not in self.heights:
            return None
        return self.heights["result"] - self.heights["bicubic"]

    def data(self) -> dict[str, Any]:
        """Return what the script reads, JSON-serialisable."""
        scan = self.scan
        views = self._views()
        used = dict.fromkeys(view["palette"] for view in views)
        divisor, name = shown_unit(max(scan.xreal, scan.yreal), scan.lateral_unit)
        plane = self.plane
        return {
            "area": {
                "width": scan.xreal,
                "height": scan.yreal,
                "units": self._ladder(),
                "divisor": divisor,
                "name": name,
            },
            "read": self.units(),
            "relative": self.known.interval is not None and not self.known.interval.calibrated,
            "quantity": "height" if scan.is_height else "value",
            "plane": [plane.datum, plane.slope_x, plane.slope_y],
            "level": self.levels,
            "steps": {name: {"low": one.low, "step": one.step} for name, one in self.steps.items()},
            "views": views,
            "ranges": {name: [one.low, one.high] for name, one in self.ranges.items()},
            "palettes": {
                name: base64.b64encode(palette(PALETTES[name]).tobytes()).decode() for name in used
            },
            "gaps": {name: list(unmeasured_colour(PALETTES[name])) for name in used},
            "masks": {"heights": list(MASK_COLOUR), "half_width": list(DOUBT_COLOUR)},
            "places": [
                [one.x - scan.xoff, one.y - scan.yoff, one.size] for one in self.known.regions
            ],
        }

    def _ladder(self) -> list[tuple[float, str]]:
        """Return the units in which lengths of the area are read, from the smallest."""
        scan = self.scan
        smallest = min(scan.xreal / self.subject.result.xres, scan.yreal / self.subject.result.yres)
        first = math.floor(math.log10(smallest)) - 2
        last = math.ceil(math.log10(max(scan.xreal, scan.yreal))) + 1
        found = [shown_unit(10.0**power, scan.lateral_unit) for power in range(first, last)]
        return list(dict.fromkeys(found))

    def _views(self) -> list[dict[str, Any]]:
        numbers = {
            name: self.steps["heights"].numbers(field) for name, field in self.heights.items()
        }
        masks = {name: self._mask(name) for name in (*numbers, "half_width")}
        made: dict[str, dict[str, Any]] = {}
        # The script unpacks them in this order: bicubic is what the result differs little from.
        for name in ("scan", "result", "bicubic"):
            if name in numbers:
                beside = numbers["result"] if name == "bicubic" else None
                made[name] = self._view(name, "heights", numbers[name]) | {
                    "data": packed(numbers[name], beside),
                    "beside": "result" if beside is not None else None,
                }
        if "bicubic" in made:
            of = {"of": ["result", "bicubic"]}
            made["difference"] = self._view("difference", "difference", numbers["result"]) | of
        if self.half_width is not None:
            steps = self.steps["half_width"].numbers(self.half_width)
            made["half_width"] = self._view("half_width", "half_width", steps) | {
                "data": packed(steps)
            }
        for name, mask in masks.items():
            if name in made and mask is not None and mask.any():
                made[name]["mask"] = packed_mask(mask)
        return list(made.values())

    def _view(self, name: str, kind: str, numbers: NDArray[np.uint16]) -> dict[str, Any]:
        rows, columns = numbers.shape
        return {
            "name": name,
            "title": title_of(self.subject, self.known, name),
            "about": f"{columns} x {rows} px",
            "rows": rows,
            "columns": columns,
            "palette": kind,
            "unit": "half_width" if kind == "half_width" else "heights",
        }

    def _mask(self, name: str) -> NDArray[np.bool_] | None:
        of: dict[str, Channel | None] = {
            "scan": self.scan,
            "bicubic": self.subject.result,
            "result": self.subject.result,
            "half_width": self.subject.half_width,
        }
        channel = of[name]
        if channel is None or channel.mask is None:
            return None
        return thinned_mask(channel.mask, self.scan_block if name == "scan" else self.block)


def title_of(subject: Subject, known: Trusted, name: str) -> str:
    """Return what a view is called."""
    if name == "result" and subject.settings.method != "unknown":
        return f"Result ({subject.settings.method})"
    if name == "half_width" and known.interval is not None:
        interval = known.interval
        if not interval.calibrated:
            return "Uncertainty, relative"
        return f"Half-width, {100 * interval.coverage:g} %"
    return TITLES[name]


# --- HTML of the views -------------------------------------------------------------------------


def _views(fields: _Fields) -> str:
    subject = fields.subject
    names = [name for name in TITLES if name in fields.heights]
    if "bicubic" in names:
        names.append("difference")
    if fields.half_width is not None:
        names.append("half_width")
    titles = {name: title_of(subject, fields.known, name) for name in names}
    figures = "".join(_figure(name, title) for name, title in titles.items())
    if fields.half_width is None:
        figures += _no_half_width(subject)
    heights = {name: title for name, title in titles.items() if name in fields.heights}
    readings = "".join(
        f'<tr class="{name}"><th scope="row" class="words"><i></i>{escape(title)}</th>'
        f'<td data-part="read-{name}"></td></tr>'
        for name, title in titles.items()
    )
    wide = ' class="wide"' if subject.scan.xreal > WIDE * subject.scan.yreal else ""
    return (
        f'<section id="views"{wide} aria-label="Linked views">'
        f"{_tools(fields, heights)}"
        f'<div class="views">{figures}</div>'
        '<div class="below"><div class="lines"><p data-part="line"></p>'
        '<svg data-part="profile" role="img" aria-label="Line profile through the cursor"></svg>'
        "</div>"
        '<table class="readings"><caption>At <span data-part="read-place"></span></caption>'
        f"<tbody>{readings}</tbody></table></div>"
        '<p class="sr" data-part="told" aria-live="polite"></p>'
        f"{_about(fields)}"
        "<noscript><p>The views need JavaScript; the sentence above and the numbers below do "
        "not.</p></noscript></section>"
    )


def _tools(fields: _Fields, heights: dict[str, str]) -> str:
    buttons = []
    for name, text, key, stays in BUTTONS:
        if name == "level" and not fields.levels:
            continue
        pressed = ' aria-pressed="false"' if stays else ""
        buttons.append(
            f'<button type="button" data-part="{name}" aria-keyshortcuts="{key}"{pressed}>'
            f"{escape(text)} <kbd>{key}</kbd></button>"
        )
    also = "".join(f"<span><kbd>{escape(key)}</kbd> {escape(does)}</span>" for key, does in ALSO)
    first = "bicubic" if "bicubic" in heights else "scan"

    def choice(part: str, label: str, chosen: str) -> str:
        options = "".join(
            f'<option value="{name}"{" selected" if name == chosen else ""}>'
            f"{escape(title)}</option>"
            for name, title in heights.items()
        )
        return f'<label>{label} <select data-part="{part}">{options}</select></label>'

    return (
        f'<div class="tools" role="group" aria-label="Keys and buttons">{"".join(buttons)}'
        f'<span class="choice">{choice("first", "Flicker shows", first)} '
        f"{choice('second', 'in the place of', 'result')}</span></div>"
        f'<p class="also">{also}</p>'
    )


def _figure(name: str, title: str) -> str:
    return (
        f'<figure class="{name}"><figcaption data-part="title">{escape(title)}</figcaption>'
        f'<div class="frame"><canvas data-part="canvas-{name}" tabindex="0" role="img" '
        f'aria-label="{escape(title)}"></canvas>'
        '<div class="scale" aria-hidden="true"><i data-part="bar"></i>'
        '<span data-part="bar-text"></span></div></div>'
        '<div class="colours" aria-hidden="true">'
        '<canvas data-part="strip" width="256" height="1"></canvas>'
        '<span data-part="low"></span><span data-part="middle"></span>'
        '<span data-part="high"></span></div></figure>'
    )


def _no_half_width(subject: Subject) -> str:
    path = subject.scan.path if subject.scan.path else subject.result.path
    name = path.name if path else "SCAN"
    return (
        '<figure class="half_width absent"><figcaption>Half-width</figcaption>'
        "<p>How far to trust each height is not in this file. "
        f"<code>afmsr upscale {escape(name)} --confidence</code> adds it.</p></figure>"
    )


def _about(fields: _Fields) -> str:
    step = readable(fields.steps["heights"].step, fields.scan.unit, 2)
    what = "scan, bicubic and result" if "bicubic" in fields.heights else "scan and result"
    told = [
        f"Readings come in steps of {step}."
        if fields.steps["heights"].step
        else "All heights are the same.",
        f"Colours: the same for {what}, {fields.ranges['heights'].words}.",
    ]
    settings = fields.subject.settings
    readings = "readings are the true heights of the file"
    if not settings.restore_background:
        steps = settings.level.replace("+", ", ")
        readings = f"the result is without what levelling took off ({steps}), so the scan is, too"
    if fields.levels:
        told.insert(0, f"Colours and profiles show heights less the plane of the scan; {readings}.")
    elif not settings.restore_background:
        told.insert(0, f"{_capital(readings)}")
    if fields.block > 1:
        told.append(
            f"To keep the page small, each pixel shown is the mean of {fields.block} x "
            f"{fields.block} px of the result; the numbers below are of all pixels."
        )
    html = escape(" ".join(told))
    if any(bool(np.isnan(one).any()) for one in fields.heights.values()):
        html += f" {_swatch(unmeasured_colour(PALETTES['heights']))} was not measured."
    if fields.scan.mask is not None and fields.scan.mask.any():
        html += f" {_swatch(MASK_COLOUR)} is masked in the file."
    half_width = fields.subject.half_width
    if half_width is not None and half_width.mask is not None and half_width.mask.any():
        html += f" {_swatch(DOUBT_COLOUR)} in the half-widths marks the least certain pixels."
    return f'<p class="notes">{html}</p>'


def _swatch(colour: tuple[int, int, int]) -> str:
    return f'<i class="swatch" style="background: rgb{colour}"></i>'

"""Tables of the page: the numbers, the places, and how the result came about."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np

from afmsr_core import __version__
from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.levelling import level
from afmsr_core.metrics.grains import Rule
from afmsr_core.metrics.numbers import numbers_of, numbers_of_both
from afmsr_core.quantity import shown_unit, slope_unit
from afmsr_core.realisations.numbers import full_scan_of
from afmsr_core.scan_page.subject import Subject
from afmsr_core.scan_page.trusted import Trusted
from afmsr_core.scan_page.words import digits, length, rough
from afmsr_core.webpage.html import details, facts

__all__ = ["numbers", "places", "provenance"]

Told = Mapping[str, Any]

MANY = 4_500_000
"""Pixels of a result, some 2048 x 2048, above which bicubic and a full scan get no numbers beside
it: grains of 16 million pixels take ten seconds for each column, and a full scan eight of them."""

ENDS = ("low", "high")
FULL = "full"
HEADS = {
    "scan": "Scan",
    "bicubic": "Bicubic",
    "result": "Result",
    FULL: "A full scan would give<br><small>median [95 % interval]</small>",
}


# --- numbers -----------------------------------------------------------------------------------


def numbers(subject: Subject, known: Trusted) -> str:
    """Return HTML with the numbers of scan and result, and the noise of the scan."""
    scan = subject.scan
    try:
        found = dict(subject.numbers or {}) or numbers_of_both(
            scan, subject.result, subject.settings.level
        )
        if subject.bicubic is not None and subject.bicubic.heights.size <= MANY:
            found["bicubic"] = _of_bicubic(subject, subject.bicubic, found["grain_rule"])
    except FieldError as error:
        return f"<p>{escape(str(error))}</p>"
    rule = found["grain_rule"]
    full = found.get("full_scan") or _of_full_scan(subject, rule)
    found |= {FULL: full["numbers"]} if "numbers" in full else {}
    columns = [name for name in HEADS if name in found]
    rows = []
    for label, name, unit in _rows(scan):
        picked = [_picked(found[column], name, column == FULL) for column in columns]
        rows.append(_row(label, unit, picked))
    heads = "".join(f'<th scope="col">{HEADS[name]}</th>' for name in columns)
    table = (
        f'<div class="table"><table><thead><tr><th scope="col" class="words">Number</th>{heads}'
        "</tr></thead>"
        f"<tbody>{''.join(filter(None, rows))}</tbody></table></div>"
    )
    least, cutoff = rough(rule["least"], scan.unit), length(rule["cutoff"], scan, 3)
    others = " of scan and result" if FULL in found else ""
    notes = (
        f"Sa and Sq may be reported. Not so Sdq and Sdr{others}: they depend on the size of the "
        f"pixels, and the slopes between the lines were not measured.",
        f"In brackets{others}: the 95 % interval of what another place of the same sample may "
        f"give. How far the method is off is not in it.",
        _about_full_scan(subject, full, cutoff),
        f"Grains are hills, pores are dales, that rise or fall at least {least} beyond their "
        f"saddle after smoothing at {cutoff} (ISO 25178-2, watersheds), by one rule for both.",
    )
    return (
        table
        + _beside(subject, known, found)
        + "".join(f'<p class="notes">{escape(one)}</p>' for one in notes)
    )


def _rows(scan: Channel) -> list[tuple[str, str, str]]:
    """Return of each row its label, the name of its number, and the unit."""
    return [
        ("Sa, mean height", "Sa", scan.unit),
        ("Sq, root mean square height", "Sq", scan.unit),
        ("S10z, ten point height", "S10z", scan.unit),
        ("Sdq, root mean square slope", "Sdq", slope_unit(scan.unit, scan.lateral_unit)),
        ("Sdr, added area", "Sdr", "%"),
        ("Sal, autocorrelation length", "Sal", scan.lateral_unit),
        ("Grains, count", "hills.count", ""),
        ("Grains, mean diameter", "hills.diameter", scan.lateral_unit),
        ("Grains, mean height", "hills.height", scan.unit),
        ("Pores, count", "dales.count", ""),
        ("Pores, mean diameter", "dales.diameter", scan.lateral_unit),
        ("Pores, mean height", "dales.height", scan.unit),
    ]


def _picked(of: Told, name: str, full: bool) -> Told:
    """Return value and interval of a number: of a surface, or of what a full scan would give."""
    kind, _, what = name.partition(".")
    if full:
        one = of.get(name) or dict.fromkeys(("median", "low", "high"))
        value = one["median"]
        if what == "count" and value is not None:
            value = round(value)
        return {"value": value, "ends": (one["low"], one["high"])}
    if what:
        return {"value": of[kind][what], "ends": [of[kind][f"{what}_{end}"] for end in ENDS]}
    return {"value": of[name], "ends": of["intervals"].get(name)}


def _of_full_scan(subject: Subject, rule: Told) -> Told:
    """Return what :func:`afmsr_core.realisations.numbers.full_scan_of` tells of this place."""
    guess, scan = subject.guess or subject.result, subject.scan
    if guess.heights.size > MANY:
        return {
            "reason": f"the result has more than {MANY / 1e6:g} million pixels; afmsr upscale "
            f"--json tells it"
        }
    settings = replace(subject.settings, scale=subject.scale.option)
    return full_scan_of(scan, guess, settings, Rule(**rule), subject.seed)


def _about_full_scan(subject: Subject, full: Told, cutoff: str) -> str:
    """Return what the interval of a full scan is, or why there is none."""
    guess, scan = subject.guess or subject.result, subject.scan
    if "numbers" not in full:
        reason = str(full["reason"]).removeprefix(f"{scan.where}: ")
        return f"What a full scan of this place would give is not told: {reason}."
    return (
        f"A full scan: of this very place, with {guess.xres} x {guess.yres} pixels; not of another "
        f"place. Median and 95 % interval from {full['draws']} surfaces drawn at random that fit "
        f"the scan (seed {full['seed']}), widened by what was found on samples whose full scan is "
        f"known. Parameters as ISO 25178-2 names them; S-filter (ISO 25178-3): the pixel of "
        f"{length(guess.dx, scan, 3)}, for grains, pores and S10z a Gaussian of {cutoff} (two "
        f"measured pixels); no L-filter."
    )


def _of_bicubic(subject: Subject, bicubic: Channel, rule: Told) -> dict[str, Any]:
    if subject.scale.sideways:  # as the scan was
        bicubic = bicubic.turned()
    levelled = level(bicubic, subject.settings.level).channel.heights
    pixel = bicubic.dy, bicubic.dx
    return numbers_of(levelled, pixel, Rule(**rule), bicubic.has_slopes)


def _row(label: str, unit: str, picked: Sequence[Told]) -> str:
    values = [one["value"] for one in picked if one["value"] is not None]
    if not values:
        return ""
    divisor, name = (1.0, unit) if unit == "%" else shown_unit(max(map(abs, values)), unit)
    cells = "".join(f"<td>{_cell(one, divisor)}</td>" for one in picked)
    head = f"{label} ({name})" if name else label
    return f'<tr><th scope="row" class="words">{escape(head)}</th>{cells}</tr>'


def _cell(told: Told, divisor: float) -> str:
    if told["value"] is None:
        return "–"
    whole = isinstance(told["value"], int)
    text = f"{told['value']}" if whole else digits(told["value"] / divisor)
    ends = told["ends"]
    if not ends or None in ends:
        return text
    low, high = (f"{end:.0f}" if whole else digits(end / divisor) for end in ends)
    return f"{text} <small>[{low}, {high}]</small>"


def _beside(subject: Subject, known: Trusted, found: Told) -> str:
    scan, told = subject.scan, []
    if known.noise is not None:
        lines = rough(known.noise.lines, scan.unit)
        told.append(
            (
                "Noise of the scan",
                f"{rough(known.noise.white, scan.unit)} a pixel, {lines} between lines",
            )
        )
    if known.interval is not None:
        interval = known.interval
        name = f"{100 * interval.coverage:g} % interval of the surface"
        name = name if interval.calibrated else "Uncertainty"
        text = (
            f"± {rough(interval.median, scan.unit)} in the median, "
            f"± {rough(interval.high, scan.unit)} in the 5 % least certain pixels"
        )
        told.append((name, text if interval.calibrated else interval.warning or "relative only"))
    bias = found["sq_bias_of_levelling"]
    if bias is not None and abs(bias) >= 0.005:
        told.append(("Levelling", f"took about {-100 * bias:.1f} % of Sq with it"))
    return facts(told)


# --- places ------------------------------------------------------------------------------------


def places(subject: Subject, known: Trusted) -> str:
    """Return HTML with the places to look at again; each is a button that zooms to it."""
    scan = subject.scan
    if not known.regions:
        return "<p>No place stands out.</p>"
    if subject.half_width is not None:
        sign = "± " if known.interval is not None and known.interval.calibrated else None
        what = "that are most uncertain" if sign is None else "with the widest interval"
        head = f"Squares {what}: a zoom scan tells most there."
    else:
        sign = ""
        head = (
            "Without the half-widths: squares in which the method changed most of what bicubic "
            "interpolation makes of the scan (root mean square of the difference)."
        )
    items = []
    for number, one in enumerate(known.regions):
        x, y = (length(place, scan) for place in (one.x - scan.xoff, one.y - scan.yoff))
        text = f"x {x}, y {y}, {length(one.size, scan)} wide"
        if sign is not None:  # an uncertainty that is only relative has no unit
            text += f": {sign}{rough(one.uncertainty, scan.unit)}"
        if scan.xoff or scan.yoff:
            stage = f"{length(one.x, scan)}, {length(one.y, scan)}"
            text += f" (on the stage {stage})"
        items.append(
            f'<li><button type="button" data-place="{number}">{escape(text)}</button></li>'
        )
    return f'<p>{escape(head)}</p><ol class="places">{"".join(items)}</ol>'


# --- provenance --------------------------------------------------------------------------------


def provenance(subject: Subject) -> str:
    """Return HTML that tells where scan and result are from, and how the result was made."""
    scan, result, settings = subject.scan, subject.result, subject.settings
    made = result.last_step("upscale")
    read = next((step for step in result.history if step.name == "read"), None)
    rows = [("Result", _origin(result)), ("Scan", _origin(scan)), ("Area", _area(scan))]
    rows.append(
        (
            "Pixels",
            f"{scan.xres} x {scan.yres} measured, {result.xres} x {result.yres} in the result, "
            f"each {length(result.dx, scan)} x {length(result.dy, scan)}",
        )
    )
    if read is not None:
        reader = f"{read.settings.get('reader', 'afmsr')} {read.version}"
        rows.append(("Reader", f"{reader}, format {read.settings.get('format', 'unknown')}"))
    lines = f", {max(subject.scale)} lines of each, nothing along them"
    rows.append(("Method", settings.method + (lines if subject.scale.lines else "")))
    background = "put back" if settings.restore_background else "not put back"
    spec = settings.level if settings.level == "none" else f"{settings.level}, {background}"
    rows.append(("Levelling", f"{spec}; mask: {settings.mask}"))
    if settings.protocol != "nm":
        rows.append(("Protocol", settings.protocol))
    if made is not None:
        ran = [str(made.settings[name]) for name in ("engine", "device") if name in made.settings]
        rows += [("Ran on", ", ".join(ran))] if ran else []
        if made.settings.get("weights_sha256"):
            rows.append(("Weights", f"SHA-256 {made.settings['weights_sha256']}"))
        rows.append(("Made by", f"afmsr {made.version}"))
    page = f"afmsr {__version__}, Python {platform.python_version()}, numpy {np.__version__}"
    rows.append(("This page", page))
    if subject.others:
        told = f"{', '.join(subject.others)}; a page of another: afmsr report --channel"
        rows.append(("Other results in the file", told))
    return facts(rows) + _history(result)


def _history(channel: Channel) -> str:
    if not channel.history:
        return "<p>The file holds no history of the result.</p>"
    steps = "".join(
        f"<li><b>{escape(step.name)}</b> {escape(step.version)}"
        f"{': ' if step.effect else ''}{escape(step.effect)}"
        f"<br><code>{escape(json.dumps(dict(step.settings), ensure_ascii=False))}</code></li>"
        for step in channel.history
    )
    return details(f"History, {len(channel.history)} steps", f'<ol class="history">{steps}</ol>')


def _origin(channel: Channel) -> str:
    number = "" if channel.number is None else f", channel {channel.number}"
    file = f"{channel.path.name}{number}: " if channel.path else ""
    return f"{file}{channel.name}"


def _area(scan: Channel) -> str:
    text = f"{length(scan.xreal, scan)} x {length(scan.yreal, scan)}"
    if scan.xoff or scan.yoff:
        text += f", from x {length(scan.xoff, scan)}, y {length(scan.yoff, scan)} on the stage"
    return text

"""The tables on single pairs: where they lie on each other, and their scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from afmsr_core.quantity import readable
from afmsr_core.report.contents import Record, Results, of_lines, slug
from afmsr_core.report.table import MISSING, Cell, Table, digits, number
from afmsr_core.report.tables import groups

__all__ = ["facts", "pair_scores", "pairs", "per_method_alignment"]

AMBIGUITY = (
    "Ambiguity: correlation at the best other place by that at the one taken; 0 if there is no "
    "other place, from 0.8 on the sample is periodic and the pair may lie a period off."
)


def pairs(results: Results) -> Table:
    """Return all pairs with their fate and their alignment."""
    named = any(results.data_sets)
    rows = []
    for pair in results.pairs:
        aligned = pair.get("alignment") or {}
        said = (pair.get("reason"), *(pair.get("notes") or ()))
        rows.append(
            [
                Cell(str(pair.get("id"))),
                *([Cell(str(pair.get("data_set") or MISSING))] if named else []),
                Cell(str(pair.get("status")), note="; ".join(str(one) for one in said if one)),
                Cell(_size(pair.get("low"))),
                Cell(_size(pair.get("high"))),
                *_facts(aligned, (3, 2), ("residual_px", "residual_nm")),
            ]
        )
    heads = ["Pair", *(["Data set"] if named else []), "Status", "Low, px", "High, px", "Map"]
    heads += ["Scale", "Rotation, °", "Shift, px", "Residual, px", "Residual, nm", "Inliers"]
    return Table(
        name="pairs",
        caption="Pairs and their alignment, in pixels of the high-resolution scan",
        head=[*map(Cell, (*heads, "Overlap", "Ambiguity"))],
        rows=rows,
        remarks=[AMBIGUITY]
        if any("ambiguity" in (p.get("alignment") or {}) for p in results.pairs)
        else [],
        words=3 if named else 2,
    )


def _facts(aligned: Record, decimals: tuple[int, int], residuals: Sequence[str]) -> Iterator[Cell]:
    """Return the cells of an alignment, from its map to its ambiguity."""
    yield Cell(str(aligned.get("kind") or MISSING))
    yield _fact(aligned, "scale", decimals[0])
    yield _fact(aligned, "rotation_deg", decimals[1])
    yield Cell(_shift(aligned.get("shift_px")))
    yield from (_fact(aligned, key, 2) for key in residuals)
    yield Cell(_of_matches(aligned))
    yield _fact(aligned, "overlap", 2)
    warnings = map(str, aligned.get("warnings") or [])
    yield replace(_fact(aligned, "ambiguity", 2), note="; ".join(warnings))


def _fact(aligned: Record, key: str, decimals: int) -> Cell:
    value = aligned.get(key)
    if not isinstance(value, int | float):
        return Cell(MISSING)
    return Cell(number(value, decimals), float(value))


def _shift(shift: Any) -> str:
    if isinstance(shift, int | float):
        return number(shift, 1)
    if not shift:
        return MISSING
    return ", ".join(number(one, 1) for one in shift)


def _of_matches(aligned: Record) -> str:
    inliers, matches = aligned.get("inliers"), aligned.get("matches")
    if inliers is None:
        return MISSING
    return str(inliers) if matches is None else f"{inliers} of {matches}"


def _size(scan: Record | None) -> str:
    return f"{scan['xres']}×{scan['yres']}" if scan and "xres" in scan else MISSING


def facts(results: Results, pair: Record) -> Iterator[tuple[str, str]]:
    """Return what is known of a pair in words, for its section."""
    for word, key in (("Low resolution", "low"), ("High resolution", "high")):
        if scan := pair.get(key) or {}:
            unit = str(scan.get("lateral_unit") or "nm")
            sides = (readable(scan[side], unit) for side in ("xreal", "yreal") if side in scan)
            title = f", “{scan['title']}”" if scan.get("title") else ""
            hashed = f", sha256 {str(scan['sha256'])[:12]}…" if scan.get("sha256") else ""
            yield word, f"{scan.get('path')}{title}: {_size(scan)} px, {' × '.join(sides)}{hashed}"
    if of_lines(pair):
        yield "Line scan", f"upscaled {pair['scale'].replace('x', ' × ')}, columns × rows"
    if aligned := pair.get("alignment") or {}:
        yield "Alignment", _alignment(aligned)
        for warning in aligned.get("warnings") or []:
            yield "Beware", str(warning)
    if taken := (pair.get("seconds") or {}).get("all"):
        yield "Time", f"{taken:.2g} s for all methods and scores"


def _alignment(aligned: Record) -> str:
    """Return where a result lies on its truth, in words."""

    def told(key: str, form: str, factor: float = 1.0) -> str:
        value = aligned.get(key)
        return form.format(factor * value) if isinstance(value, int | float) else ""

    shift = _shift(aligned.get("shift_px"))
    residual = told("residual_px", "{:.2g} px left")
    if isinstance(nm := aligned.get("residual_nm"), int | float):
        residual += f" ({readable(nm, 'nm', 2)})"
    gains = [number(one, 2) for one in aligned.get("gains") or []]
    matches = _of_matches(aligned)
    parts = [
        str(aligned.get("kind") or "unknown map") + ", refined" * bool(aligned.get("refined")),
        told("scale", "scale {:.4f}"),
        told("rotation_deg", "turned by {:.2f}°"),
        f"shifted by {shift} px" if shift != MISSING else "",
        f"features agree: {matches}" if matches != MISSING else "",
        residual,
        told("overlap", "{:.0f} % of the area in common", 100),
        told("correlation", "correlation {:.3f}"),
        f"heights differ by a factor of {' to '.join(gains)}" if gains else "",
        told("ambiguity", "ambiguity {:.2f}"),
    ]
    return "; ".join(filter(None, parts)).replace("-", "−")


def per_method_alignment(results: Results, pair: Record, name: str) -> Table | None:
    """Return how each method was aligned, where each was by itself."""
    found = pair.get("alignment_per_method") or {}
    rows = [
        [
            Cell(results.label(method)),
            *_facts(aligned, (4, 3), ("residual_px",)),
        ]
        for method in results.ran
        if (aligned := found.get(method))
    ]
    if not rows:
        return None
    heads = ("Method", "Map", "Scale", "Rotation, °", "Shift, px", "Residual, px", "Inliers")
    return Table(
        name=slug("alignment", name),
        caption="Alignment of every method by itself, as in the paper",
        head=[*map(Cell, (*heads, "Overlap", "Ambiguity"))],
        rows=rows,
        words=2,
    )


def pair_scores(results: Results, pair: Record, name: str) -> Iterator[Table]:
    """Return the scores of one pair."""
    for protocol in results.protocols:
        chosen = groups(results.metrics(protocol))
        for title, members in chosen:
            columns = []
            for metric in members:
                scores = [results.score(pair, protocol, m, metric.name) for m in results.ran]
                decimals = digits(one.value for one in scores if one.value is not None)
                columns.append(
                    [
                        Cell(number(one.value, decimals), one.value)
                        if one.value is not None
                        else Cell(MISSING, note=one.reason)
                        for one in scores
                    ]
                )
            yield Table(
                name=slug("scores", name, protocol, *([title] if len(chosen) > 1 else [])),
                caption=f"Scores, {results.scale(protocol)}",
                head=[
                    Cell("Method"),
                    *(Cell(f"{m.title}\u00a0{m.arrow}".rstrip(), value=m.title) for m in members),
                ],
                rows=[
                    [Cell(results.label(method)), *(column[index] for column in columns)]
                    for index, method in enumerate(results.ran)
                ],
            )

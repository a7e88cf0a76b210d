"""What the report shows of one data set: tables, figures, an example pair."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from afmsr_core.report import (
    figures,
    gains,
    numbers,
    panels,
    spectra,
    tables,
    trust,
    trust_figures,
)
from afmsr_core.report.contents import Fields, Metric, Record, Results, slug
from afmsr_core.report.drawing import Picture
from afmsr_core.report.spectra import Curves
from afmsr_core.report.table import Table

__all__ = ["Chapter", "Section", "Trust", "TrustPart", "panels_of", "section", "trusted"]

PAGE_DPI, FEWEST_DPI = 96.0, 55.0
ROOMY = 16
"""Pairs whose panels are shown at `PAGE_DPI`; with more, each gets fewer pixels, so that the page
can still be mailed."""

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\w)")
"""A number that stands by itself in a note."""


@dataclass(frozen=True)
class Chapter:
    """One protocol on one data set."""

    protocol: str
    tables: list[Table]
    paired: Table | None
    boxes: Picture | None
    differences: Picture | None
    triangles: list[Picture]
    rests_on: list[tuple[str, str]]
    notes: list[str]


@dataclass(frozen=True)
class Section:
    """One data set.

    Attributes
    ----------
    example : str
        Id of the pair in the panel; empty if there is none.
    why_example : str
        How it was chosen.
    """

    data_set: str
    title: str
    anchor: str
    chapters: list[Chapter]
    example: str
    why_example: str
    panel: Picture | None
    spectra: Picture | None
    curves: Curves | None


@dataclass(frozen=True)
class TrustPart:
    """What is shown of one data set on how far its results are to be trusted."""

    data_set: str
    detail: Table | None
    intervals: Table | None
    curve: Picture | None
    numbers: Table | None
    quality: Table | None

    @property
    def tables(self) -> list[Table]:
        """Those that there are."""
        every = (self.numbers, self.quality, self.detail, self.intervals)
        return [table for table in every if table]


@dataclass(frozen=True)
class Trust:
    """How far results are to be trusted: data set by data set, and where that fails most."""

    parts: list[TrustPart]
    worst: Picture | None
    sentences: list[str]


def trusted(results: Results) -> Trust:
    """Return what the trust section shows."""
    parts = []
    for data_set in results.data_sets:
        lost, held = trust.detail(results, data_set), trust.intervals(results, data_set)
        told, good = numbers.reported(results, data_set), numbers.quality(results, data_set)
        if lost or held or told or good:
            drawn = trust_figures.curve(results, data_set)
            parts.append(TrustPart(data_set, lost, held, drawn, told, good))
    return Trust(parts, trust_figures.worst(results), list(trust.sentences(results)))


def section(results: Results, data_set: str, shown: dict[str, Picture]) -> Section:
    """Return the section of a data set; `shown` holds the panels of pairs by id."""
    chapters = [_chapter(results, data_set, protocol) for protocol in results.protocols]
    example, why = _example(results, data_set, set(shown))
    curves = spectra.collect(results, _fields_of(results, data_set))
    return Section(
        data_set=data_set,
        title=f"Data set {data_set}" if data_set else "Results",
        anchor=results.slug("set", data_set),
        chapters=chapters,
        example=example,
        why_example=why,
        panel=shown.get(example),
        spectra=spectra.figure(results, data_set, curves) if curves else None,
        curves=curves,
    )


def panels_of(
    results: Results, data_set: str, names: dict[str, str]
) -> Iterator[tuple[str, Picture]]:
    """Return id and panel of every pair of a data set whose fields were kept."""
    kept = [(pair, fields) for pair, fields in _fields_of(results, data_set)]
    scale = panels.scale_of([fields.truth for _, fields in kept])
    example, _ = _example(results, data_set, {str(pair["id"]) for pair, _ in kept})
    count = len(results.pairs)
    dpi = max(FEWEST_DPI, PAGE_DPI * min(1.0, (ROOMY / max(count, 1)) ** 0.5))
    crop = int(results.setting("report", "crop", default=panels.CROP))
    detail = int(results.setting("report", "detail", default=panels.DETAIL))
    for pair, fields in kept:
        key = str(pair["id"])
        chosen = key == example
        yield (
            key,
            panels.panel(
                results,
                pair,
                fields,
                scale,
                slug("panel", names[key]),
                dpi=PAGE_DPI * 1.25 if chosen else dpi,
                fine=chosen,
                crop=crop,
                detail=detail,
            ),
        )


def _fields_of(results: Results, data_set: str) -> Iterator[tuple[Record, Fields]]:
    for pair in results.pairs_of(data_set):
        fields = results.fields(pair)
        if fields is not None and np.isfinite(fields.truth).any():
            yield pair, fields


def _chapter(results: Results, data_set: str, protocol: str) -> Chapter:
    told = list(results.analyses(data_set, protocol))
    made = list(tables.means(results, data_set, protocol))
    gained = gains.table(results, data_set, protocol)
    verdict = tables.significance(results, data_set, protocol)
    return Chapter(
        protocol=protocol,
        tables=[one for one in (gained, *made, verdict) if one],
        paired=tables.paired(results, data_set, protocol),
        boxes=figures.boxes(results, data_set, protocol),
        differences=figures.differences(results, data_set, protocol),
        triangles=[
            drawn
            for metric, analysis in told
            if (drawn := figures.triangles(results, data_set, metric, analysis))
        ],
        rests_on=list(tables.rests_on(results, data_set, protocol)),
        notes=list(_notes(told)),
    )


def _notes(told: Sequence[tuple[Metric, Record]]) -> Iterator[str]:
    """Return the notes on the tests; those that differ in numbers alone become one."""
    alike: dict[str, list[tuple[str, list[str]]]] = {}
    for metric, analysis in told:
        for note in map(str, analysis.get("notes") or []):
            alike.setdefault(NUMBER.sub("#", note), []).append((metric.label, NUMBER.findall(note)))
    for pattern, found in alike.items():
        ends = [
            (min(column, key=float), max(column, key=float))
            for column in zip(*(numbers for _, numbers in found), strict=True)
        ]
        labels = [label for label, _ in found]
        who = "All metrics" if 1 < len(labels) == len(told) else ", ".join(labels)
        for low, high in ends:
            pattern = pattern.replace("#", low if low == high else f"{low}–{high}", 1)
        yield f"{who}: {pattern}."


def _example(results: Results, data_set: str, among: set[str]) -> tuple[str, str]:
    """Return the pair whose score is nearest to the median of the data set, and say so."""
    pairs = [pair for pair in results.pairs_of(data_set) if str(pair["id"]) in among]
    if not pairs:
        return "", ""
    for protocol in results.protocols:
        for metric in results.metrics(protocol):
            means = [_mean(results, pair, protocol, metric.name) for pair in pairs]
            if all(np.isfinite(means)):
                distance = np.abs(np.array(means) - np.median(means))
                chosen = str(pairs[int(np.argmin(np.round(distance, 9)))]["id"])
                why = f"Pair {chosen}, whose mean {metric.label} is nearest to the median pair's."
                return chosen, why if len(pairs) > 1 else ""
    return str(pairs[0]["id"]), "The first pair."


def _mean(results: Results, pair: Record, protocol: str, metric: str) -> float:
    scores = (results.score(pair, protocol, method, metric).value for method in results.ran)
    values = [value for value in scores if value is not None]
    return float(np.mean(values)) if values else float("nan")

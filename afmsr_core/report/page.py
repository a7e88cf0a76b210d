"""The page: one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from afmsr_core.report import (
    figures,
    gains,
    pair_section,
    same_time,
    setup_tables,
    spectra,
    trust,
    words,
)
from afmsr_core.report.contents import Results, unique_slugs
from afmsr_core.report.files import Files
from afmsr_core.report.panels import panel, side_of
from afmsr_core.report.sections import data_set, example, fields_of, title_of, trusted
from afmsr_core.report.table import BESIDE, Cell, Table, as_html
from afmsr_core.report.tiles import Panel
from afmsr_core.webpage.chart import Figure
from afmsr_core.webpage.html import bullets, details, document, header, linked, nav, shipped, titled

__all__ = ["page"]

TITLE = "Upscaling methods on paired scans"

MOST_ROWS = 7
"""Methods in the chart of the first screen; where more ran, those that are networks."""

FOR_PAPERS = (
    "For a paper, open a figure of figures/ (SVG: lines and text stay such) in Inkscape or the "
    "like, and save it as PDF or, with the dots per inch that are asked for, as PNG or TIFF; "
    "“afmsr picture” draws a single scan."
)
MOST_SAID = 4
"""Sentences that stand beside the chart; of more, the last, on the best method, does."""

PAPER = (
    "The protocol is that of Beilstein J. Nanotechnol. 2025, 16, 1129–1140, "
    "doi 10.3762/bjnano.16.83."
)


def page(results: Results, files: Files) -> str:
    """Return the whole page; its tables and figures are written as files, too.

    Parameters
    ----------
    results : Results
        What it reports.
    files : Files
        Where the tables and figures go.
    """
    names = unique_slugs([str(pair.get("id")) for pair in results.pairs])
    side = side_of(results, sum(1 for pair in results.pairs if pair.get("fields")))
    panels: dict[str, Panel] = {}
    sections, above = [], set()
    curves = {}
    for name in results.data_sets:
        mean, shown = spectra.Mean(results), set()
        for pair, fields in fields_of(results, name):
            key = str(pair["id"])
            mean.add(pair, fields)
            panels[key] = panel(results, pair, fields, names[key], side)
            files.write_figure(panels[key])
            shown.add(key)
        chosen, why = example(results, name, shown)
        above.add(chosen)
        found = mean.curves()
        if found:
            curves[name] = found
        sections.append(data_set(results, files, name, panels.get(chosen), why, found))
    if curves:
        files.write("tables/spectra.csv", spectra.as_csv(results, curves))
    links = [(results.slug("set", name), title_of(results, name)) for name in results.data_sets]
    if results.records("same_time"):
        links.insert(0, ("same-time", same_time.HEADING))
    links += [("trust", "Trust"), ("failures", "Failures"), ("pairs", "Pairs")]
    links += [("made-with", "Methods, metrics, settings, versions")]
    parts = [
        _head(results, files),
        nav(links),
        _same_time(results, files),
        *sections,
        trusted(results, files),
        _failures(results),
        pair_section.pairs(results, files, panels, names, above),
        _made_with(results, files),
    ]
    css = shipped("page.css", __package__)
    return document(TITLE, "\n".join(filter(None, parts)), css=css)


def _head(results: Results, files: Files) -> str:
    """Return the first screen: which method is better, by how much, and whether that is chance."""
    created = str(results.raw.get("created") or "")[:16].replace("T", " ")
    version = results.raw.get("afmsr") or "of unknown version"
    compared, *rest = [said for said, below in words.summary(results) if not below]
    parts = [f"<p>{escape(compared)}</p>"]
    for one in same_time.comparisons(results):
        if said := [*one.sentences()]:
            parts.append(_first(files, one.title, said, one.chart(MOST_ROWS)))
    for words_on in gains.first_words(results):
        drawn = figures.gained(results, words_on.data_set, words_on.protocol, MOST_ROWS)
        parts.append(_first(files, words_on.title, words_on.sentences, drawn))
    if len(parts) > 1:
        parts.append(f'<p class="notes">{escape(figures.LEGEND)}</p>')
    made_with = f"afmsr {version}" + (f", {created}" if created else "")
    alarm = trust.alarm(results)
    if alarm:
        parts.append(f'<p class="alarm">{escape(alarm)}</p>')
    return header(TITLE, made_with, "".join(parts) + bullets([one for one in rest if one != alarm]))


def _first(files: Files, title: str, sentences: Sequence[str], drawn: Figure | None) -> str:
    """Return a block of the first screen: what is said, and the chart beside it."""
    shown = files.write_figure(drawn) if drawn else ""
    told = bullets(sentences)
    if len(sentences) > MOST_SAID:  # the chart tells the same of each
        *each, best = sentences
        told = f"<div>{bullets([best])}{details('Method by method', bullets(each))}</div>"
    return f'<div class="first"><h2>{escape(title)}</h2>{told}{shown}</div>'


def _same_time(results: Results, files: Files) -> str:
    found = "".join(files.write_table(one.table()) for one in same_time.comparisons(results))
    return titled("same-time", same_time.HEADING, found) if found else ""


def _failures(results: Results) -> str:
    lost = words.failures(results)
    if not lost:
        inner = '<p class="screen">None: every pair was scored.</p>'
        return f'<div class="screen">{titled("failures", "Failures", inner)}</div>'
    table = Table(
        name="failures",
        caption="Pairs that are in no table, figure or test",
        head=[*map(Cell, ("Pair", "Status", "Reason"))],
        rows=[
            [
                Cell(str(pair.get("id"))),
                Cell(str(pair.get("status"))),
                Cell(str(pair.get("reason") or "not told")),
            ]
            for pair in lost
        ],
        words=3,
    )
    return titled("failures", "Failures", as_html(table))


def _made_with(results: Results, files: Files) -> str:
    inner = files.write_table(setup_tables.methods(results))
    for one in (setup_tables.metrics, setup_tables.settings, setup_tables.versions):
        table = one(results)
        inner += details(table.caption, files.write_table(table)) if table.rows else ""
    told = linked(
        f"{BESIDE}; all scores, one a line, with what they rest on, in tables/scores.csv. "
        f"{FOR_PAPERS} {PAPER}"
    )
    return (
        f'<div class="screen">{titled("made-with", "Methods, metrics, settings, versions", inner)}'
        f'</div><footer class="screen"><p>{told}</p></footer>'
    )

"""The page: one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from afmsr_core.report import numbers, pair_tables, scan_time, setup_tables, trust, words
from afmsr_core.report.contents import Record, Results
from afmsr_core.report.drawing import Picture, as_figure
from afmsr_core.report.sections import Section, Trust
from afmsr_core.report.table import BESIDE, as_html
from afmsr_core.webpage.html import bullets, details, document, header, nav, notes, titled

__all__ = ["page"]

TITLE = "Upscaling methods on paired scans"
WIDEST = 800
"""Pixels; wider figures would not be readable two in a row."""


def page(
    results: Results,
    sections: Sequence[Section],
    panels: Mapping[str, Picture],
    names: Mapping[str, str],
    believed: Trust,
) -> str:
    """Return the whole page.

    Parameters
    ----------
    results : Results
        What it reports.
    sections : sequence of Section
        One for each data set.
    panels : mapping of str to Picture
        Panels of pairs, by id of the pair.
    names : mapping of str to str
        Part of a link for every pair, by its id.
    believed : Trust
        How far the results are to be trusted.
    """
    parts = [_head(results), _nav(sections)]
    parts += [_section(results, one, names) for one in sections]
    parts.append(_trust(believed))
    time = scan_time.table(results)
    if time:
        parts.append(titled("scan-time", "Scan time saved", as_html(time)))
    shown_above = {one.example for one in sections if one.example}
    parts.append(_pairs(results, panels, names, shown_above))
    parts.append(_failures(results))
    parts.append(_made_with(results))
    body = "\n".join(filter(None, parts))
    return document(TITLE, body)


def _head(results: Results) -> str:
    created = str(results.raw.get("created") or "")[:16].replace("T", " ")
    version = results.raw.get("afmsr") or "of unknown version"
    sentences = "".join(
        f"<li>{escape(one)}{bullets(below)}</li>" for one, below in words.summary(results)
    )
    made_with = f"afmsr {version}" + (f", {created}" if created else "")
    return header(TITLE, made_with, f"<ul>{sentences}</ul>")


def _nav(sections: Sequence[Section]) -> str:
    links = [(one.anchor, one.title) for one in sections]
    links += [("trust", "Trust"), ("scan-time", "Scan time"), ("pairs", "Pairs")]
    links += [("failures", "Failures"), ("made-with", "Methods, metrics, settings, versions")]
    return nav(links)


def _section(results: Results, section: Section, names: Mapping[str, str]) -> str:
    parts = []
    if not results.pairs_of(section.data_set):
        parts.append("<p>No pair of this data set was scored; see “Failures”.</p>")
    for chapter in section.chapters:
        inner = [as_html(one) for one in chapter.tables]
        if chapter.rests_on:
            told = "".join(
                f"<dt>{escape(label)}</dt><dd>{escape(what)}</dd>"
                for label, what in chapter.rests_on
            )
            inner.append(details("What the values rest on", f"<dl>{told}</dl>"))
        inner += [as_figure(one) for one in (chapter.boxes, chapter.differences) if one]
        if chapter.paired:
            inner.append(details(chapter.paired.caption, as_html(chapter.paired)))
        if chapter.triangles:
            shown = "".join(as_figure(one) for one in chapter.triangles)
            count = len(chapter.triangles)
            many = f"p-values of every pair of methods, {count} metric{'s' * (count > 1)}"
            beside = all(one.width <= WIDEST for one in chapter.triangles)
            grid = f'<div class="two">{shown}</div>' if beside else shown
            note = (
                "<p>Left as in the paper, one-way Tukey HSD; right Tukey's test on images as "
                "blocks. Dark: the two methods differ surely.</p>"
            )
            if chapter.protocol == "paper":
                inner.append(f"<h4>{many}</h4>{note}{grid}")
            else:
                inner.append(details(many, note + grid))
        if chapter.notes:
            inner.append(notes("To know before reading the tests:", chapter.notes))
        title = words.short(results, chapter.protocol)
        parts.append(f"<h3>{escape(title)}</h3>{''.join(inner)}")
    if section.panel:
        link = f'<p>{escape(section.why_example)} All pairs are <a href="#pairs">below</a>.</p>'
        parts.append(f"<h3>Images</h3>{link}{as_figure(section.panel)}")
    if section.spectra:
        parts.append(f"<h3>Power spectra</h3>{as_figure(section.spectra)}")
    return titled(section.anchor, section.title, "".join(parts))


def _trust(believed: Trust) -> str:
    inner = [f"<p>{escape(one)}</p>" for one in believed.sentences]
    named = len(believed.parts) > 1
    for part in believed.parts:
        if named:
            inner.append(f"<h3>{escape(part.data_set or 'No data set')}</h3>")
        inner += [as_html(part.numbers)] if part.numbers else []
        inner += [as_html(part.quality)] if part.quality else []
        inner += [as_html(part.detail)] if part.detail else []
        beside = [as_html(part.intervals)] if part.intervals else []
        beside += [as_figure(part.curve)] if part.curve else []
        inner += [f'<div class="two">{"".join(beside)}</div>'] if beside else []
    if believed.worst:
        inner.append(f"<h3>Where the intervals fail most</h3>{as_figure(believed.worst)}")
    return titled("trust", "Trust", "".join(inner))


def _pairs(
    results: Results,
    panels: Mapping[str, Picture],
    names: Mapping[str, str],
    shown_above: Iterable[str],
) -> str:
    parts = [as_html(pair_tables.pairs(results))]
    above = set(shown_above)
    for pair in results.pairs:
        key = str(pair.get("id"))
        status = str(pair.get("status"))
        inner = []
        if pair.get("reason"):
            inner.append(f"<p>{escape(str(pair['reason']))}</p>")
        inner += [f"<p>Note: {escape(str(one))}</p>" for one in pair.get("notes") or ()]
        if key in above:
            inner.append("<p>Its images are shown with its data set.</p>")
        elif key in panels:
            inner.append(as_figure(panels[key]))
        facts = "".join(
            f"<dt>{escape(what)}</dt><dd>{escape(value)}</dd>"
            for what, value in pair_tables.alignment_facts(results, pair)
        )
        inner.append(f"<dl>{facts}</dl>")
        alone = pair_tables.per_method_alignment(results, pair, names[key])
        if alone:
            inner.append(as_html(alone))
        if status == "scored":
            inner += [as_html(one) for one in pair_tables.pair_scores(results, pair, names[key])]
            lost = trust.pair_detail(results, pair, names[key])
            inner += [as_html(lost)] if lost else []
            told = numbers.pair_reported(results, pair, names[key])
            inner += [as_html(told)] if told else []
        kind = "status" if status == "scored" else "bad"
        where = f"{pair['data_set']}, " if pair.get("data_set") else ""
        title = f'{escape(key)} <span class="{kind}">{escape(where + status)}</span>'
        parts.append(
            f'<details id="pair-{names[key]}"><summary>{title}</summary>{"".join(inner)}</details>'
        )
    return titled("pairs", "Pairs", "".join(parts))


def _failures(results: Results) -> str:
    lost = words.failures(results)
    if not lost:
        return titled("failures", "Failures", "<p>None: every pair was scored.</p>")
    rows = "".join(_failure(pair) for pair in lost)
    table = (
        '<div class="table"><table><caption>Pairs that are in no table, figure or test</caption>'
        '<thead><tr><th scope="col">Pair</th><th scope="col" class="words">Status</th>'
        f'<th scope="col" class="words">Reason</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
    return titled("failures", "Failures", table)


def _failure(pair: Record) -> str:
    status, reason = escape(str(pair.get("status"))), escape(str(pair.get("reason") or "not told"))
    return (
        f'<tr><th scope="row">{escape(str(pair.get("id")))}</th>'
        f'<td class="words">{status}</td><td class="words">{reason}</td></tr>'
    )


def _made_with(results: Results) -> str:
    made = [setup_tables.methods(results), setup_tables.metrics(results)]
    made += [setup_tables.settings(results), setup_tables.versions(results)]
    inner = "".join(as_html(one) for one in made if one.rows)
    return titled("made-with", "Methods, metrics, settings, versions", inner) + (
        f"<footer><p>{BESIDE}; all scores, one a line, in tables/scores.csv. The protocol is that "
        "of Beilstein J. Nanotechnol. 2025, 16, 1129–1140, doi 10.3762/bjnano.16.83.</p></footer>"
    )

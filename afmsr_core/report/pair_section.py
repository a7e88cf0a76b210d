"""The section of the pairs: a table of all, and of each its images, scores and alignment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape

from afmsr_core.report import numbers, pair_tables, trust
from afmsr_core.report.contents import Record, Results
from afmsr_core.report.files import Files
from afmsr_core.report.table import as_html
from afmsr_core.report.tiles import Panel
from afmsr_core.webpage.html import details, facts, titled

__all__ = ["pairs"]

FEW = 4
"""Pairs that need no filter."""


def pairs(
    results: Results,
    files: Files,
    panels: Mapping[str, Panel],
    names: Mapping[str, str],
    above: Collection[str],
) -> str:
    """Return the section as HTML.

    Parameters
    ----------
    results, files
        What is told, and where the table goes.
    panels : mapping of str to Panel
        Images of pairs, by id of the pair.
    names : mapping of str to str
        Part of a link for every pair, by its id.
    above : collection of str
        Pairs whose images are shown with their data set.
    """
    listed = files.write_table(pair_tables.pairs(results))
    one_by_one = "".join(
        _pair(results, pair, names[str(pair.get("id"))], panels.get(str(pair.get("id"))), above)
        for pair in results.pairs
    )
    field = (
        '<p class="filter"><label for="filter">Show pairs with</label>'
        '<input id="filter" type="search" size="28" placeholder="part of a name, or a status" '
        'data-filter=".pair, .listed tbody tr"><output></output></p>'
    )
    found = field if len(results.pairs) >= FEW else ""
    return titled("pairs", "Pairs", f'<div class="screen listed">{found}{listed}</div>{one_by_one}')


def _pair(
    results: Results, pair: Record, name: str, panel: Panel | None, above: Collection[str]
) -> str:
    key, status = str(pair.get("id")), str(pair.get("status"))
    inner = [f"<p>{escape(str(pair['reason']))}</p>"] if pair.get("reason") else []
    inner += [f"<p>Note: {escape(str(one))}</p>" for one in pair.get("notes") or ()]
    if panel and key in above:
        link = f'<a href="#figure-{panel.name}">with its data set</a>'
        inner.append(f'<p class="screen">Its images are {link}.</p>')
    elif panel:
        inner.append(panel.html)
    if status == "scored":
        scores = "".join(map(as_html, pair_tables.pair_scores(results, pair, name)))
        inner.append(f'<div class="beside">{scores}</div>')
    inner.append(facts(pair_tables.facts(results, pair)))
    told = []
    if status == "scored":
        told = [trust.pair_detail(results, pair, name), numbers.pair_reported(results, pair, name)]
    told.append(pair_tables.per_method_alignment(results, pair, name))
    more = "".join(as_html(one) for one in told if one)
    inner += [details("Detail, reported numbers, alignment of each method", more)] if more else []
    kind = "status" if status == "scored" else "bad"
    where = f"{pair['data_set']}, " if pair.get("data_set") else ""
    title = f'{escape(key)} <span class="{kind}">{escape(where + status)}</span>'
    searched = escape(f"{key} {where}{status}")
    return (
        f'<details class="pair {escape(status)}" id="pair-{name}" data-name="{searched}">'
        f"<summary>{title}</summary>{''.join(inner)}</details>"
    )

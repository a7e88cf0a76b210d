"""What the page shows of one data set, and of trust: tables and figures, also as files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from afmsr_core.report import (
    figures,
    floor,
    full_scan,
    gains,
    numbers,
    p_values,
    spectra,
    tables,
    trust,
    trust_figures,
    words,
)
from afmsr_core.report.contents import Fields, Metric, Record, Results
from afmsr_core.report.files import Files
from afmsr_core.report.spectra import Curves
from afmsr_core.report.tiles import Panel
from afmsr_core.webpage.html import details, notes, titled

__all__ = ["data_set", "example", "fields_of", "title_of", "trusted"]

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\w)")
"""A number that stands by itself in a note."""


def fields_of(results: Results, name: str) -> Iterator[tuple[Record, Fields]]:
    """Return the pairs of a data set whose fields were kept, with these."""
    for pair in results.pairs_of(name):
        fields = results.fields(pair)
        if fields is not None and np.isfinite(fields.truth).any():
            yield pair, fields


def data_set(
    results: Results, files: Files, name: str, panel: Panel | None, why: str, curves: Curves | None
) -> str:
    """Return the section of a data set as HTML.

    Parameters
    ----------
    results, files
        What is told, and where tables and figures go.
    name : str
        Of the data set.
    panel, why : Panel or None, str
        The pair that is shown, and how it was chosen.
    curves : Curves or None
        Its spectra.
    """
    inner = []
    if not results.pairs_of(name):
        inner.append("<p>No pair of this data set was scored; see “Failures”.</p>")
    inner += [_chapter(results, files, name, protocol) for protocol in results.protocols]
    if panel:
        link = f'<p>{escape(why)} All pairs are <a href="#pairs">below</a>.</p>'
        inner.append(f'<div class="screen"><h3>Images</h3>{link}</div>')
        home = panel.name.replace("panel-", "pair-", 1)  # on paper
        inner.append(f'<div data-print="#{home}">{panel.html}</div>')
    if curves:
        drawn = spectra.figure(results, name, curves)
        inner.append(f"<h3>Power spectra</h3>{files.write_figure(drawn)}")
    return titled(results.slug("set", name), title_of(results, name), "".join(inner))


def title_of(results: Results, name: str) -> str:
    """Return the title of the section of a data set."""
    return f"Data set {name}" if name else (results.called(name) or "results").capitalize()


def _chapter(results: Results, files: Files, name: str, protocol: str) -> str:
    """Return what one data set says on one scale: means on top, the rest folded."""
    told = list(results.analyses(name, protocol))
    means = "".join(files.write_table(one) for one in tables.means(results, name, protocol))
    inner = [f'<div class="beside">{means}</div>']
    for scale in (protocol, gains.EXACT) if protocol == "nm" else (protocol,):
        if single := gains.table(results, name, scale):
            inner.append(details(single.caption, files.write_table(single)))
    if boxes := figures.boxes(results, name, protocol):
        inner.append(details("Every metric, pair by pair", files.write_figure(boxes)))
    tests = [tables.significance(results, name, protocol), tables.paired(results, name, protocol)]
    told_tests = "".join(files.write_table(one) for one in tests if one)
    found = [p_values.triangles(results, metric, analysis) for metric, analysis in told]
    if any(found):
        told_tests += (
            "<h4>p-values of every two methods</h4><p>Left as in the paper, one-way Tukey HSD; "
            "right Tukey’s test on images as blocks. Dark: the two methods differ surely.</p>"
            f'<div class="ps">{"".join(found)}</div>'
        )
    if said := list(_notes(told)):
        told_tests += notes("To know before reading the tests:", said)
    if told_tests:
        inner.append(details("Tests (Tukey and others)", told_tests))
    return f"<h3>{escape(words.short(results, protocol))}</h3>{''.join(inner)}"


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


def example(results: Results, name: str, among: set[str]) -> tuple[str, str]:
    """Return the pair whose score is nearest to the median of the data set, and say so."""
    pairs = [pair for pair in results.pairs_of(name) if str(pair["id"]) in among]
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


def trusted(results: Results, files: Files) -> str:
    """Return the section on how far the results are to be trusted, as HTML."""
    alarm = trust.alarm(results)
    inner = [f'<p class="alarm">{escape(alarm)}</p>'] if alarm else []
    absent = (*trust.sentences(results), *full_scan.sentences(results))
    inner += [f"<p>{escape(one)}</p>" for one in absent]
    for name in results.data_sets:
        lost, held = trust.detail(results, name), trust.intervals(results, name)
        reported = numbers.reported(results, name), full_scan.table(results, name)
        told = [*reported, numbers.quality(results, name), lost]
        least = floor.table(results, name)
        if any((*told, held, least)) and len(results.data_sets) > 1:
            inner.append(f"<h3>{escape(results.called(name))}</h3>")
        if least:
            said = escape(floor.sentence(results, name))
            inner.append(f'<div class="screen"><p>{said}</p>{files.write_table(least)}</div>')
        if held:
            drawn = trust_figures.curve(results, name)
            beside = files.write_table(held) + (files.write_figure(drawn) if drawn else "")
            inner.append(f'<div class="two">{beside}</div>')
        shown = "".join(files.write_table(one) for one in told if one)
        inner += [f'<div class="screen">{shown}</div>'] if shown else []
    if cases := trust_figures.worst(results):
        shown = "".join(map(files.write_figure, cases))
        inner.append(
            '<div class="screen"><h3>Where the intervals fail most</h3><p>The regions of all pairs '
            "with the largest mean error over mean half-width. Error, half-width, and what of the "
            f"error lies outside have the same colours per height in a row.</p>{shown}</div>"
        )
    return titled("trust", "Trust", "".join(inner))

"""The report of an evaluation: one page that can be mailed, and its tables and figures as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from afmsr_core.report import (
    gains,
    long_tables,
    numbers,
    pair_tables,
    scan_time,
    setup_tables,
    spectra,
    trust,
)
from afmsr_core.report.contents import Results, read_results, unique_slugs
from afmsr_core.report.drawing import Picture
from afmsr_core.report.files import Files
from afmsr_core.report.page import page
from afmsr_core.report.sections import Section, Trust, panels_of, section, trusted
from afmsr_core.report.table import Table

__all__ = ["PAGE", "write_report"]

PAGE = "report.html"


def write_report(folder: Path) -> Path:
    """Write the report of a results folder into it.

    Reads ``results.json`` and the fields in ``pairs/``; writes ``tables/`` (CSV, Markdown,
    LaTeX), ``figures/`` (PNG, SVG), ``report.html``, which holds all it shows, and, last, the list
    of all these, ``report.sha256``. The same
    results give the same bytes. Files of an earlier report are replaced; those that this one does
    not write any more are removed.

    Parameters
    ----------
    folder : Path
        As `afmsr-eval` leaves it.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ReadError
        If ``results.json`` is absent, damaged or of another format.
    OutputError
        If a file cannot be written.
    MissingExtraError
        If SciPy is not installed.
    """
    folder = Path(folder)
    results = read_results(folder)
    names = unique_slugs([str(pair.get("id")) for pair in results.pairs])
    shown: dict[str, Picture] = {}
    for data_set in results.data_sets:
        shown.update(panels_of(results, data_set, names))
    sections = [section(results, data_set, shown) for data_set in results.data_sets]
    believed = trusted(results)
    files = Files(folder)
    for table in _tables(results, sections, believed):
        files.write_table(table)
    for name, text in (
        *long_tables.longs(results),
        *gains.longs(results),
        *trust.longs(results),
        *numbers.longs(results),
    ):
        files.write(f"tables/{name}.csv", text)
    curves = {one.data_set: one.curves for one in sections if one.curves}
    if curves:
        files.write("tables/spectra.csv", spectra.as_csv(results, curves))
    for picture in _pictures(sections, shown, believed):
        files.write_picture(picture)
    files.write(PAGE, page(results, sections, shown, names, believed))
    files.finish()
    return folder / PAGE


def _tables(results: Results, sections: list[Section], believed: Trust) -> Iterator[Table]:
    for one in sections:
        for chapter in one.chapters:
            yield from chapter.tables
            if chapter.paired:
                yield chapter.paired
    for part in believed.parts:
        yield from part.tables
    time = scan_time.table(results)
    if time:
        yield time
    yield from (
        pair_tables.pairs(results),
        setup_tables.methods(results),
        setup_tables.metrics(results),
    )
    yield from (setup_tables.settings(results), setup_tables.versions(results))


def _pictures(
    sections: list[Section], panels: dict[str, Picture], believed: Trust
) -> Iterator[Picture]:
    for one in sections:
        for chapter in one.chapters:
            yield from (drawn for drawn in (chapter.boxes, chapter.differences) if drawn)
            yield from chapter.triangles
        if one.spectra:
            yield one.spectra
    yield from (part.curve for part in believed.parts if part.curve)
    if believed.worst:
        yield believed.worst
    yield from panels.values()

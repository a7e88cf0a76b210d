"""The report of an evaluation: one page that can be mailed, and its tables and figures as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from afmsr_core.errors import OutputError
from afmsr_core.io.atomic import writing
from afmsr_core.report import long_tables, pair_tables, scan_time, setup_tables, spectra
from afmsr_core.report.contents import Results, read_results, unique_slugs
from afmsr_core.report.drawing import Picture
from afmsr_core.report.page import page
from afmsr_core.report.sections import Section, panels_of, section
from afmsr_core.report.table import Table, as_csv, as_latex, as_markdown

__all__ = ["write_report"]


def write_report(folder: Path) -> Path:
    """Write the report of a results folder into it.

    Reads ``results.json`` and the fields in ``pairs/``; writes ``tables/`` (CSV, Markdown,
    LaTeX), ``figures/`` (PNG, SVG) and, last, ``report.html``, which holds all it shows. The same
    results give the same bytes. Files of an earlier report are replaced.

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
        If matplotlib or SciPy is not installed.
    """
    folder = Path(folder)
    results = read_results(folder)
    names = unique_slugs([str(pair.get("id")) for pair in results.pairs])
    shown: dict[str, Picture] = {}
    for data_set in results.data_sets:
        shown.update(panels_of(results, data_set, names))
    sections = [section(results, data_set, shown) for data_set in results.data_sets]
    for table in _tables(results, sections):
        for ending, form in (("csv", as_csv), ("md", as_markdown), ("tex", as_latex)):
            _write(folder / "tables" / f"{table.name}.{ending}", form(table).encode())
    for name, text in long_tables.longs(results):
        _write(folder / "tables" / f"{name}.csv", text.encode())
    curves = {one.data_set: one.curves for one in sections if one.curves}
    if curves:
        _write(folder / "tables" / "spectra.csv", spectra.as_csv(results, curves).encode())
    for picture in _pictures(sections, shown):
        for ending, data in picture.files.items():
            if ending != "jpg":  # of fewer pixels, for the page alone
                _write(folder / "figures" / f"{picture.name}.{ending}", data)
    target = folder / "report.html"
    _write(target, page(results, sections, shown, names).encode())
    return target


def _tables(results: Results, sections: list[Section]) -> Iterator[Table]:
    for one in sections:
        for chapter in one.chapters:
            yield from chapter.tables
            if chapter.paired:
                yield chapter.paired
    time = scan_time.table(results)
    if time:
        yield time
    yield from (
        pair_tables.pairs(results),
        setup_tables.methods(results),
        setup_tables.metrics(results),
    )
    yield from (setup_tables.settings(results), setup_tables.versions(results))


def _pictures(sections: list[Section], panels: dict[str, Picture]) -> Iterator[Picture]:
    for one in sections:
        for chapter in one.chapters:
            yield from (drawn for drawn in (chapter.boxes, chapter.differences) if drawn)
            yield from chapter.triangles
        if one.spectra:
            yield one.spectra
    yield from panels.values()


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot be made ({error.strerror}); choose another folder"
        ) from error
    with writing(path, force=True) as file:
        file.write(data)

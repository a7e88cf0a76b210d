"""The report of an evaluation: one page that can be mailed, and its tables and figures as files."""

from __future__ import annotations

from pathlib import Path

from afmsr_core.report import floor, full_scan, gains, long_tables, numbers, trust
from afmsr_core.report.contents import read_results
from afmsr_core.report.files import Files
from afmsr_core.report.page import page

__all__ = ["PAGE", "write_report"]

PAGE = "report.html"


def write_report(folder: Path) -> Path:
    """Write the report of a results folder into it.

    Reads ``results.json`` and the fields in ``pairs/``; writes ``tables/`` (CSV, Markdown,
    LaTeX), ``figures/`` (SVG), ``report.html``, which holds all it shows, and, last, the list of
    all these, ``report.sha256``. The same results give the same bytes. Files of an earlier report
    are replaced; those that this one does not write any more are removed.

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
    files = Files(folder)
    for part in (long_tables, gains, floor, trust, full_scan, numbers):
        for name, text in part.longs(results):
            files.write(f"tables/{name}.csv", text)
    files.write(PAGE, page(results, files))
    files.finish()
    return folder / PAGE

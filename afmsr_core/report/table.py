"""A table, and its forms: HTML, Markdown, LaTeX (booktabs) and CSV."""

from __future__ import annotations

import csv
import io
import math
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from afmsr_core.quantity import first_power
from afmsr_core.webpage.html import linked

__all__ = [
    "BESIDE",
    "FORMS",
    "Cell",
    "Table",
    "as_csv",
    "as_html",
    "as_latex",
    "as_markdown",
    "csv_text",
    "digits",
    "in_full",
    "number",
    "number_cell",
    "significant",
]

BESIDE = (
    "The tables are beside this page in tables/ (CSV in full precision, Markdown, LaTeX for "
    "booktabs), the figures in figures/"
)

MISSING = "–"
"""What a cell without a value shows."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
        What is printed.
    value : float, str or None
        In full precision, for CSV; the text if not given.
    bold : bool
        As the paper prints what is significantly better.
    mark : str
        Sign after the text.
    note : str
        Footnote; equal ones share a letter.
    below : str
        Second line, in heads.
    """

    text: str
    value: float | str | None = None
    bold: bool = False
    mark: str = ""
    note: str = ""
    below: str = ""

    @property
    def exact(self) -> str:
        """The value as CSV holds it."""
        if self.value is None:
            return "" if self.text == MISSING else self.text
        return repr(self.value) if isinstance(self.value, float) else str(self.value)


@dataclass(frozen=True)
class Table:
    """A table; the first column holds the heads of the rows.

    Attributes
    ----------
    name : str
        Of its files.
    caption : str
        What it shows, with units.
    head : sequence of Cell
        Heads of the columns.
    rows : sequence of sequence of Cell
        As long as `head`.
    remarks : sequence of str
        Printed below the footnotes.
    words : int
        Number of leading columns that hold words, set to the left.
    """

    name: str
    caption: str
    head: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    remarks: Sequence[str] = ()
    words: int = 1
    letters: dict[str, str] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for cell in (*self.head, *(cell for row in self.rows for cell in row)):
            if cell.note and cell.note not in self.letters:
                self.letters[cell.note] = _letter(len(self.letters))


def number(value: float | None, decimals: int) -> str:
    """Return a number with a proper minus sign; a dash if there is none.

    Examples
    --------
    >>> number(-0.0004, 2), number(-1.5, 2), number(None, 2)
    ('0.00', '−1.50', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{decimals}f}"
    if not float(text):
        text = text.lstrip("-")
    return text.replace("-", "−")


def significant(value: float, digits: int = 3) -> str:
    """Return a number with so many digits, whatever its size, and without an exponent.

    Examples
    --------
    >>> significant(2150.4), significant(-0.0361), significant(252512.0, 4), significant(0.0)
    ('2150', '−0.0361', '252512', '0')
    >>> significant(9.996)
    '10.0'
    """
    if not value or not math.isfinite(value):
        return "0" if value == 0 else MISSING
    return number(value, max(0, digits - 1 - first_power(value, digits)))


def in_full(value: float | None) -> str:
    """Return a number with all of its digits, as CSV holds it; nothing if there is none.

    Examples
    --------
    >>> in_full(0.1), in_full(None)
    ('0.1', '')
    """
    return "" if value is None else repr(value)


def number_cell(value: float | None, decimals: int, *, bold: bool = False, note: str = "") -> Cell:
    """Return a cell with a rounded number, and all of its digits for CSV; a dash if there is none.

    Examples
    --------
    >>> number_cell(0.125, 1).text, number_cell(0.125, 1).exact, number_cell(float("nan"), 1).exact
    ('0.1', '0.125', '')
    """
    known = value if value is not None and math.isfinite(value) else None
    return Cell(number(known, decimals), known, bold=bold, note=note)


def digits(values: Iterable[float]) -> int:
    """Return the decimals for a column: four digits of the largest, as in the paper's tables.

    Examples
    --------
    >>> digits([29.02, 28.9]), digits([0.901]), digits([5.194]), digits([0.0123]), digits([])
    (2, 3, 3, 4, 3)
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if not largest:
        return 3
    power = math.floor(math.log10(largest))
    return min(max(3 - power, 0) if power >= 0 else 2 - power, 9)


def as_html(table: Table, csv: str = "") -> str:
    """Return the table as HTML that sorts, in a frame that scrolls where it is too wide.

    Parameters
    ----------
    table : Table
        The table.
    csv : str
        Address of the same as CSV, beside the page; empty if there is none.
    """
    head = "".join(
        f'<th scope="col"{" class=words" if column < table.words else ""}>'
        f"{_html_of(cell, table)}</th>"
        for column, cell in enumerate(table.head)
    )
    rows = []
    for row in table.rows:
        cells = []
        for column, cell in enumerate(row):
            kind = " class=words" if column < table.words else ""
            tag = "td" if column else 'th scope="row"'
            exact = f' data-value="{cell.value:.7g}"' if isinstance(cell.value, int | float) else ""
            cells.append(f"<{tag}{kind}{exact}>{_html_of(cell, table)}</{tag[:2]}>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    notes = "".join(
        f"<p><sup>{letter}</sup> {linked(note)}</p>" for note, letter in table.letters.items()
    ) + "".join(f"<p>{linked(remark)}</p>" for remark in table.remarks)
    name = escape(table.name)
    more = f'<a href="{escape(csv)}" download>CSV</a>' if csv else ""
    return (
        f'<div class="table" id="table-{name}"><table class="sortable">'
        f"<caption>{escape(table.caption)}{more}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table><div class='notes'>{notes}</div></div>"
    )


def as_markdown(table: Table) -> str:
    """Return the table as Markdown, with its caption above and its notes below."""
    lines = [
        f"**{_markdown(table.caption)}**",
        "",
        _line(_markdown_of(cell, table) for cell in table.head),
        _line("---" if column < table.words else "---:" for column in range(len(table.head))),
        *(_line(_markdown_of(cell, table) for cell in row) for row in table.rows),
        "",
    ]
    lines += [f"<sup>{letter}</sup> {_markdown(n)}  " for n, letter in table.letters.items()]
    lines += [f"{_markdown(remark)}  " for remark in table.remarks]
    return "\n".join(lines).rstrip() + "\n"


def as_latex(table: Table) -> str:
    """Return the table as LaTeX, for ``booktabs``."""
    columns = "l" * table.words + "r" * (len(table.head) - table.words)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(_latex_of(cell, table) for cell in table.head),
    ]
    if any(cell.below for cell in table.head):
        lines.append(_row(_latex(cell.below) for cell in table.head))
    lines.append(r"\midrule")
    lines += [_row(_latex_of(cell, table) for cell in row) for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    notes = [
        rf"\textsuperscript{{{letter}}} {_latex(note)}" for note, letter in table.letters.items()
    ]
    notes += [_latex(remark) for remark in table.remarks]
    if notes:
        body = " \\\\\n".join(notes)
        lines += [r"\par\smallskip", rf"\begin{{minipage}}{{\linewidth}}\footnotesize {body}"]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}", ""])


def as_csv(table: Table) -> str:
    """Return the values of the table in full precision, under one line of heads."""
    return csv_text([[cell.exact for cell in row] for row in (table.head, *table.rows)])


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


FORMS = {"csv": as_csv, "md": as_markdown, "tex": as_latex}
"""What a table is written as beside its page, by the ending of the file."""


# --- HTML --------------------------------------------------------------------------------


def _html_of(cell: Cell, table: Table) -> str:
    text = linked(cell.text)
    if cell.bold:
        text = f"<b>{text}</b>"
    marks = escape(cell.mark) + (table.letters[cell.note] if cell.note else "")
    if marks:
        text += f"<sup>{marks}</sup>"
    return text + (f"<small>{escape(cell.below)}</small>" if cell.below else "")


# --- Markdown ----------------------------------------------------------------------------


def _markdown(text: str) -> str:
    for sign in ("\\", "|", "*", "_", "`", "<"):
        text = text.replace(sign, f"\\{sign}" if sign != "<" else "&lt;")
    return " ".join(text.split())


def _markdown_of(cell: Cell, table: Table) -> str:
    text = _markdown(cell.text)
    if cell.bold:
        text = f"**{text}**"
    marks = cell.mark + (table.letters[cell.note] if cell.note else "")
    if marks:
        text += f"<sup>{marks}</sup>"
    return text + (f"<br>{_markdown(cell.below)}" if cell.below else "")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


# --- LaTeX -------------------------------------------------------------------------------

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"<": "$<$", ">": "$>$", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "≤": r"$\leq$"},
        **{
            "↑": r"$\uparrow$",
            "↓": r"$\downarrow$",
            "→": r"$\to$",
            "†": r"$\dagger$",
            "–": "--",
            "µ": r"$\mu$",
        },
        **{"²": r"\textsuperscript{2}", "°": r"\textdegree{}", "…": r"\ldots{}"},
        **{"“": "``", "”": "''", "’": "'", "≥": r"$\geq$", "Δ": r"$\Delta$", "σ": r"$\sigma$"},
        **{"✓": "yes", "✗": "no", "\u00a0": "~"},
    }
)


def _latex(text: str) -> str:
    return " ".join(text.split(" ")).translate(_LATEX)


def _latex_of(cell: Cell, table: Table) -> str:
    text = _latex(cell.text)
    if cell.bold:
        text = rf"\textbf{{{text}}}"
    marks = _latex(cell.mark) + (table.letters[cell.note] if cell.note else "")
    return text + (rf"\textsuperscript{{{marks}}}" if marks else "")


def _row(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _letter(index: int) -> str:
    """Return a, b, ..., z, aa, ab, ...

    Examples
    --------
    >>> _letter(0), _letter(27)
    ('a', 'ab')
    """
    more, last = divmod(index, 26)
    return (_letter(more - 1) if more else "") + string.ascii_lowercase[last]

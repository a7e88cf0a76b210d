"""The p-values of every pair of methods, as tables whose cells are coloured by their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from afmsr_core.report import verdicts
from afmsr_core.report.contents import Metric, Record, Results

__all__ = ["triangles"]

BOUNDS = (0.001, 0.01, 0.05, 0.1, 0.5)
"""Limits of the classes of p: evidence is told by its order, not its digits."""

SHOWN = verdicts.TESTS[:2]


def triangles(results: Results, metric: Metric, analysis: Record) -> str:
    """Return lower triangles of p-values, one-way and blocked side by side, of one metric.

    Empty where no pair of methods was tested.
    """
    found = [
        (test, matrix)
        for test, matrix in verdicts.matrices(analysis)
        if test in SHOWN and any(p is not None for row in matrix.get("p") or [] for p in row)
    ]
    tables = "".join(_table(test, matrix, results) for test, matrix in found)
    return f'<div class="p"><h5>{escape(metric.label)}</h5>{tables}</div>' if tables else ""


def _table(test: str, matrix: Record, results: Results) -> str:
    labels = [results.label(name) for name in matrix["methods"]]
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels[:-1])
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th>{_cells(matrix["p"][place][:place])}</tr>'
        for place, label in enumerate(labels)
        if place
    )
    return (
        f'<div class="table"><table><caption>{escape(test)}</caption><thead><tr><th></th>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cells(values: Sequence[float | None]) -> str:
    return "".join(
        "<td>–</td>"
        if p is None or not math.isfinite(p)
        else f'<td class="p{sum(p >= bound for bound in BOUNDS)}">{_short(p)}</td>'
        for p in values
    )


def _short(p: float) -> str:
    """Return a p-value in four signs."""
    if p < BOUNDS[0]:
        return "&lt;.001"
    return f"{p:.3f}".lstrip("0") if p < 0.0995 else f"{p:.2f}"

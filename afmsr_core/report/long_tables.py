"""Every number of the evaluation as long tables, CSV only."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from afmsr_core.report import verdicts
from afmsr_core.report.contents import Floats, Results
from afmsr_core.report.table import csv_text, in_full

__all__ = ["longs"]


def longs(results: Results) -> Iterator[tuple[str, str]]:
    """Return name and text of the CSV files that hold one value a line."""
    yield "scores", csv_text(_score_rows(results))
    yield "summary", csv_text(_summary_rows(results))
    yield "p-values", csv_text(_p_rows(results))


def _score_rows(results: Results) -> Iterator[Sequence[Any]]:
    yield "pair", "data set", "protocol", "method", "metric", "value", "unit", "reason", "details"
    for pair in results.pairs:
        if pair.get("status") != "scored":
            continue
        for protocol in results.protocols:
            for method in results.ran:
                for metric in results.metrics(protocol):
                    one = results.score(pair, protocol, method, metric.name)
                    details = json.dumps(one.details, sort_keys=True) if one.details else ""
                    yield (
                        *(pair.get("id"), pair.get("data_set") or "", protocol, method),
                        *(metric.name, in_full(one.value), metric.unit, one.reason, details),
                    )


def _summary_rows(results: Results) -> Iterator[Sequence[Any]]:
    """Yield what is told of all pairs; of errors in heights geometric means of their ratios."""
    yield (
        *("data set", "protocol", "metric", "method", "n", "mean", "sd", "minimum", "maximum"),
        "scale",
    )
    for data_set in results.data_sets:
        for protocol in results.protocols:
            for metric in results.metrics(protocol):
                scale = f"ratio to {results.reference}" if metric.of_heights else metric.unit
                told = results.ratios if metric.of_heights else results.values
                for method in results.ran:
                    values = told(data_set, protocol, method, metric.name)
                    numbers = _summary(np.log(values) if metric.of_heights else values)
                    if metric.of_heights:
                        numbers = [None if one is None else math.exp(one) for one in numbers]
                    written = map(in_full, numbers)
                    yield data_set, protocol, metric.name, method, len(values), *written, scale


def _summary(values: Floats) -> list[float | None]:
    """Return mean, SD, minimum and maximum."""
    if not len(values):
        return [None] * 4
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return [float(values.mean()), spread, float(values.min()), float(values.max())]


def _p_rows(results: Results) -> Iterator[Sequence[Any]]:
    yield "data set", "protocol", "metric", "test", "method", "other method", "p"
    for data_set in results.data_sets:
        for protocol in results.protocols:
            for metric, analysis in results.analyses(data_set, protocol):
                for test, matrix in verdicts.matrices(analysis):
                    names = matrix.get("methods") or []
                    for row, first in enumerate(names):
                        for column, second in enumerate(names[:row]):
                            p = in_full(matrix["p"][row][column])
                            yield data_set, protocol, metric.name, test, first, second, p

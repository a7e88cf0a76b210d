"""Which method is better: the tests on every metric, and the gains that are told first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import methods, metrics, statistics
from afmsr_core.errors import AfmsrError
from afmsr_core.evaluation.settings import EvaluationSettings
from afmsr_core.metrics.fidelity import EQUAL
from afmsr_core.statistics.analysis import REFERENCE
from afmsr_core.statistics.equivalence import MARGIN_FRACTION

__all__ = ["FIRST", "analyses_of", "gains_of"]

Record = Mapping[str, Any]
Scores = NDArray[np.float64]

FIRST: Mapping[str, str] = MappingProxyType({"nm": "rmse", "paper": "psnr"})
"""By protocol, the metric whose gains are told first: both are root mean squares of the error."""


def analyses_of(records: Sequence[Record], settings: EvaluationSettings) -> dict[str, Any]:
    """Return the tests on every metric, by protocol, data set and metric."""
    return {
        protocol: {
            data_set: {
                metric: _analysis(rows, protocol, data_set, metric, settings)
                for metric in metrics.names(protocol)
            }
            for data_set, rows in _data_sets(records).items()
        }
        for protocol in settings.protocols
    }


def gains_of(records: Sequence[Record], settings: EvaluationSettings) -> dict[str, Any]:
    """Return the gains of all methods over the reference, by protocol and data set.

    Beside the protocols stands ``"exact"``, where exact surfaces are known: the same errors in
    heights, against what the tip traces.

    Parameters
    ----------
    records : sequence of mapping
        Of all pairs; those that were scored count.
    settings : EvaluationSettings
        With the reference and the levels of the tests.

    Returns
    -------
    dict
        JSON-serialisable, see :class:`afmsr_core.statistics.Gains`.
    """
    found: dict[str, Any] = {}
    for data_set, rows in _data_sets(records).items():
        for protocol in settings.protocols:
            levels = _levels(rows, protocol, FIRST[protocol], settings.methods)
            found.setdefault(protocol, {})[data_set] = _gains(
                rows, levels, FIRST[protocol], settings
            )
        known = [row for row in rows if (row["trust"] or {}).get("exact")]
        if known:
            levels = -statistics.decibels(_exact_errors(known, settings.methods))
            found.setdefault("exact", {})[data_set] = _gains(known, levels, "rmse", settings)
    return found


def _gains(
    rows: Sequence[Record], levels: Scores, metric: str, settings: EvaluationSettings
) -> dict[str, Any]:
    names = settings.methods
    plain = [name for name in names if methods.chosen(name).kind == "interpolation"]
    choices = (settings.statistics.reference, REFERENCE, *plain, *names)
    found = statistics.gains(
        levels,
        names,
        [methods.chosen(name).kind for name in names],
        [row["id"] for row in rows],
        metric=metric,
        reference=next(name for name in choices if name in names),
        alpha=settings.statistics.alpha,
        confidence=settings.statistics.confidence,
    )
    return dict(found.as_dict())


def _exact_errors(rows: Sequence[Record], names: Sequence[str]) -> Scores:
    found = [row["trust"]["exact"]["methods"] for row in rows]
    return np.array(
        [[of_pair[n]["rmse"] if n in of_pair else np.nan for n in names] for of_pair in found]
    )


def _data_sets(records: Sequence[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        if record["status"] == "scored":
            found.setdefault(record["data_set"], []).append(record)
    return found


def _levels(rows: Sequence[Record], protocol: str, metric: str, names: Sequence[str]) -> Scores:
    """Return scores in dB, higher is better; infinite where a result equals its truth."""
    values, reasons = _scored(rows, protocol, metric, names)
    if metrics.get(metric).unit == "height":
        return -statistics.decibels(values)
    return np.where(reasons == EQUAL, np.inf, values)


def _scored(
    rows: Sequence[Record], protocol: str, metric: str, names: Sequence[str]
) -> tuple[Scores, NDArray[np.object_]]:
    """Return the scores of a metric, NaN where there is none, and why there is none."""
    found = [[row["scores"][protocol][name][metric] for name in names] for row in rows]
    values, reasons = ([[one[key] for one in row] for row in found] for key in ("value", "reason"))
    return np.array(values, dtype=np.float64), np.array(reasons, dtype=object)


def _analysis(
    rows: Sequence[Record],
    protocol: str,
    data_set: str,
    metric: str,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    descriptor = metrics.get(metric)
    values, _ = _scored(rows, protocol, metric, settings.methods)
    notes = []
    if descriptor.lower_is_better is None:  # neither is better, but nearness to the ideal
        ideal = descriptor.ideal or 0.0
        values = np.abs(values - ideal)
        notes = ["tested is the distance from the ideal: lower is better"]
    unit, chosen, as_ratio = descriptor.unit, settings.statistics, descriptor.unit == "height"
    if as_ratio:  # in nm, the pair with the highest relief would decide alone
        values, unit = statistics.decibels(values), "dB"
        margin = chosen.margins.get(metric, MARGIN_FRACTION)
        margins = {**chosen.margins, metric: float(statistics.decibels(1.0 + margin))}
        chosen = dataclasses.replace(chosen, margins=margins)
        notes.append("tested are ratios of the errors, as their logarithms in dB")
    scores = statistics.Scores(
        values,
        settings.methods,
        [methods.chosen(name).kind for name in settings.methods],
        higher_is_better=descriptor.lower_is_better is False,
        metric=metric,
        data_set=data_set,
        unit=unit,
        images=[row["id"] for row in rows],
    )
    try:
        analysis = dict(statistics.plain(statistics.analyse(scores, chosen)))
    except AfmsrError as error:
        return {"metric": metric, "data_set": data_set, "failed": str(error)}
    return analysis | {"ratio": as_ratio, "notes": notes + analysis["notes"]}

"""The tables on what was done: methods, metrics, settings, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from afmsr_core.report.contents import PROTOCOLS, Results
from afmsr_core.report.table import MISSING, Cell, Table

__all__ = ["flat", "methods", "metrics", "plain", "settings", "versions"]


def methods(results: Results) -> Table:
    """Return all methods, and why some did not run."""
    return Table(
        name="methods",
        caption="Methods",
        head=[*map(Cell, ("Method", "Kind", "Ran", "Source", "Trained parameters"))],
        rows=[
            [
                Cell(results.label(one["name"]), one["name"]),
                Cell(str(one.get("kind") or MISSING)),
                Cell("yes" if one.get("run", True) else "no", note=str(one.get("why_not") or "")),
                Cell(str(one.get("source") or MISSING)),
                Cell(f"{one['parameters']:,}" if one.get("parameters") else MISSING),
            ]
            for one in results.methods
        ],
        words=4,
    )


def metrics(results: Results) -> Table:
    """Return all metrics with unit, direction, meaning and source."""
    every = [metric for protocol in PROTOCOLS for metric in results.metrics(protocol)]
    better: dict[bool | None, str] = {True: "lower", False: "higher"}
    return Table(
        name="metrics",
        caption="Metrics",
        head=[*map(Cell, ("Metric", "Unit", "Better is", "On", "Meaning", "Source"))],
        rows=[
            [
                Cell(metric.label, metric.name),
                Cell(metric.unit or MISSING),
                Cell(better.get(metric.lower_is_better) or f"nearer {metric.ideal or 0:g}"),
                Cell({"paper": "8 bits", "nm": "heights"}.get(metric.protocol, metric.protocol)),
                Cell(metric.summary),
                Cell(metric.source),
            ]
            for metric in every
        ],
        words=6,
    )


def settings(results: Results) -> Table:
    """Return every resolved setting."""
    rows = [[Cell(key), Cell(plain(v))] for key, v in flat(results.raw.get("settings") or {})]
    return Table(name="settings", caption="Settings", head=[Cell("Setting"), Cell("Value")],
                 rows=rows, words=2)  # fmt: skip


def versions(results: Results) -> Table:
    """Return the versions of what computed the results."""
    given = {"afmsr": results.raw.get("afmsr"), **(results.raw.get("versions") or {})}
    rows = [[Cell(name), Cell(str(version))] for name, version in given.items() if version]
    return Table(name="versions", caption="Versions", head=[Cell("Package"), Cell("Version")],
                 rows=rows, words=2)  # fmt: skip


def flat(settings: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    """Return the leaves of nested settings with dotted names.

    Examples
    --------
    >>> list(flat({"align": {"ratio": 0.75}, "jobs": 2}))
    [('align.ratio', 0.75), ('jobs', 2)]
    """
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{start}{key}.")
        else:
            yield f"{start}{key}", value


def plain(value: Any) -> str:
    """Return a setting or fact as a reader wants it."""
    if value is None or value == "" or value in ([], {}):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}".replace("-", "−")
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value)
    return str(value)

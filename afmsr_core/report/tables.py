"""The tables of the report, built from the results."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from afmsr_core.report import verdicts
from afmsr_core.report.contents import PROTOCOLS, Metric, Record, Results, slug
from afmsr_core.report.table import MISSING, Cell, Table, digits, number

__all__ = [
    "alignment_facts",
    "flat",
    "groups",
    "longs",
    "means",
    "methods",
    "metrics",
    "pair_scores",
    "paired",
    "pairs",
    "per_method_alignment",
    "settings",
    "significance",
    "versions",
]

WIDEST = 8
"""Columns of metrics that fit on a page."""

EQUIVALENT = {True: "yes", False: "not shown", None: MISSING}

SHARE = 0.999999
"""Details of a metric are told where this share of its values has them."""


def groups(metrics: Sequence[Metric]) -> list[tuple[str, list[Metric]]]:
    """Return the metrics in tables that fit on a page, each with a title."""
    sorted_out: dict[str, list[Metric]] = {}
    for metric in metrics:
        sorted_out.setdefault(_group(metric), []).append(metric)
    found = []
    for title, members in sorted_out.items():
        parts = -(-len(members) // WIDEST)
        for part in range(parts):
            chunk = [members[i] for i in range(part, len(members), parts)] if parts > 1 else members
            found.append((title if parts == 1 else f"{title} {part + 1}", chunk))
    return found


def _group(metric: Metric) -> str:
    if metric.source.startswith("ISO 25178"):
        return "surface"
    if metric.name.startswith(("psd_", "streaks_")):
        return "spectrum"
    return "scores"


# --- means, as the paper's Tables 1 and 2 ------------------------------------------------


def means(results: Results, data_set: str, protocol: str) -> Iterator[Table]:
    """Return the tables of means of a data set."""
    pairs = results.pairs_of(data_set)
    chosen = groups(results.metrics(protocol))
    for title, members in chosen:
        columns = [_column(results, pairs, protocol, metric, data_set) for metric in members]
        rows = [
            [Cell(results.label(method)), *(cells[index] for _, cells in columns)]
            for index, method in enumerate(results.ran)
        ]
        what = {"surface": "surface parameters", "spectrum": "spectrum and streaks"}
        kind = next((words for key, words in what.items() if title.startswith(key)), "scores")
        yield Table(
            name=results.slug("means", data_set, protocol, *([title] if len(chosen) > 1 else [])),
            caption=(f"Mean {kind} of {_pairs(len(pairs))}{_of(data_set)}, {PROTOCOLS[protocol]}"),
            head=[Cell("Method", below="SD of the methods"), *(head for head, _ in columns)],
            rows=rows,
            remarks=list(_legend(results, data_set, protocol, members)),
        )


def _column(
    results: Results, pairs: Sequence[Record], protocol: str, metric: Metric, data_set: str
) -> tuple[Cell, list[Cell]]:
    """Return the head and the cells of a metric."""
    values = {m: results.values(data_set, protocol, m, metric.name) for m in results.ran}
    averages = {m: float(v.mean()) for m, v in values.items() if len(v)}
    decimals = digits(averages.values())
    analysis = results.analysis(data_set, protocol, metric.name)
    one_way, blocked = (verdicts.holds(analysis, test) for test in verdicts.TESTS[:2])
    cells = []
    for method in results.ran:
        note = _why(results, pairs, protocol, method, metric.name)
        if method not in averages:
            cells.append(Cell(MISSING, note=note))
            continue
        network = method in results.networks
        cells.append(
            Cell(
                number(averages[method], decimals),
                averages[method],
                bold=network and one_way,
                mark="*" if network and blocked else "",
                note=note,
            )
        )
    spreads = [float(v.std(ddof=1)) for v in values.values() if len(v) > 1]
    spread = ""
    if spreads:
        enough = max(decimals, digits([max(spreads)]) - 1)
        enough = min(enough, decimals + 1)
        low, high = (number(end, enough) for end in (min(spreads), max(spreads)))
        spread = low if low == high else f"{low}–{high}"
    head = Cell(f"{metric.title}\u00a0{metric.arrow}".rstrip(), value=metric.title, below=spread)
    return head, cells


def _why(results: Results, pairs: Sequence[Record], protocol: str, method: str, metric: str) -> str:
    """Return why values are missing, with the most frequent reason; empty if none are."""
    scores = [results.score(pair, protocol, method, metric) for pair in pairs]
    reasons = Counter(one.reason or "no reason told" for one in scores if one.value is None)
    if not pairs:
        return "no pair was scored"
    if not reasons:
        return ""
    reason = reasons.most_common(1)[0][0]
    there = len(scores) - reasons.total()
    return reason if not there else f"mean of {there} of {len(scores)} pairs; others: {reason}"


def _legend(
    results: Results, data_set: str, protocol: str, members: Sequence[Metric]
) -> Iterator[str]:
    """Return what the signs in a table mean, those that are in it."""
    found = [results.analysis(data_set, protocol, metric.name) for metric in members]
    known = [one for one in found if one is not None]
    level = ((known[0].get("settings") or {}).get("alpha") or 0.05) if known else 0.05
    tukey = [any(verdicts.holds(one, test) for one in known) for test in verdicts.TESTS[:2]]
    if tukey[0]:
        yield (
            "Bold: every network is significantly better than every interpolation by one-way "
            f"Tukey HSD, the paper's rule (p < {level:g})."
        )
    if tukey[1]:
        yield "* The same by Tukey's test on images as blocks, which uses the pairing."
    if known and not any(tukey):
        yield (
            "No metric here has every network significantly better than every interpolation, by "
            "one-way Tukey (would be bold) or by Tukey on blocks (would have *)."
        )
    directed = any(metric.lower_is_better is not None for metric in members)
    if not known and directed:
        yield "No tests: fewer than two scored pairs or methods, or the analysis was not run."
    if not known and not directed:
        yield "No tests: neither higher nor lower is better, but nearness to the truth."
    signs = "↑ higher is better, ↓ lower is better" if directed else ""
    if any(metric.lower_is_better is None and metric.ideal is not None for metric in members):
        signs += f"{', ' if signs else ''}→ the value of a perfect result"
    yield f"{signs}{'; ' if signs else ''}SD: over pairs, smallest to largest of the methods."


def rests_on(results: Results, data_set: str, protocol: str) -> Iterator[tuple[str, str]]:
    """Return label and words on what the values of every metric rest on, where it is alike."""
    pairs = results.pairs_of(data_set)
    for metric in results.metrics(protocol):
        seen: dict[str, list[Any]] = {}
        count = 0
        for pair in pairs:
            for method in results.ran:
                score = results.score(pair, protocol, method, metric.name)
                if score.value is None:
                    continue
                count += 1
                for key, value in flat(score.details):
                    seen.setdefault(key, []).append(value)
        parts = [
            f"{key.replace('_', ' ')} {_span(values)}"
            for key, values in seen.items()
            if len(values) >= SHARE * count and _span(values)
        ]
        if parts:
            yield metric.label, "; ".join(parts)


def _span(values: Sequence[Any]) -> str:
    """Return what is common to some values, or their range; empty if neither is short."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) == len(values):
        low, high = min(numbers), max(numbers)
        return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    words = {str(value) for value in values}
    return words.pop() if len(words) == 1 else ""


# --- tests -------------------------------------------------------------------------------


def significance(results: Results, data_set: str, protocol: str) -> Table | None:
    """Return how many networks are better than how many interpolations, by every test."""
    rows = []
    for metric, analysis in results.analyses(data_set, protocol):
        found = verdicts.counts(analysis)
        cells = [
            Cell(found[test].words, bold=verdicts.holds(analysis, test))
            if test in found
            else Cell(MISSING)
            for test in verdicts.TESTS
        ]
        if all(cell.text == MISSING for cell in cells):
            continue
        equal = verdicts.equivalence(analysis, metric.unit)
        rows.append([Cell(metric.label), *cells, Cell(equal, bold=equal.startswith("all "))])
    if not rows:
        return None
    return Table(
        name=results.slug("networks-against-interpolations", data_set, protocol),
        caption=(
            f"Pairs of a network and an interpolation that differ significantly{_of(data_set)}, "
            f"{PROTOCOLS[protocol]}"
        ),
        head=[
            Cell("Metric"),
            *(Cell(test, below="the paper's" if not i else "") for i, test in
              enumerate(verdicts.TESTS)),
            Cell("Equivalent (TOST)"),
        ],
        rows=rows,
        words=7,
        remarks=[
            "Better and worse are those of the network. One-way Tukey treats the methods' scores "
            "as if they came from different images; the other tests compare within images. "
            "Equivalent: the difference is shown to be within the margin."
        ],
    )  # fmt: skip


def paired(results: Results, data_set: str, protocol: str) -> Table | None:
    """Return the differences of every method from the reference, image by image."""
    rows = []
    reference = ""
    for metric, analysis in results.analyses(data_set, protocol):
        told = analysis.get("against_reference") or []
        decimals = min(digits(one["difference"] or 0.0 for one in told), 6)
        for one in told:
            reference = one["reference"]
            equal = one.get("equivalence") or {}
            rows.append(
                [
                    Cell(metric.title),
                    Cell(results.label(one["method"]), one["method"]),
                    *(
                        Cell(number(one.get(key), decimals), one.get(key))
                        for key in ("difference", "ci_low", "ci_high", "sd")
                    ),
                    *(
                        Cell(verdicts.p_text(one.get(key)), one.get(key))
                        for key in ("p_t_holm", "p_wilcoxon_holm")
                    ),
                    *(Cell(number(one.get(key), 2), one.get(key)) for key in ("d_z",)),
                    *(
                        Cell(number(_percent(one.get(key)), 0), one.get(key))
                        for key in ("wins", "losses")
                    ),
                    Cell(_margin(equal), (equal.get("margin") or {}).get("value")),
                    Cell(EQUIVALENT[equal.get("equivalent")]),
                ]
            )
    if not rows:
        return None
    return Table(
        name=results.slug("paired", data_set, protocol),
        caption=(
            f"Differences from {results.label(reference)} on the same pairs{_of(data_set)}, "
            f"{PROTOCOLS[protocol]}"
        ),
        head=[
            *map(Cell, ("Metric", "Method", "Difference", "CI low", "CI high", "SD")),
            *map(Cell, ("p (t, Holm)", "p (Wilcoxon, Holm)", "d_z")),
            *map(Cell, ("Better, %", "Worse, %", "Margin, ±", "Equivalent")),
        ],
        rows=rows,
        words=2,
        remarks=["CI: bootstrap (BCa) interval. d_z: mean difference over its SD (Cohen)."],
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _margin(equivalence: Record) -> str:
    margin = (equivalence.get("margin") or {}).get("value")
    return MISSING if margin is None else f"{margin:.2g}"


# --- pairs -------------------------------------------------------------------------------


def pairs(results: Results) -> Table:
    """Return all pairs with their fate and their alignment."""
    named = any(results.data_sets)
    rows = []
    for pair in results.pairs:
        aligned = pair.get("alignment") or {}
        reason = str(pair.get("reason") or "")
        rows.append(
            [
                Cell(str(pair.get("id"))),
                *([Cell(str(pair.get("data_set") or MISSING))] if named else []),
                Cell(str(pair.get("status")), note=reason),
                Cell(_size(pair.get("low"))),
                Cell(_size(pair.get("high"))),
                Cell(str(aligned.get("kind") or MISSING)),
                _fact(aligned, "scale", 3),
                _fact(aligned, "rotation_deg", 2),
                Cell(_shift(aligned.get("shift_px"))),
                _fact(aligned, "residual_px", 2),
                _fact(aligned, "residual_nm", 2),
                Cell(_of_matches(aligned)),
                _fact(aligned, "overlap", 2),
            ]
        )
    heads = ["Pair", *(["Data set"] if named else []), "Status", "Low, px", "High, px", "Map"]
    heads += ["Scale", "Rotation, °", "Shift, px", "Residual, px", "Residual, nm", "Inliers"]
    return Table(
        name="pairs",
        caption="Pairs and their alignment, in pixels of the high-resolution scan",
        head=[*map(Cell, heads), Cell("Overlap")],
        rows=rows,
        words=3 if named else 2,
    )


def _fact(aligned: Record, key: str, decimals: int) -> Cell:
    value = aligned.get(key)
    if not isinstance(value, int | float):
        return Cell(MISSING)
    return Cell(number(value, decimals), float(value))


def _shift(shift: Any) -> str:
    if isinstance(shift, int | float):
        return number(shift, 1)
    if not shift:
        return MISSING
    return ", ".join(number(one, 1) for one in shift)


def _of_matches(aligned: Record) -> str:
    inliers, matches = aligned.get("inliers"), aligned.get("matches")
    if inliers is None:
        return MISSING
    return str(inliers) if matches is None else f"{inliers} of {matches}"


def _size(scan: Record | None) -> str:
    return f"{scan['xres']}×{scan['yres']}" if scan and "xres" in scan else MISSING


def alignment_facts(results: Results, pair: Record) -> list[tuple[str, str]]:
    """Return the facts of a pair in words, for its section."""
    facts = []
    for word, key in (("Low resolution", "low"), ("High resolution", "high")):
        scan = pair.get(key) or {}
        if scan:
            unit = scan.get("lateral_unit") or "nm"
            size = " × ".join(f"{scan[side]:.5g}" for side in ("xreal", "yreal") if side in scan)
            title = f", “{scan['title']}”" if scan.get("title") else ""
            hashed = f", sha256 {str(scan['sha256'])[:12]}…" if scan.get("sha256") else ""
            facts.append(
                (word, f"{scan.get('path')}{title}: {_size(scan)} px, {size} {unit}{hashed}")
            )
    for key, value in flat(pair.get("alignment") or {}):
        facts.append((f"Alignment: {key.replace('_', ' ')}", _plain(value)))
    seconds = ", ".join(f"{key} {_plain(v)} s" for key, v in flat(pair.get("seconds") or {}))
    if seconds:
        facts.append(("Time", seconds))
    return facts


def per_method_alignment(results: Results, pair: Record, name: str) -> Table | None:
    """Return how each method was aligned, where each was by itself."""
    found = pair.get("alignment_per_method") or {}
    rows = [
        [
            Cell(results.label(method)),
            Cell(str(aligned.get("kind") or MISSING)),
            _fact(aligned, "scale", 4),
            _fact(aligned, "rotation_deg", 3),
            Cell(_shift(aligned.get("shift_px"))),
            _fact(aligned, "residual_px", 2),
            Cell(_of_matches(aligned)),
            _fact(aligned, "overlap", 2),
        ]
        for method in results.ran
        if (aligned := found.get(method))
    ]
    if not rows:
        return None
    heads = ("Method", "Map", "Scale", "Rotation, °", "Shift, px", "Residual, px", "Inliers")
    return Table(
        name=slug("alignment", name),
        caption="Alignment of every method by itself, as in the paper",
        head=[*map(Cell, heads), Cell("Overlap")],
        rows=rows,
        words=2,
    )


def pair_scores(results: Results, pair: Record, name: str) -> Iterator[Table]:
    """Return the scores of one pair."""
    for protocol in results.protocols:
        chosen = groups(results.metrics(protocol))
        for title, members in chosen:
            columns = []
            for metric in members:
                scores = [results.score(pair, protocol, m, metric.name) for m in results.ran]
                decimals = digits(one.value for one in scores if one.value is not None)
                columns.append(
                    [
                        Cell(number(one.value, decimals), one.value)
                        if one.value is not None
                        else Cell(MISSING, note=one.reason)
                        for one in scores
                    ]
                )
            yield Table(
                name=slug("scores", name, protocol, *([title] if len(chosen) > 1 else [])),
                caption=f"Scores, {PROTOCOLS[protocol]}",
                head=[
                    Cell("Method"),
                    *(Cell(f"{m.title}\u00a0{m.arrow}".rstrip(), value=m.title) for m in members),
                ],
                rows=[
                    [Cell(results.label(method)), *(column[index] for column in columns)]
                    for index, method in enumerate(results.ran)
                ],
            )


# --- what was done, with what ------------------------------------------------------------


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
    better = {True: "lower", False: "higher", None: "nearer the ideal"}
    return Table(
        name="metrics",
        caption="Metrics",
        head=[*map(Cell, ("Metric", "Unit", "Better is", "Ideal", "On", "Meaning", "Source"))],
        rows=[
            [
                Cell(metric.label, metric.name),
                Cell(metric.unit or MISSING),
                Cell(better[metric.lower_is_better]),
                Cell(MISSING if metric.ideal is None else f"{metric.ideal:g}"),
                Cell({"paper": "8 bits", "nm": "heights"}.get(metric.protocol, metric.protocol)),
                Cell(metric.summary),
                Cell(metric.source),
            ]
            for metric in every
        ],
        words=7,
    )


def settings(results: Results) -> Table:
    """Return every resolved setting."""
    rows = [[Cell(key), Cell(_plain(v))] for key, v in flat(results.raw.get("settings") or {})]
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


def _plain(value: Any) -> str:
    """Return a setting or fact as a reader wants it."""
    if value is None or value == "" or value in ([], {}):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}".replace("-", "−")
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value)
    return str(value)


def _pairs(count: int) -> str:
    return f"{count} pair{'' if count == 1 else 's'}"


def _of(data_set: str) -> str:
    return f", {data_set}" if data_set else ""


# --- long tables, CSV only ---------------------------------------------------------------


def longs(results: Results) -> Iterator[tuple[str, str]]:
    """Return name and text of the CSV files that hold one value a line."""
    yield "scores", _csv(_score_rows(results))
    yield "summary", _csv(_summary_rows(results))
    yield "p-values", _csv(_p_rows(results))


def _score_rows(results: Results) -> Iterator[Sequence[Any]]:
    yield "pair", "data set", "protocol", "method", "metric", "value", "unit", "reason", "details"
    for pair in results.pairs:
        if pair.get("status") != "scored":
            continue
        for protocol in results.protocols:
            for method in results.ran:
                for metric in results.metrics(protocol):
                    one = results.score(pair, protocol, method, metric.name)
                    value = "" if one.value is None else repr(one.value)
                    details = json.dumps(one.details, sort_keys=True) if one.details else ""
                    yield (
                        *(pair.get("id"), pair.get("data_set") or "", protocol, method),
                        *(metric.name, value, metric.unit, one.reason, details),
                    )


def _summary_rows(results: Results) -> Iterator[Sequence[Any]]:
    yield "data set", "protocol", "metric", "method", "n", "mean", "sd", "minimum", "maximum"
    for data_set in results.data_sets:
        for protocol in results.protocols:
            for metric in results.metrics(protocol):
                for method in results.ran:
                    values = results.values(data_set, protocol, method, metric.name)
                    told: list[Any] = ["", "", "", ""]
                    if len(values):
                        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
                        ends = (float(values.min()), float(values.max()))
                        told = [repr(float(values.mean())), "" if spread is None else repr(spread)]
                        told += [repr(end) for end in ends]
                    yield data_set, protocol, metric.name, method, len(values), *told


def _p_rows(results: Results) -> Iterator[Sequence[Any]]:
    yield "data set", "protocol", "metric", "test", "method", "other method", "p"
    for data_set in results.data_sets:
        for protocol in results.protocols:
            for metric, analysis in results.analyses(data_set, protocol):
                for test, matrix in verdicts.matrices(analysis):
                    names = matrix.get("methods") or []
                    for row, first in enumerate(names):
                        for column, second in enumerate(names[:row]):
                            p = matrix["p"][row][column]
                            told = "" if p is None else repr(p)
                            yield data_set, protocol, metric.name, test, first, second, told


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()

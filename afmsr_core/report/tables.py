"""The tables of scores and of tests on them, one data set and protocol at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from afmsr_core.quantity import counted
from afmsr_core.report import verdicts
from afmsr_core.report.contents import Floats, Metric, Record, Results
from afmsr_core.report.table import MISSING, Cell, Table, digits, number, number_cell

__all__ = ["groups", "means", "paired", "significance"]

WIDEST = 10
"""Columns of metrics that fit on a page."""

EQUIVALENT = {True: "yes", False: "not shown", None: MISSING}


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
    chosen, of = groups(results.metrics(protocol)), results.of(data_set)
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
            caption=f"Mean {kind} of {counted(len(pairs), 'pair')}{of}, {results.scale(protocol)}",
            head=[Cell("Method", below="SD of the methods"), *(head for head, _ in columns)],
            rows=rows,
            remarks=list(_legend(results, data_set, protocol, members)),
        )


def _column(
    results: Results, pairs: Sequence[Record], protocol: str, metric: Metric, data_set: str
) -> tuple[Cell, list[Cell]]:
    """Return the head and the cells of a metric: means, or geometric means of ratios."""
    told = results.ratios if metric.of_heights else results.values
    values = {m: told(data_set, protocol, m, metric.name) for m in results.ran}
    averages = {m: _average(v, metric) for m, v in values.items() if len(v)}
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
    spreads = [
        _spread(v, metric)
        for m, v in values.items()
        if len(v) > 1 and not (metric.of_heights and m == results.reference)
    ]
    spread = ""
    if spreads:
        enough = max(decimals, digits([max(spreads)]) - 1)
        enough = min(enough, decimals + 1)
        low, high = (number(end, enough) for end in (min(spreads), max(spreads)))
        spread = low if low == high else f"{low}–{high}"
    title = _title(results, metric)
    head = Cell(f"{title}\u00a0{metric.arrow}".rstrip(), value=title, below=spread)
    return head, cells


def _title(results: Results, metric: Metric) -> str:
    """Return what a column of means is called."""
    if metric.of_heights:
        return f"{metric.label} ÷ {results.label(results.reference)}’s"
    return metric.title


def _average(values: Floats, metric: Metric) -> float:
    return float(np.exp(np.log(values).mean()) if metric.of_heights else values.mean())


def _spread(values: Floats, metric: Metric) -> float:
    """Return the SD of values; of ratios that of their logarithms, which is nearly relative."""
    return float((np.log(values) if metric.of_heights else values).std(ddof=1))


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
    if any(metric.of_heights for metric in members):
        yield (
            f"÷ {results.label(results.reference)}’s: the error over that of "
            f"{results.label(results.reference)} on the same pair, geometric mean over the pairs, "
            "SD relative; below 1 is better. Errors in heights themselves range with the relief "
            "of the pairs, and are told pair by pair."
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
            f"Pairs of a network and an interpolation that differ "
            f"significantly{results.of(data_set)}, {results.scale(protocol)}"
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
        told = [_as_ratio(one) for one in told] if analysis.get("ratio") else told
        decimals = min(digits(one["difference"] or 0.0 for one in told), 6)
        for one in told:
            reference = one["reference"]
            equal = one.get("equivalence") or {}
            rows.append(
                [
                    Cell(f"{metric.label} (ratio)" if analysis.get("ratio") else metric.title),
                    Cell(results.label(one["method"]), one["method"]),
                    *(
                        number_cell(one.get(key), decimals)
                        for key in ("difference", "ci_low", "ci_high", "sd")
                    ),
                    *(
                        Cell(verdicts.p_text(one.get(key)), one.get(key))
                        for key in ("p_t_holm", "p_wilcoxon_holm")
                    ),
                    number_cell(one.get("d_z"), 2),
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
            f"Differences from {results.label(reference)} on the same pairs"
            f"{results.of(data_set)}, {results.scale(protocol)}"
        ),
        head=[
            *map(Cell, ("Metric", "Method", "Difference", "CI low", "CI high", "SD")),
            *map(Cell, ("p (t, Holm)", "p (Wilcoxon, Holm)", "d_z")),
            *map(Cell, ("Better, %", "Worse, %", "Margin, ±", "Equivalent")),
        ],
        rows=rows,
        words=2,
        remarks=[
            "CI: bootstrap (BCa) interval. d_z: mean difference over its SD (Cohen). Ratio: errors "
            f"over those of {results.label(reference)}, below 1 is better; their SD and margin are "
            "factors: times or over so much."
        ],
    )


def _as_ratio(one: Record) -> Record:
    """Return a comparison of levels in dB as one of ratios."""
    equal = dict(one.get("equivalence") or {})
    margin = dict(equal.get("margin") or {})
    margin["value"] = _ratio(margin.get("value"))
    keys = ("difference", "ci_low", "ci_high", "sd")
    told = {key: _ratio(one.get(key)) for key in keys}
    return {**one, **told, "equivalence": {**equal, "margin": margin}}


def _ratio(level: float | None) -> float | None:
    return None if level is None else 10.0 ** (level / 20.0)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _margin(equivalence: Record) -> str:
    margin = (equivalence.get("margin") or {}).get("value")
    return MISSING if margin is None else f"{margin:.3g}" if margin > 1 else f"{margin:.2g}"

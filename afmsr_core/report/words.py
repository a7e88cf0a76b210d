"""The head of the report: what was found, in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from afmsr_core.quantity import counted
from afmsr_core.report import floor, gains, same_time, trust
from afmsr_core.report.contents import Record, Results, of_lines

__all__ = ["failures", "short", "summary"]

SHORT = {"paper": gains.HEADINGS["paper"], "nm": "Heights"}

LONGEST = 14
"""Names in a list of the summary."""

NOT_ASKED = "not asked for"

COMMAND = re.compile(r"(afmsr models fetch|pip install) ((?:-e )?'[^']+'|[\w,-]+)")
"""The cures in the reasons why methods did not run."""


def summary(results: Results) -> Iterator[tuple[str, list[str]]]:
    """Return the sentences of the summary, each with those that belong below it."""
    yield _what_was_compared(results), []
    for one in same_time.comparisons(results):
        if said := [*one.sentences()]:
            yield one.title, said
    for words_on in gains.first_words(results):
        yield words_on.title, words_on.sentences
    for data_set in results.data_sets:
        if least := floor.sentence(results, data_set):
            yield least, []
    if held := trust.summary(results):
        yield held, []
    if absent := _not_run(results):
        yield absent, []
    yield from ((said, []) for said in _not_run_on_some(results))
    if doubtful := [str(pair.get("id")) for pair in results.pairs if _ambiguous(pair)]:
        yield (
            f"Periodic, so that it may be aligned a period off: {_list(doubtful)}; see “Pairs”.",
            [],
        )
    if noted := [str(pair.get("id")) for pair in results.pairs if _noted(pair)]:
        yield f"Scored, with a warning about a scan: {_list(noted)}; see “Pairs”.", []
    if lost := [str(pair.get("id")) for pair in failures(results)]:
        yield f"Without scores: {_list(lost)}; the reasons are under “Failures”.", []


def short(results: Results, protocol: str) -> str:
    """Return the heading of a protocol."""
    return SHORT[protocol] if results.height_unit == "nm" or protocol != "nm" else "Values"


def _not_run(results: Results) -> str:
    """Return which methods did not run and how to get them, in one sentence; empty if all did."""
    absent = [one for one in results.methods if not one.get("run", True)]
    if not absent:
        return ""
    reasons = [str(one.get("why_not") or NOT_ASKED) for one in absent]
    told = [f"Not run: {_list([results.label(one['name']) for one in absent])}"]
    if set(reasons) == {NOT_ASKED}:
        return f"{told[0]}; {NOT_ASKED}."
    cures: dict[str, list[str]] = {}
    for start, name in (found for reason in reasons for found in COMMAND.findall(reason)):
        cures.setdefault(start, []).append(name)
    # One command for all that differ in the last word.
    told += [f"{start} {' '.join(dict.fromkeys(names))}" for start, names in cures.items()]
    return f"{'; '.join(told)}; each reason is under “Methods”."


def _not_run_on_some(results: Results) -> Iterator[str]:
    """Return which methods did not run on some pairs, a sentence for each kind of scan."""
    scored = [pair for pair in results.pairs if pair.get("status") == "scored"]
    groups: dict[str, list[Record]] = {}
    for pair in scored:
        if pair.get("not_run"):
            kind = "line scan" if of_lines(pair) else "square scan"
            groups.setdefault(kind, []).append(pair)
    for kind, pairs in groups.items():
        reasons = {name: why for pair in pairs for name, why in pair["not_run"].items()}
        first = next(iter(reasons.values()))
        yield (
            f"Not run on {counted(len(pairs), kind)}: "
            f"{_list([results.label(name) for name in reasons])}; {first}"
            f"{', and so on' if len(reasons) > 1 else ''}."
        )


def _ambiguous(pair: Record) -> bool:
    return pair.get("status") == "scored" and bool((pair.get("alignment") or {}).get("ambiguous"))


def _noted(pair: Record) -> bool:
    return pair.get("status") == "scored" and bool(pair.get("notes"))


def failures(results: Results) -> list[Record]:
    """Return the pairs that were rejected or failed."""
    return [pair for pair in results.pairs if pair.get("status") != "scored"]


def _what_was_compared(results: Results) -> str:
    fates = [str(pair.get("status")) for pair in results.pairs]
    told = [f"{fates.count(fate)} {fate}" for fate in dict.fromkeys(["scored", *fates])]
    sets = ""
    if any(results.data_sets):
        counts = [
            f"{results.called(name)} {len(results.pairs_of(name))}" for name in results.data_sets
        ]
        sets = f" in {counted(len(counts), 'data set')} (scored: {', '.join(counts)})"
    plain = [results.label(m) for m in results.ran if m not in results.networks]
    networks = [results.label(m) for m in results.networks]
    parts = [
        f"{counted(len(names), what)} ({_list(names)})"
        for names, what in ((plain, "interpolation"), (networks, "network"))
        if names
    ]
    return (
        f"{counted(len(fates), 'pair')} of scans{sets}: {', '.join(told)}. "
        f"Methods: {' and '.join(parts) or 'none ran'}."
    )


def _list(names: Sequence[str]) -> str:
    if len(names) > LONGEST:
        return f"{', '.join(names[:LONGEST])} and {len(names) - LONGEST} more"
    if len(names) < 3:
        return " and ".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"

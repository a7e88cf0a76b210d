"""Which method is better, by how much, and whether that is more than chance: sentences, a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from afmsr_core.quantity import counted
from afmsr_core.report.contents import Record, Results
from afmsr_core.report.table import MISSING, Cell, Table, csv_text, number

__all__ = [
    "EXACT",
    "FirstWords",
    "best_sentence",
    "first_words",
    "longs",
    "of_data_set",
    "scales",
    "sentence",
    "signed",
    "table",
]

EXACT = "exact"
"""Beside the protocols: heights against the exact surface, which simulated pairs have."""

HEADINGS = {
    EXACT: "Heights against the exact surface, without the noise of a scan",
    "paper": "8-bit grey values, as in the paper",
}

ERRORS = {"rmse": "RMS error", "psnr": "8-bit RMS error"}
"""What a gain in a metric makes smaller."""

SPELT = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

FACTOR = 2.0
"""From here on an error is told as so many times as large, below in percent."""


@dataclass(frozen=True)
class FirstWords:
    """What the first screen of a report says of one data set on one scale of judgement.

    Attributes
    ----------
    data_set, protocol : str
        Whose words these are.
    title : str
        What is judged, such as "Heights in nm", and of which data set, if there are several.
    sentences : list of str
        One for each network, or for each method where no network ran; then the best method.
    """

    data_set: str
    protocol: str
    title: str
    sentences: list[str]


def of_data_set(results: Results, data_set: str, protocol: str) -> Record:
    """Return the gains of a data set; empty if the results hold none."""
    found = ((results.raw.get("gains") or {}).get(protocol) or {}).get(data_set)
    return found if isinstance(found, dict) else {}


def first_words(results: Results) -> Iterator[FirstWords]:
    """Return the first words on every data set and scale, heights first."""
    for data_set in results.data_sets:
        for protocol in scales(results):
            said = list(_sentences(results, data_set, protocol))
            if said:
                title = ": ".join(
                    filter(None, (results.called(data_set), _heading(results, protocol)))
                )
                yield FirstWords(data_set, protocol, title, said)


def scales(results: Results) -> list[str]:
    """Return the protocols with gains, and `EXACT` after the heights where it is known."""
    found = list(results.protocols)
    if (results.raw.get("gains") or {}).get(EXACT):
        found.insert(found.index("nm") + 1 if "nm" in found else 0, EXACT)
    return found


def _heading(results: Results, protocol: str) -> str:
    if protocol in HEADINGS:
        return HEADINGS[protocol]
    unit = results.height_unit
    return f"Heights in {unit}" if unit == "nm" else f"Values in {unit}" if unit else "Values"


def _sentences(results: Results, data_set: str, protocol: str) -> Iterator[str]:
    told = of_data_set(results, data_set, protocol)
    every = [
        one
        for one in told.get("against_reference") or []
        # What takes none of these scans is told once, for all scales of judgement.
        if one["gains"] or not _never_ran(results, data_set, one["method"])
    ]
    shown = [one for one in every if one["method"] in results.networks] or every
    for one in shown:
        who, other = results.label(one["method"]), results.label(one["reference"])
        yield sentence(who, other, one, told)
    best = told.get("best")
    if best and len(every) > 1:
        first, second = results.label(best["method"]), results.label(best["reference"])
        yield best_sentence(first, second, best, f"the {len(every) + 1} methods")


def _never_ran(results: Results, data_set: str, method: str) -> bool:
    return all(method in (pair.get("not_run") or {}) for pair in results.pairs_of(data_set))


# --- one gain ----------------------------------------------------------------------------


def sentence(who: str, other: str, one: Record, told: Record) -> str:
    """Return what is to be said of one method against another, a gain among those of `told`."""
    count = len(one["gains"])
    if not count:
        return f"{who} and {other} have no pair on which both were scored."
    parts = [_order(who, other, one, count, told["images"]), _size(one, told)]
    said = ", ".join(part for part in parts if part)
    return f"{said}; {_chance(one, count)}.{_endless(one)}"


def _order(who: str, other: str, one: Record, count: int, images: int) -> str:
    """Return who wins how often."""
    scored = "" if count == images else f" on which both were scored (of {images})"
    if count == 1:
        where = f"the one pair{scored}" if scored else "the only pair"
        words = {(1, 0): "beats", (0, 1): "loses to", (0, 0): "is as good as"}
        return f"{who} {words[one['wins'], one['losses']]} {other} on {where}"
    if one["ties"] == count:
        return f"{who} is as good as {other} on all {count} pairs{scored}"
    if one["wins"] == one["losses"]:
        return f"{who} and {other} each win {one['wins']} of {count} pairs{scored}"
    verb, times = ("beats", one["wins"]) if one["wins"] > one["losses"] else (
        "loses to", one["losses"])  # fmt: skip
    where = f"{times} of {count}" if times < count else "both" if count == 2 else f"all {count}"
    return f"{who} {verb} {other} on {where} pairs{scored}"


def _size(one: Record, told: Record) -> str:
    """Return by how much, in dB and as a share of the error; empty where there is no mean."""
    mean, low, high = one["mean"], one["low"], one["high"]
    if mean is None or one["ties"] == len(one["gains"]):
        return ""
    against = mean < 0 < one["wins"] - one["losses"] or mean > 0 > one["wins"] - one["losses"]
    finite = sum(gain is not None for gain in one["gains"])
    told_mean = f"{'but ' if against else ''}{signed(mean)} dB{' in the mean' * (finite > 1)}"
    if low is not None:
        told_mean += f" [{signed(low)}, {signed(high)}]"
    return f"{told_mean} ({_share(ERRORS[told['metric']], mean)})"


def _share(error: str, gain: float) -> str:
    """Return how much smaller or larger an error is.

    Examples
    --------
    >>> _share("RMS error", 0.27), _share("RMS error", -20.0), _share("RMS error", 0.001)
    ('RMS error 3.1 % smaller', 'RMS error 10 times as large', 'RMS error the same')
    """
    ratio = 10.0 ** (-gain / 20.0)
    if ratio > FACTOR:
        return f"{error} {ratio:.2g} times as large"
    percent = 100.0 * abs(1.0 - ratio)
    if percent < 0.05:
        return f"{error} the same"
    decimals = 0 if 10 <= percent < 99 else 1
    return f"{error} {percent:.{decimals}f} % {'larger' if gain < 0 else 'smaller'}"


def _chance(one: Record, count: int) -> str:
    """Return whether chance explains it."""
    if one["chance"] == "unknown":
        how = SPELT[count] if count < len(SPELT) else str(count)
        return f"{how} pair{'s' * (count > 1)} cannot show whether that is chance"
    words = "more than chance explains" if one["chance"] == "beyond" else (
        "no more than chance allows")  # fmt: skip
    tried = f", corrected for {one['tried']} comparisons" if one["tried"] > 1 else ""
    p = f"{one['p']:.2g}" if one["p"] >= 0.001 else "below 0.001"
    return f"{words} (p {'= ' * (one['p'] >= 0.001)}{p}{tried})"


def _endless(one: Record) -> str:
    endless = sum(gain is None for gain in one["gains"])
    if not endless:
        return ""
    verb = "counts" if endless == 1 else "count"
    return (
        f" {counted(endless, 'pair')} without any error {verb} as won or lost, but not in the mean."
    )


def best_sentence(first: str, second: str, best: Record, of: str) -> str:
    """Return what is to be said of the best against the second; `of` says of what all."""
    if best["mean"] is None:
        return f"The best of {of} is {first}, before {second}."
    ahead = f"{abs(best['mean']):.{_decimals(best['mean'])}f} dB ahead of {second}"
    return f"The best of {of} is {first}, {ahead}; {_chance(best, len(best['gains']))}."


def signed(value: float) -> str:
    """Return a gain in dB as it is told, with its sign.

    Examples
    --------
    >>> signed(0.214), signed(-12.34), signed(0.001)
    ('+0.21', '−12.3', '0.00')
    """
    decimals = _decimals(value)
    text = number(value, decimals)
    return text if text.startswith("−") or not float(text) else f"+{text}"


def _decimals(value: float) -> int:
    return 1 if abs(value) >= 10 else 2


# --- pair by pair ------------------------------------------------------------------------


def table(results: Results, data_set: str, protocol: str) -> Table | None:
    """Return the gain of every method on every pair, or None if there is none."""
    told = of_data_set(results, data_set, protocol)
    every = told.get("against_reference") or []
    if not every:
        return None
    reference = results.label(told["reference"])
    of_methods = [dict(zip(one["images"], one["gains"], strict=True)) for one in every]
    rows = [
        [Cell(str(pair["id"])), *(_gain_cell(of_one, str(pair["id"])) for of_one in of_methods)]
        for pair in results.pairs_of(data_set)
    ]
    rows.append(
        [
            Cell("Mean"),
            *(
                Cell(MISSING if one["mean"] is None else signed(one["mean"]), one["mean"])
                for one in every
            ),
        ]
    )
    rows.append(
        [Cell("Better on"), *(Cell(f"{one['wins']} of {len(one['gains'])}") for one in every)]
    )
    return Table(
        name=results.slug("gains", data_set, protocol),
        caption=(
            f"Gain over {reference} on every pair, dB{results.of(data_set)}, "
            f"{HEADINGS[EXACT].lower() if protocol == EXACT else results.scale(protocol)}"
        ),
        head=[Cell("Pair"), *(Cell(results.label(one["method"])) for one in every)],
        rows=rows,
        remarks=[
            f"20 times the logarithm of the RMS error of {reference} over that of the method: "
            "above 0 the method is better; +1 dB is an error 11 % smaller."
        ],
    )


def _gain_cell(gains: dict[str, float | None], pair: str) -> Cell:
    if pair not in gains:
        return Cell(MISSING, note="not scored for both methods")
    gain = gains[pair]
    if gain is None:
        return Cell(MISSING, note="without any error, so the ratio has no limit")
    return Cell(signed(gain), gain)


def longs(results: Results) -> Iterator[tuple[str, str]]:
    """Return name and text of a CSV file with one gain a line."""
    rows = list(_rows(results))
    if len(rows) > 1:
        yield "gains", csv_text(rows)


def _rows(results: Results) -> Iterator[Sequence[Any]]:
    yield "data set", "protocol", "pair", "method", "reference", "gain (dB)", "error ratio"
    for data_set in results.data_sets:
        for protocol in scales(results):
            for one in of_data_set(results, data_set, protocol).get("against_reference") or []:
                for pair, gain in zip(one["images"], one["gains"], strict=True):
                    values = (
                        ("", "") if gain is None else (repr(gain), repr(10.0 ** (-gain / 20.0)))
                    )
                    yield data_set, protocol, pair, one["method"], one["reference"], *values

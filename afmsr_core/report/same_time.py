"""Line scans against square scans of the same scan time: sentences and a table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from afmsr_core.report import gains
from afmsr_core.report.contents import Record, Results
from afmsr_core.report.gains import FirstWords, signed
from afmsr_core.report.table import MISSING, Cell, Table, number

__all__ = ["HEADING", "first_words", "tables"]

HEADING = "In the same scan time"

JUDGED = {"nm": "", gains.EXACT: ", against the exact surface"}


def first_words(results: Results) -> Iterator[FirstWords]:
    """Return the first words on each comparison, heights first."""
    for one in results.records("same_time"):
        for judge, told in _judged(one):
            if said := list(_sentences(results, one, told)):
                yield FirstWords(_set(one), judge, f"{HEADING}{JUDGED[judge]}", said)


def _judged(one: Record) -> Iterator[tuple[str, Record]]:
    judged = one.get("judged") or {}
    yield from ((judge, judged[judge]) for judge in JUDGED if judged.get(judge))


def _set(one: Record) -> str:
    return str(one.get("data_set") or "")


def _sentences(results: Results, one: Record, told: Record) -> Iterator[str]:
    found, every = told["gains"], told["of_methods"]
    networks = [gain for gain in every if gain["method"].partition(" ")[2] in results.networks]
    for gain in networks or every:
        who, other = (_called(results, one, gain[key]) for key in ("method", "reference"))
        yield gains.sentence(who, other, gain, found)
    if best := found.get("best"):
        who, other = (_called(results, one, best[key]) for key in ("method", "reference"))
        count = sum(bool(gain["gains"]) for gain in found["against_reference"])
        yield gains.best_sentence(who, other, best, count + 1)


def _called(results: Results, one: Record, name: str) -> str:
    """Return a method with the size of the scan, such as "512 x 128 with afm"."""
    scan, _, method = name.partition(" ")
    return f"{one[scan]} with {results.label(method)}"


def tables(results: Results) -> Iterator[Table]:
    """Return a table for each comparison, of all methods on both scans."""
    for place, one in enumerate(results.records("same_time"), 1):
        for judge, told in _judged(one):
            yield _table(results, one, judge, told, place)


def _table(results: Results, one: Record, judge: str, told: Record, place: int) -> Table:
    found, ssim = told["gains"], (one.get("ssim") or {}) if judge == "nm" else {}
    reference = found["reference"]
    head = ["Scan and method", "Gain, dB", "95 %", "Median", "Better on"]
    columns = [*map(Cell, head), *([Cell("SSIM")] if ssim else [])]
    rows = [[Cell(_called(results, one, reference)), Cell("0", 0.0), *[Cell(MISSING)] * 3]]
    for gain in found["against_reference"]:
        if gain["gains"]:
            rows.append([Cell(_called(results, one, gain["method"])), *_cells(gain)])
    if ssim:
        names = [reference, *(g["method"] for g in found["against_reference"] if g["gains"])]
        for row, name in zip(rows, names, strict=True):
            row.append(Cell(number(ssim.get(name), 3), ssim.get(name)))
    of = f", {_set(one)}" if _set(one) else ""
    return Table(
        name=f"same-time-{place}" + (f"-{judge}" if judge != "nm" else ""),
        caption=(
            f"{HEADING}: {one['lines']} and {one['square']} points on "
            f"{found['images']} truths{of}{JUDGED[judge]}"
        ),
        head=columns,
        rows=rows,
        remarks=[
            f"Gain over {_called(results, one, reference)}: 20 times the logarithm of the ratio of "
            f"the RMS errors, on the pixels that both scans cover.",
            *(f"Not compared: {pair}: {why}" for pair, why in (one.get("left_out") or {}).items()),
        ],
    )


def _cells(gain: Record) -> Iterator[Cell]:
    mean, low, high = gain["mean"], gain["low"], gain["high"]
    yield Cell(MISSING if mean is None else signed(mean), mean)
    yield Cell(MISSING if low is None else f"{signed(low)} to {signed(high)}")
    finite = [one for one in gain["gains"] if one is not None]
    median = float(np.median(finite)) if finite else None
    yield Cell(MISSING if median is None else signed(median), median)
    yield Cell(f"{gain['wins']} of {len(gain['gains'])}")

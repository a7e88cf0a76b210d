"""Line scans against square scans of the same scan time: sentences, a chart and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from afmsr_core.quantity import counted
from afmsr_core.report import figures, gains
from afmsr_core.report.contents import Record, Results
from afmsr_core.report.gains import signed
from afmsr_core.report.table import MISSING, Cell, Table, number
from afmsr_core.webpage.chart import Figure

__all__ = ["HEADING", "Comparison", "comparisons"]

HEADING = "In the same scan time"

JUDGED = {"nm": "", gains.EXACT: ", against the exact surface"}


def comparisons(results: Results) -> Iterator[Comparison]:
    """Return every comparison of a line scan with a square one, heights first."""
    for place, one in enumerate(results.records("same_time"), 1):
        judged = one.get("judged") or {}
        for judge in filter(judged.get, JUDGED):
            name = f"same-time-{place}" + (f"-{judge}" if judge != "nm" else "")
            yield Comparison(results, name, one, judge)


@dataclass(frozen=True)
class Comparison:
    """A line scan and a square one of the same scan time, judged by one kind of truth.

    Attributes
    ----------
    results : Results
        With the labels of the methods.
    name : str
        Of its table and chart.
    record : Record
        Of both scans, as :func:`afmsr_core.evaluation.same_time.same_time_of` makes it.
    judge : str
        ``"nm"``, by the fine scan, or ``"exact"``, by the exact surface.
    """

    results: Results
    name: str
    record: Record
    judge: str

    @property
    def title(self) -> str:
        """Return the title of the first words."""
        scans = f"{self.record['lines']} points or {self.record['square']}"
        told = f"{HEADING}: {scans}{JUDGED[self.judge]}"
        return f"{self._set}: {told}" if self._set else told

    @property
    def _set(self) -> str:
        return str(self.record.get("data_set") or "")

    @property
    def _gains(self) -> Record:
        found: Record = self.record["judged"][self.judge]["gains"]
        return found

    @property
    def _of_methods(self) -> Mapping[str, Record]:
        """Return the gains of the line scan over the square one, of methods that took both."""
        every = self.record["judged"][self.judge]["of_methods"]
        return {one["method"].partition(" ")[2]: one for one in every if one["gains"]}

    @property
    def _against_reference(self) -> list[Record]:
        return [one for one in self._gains["against_reference"] if one["gains"]]

    def _called(self, name: str) -> str:
        """Return a method with the size of the scan, such as "512 x 128 with afm"."""
        scan, _, method = name.partition(" ")
        return f"{self.record[scan]} with {self.results.label(method)}"

    def sentences(self) -> Iterator[str]:
        """Return which scan is better with each network, then the best scan and method."""
        every = self._of_methods
        shown = [method for method in every if method in self.results.networks] or [*every]
        for one in map(every.__getitem__, shown):
            who, other = self._called(one["method"]), self._called(one["reference"])
            yield gains.sentence(who, other, one, self._gains)
        if best := self._gains.get("best"):
            first, second = self._called(best["method"]), self._called(best["reference"])
            of = f"the {len(self._against_reference) + 1} combinations"
            yield gains.best_sentence(first, second, best, of)

    def chart(self, most: int) -> Figure | None:
        """Return the gain of the line scan with every method, or None."""
        scans = self.record["square"], self.record["lines"]
        return figures.chart_of_gains(self.results, self.name, self._of_methods, scans, most)

    def table(self) -> Table:
        """Return the gains of all methods on both scans."""
        ssim = (self.record.get("ssim") or {}) if self.judge == "nm" else {}
        reference = self._gains["reference"]
        head = ["Scan and method", "Gain, dB", "95 %", "Median", "Better on"]
        rows = {reference: [Cell(self._called(reference)), Cell("0", 0.0), *[Cell(MISSING)] * 3]}
        for gain in self._against_reference:
            rows[gain["method"]] = [Cell(self._called(gain["method"])), *_cells(gain)]
        if ssim:
            head.append("SSIM")
            for name, row in rows.items():
                row.append(Cell(number(ssim.get(name), 3), ssim.get(name)))
        of = f", {self._set}" if self._set else ""
        return Table(
            name=self.name,
            caption=(
                f"{HEADING}: {self.record['lines']} and {self.record['square']} points on "
                f"{counted(self._gains['images'], 'truth')}{of}{JUDGED[self.judge]}"
            ),
            head=[*map(Cell, head)],
            rows=[*rows.values()],
            remarks=[
                f"Gain over {self._called(reference)}: 20 times the logarithm of the ratio of the "
                "RMS errors, on the pixels that both scans cover, without tilt and bow, of which "
                "every scan has its own.",
                *(
                    f"Not compared: {pair}: {why}"
                    for pair, why in (self.record.get("left_out") or {}).items()
                ),
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

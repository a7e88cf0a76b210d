"""Power spectra of a data set: at which lengths relief is missing or invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from afmsr_core.errors import FieldError
from afmsr_core.metrics.spectrum import power_spectrum
from afmsr_core.quantity import counted, readable
from afmsr_core.report.contents import Fields, Floats, Record, Results
from afmsr_core.report.figures import kinds
from afmsr_core.report.table import csv_text
from afmsr_core.webpage.chart import Axes, Chart, Figure, legend

__all__ = ["Curves", "Mean", "as_csv", "figure"]

LOW, TRUTH = "low", "high"

DECADES, RATIOS = 1e-7, (1e-2, 20.0)
"""What the axes show at most: the densities below the top, and the ratios to the truth's."""

WIDTH, HEIGHT = 480.0, 330.0


@dataclass(frozen=True)
class Curves:
    """Spectra averaged over directions and pairs.

    Attributes
    ----------
    frequency : ndarray, shape (n,)
        In units of the Nyquist frequency of the low-resolution scan, of its coarser axis.
    density : dict of str to ndarray
        Geometric mean over pairs, in nm² times the square of the unit of the values, by name of the
        method, and of `LOW` and `TRUTH`.
    nyquist : float
        Of the low-resolution scans in 1/µm, median over pairs.
    pairs : int
        Number of pairs.
    left_out : int
        Pairs with pixels that are not finite, or of scans whose size is not known.
    """

    frequency: Floats
    density: Mapping[str, Floats]
    nyquist: float
    pairs: int
    left_out: int


class Mean:
    """Takes pairs one by one, so that not all of their fields are in memory, and averages."""

    def __init__(self, results: Results) -> None:
        self._names = (TRUTH, LOW, *results.ran)
        self._single: list[tuple[Floats, dict[str, Floats]]] = []
        self._nyquists: list[float] = []
        self._left_out = 0

    def add(self, pair: Record, fields: Fields) -> None:
        """Add the spectra of a pair."""
        arrays = {TRUTH: fields.truth, **fields.of_methods}
        if fields.low is not None:
            arrays[LOW] = fields.low
        curves: dict[str, Floats] = {}
        nyquist = nyquist_of(pair)
        try:
            for name, array in arrays.items():
                frequency, curves[name] = power_spectrum(array, fields.pixel_size).radial()
        except FieldError:
            nyquist = float("nan")
        if np.isfinite(nyquist):
            self._single.append((1000 * frequency / nyquist, curves))
            self._nyquists.append(nyquist)
        else:
            self._left_out += 1

    def curves(self) -> Curves | None:
        """Return the mean of all, of the methods that all have, or None without any."""
        if not self._single:
            return None
        grid = min((frequency for frequency, _ in self._single), key=lambda f: float(f[-1]))
        grid = grid[grid >= max(float(frequency[0]) for frequency, _ in self._single)]
        density = {}
        for name in self._names:
            if all(name in curves for _, curves in self._single):
                logs = [
                    np.interp(np.log(grid), np.log(f), np.log(np.maximum(c[name], 1e-300)))
                    for f, c in self._single
                ]
                density[name] = np.exp(np.mean(logs, axis=0))
        nyquist = float(np.median(self._nyquists))
        return Curves(grid, density, nyquist, len(self._single), self._left_out)


def nyquist_of(pair: Record) -> float:
    """Return the Nyquist frequency of the low-resolution scan in 1/µm, of its coarser axis."""
    low = pair.get("low") or {}
    try:
        coarse = max(low["xreal"] / low["xres"], low["yreal"] / low["yres"])
    except (KeyError, TypeError, ZeroDivisionError):
        return float("nan")
    return 500.0 / coarse if coarse > 0 and low.get("lateral_unit", "nm") == "nm" else float("nan")


def figure(results: Results, data_set: str, curves: Curves) -> Figure:
    """Return the spectra, and their ratio to the truth's."""
    of = results.of(data_set)
    truth = curves.density[TRUTH]
    unit = results.height_unit
    squared = "nm⁴" if unit == "nm" else f"{unit}² nm²" if unit else "nm²"
    left, right = (
        _axes(curves, _span(curves, over), label, f"{alt} of truth, low-resolution scan and all "
              f"methods{of} against spatial frequency.")
        for over, label, alt in (
            (None, f"power spectral density ({squared})", "Power spectral density"),
            (truth, "density over the truth’s", "Power spectral density over the truth’s,"),
        )
    )  # fmt: skip
    for axes, over in ((left, None), (right, truth)):
        for name, density in curves.density.items():
            # Beyond its Nyquist frequency the repeated pixels of the low scan are no relief.
            shown = curves.frequency <= (1.0 if name == LOW else np.inf)
            values = density if over is None else density / over
            axes.curve(curves.frequency[shown], values[shown], _drawn(results, name)[0])
    wave = readable(1000 / curves.nyquist, "nm", 3)
    out = f" {counted(curves.left_out, 'pair')} left out: not measured everywhere, or no size."
    return Figure(
        results.slug("spectra", data_set),
        f"Relief at every length{of}: power spectral density, averaged over all directions, "
        f"geometric mean of {counted(curves.pairs, 'pair')} (Hann window, plane removed). Below 1 "
        "in the right chart relief is missing, above it is invented or noise. At 1 the wave is two "
        f"pixels of the low-resolution scan long (median: {wave}); to the right "
        "of it that scan measured nothing. The charts end at that of "
        "the truth." + (out if curves.left_out else ""),
        [left.chart, right.chart, legend([_drawn(results, name) for name in curves.density])],
        2,
    )


def _drawn(results: Results, name: str) -> tuple[str, str]:
    """Return how a curve is drawn and what it is called."""
    scans = {TRUTH: ("truth", "truth"), LOW: ("low", "low-resolution scan")}
    return scans.get(name) or (kinds(results)[name], results.label(name))


def _axes(curves: Curves, ends: tuple[float, float], label: str, alt: str) -> Axes:
    chart = Chart(WIDTH, HEIGHT, alt)
    box = (52.0, 28.0, WIDTH - 66, HEIGHT - 70)
    axes = Axes(chart, box, (float(curves.frequency[0]), float(curves.frequency[-1])), ends,
                (True, True))  # fmt: skip
    if curves.frequency[-1] > 1 > curves.frequency[0]:
        start, end = axes.x(1.0), box[0] + box[2]
        chart.rect(start, box[1], end - start, box[3], "band")
        chart.text((start + end) / 2, box[1] + 14, "beyond the scan", "soft", "middle")
        chart.line(start, box[1], start, box[1] + box[3], "zero dashed")
    axes.across("spatial frequency / Nyquist frequency of the scan")
    axes.upwards(label)
    return axes


def _span(curves: Curves, over: Floats | None = None) -> tuple[float, float]:
    """Return limits of the axis: some decades below the top, or around 1 for ratios."""
    every = [c for name, c in curves.density.items() if name != LOW]
    values = np.stack([one / over if over is not None else one for one in every])
    low, top = float(values.min()) / 1.5, float(values.max()) * 2
    if over is None:
        return max(low, top * DECADES), top
    return min(max(low, RATIOS[0]), 0.5), max(min(top, RATIOS[1]), 2.0)


def as_csv(results: Results, found: Mapping[str, Curves]) -> str:
    """Return all curves in long form."""
    rows = [
        (data_set, name, repr(float(frequency)), repr(float(value)))
        for data_set, curves in found.items()
        for name, density in curves.density.items()
        for frequency, value in zip(curves.frequency, density, strict=True)
    ]
    return csv_text([("data set", "curve", "frequency (of Nyquist, low)", "density (nm^4)"), *rows])

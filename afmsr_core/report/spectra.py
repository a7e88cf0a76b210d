"""Power spectra of a data set: at which lengths relief is missing or invented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from afmsr_core.errors import FieldError
from afmsr_core.metrics.spectrum import power_spectrum
from afmsr_core.quantity import counted
from afmsr_core.report.contents import Fields, Floats, Record, Results
from afmsr_core.report.drawing import INK, Picture, canvas, curve_styles, finish
from afmsr_core.report.table import csv_text

__all__ = ["Curves", "as_csv", "collect", "figure"]

LOW, TRUTH = "low", "high"

DECADES, RATIOS = 1e-7, (1e-2, 20.0)
"""What the axes show at most: the densities below the top, and the ratios to the truth's."""


@dataclass(frozen=True)
class Curves:
    """Spectra averaged over directions and pairs.

    Attributes
    ----------
    frequency : ndarray, shape (n,)
        In 1/µm.
    density : dict of str to ndarray
        Geometric mean over pairs, in nm² times the square of the unit of the values, by name of the
        method, and of `LOW` and `TRUTH`.
    nyquist : float
        Of the low-resolution scans in 1/µm, median over pairs; NaN where it is not known.
    pairs : int
        Number of pairs.
    left_out : int
        Pairs with pixels that are not finite, which have no spectrum.
    """

    frequency: Floats
    density: Mapping[str, Floats]
    nyquist: float
    pairs: int
    left_out: int


def collect(results: Results, fields_of: Iterator[tuple[Record, Fields]]) -> Curves | None:
    """Return the mean spectra over pairs with all fields of the methods that ran, or None."""
    single: list[tuple[Floats, dict[str, Floats]]] = []
    nyquists = []
    left_out = 0
    for pair, fields in fields_of:
        arrays = {TRUTH: fields.truth, **fields.of_methods}
        if fields.low is not None:
            arrays[LOW] = fields.low
        curves: dict[str, Floats] = {}
        try:
            for name, array in arrays.items():
                frequency, curves[name] = power_spectrum(array, fields.pixel_size).radial()
        except FieldError:
            left_out += 1
            continue
        single.append((1000 * frequency, curves))
        nyquists.append(nyquist_of(pair))
    if not single:
        return None
    grid = min((frequency for frequency, _ in single), key=lambda f: float(f[-1]))
    grid = grid[grid >= max(float(frequency[0]) for frequency, _ in single)]
    names = [name for name in (TRUTH, LOW, *results.ran) if all(name in c for _, c in single)]
    density = {}
    for name in names:
        logs = [
            np.interp(np.log(grid), np.log(f), np.log(np.maximum(c[name], 1e-300)))
            for f, c in single
        ]
        density[name] = np.exp(np.mean(logs, axis=0))
    known = [one for one in nyquists if np.isfinite(one)]
    middle = float(np.median(known)) if known else float("nan")
    return Curves(grid, density, middle, len(single), left_out)


def nyquist_of(pair: Record) -> float:
    """Return the Nyquist frequency of the low-resolution scan in 1/µm, of its coarser axis."""
    low = pair.get("low") or {}
    try:
        coarse = max(low["xreal"] / low["xres"], low["yreal"] / low["yres"])
    except (KeyError, TypeError, ZeroDivisionError):
        return float("nan")
    return 500.0 / coarse if coarse > 0 and low.get("lateral_unit", "nm") == "nm" else float("nan")


def figure(results: Results, data_set: str, curves: Curves) -> Picture:
    """Return the spectra, and their ratio to the truth's."""
    styles = curve_styles(results.ran, results.networks)
    of = results.of(data_set)
    truth = curves.density[TRUTH]
    with canvas(12.2, 4.1) as drawn:
        left = drawn.add_axes((0.06, 0.12, 0.365, 0.84))
        right = drawn.add_axes((0.485, 0.12, 0.365, 0.84))
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlabel("spatial frequency (1/µm)")
            axes.grid(which="major")
            if np.isfinite(curves.nyquist):
                axes.axvline(curves.nyquist, color="#6b7480", linewidth=0.8, linestyle=":")
        left.plot(curves.frequency, truth, color=INK, linewidth=2.2, label="truth", zorder=5)
        right.axhline(1.0, color=INK, linewidth=2.2)
        measured = curves.frequency <= (curves.nyquist if np.isfinite(curves.nyquist) else np.inf)
        if LOW in curves.density:
            # Beyond its Nyquist frequency the repeated pixels of the low scan are no relief.
            here = curves.frequency[measured]
            low = curves.density[LOW][measured]
            style: dict[str, Any] = {"color": "#c9a227", "linewidth": 2.4, "alpha": 0.8}
            left.plot(here, low, label="low-resolution scan", **style)
            right.plot(here, low / truth[measured], **style)
        for method in results.ran:
            if method in curves.density:
                density = curves.density[method]
                left.plot(curves.frequency, density, label=results.label(method), **styles[method])
                right.plot(curves.frequency, density / truth, **styles[method])
        unit = results.height_unit
        squared = "nm⁴" if unit == "nm" else f"{unit}² nm²" if unit else "nm²"
        left.set_ylabel(f"power spectral density ({squared})")
        right.set_ylabel("density over the truth's")
        right.yaxis.set_major_formatter("{x:g}")
        left.set_ylim(*_span(curves))
        right.set_ylim(*_span(curves, truth))
        if np.isfinite(curves.nyquist):
            for axes in (left, right):
                axes.text(
                    curves.nyquist, 0.99, " Nyquist, low", transform=axes.get_xaxis_transform(),
                    fontsize=6.8, color="#454c55", va="top", ha="left",
                )  # fmt: skip
        handles, labels = left.get_legend_handles_labels()
        drawn.legend(handles, labels, loc="center left", bbox_to_anchor=(0.862, 0.53))
        out = f" {curves.left_out} pairs hold pixels without a height and are left out."
        return finish(
            drawn,
            results.slug("spectra", data_set),
            f"Power spectral density against spatial frequency of the truth, the low-resolution "
            f"scan and all methods{of}, and their ratio to the truth.",
            f"Power spectral density averaged over all directions{of}, geometric mean of "
            f"{counted(curves.pairs, 'pair')} (Hann window, plane removed). "
            "Left: densities. Right: over the truth's; below 1 relief is missing, above it is "
            "invented or noise. Right of the dotted line the low-resolution scan measured nothing."
            + (out if curves.left_out else ""),
        )


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
    return csv_text([("data set", "curve", "frequency (1/um)", "density (nm^4)"), *rows])

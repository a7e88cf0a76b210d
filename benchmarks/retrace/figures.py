"""Figures: the gains scan by scan, and where a network helps and where it hurts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.io.atomic import writing
from afmsr_core.picture.figures import drawn
from afmsr_core.picture.palettes import DIFFERENCE
from afmsr_core.picture.panels import Panel
from afmsr_core.picture.ranges import Range
from afmsr_core.survey.drawing import CURVES, INK, canvas, finish
from benchmarks.retrace.score import CEILING, Outcome
from benchmarks.retrace.table import REFERENCE, kind_of
from training.pictures import worst_square

if TYPE_CHECKING:
    from matplotlib.figure import Figure


GREYS = ("#9aa2ab", "#5b636d")
MARKERS = "osD^vP*X"
WINDOW = 112  # pixels of the truth that a panel shows


def gains(outcomes: Sequence[Outcome], methods: Sequence[str], folder: Path) -> None:
    """Draw the gain over bicubic of every method on every scan.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Dropped pairs are left out.
    methods : sequence of str
        Those to show; bicubic itself is the zero line.
    folder : Path
        Gets ``gains.png`` and ``gains.svg``.
    """
    scored = [one for one in outcomes if one.scores]
    networks, plain = _by_kind(methods)
    first = networks[0] if networks else CEILING
    scored.sort(key=lambda one: _gain(one, first))
    with canvas(7.6, 1.15 + 0.24 * len(scored)) as figure:
        figure.set_layout_engine("constrained")
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=0.8)
        places = np.arange(len(scored))
        axes.plot([_gain(o, CEILING) for o in scored], places, "|", color=INK, markersize=11,
                  markeredgewidth=1.6, label="full-resolution retrace")  # fmt: skip
        for order, name in enumerate(plain):
            axes.plot([_gain(o, name) for o in scored], places, "x", color=GREYS[order % 2],
                      markersize=4.5, label=name)  # fmt: skip
        for order, name in enumerate(networks):
            marker, colour = MARKERS[order % len(MARKERS)], CURVES[order % len(CURVES)]
            axes.plot([_gain(o, name) for o in scored], places, marker, color=colour,
                      markersize=5, alpha=0.9, label=name)  # fmt: skip
        axes.set_yticks(places, [f"{o.pair.sample} ({_short(o)})" for o in scored])
        axes.set_ylim(-0.6, len(scored) - 0.4)
        axes.grid(axis="y", color="#e4e8ec", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("PSNR gain over bicubic, dB")
        figure.legend(loc="outside upper center", ncols=4, frameon=False)
        _save(figure, folder, "gains")


def cases(outcomes: Sequence[Outcome], name: str, folder: Path) -> None:
    """Show the scans on which a method gains most and least, heights above and errors below.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Dropped pairs are left out.
    name : str
        The method.
    folder : Path
        Gets ``cases.png`` and ``cases.svg``.
    """
    scored = sorted((one for one in outcomes if one.scores), key=lambda one: _gain(one, name))
    columns = ("low", REFERENCE, name, CEILING, "truth")
    panels: list[Panel | None] = []
    for one in dict.fromkeys([scored[-1], scored[0]]):
        panels += _case(one, name, columns)
    for ending in ("png", "svg"):
        made = drawn(panels, ending, width=200, dpi=200, columns=len(columns))
        with writing(folder / f"cases.{ending}", force=True) as file:
            file.write(made)


def _case(one: Outcome, name: str, columns: Sequence[str]) -> list[Panel | None]:
    """Return a row of heights and, below all but the truth, one of errors."""
    part = _window(one, name)
    fields = {key: one.fields[key][part] for key in columns}
    errors = {key: fields[key] - fields["truth"] for key in columns if key != "truth"}
    shown = Range.of([fields["truth"]])
    off = Range.symmetric([errors[REFERENCE]], 98, "differences of bicubic from the truth")
    titles = {"low": "low resolution", CEILING: "retrace, full", "truth": "truth (trace)"}
    across, down = one.pair.pixel_nm if one.pair.size_known else (1.0, 1.0)
    rows, wide = fields["truth"].shape

    def panel(heights: NDArray[Any], ends: Range, **words: str) -> Panel:
        unit = "nm" if one.pair.size_known else "px"
        return Panel(heights, wide * across, rows * down, ends, lateral_unit=unit, **words)

    above = [
        panel(field, shown, title=titles.get(key, key), subtitle=_told(one, key, name))
        for key, field in fields.items()
    ]
    below = [panel(error, off, palette=DIFFERENCE) for error in errors.values()]
    return [*above, *below, None]


def _told(one: Outcome, key: str, name: str) -> str:
    """Return what stands above a panel: whose scan it is, or what was gained."""
    if key == "low":
        return one.pair.sample
    return f"{_gain(one, key):+.2f} dB".replace("-", "−") if key in (name, CEILING) else ""


def _window(one: Outcome, name: str) -> tuple[slice, slice]:
    """Return the detail in which the method and bicubic differ most in squared error."""
    truth, mine, bicubic = (one.fields[key] for key in ("truth", name, REFERENCE))
    return worst_square(np.abs((bicubic - truth) ** 2 - (mine - truth) ** 2), WINDOW, border=0)


def _gain(one: Outcome, name: str) -> float:
    return one.scores[name]["psnr"] - one.scores[REFERENCE]["psnr"]


def _by_kind(methods: Sequence[str]) -> tuple[list[str], list[str]]:
    networks = [name for name in methods if kind_of(name) == "network"]
    return networks, [n for n in methods if n not in networks and n != REFERENCE]


def _short(one: Outcome) -> str:
    name = one.pair.name
    return name if len(name) <= 18 else f"…{name[-17:]}"


def _save(figure: Figure, folder: Path, name: str) -> None:
    for ending, data in finish(figure, name, "", "").files.items():
        with writing(folder / f"{name}.{ending}", force=True) as file:
            file.write(data)

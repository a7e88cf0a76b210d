"""The plan as it is told: settings with their errors and times, a sentence, a short table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from afmsr_core.quantity import duration, readable
from afmsr_core.trust.coarseness import Coarseness

__all__ = ["COLUMNS", "FINER", "MODES", "READ", "Plan", "Setting"]

MODES = {"contact": False, "tapping": False, "non-contact": False, "stm": False, "force-map": True}
"""Modes of scanning, and whether every point of a line costs time."""

FINER = 2
"""How many times finer than the quick scan settings are told.

On the dev split the expected errors of settings four times as fine had a rank correlation of 0.1
with the true ones, of those twice as fine 0.8 (`python -m benchmarks.trust plan`).
"""

READ = {"afm": "upscaled 4x with afm", "bicubic": "as it is", "lines": "lines x4 with afm"}
"""How the pixels of a setting are read; of ``lines`` every point of a line is taken."""

THEN = {
    "afm": " and upscale them 4x with afm",
    "bicubic": "",
    "lines": " and let afm make four lines of each",
}

COLUMNS = ("points x lines", "read", "error", "likely", "rms", "time")

AROUND = 1
"""Numbers of lines below and above the chosen one that the table shows."""


@dataclass(frozen=True)
class Setting:
    """One way to scan the same area.

    Attributes
    ----------
    lines, points : int
        Scan lines, and points along each.
    read : {"afm", "bicubic", "lines"}
        Upscaled 4x with the default network; read as it is, by bicubic interpolation; or lines
        with four times the points, of each of which the default network makes four.
    error, low, high : float
        Expected root mean square error over Sq of the quick scan, and between which two the true
        one lies in 8 of 10 scans.
    time : float
        In scan lines of the quick scan.
    seconds : float or None
        The same in seconds; None if the line rate is not known.
    """

    lines: int
    points: int
    read: str
    error: float
    low: float
    high: float
    time: float
    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """What to scan next.

    Attributes
    ----------
    scan : str
        File and channel of the quick scan.
    unit : str
        Of the heights.
    lines, points : int
        Of the quick scan.
    sq : float
        Its roughness, levelled, in `unit`.
    asked : float
        Error that is asked for, over Sq.
    mode : str
        Of :data:`MODES`.
    lines_per_second : float or None
        None if neither told nor in the file.
    rate_from : {"file", "option", ""}
        Where it comes from.
    coarseness : Coarseness
        The verdict on the quick scan itself.
    tells_finer : bool
        Whether the quick scan can tell of finer ones at all; if not, none is among `settings`.
    settings : tuple of Setting
        The fastest first; of the same time the one with the least error first.
    chosen : Setting or None
        The first that reaches the error; None if none does.
    warnings : tuple of str
        What must be known of the channel.
    """

    scan: str
    unit: str
    lines: int
    points: int
    sq: float
    asked: float
    mode: str
    lines_per_second: float | None
    rate_from: str
    coarseness: Coarseness
    tells_finer: bool
    settings: tuple[Setting, ...]
    chosen: Setting | None
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything, JSON-serialisable; errors in `unit`, too."""
        record = asdict(self) | {"coarseness": self.coarseness.as_dict()}
        record["settings"] = [self._told(one) for one in self.settings]
        record["chosen"] = None if self.chosen is None else self._told(self.chosen)
        return record | {"warnings": list(self.warnings)}

    def _told(self, setting: Setting) -> dict[str, Any]:
        return asdict(setting) | {"rms": setting.error * self.sq}

    @property
    def goal(self) -> str:
        """The error that is asked for, in words."""
        return f"{_percent(self.asked)} of Sq ({_height(self, self.asked)})"

    @property
    def best(self) -> Setting:
        """The setting with the least error."""
        return min(self.settings, key=lambda one: one.error)

    @property
    def shown(self) -> tuple[Setting, ...]:
        """The settings with about as many lines as the chosen one, or as this scan and the most."""
        lines = sorted({one.lines for one in self.settings})
        place = lines.index(self.chosen.lines) if self.chosen else len(lines) - 1
        near = lines[max(0, place - AROUND) : place + AROUND + 1]
        return tuple(one for one in self.settings if one.lines in {*near, self.lines})

    @property
    def cautions(self) -> tuple[str, ...]:
        """What must be known before the plan is followed, in sentences."""
        return tuple(_cautions(self))

    def row(self, one: Setting) -> tuple[str, ...]:
        """Return a setting in words, in the order of `COLUMNS`."""
        return (
            f"{one.points} x {one.lines}",
            READ[one.read],
            _percent(one.error),
            _range(one),
            _height(self, one.error),
            _column_time(self, one),
        )

    def __str__(self) -> str:
        notes = [f"Note: {one}" for one in (*self.cautions, *_on_rate(self))]
        if not MODES[self.mode]:
            notes.append(f"Points along a line cost no time in {self.mode} mode; lines do.")
        return "\n".join([_sentence(self), *notes, "", *_table(self)])


def _sentence(plan: Plan) -> str:
    one = plan.chosen
    if one is None:
        best = plan.best
        return (
            f"No setting that this scan can tell of reaches {plan.goal}. The best, "
            f"{_pixels(best)}, {READ[best.read]}, has {_error(plan, best)} in {_time(plan, best)}."
        )
    return (
        f"Scan {_pixels(one)}{THEN[one.read]}: {_error(plan, one)} in {_time(plan, one)}; "
        f"likely {_range(one)}. Asked for: {plan.goal}."
    )


def _pixels(one: Setting) -> str:
    return f"{one.lines} lines of {one.points} points"


def _error(plan: Plan, one: Setting) -> str:
    return f"about {_percent(one.error)} of Sq ({_height(plan, one.error)})"


def _range(one: Setting) -> str:
    return f"{_percent(one.low, unit=False)} to {_percent(one.high)}"


def _height(plan: Plan, share: float) -> str:
    return readable(share * plan.sq, plan.unit, 2)


def _percent(share: float, unit: bool = True) -> str:
    value = 100 * share
    number = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"
    return f"{number} %" if unit else number


def _time(plan: Plan, one: Setting) -> str:
    rate = plan.lines_per_second
    if one.seconds is None or rate is None:
        if MODES[plan.mode]:
            share = f"{one.time / plan.lines:.2g}"
            return "the time of this scan" if share == "1" else f"{share} times that of this scan"
        return f"the time of {one.lines} lines"
    told = f"{rate:.3g}"
    return f"{duration(one.seconds)} at {told} {'line/s' if told == '1' else 'lines/s'}"


def _cautions(plan: Plan) -> Iterator[str]:
    for warning in plan.warnings:
        yield f"{warning}."
    if plan.chosen is None and not plan.tells_finer:
        yield (
            "this scan is too noisy or too coarse to plan anything finer: points one pixel away "
            "tell hardly more of a height than points two away, which noise does, and relief finer "
            "than the pixels. Scan more slowly, or twice the lines, and plan again."
        )
    elif plan.chosen is None:
        yield (
            f"a scan tells only of others up to {FINER} times as fine. Scan {FINER * plan.lines} "
            f"lines, and plan again."
        )
    if plan.chosen is not None and plan.chosen.lines == min(one.lines for one in plan.settings):
        yield "still fewer lines may do; none are told, because none were checked."
    found = plan.coarseness
    if plan.tells_finer and not found.more_pixels_help and found.verdict != "fine":
        yield (
            "most of this scan's own error may be noise. If it is, finer pixels help less than "
            "told here: scan more slowly, or average."
        )


def _on_rate(plan: Plan) -> Iterator[str]:
    if plan.rate_from == "file":
        yield "the line rate is the one in the file."
    elif plan.lines_per_second is None:
        yield "the file tells no line rate; --lines-per-second gives times."


def _table(plan: Plan) -> list[str]:
    rows = [COLUMNS, *map(plan.row, plan.shown)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _column_time(plan: Plan, one: Setting) -> str:
    if one.seconds is not None:
        return duration(one.seconds)
    if MODES[plan.mode]:
        return f"{one.time / plan.lines:.2g} x this scan"
    return f"{one.lines} lines"

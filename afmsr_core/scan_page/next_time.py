"""Next time: which settings would have reached a usual error in the least time, by mode."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from afmsr_core.errors import FieldError
from afmsr_core.levelling import level
from afmsr_core.planning import Plan, plan
from afmsr_core.planning.result import COLUMNS, READ, Setting
from afmsr_core.scan_page.subject import Subject
from afmsr_core.webpage.html import details

__all__ = ["next_time"]

GOAL = "10%"
"""Of Sq: up to it the verdict on the size of the pixels is “fine”."""

MODES = {
    "tapping": "Contact, tapping, non-contact, STM: points along a line cost no time",
    "force-map": "Force map: every point costs time",
}
"""Modes that differ in what costs time, and how they are called here."""


def next_time(subject: Subject) -> str:
    """Return HTML that says how to scan the same area again.

    Parameters
    ----------
    subject : Subject
        Scan and result.
    """
    scan, settings = subject.upright, subject.settings
    relief = level(scan, settings.level, settings.mask).channel.replace(warnings=())
    try:
        plans = [plan(relief, error=GOAL, mode=mode, level="none") for mode in MODES]
    except FieldError as error:
        return f"<p>Nothing can be planned from this scan. {escape(str(error))}.</p>"
    first = plans[0]
    head = (
        f"The least time in which an error (rms, of the whole surface) of {first.goal} is to be "
        f"expected, from this scan alone. Lines take as long as those of this scan."
    )
    cautions = dict.fromkeys(one for found in plans for one in found.cautions)
    told = "".join(f"<p>{escape(_sentence(one))}</p>" for one in cautions)
    return f"<p>{escape(head)}</p>{_chosen(plans)}{told}{_around(first)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _chosen(plans: Sequence[Plan]) -> str:
    rows = []
    for found in plans:
        one = found.chosen or found.best
        _, _, error, likely, rms, _ = found.row(one)
        missed = "" if found.chosen else " (the best that can be told; it misses the goal)"
        rows.append(
            (
                MODES[found.mode] + missed,
                f"{one.lines} lines of {one.points} points, {READ[one.read]}",
                f"{error}, {rms} (likely {likely})",
                _time(found, one),
            )
        )
    return _table(("Mode", "Scan", "Expected error", "Time"), rows)


def _around(found: Plan) -> str:
    rows = [(*found.row(one)[:-1], _time(found, one)) for one in found.shown]
    title = "Settings around it where points along a line cost no time"
    likely = "“Likely” holds the true error in 8 of 10 scans."
    table = _table((*COLUMNS[:-1], "time"), rows)
    return details(title, f'{table}<p class="notes">{likely}</p>')


def _time(found: Plan, one: Setting) -> str:
    share = one.time / found.lines
    text = f"{share:.2g} x this scan"
    if one.seconds is not None:
        text += f" ({found.row(one)[-1]})"
    return text


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    words = ' class="words"'
    head = "".join(f'<th scope="col"{words}>{escape(one)}</th>' for one in heads)
    body = "".join(
        f'<tr><th scope="row"{words}>{escape(row[0])}</th>'
        + "".join(f"<td{words}>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="table"><table class="next"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )

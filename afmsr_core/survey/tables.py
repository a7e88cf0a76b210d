"""Scores as CSV for any program, and empty forms to fill in.

Long: one score a line, with the columns ``question`` and ``score``. Wide: one result a line, with
a column for every question. Both name the result by ``item``, and by ``sheet`` and ``letter`` as
printed for the rater. `forms` reads them back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from afmsr_core.errors import UsageError
from afmsr_core.report.table import csv_text
from afmsr_core.survey.page import letter
from afmsr_core.survey.study import Key, Study

__all__ = ["ANSWER", "PLACE", "RISKY", "SECRETS", "form_csv", "scores_csv"]

ANSWER = ("rater", "set", "item", "question", "score", "seconds", "at", "comment")
SECRETS = ("method", "data_set", "image", "repeat_of", "catch")
PLACE = ("sheet", "letter")

RISKY = ("=", "+", "-", "@", "\t", "\r")
"""A cell that starts so is a formula to spreadsheets; one quote before it makes it a text."""


def scores_csv(study: Study, key: Key | None = None) -> str:
    """Return all scores, one a line; with the key, what the items are too.

    Parameters
    ----------
    study : Study
        The study.
    key : Key, optional
        Adds method, data set, image, repeat and catch. Without it the table is as blind as the
        study.

    Raises
    ------
    UnsupportedContentError
        If the key is of another study.
    """
    if key:
        key.check(study)
    rows = []
    told = set()
    for one in study.store.scores():
        told.add((one.rater, one.set))
        seconds = f"{one.seconds:g}" if math.isfinite(one.seconds) else ""
        row = [one.rater, one.set, one.item, one.question, one.score, seconds, one.at]
        rows.append([*row, one.comment or "", *(_secrets(key, one.item) if key else [])])
    for (rater, set_), text in study.store.comments().items():
        if (rater, set_) not in told:
            rows.append([rater, set_, "", "", "", "", "", text, *([""] * len(SECRETS) * bool(key))])
    return _csv([*ANSWER, *(SECRETS if key else ())], rows)


def form_csv(study: Study, raters: Sequence[str] = (), long: bool = False) -> str:
    """Return an empty form: the sheets of raters in their order, with room for scores.

    Parameters
    ----------
    study : Study
        The study.
    raters : sequence of str
        Whose; all by default.
    long : bool
        One score a line, in place of one result a line.

    Raises
    ------
    UsageError
        If a rater has no order in this study.
    """
    rows: list[list[object]] = []
    for rater in raters or study.store.raters():
        plan = study.store.plan(rater)
        if not plan:
            known = ", ".join(study.store.raters()) or "nobody"
            raise UsageError(
                f"{study.folder}: rater {rater!r} has no sheets; there is {known}; build the study "
                "with this rater, or give the name as it is there"
            )
        for sheet, one in enumerate(plan, 1):
            for place, item in enumerate(one.items):
                start = [rater, sheet, letter(place), one.set, item]
                if long:
                    rows += [[*start, question, "", ""] for question in study.questions]
                else:
                    rows.append([*start, *[""] * len(study.questions), ""])
    if not rows:
        raise UsageError(f"{study.folder}: has no raters; build the study with --raters")
    answers = ("question", "score") if long else study.questions
    return _csv(["rater", *PLACE, "set", "item", *answers, "comment"], rows)


def _secrets(key: Key, item: str) -> list[object]:
    one = key.items[item]
    return [one.method, one.data_set, one.pair, one.repeat_of or "", "yes" if one.catch else "no"]


def _csv(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return csv_text([head, *([_harmless(cell) for cell in row] for row in rows)])


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(RISKY) else cell

"""The tables on raters: agreement, means, repeats, catch items."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from afmsr_core.report.table import MISSING, Cell, Table, number, number_cell
from afmsr_core.survey.answers import Answers, CatchScore
from afmsr_core.survey.outcome import SurveyAnalysis, SurveySummary
from afmsr_core.survey.study import HIGHEST

__all__ = [
    "agreements",
    "by_method",
    "catches",
    "exact",
    "rater_means",
    "raters",
    "repeats",
]


def agreements(result: SurveyAnalysis) -> Table:
    """Return Krippendorff's alpha of every question."""
    return Table(
        name="survey-agreement",
        caption="Agreement between raters: Krippendorff's alpha, ordinal",
        head=[
            Cell("Question"), Cell("Alpha"),
            Cell(f"{100 * result.settings.confidence:g} % interval"), Cell("Results"),
            Cell("Scores"),
        ],
        rows=[
            [
                Cell(one.question),
                number_cell(one.agreement.alpha, 3, note=one.agreement.reason),
                Cell(
                    f"{number(one.agreement.low, 3)} to {number(one.agreement.high, 3)}"
                    if math.isfinite(one.agreement.low) else MISSING
                ),
                Cell(str(one.agreement.units)),
                Cell(str(one.agreement.values)),
            ]
            for one in result.questions
        ],
        remarks=[
            "1: the raters agree wholly; 0: as by chance. It counts a kind and a severe rater as "
            "disagreement, which the tests above do not. Interval: bootstrap over images."
        ],
    )  # fmt: skip


def raters(found: Answers) -> Table:
    """Return what every rater was asked and has answered."""
    return Table(
        name="survey-raters",
        caption="Raters",
        head=[
            *map(Cell, ("Rater", "Scores given", "of", "Sets complete", "of", "Mean", "SD")),
            *map(Cell, ("Lowest", "Highest", "Median time, s")),
        ],
        rows=[
            [
                Cell(one.rater),
                *map(Cell, map(str, (one.given, one.asked, one.complete, one.sets))),
                number_cell(one.mean, 2, note="one and the same score" if one.constant else ""),
                number_cell(one.sd, 2),
                number_cell(one.lowest, 0),
                number_cell(one.highest, 0),
                number_cell(one.seconds, 1),
            ]
            for one in found.records
        ],
        remarks=["Given and asked count repeats and catch items; mean and SD are of results."],
    )


def rater_means(found: Answers, result: SurveyAnalysis) -> Table:
    """Return the mean of every rater for every method."""
    return by_method(
        found,
        result,
        "survey-rater-means",
        "Mean scores by rater",
        [Cell(rater) for rater in found.raters],
        lambda told: [number_cell(float(mean), 2) for mean in told.by_rater],
    )


def by_method(
    found: Answers,
    result: SurveyAnalysis,
    name: str,
    caption: str,
    heads: Sequence[Cell],
    cells: Callable[[SurveySummary], Sequence[Cell]],
) -> Table:
    """Return a table with a row for every question and method, and what is told of its scores."""
    return Table(
        name=name,
        caption=caption,
        head=[Cell("Question"), Cell("Method"), *heads],
        rows=[
            [Cell(one.question), Cell(found.label(told.method), told.method), *cells(told)]
            for one in result.questions
            for told in one.summaries
        ],
        words=2,
    )


def repeats(found: Answers, result: SurveyAnalysis) -> Table:
    """Return how far raters agree with themselves."""
    rows = []
    for question, by_rater in result.repeatability.items():
        for rater, one in by_rater.items():
            rows.append(
                [
                    Cell(question),
                    Cell(rater or "all raters", rater),
                    Cell(str(one.n)),
                    number_cell(100 * one.same, 0, note=one.reason),
                    number_cell(100 * one.near, 0),
                    number_cell(one.shift, 2),
                    number_cell(one.alpha, 2),
                ]
            )
    return Table(
        name="survey-repeats",
        caption=f"Agreement of raters with themselves: {found.repeated} results shown twice",
        head=[
            *map(Cell, ("Question", "Rater", "Scored twice", "Equal, %", "Within 1, %")),
            *map(Cell, ("Second − first", "Alpha")),
        ],
        rows=rows,
        remarks=["Alpha: Krippendorff's, ordinal, of first and second score."],
        words=2,
    )


def catches(found: Answers) -> Table:
    """Return what raters gave to the truth among the results."""
    rows = []
    for question in found.scores:
        for record in found.records:
            mine = [
                one
                for one in found.catches
                if (one.question, one.rater) == (question, record.rater)
            ]
            rows.append([Cell(question), Cell(record.rater), *_caught(mine)])
    return Table(
        name="survey-catch",
        caption=f"The truth among the results: {found.caught} catch items",
        head=[
            *map(Cell, ("Question", "Rater", "Scored", "Mean", f"Got {HIGHEST}, %")),
            Cell("As high as every result, %"),
        ],
        rows=rows,
        remarks=["Nobody is left out for this. A rater who looks gives the truth the top score, or "
                 "at least no lower one than to a result beside it."],
        words=2,
    )  # fmt: skip


def _caught(mine: list[CatchScore]) -> list[Cell]:
    given = [one for one in mine if math.isfinite(one.score)]
    beside = [one for one in given if math.isfinite(one.best)]
    note = "" if given else "no score"
    return [
        Cell(str(len(given))),
        number_cell(_share([one.score for one in given]), 2, note=note),
        number_cell(100 * _share([float(one.score == HIGHEST) for one in given]), 0),
        number_cell(100 * _share([float(one.score >= one.best) for one in beside]), 0),
    ]


def _share(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def exact(value: float) -> float | None:
    """Return what CSV holds of a number: nothing if there is none."""
    return value if math.isfinite(value) else None

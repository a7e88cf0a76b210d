"""The figures of an analysis: mean scores as in the paper's Figure 4, and how they are spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from afmsr_core.survey.answers import Answers
from afmsr_core.survey.drawing import INK, Picture, canvas, finish, kind_colour
from afmsr_core.survey.outcome import QuestionAnalysis, SurveyAnalysis
from afmsr_core.survey.study import HIGHEST, LOWEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["means", "spread"]

PANEL, LEFT, GAP = 3.2, 0.55, 0.45
"""Inches: width of a panel, what is left of the first, and between two."""

SPREAD_ROW = 0.27
STEP_COLOURS = ("#a5482f", "#d98d6a", "#f0d2bd", "#cfe0ee", "#7fb0dd", "#2f6fb2")
"""Of the scores from 1 to 6: warm is bad, blue is good."""

LONGEST = 36
"""Letters of all labels together that fit below a panel; more stand askew."""

RATER_WIDTH = 0.5
"""Width over which the marks of raters are spread, in bars."""


def is_network(method: str) -> bool:
    """Return whether a method is drawn as a network: all that are no known interpolation."""
    from afmsr_core.methods import get, names

    return method not in names() or get(method).kind == "network"


def means(found: Answers, result: SurveyAnalysis) -> Picture:
    """Return mean scores with SD, one panel a question, and the mean of every rater."""
    questions = result.questions
    width = LEFT + len(questions) * (PANEL + GAP)
    labels = [found.label(method) for method in found.methods]
    askew = len("".join(labels)) > LONGEST
    below = 0.3 + 0.06 * askew * max(map(len, labels))
    height = below + 2.3
    with canvas(width, height) as figure:
        for place, one in enumerate(questions):
            left = LEFT + place * (PANEL + GAP)
            axes = figure.add_axes((left / width, below / height, PANEL / width, 2.0 / height))
            _bars(axes, one, len(found.raters))
            axes.set_xticks(
                range(len(labels)),
                labels,
                rotation=35 if askew else 0,
                ha="right" if askew else "center",
                rotation_mode="anchor",
            )
            axes.set_title(one.question.capitalize(), loc="left")
            if place == 0:
                axes.set_ylabel(f"score, {LOWEST} worst to {HIGHEST} best")
        return finish(
            figure,
            "survey-means",
            "Bars of the mean score of every method with standard deviations, one panel for each "
            f"of {', '.join(one.question for one in questions)}.",
            "Mean score over all raters and images, with the standard deviation (whiskers); each "
            "circle is the mean of one rater. Grey: interpolations, blue: others. "
            "The numbers are in the table below.",
        )


def _bars(axes: Axes, one: QuestionAnalysis, raters: int) -> None:
    steps = np.arange(LOWEST, HIGHEST + 1)
    for place, told in enumerate(one.summaries):
        if not told.n:
            axes.text(place, LOWEST + 0.1, "no score", ha="center", fontsize=7)
            continue
        colour = kind_colour(is_network(told.method))
        axes.bar(place, told.mean - LOWEST, bottom=LOWEST, width=0.62, color=colour + "88",
                 edgecolor=colour, linewidth=0.8)  # fmt: skip
        if math.isfinite(told.sd):
            axes.errorbar(place, told.mean, yerr=told.sd, color=INK, linewidth=0.9, capsize=3)
        offsets = RATER_WIDTH * ((np.arange(raters) + 0.5) / raters - 0.5)
        axes.plot(place + offsets, told.by_rater, "o", color=INK, markersize=3.2,
                  markerfacecolor="white", markeredgewidth=0.7)  # fmt: skip
    axes.tick_params(axis="x", length=0)
    axes.set_yticks(steps)
    # An SD may reach past the scale; the whisker is told as it is.
    tops = [told.mean + told.sd for told in one.summaries if math.isfinite(told.sd)]
    axes.set_ylim(LOWEST, max([HIGHEST, *tops]) + 0.15)
    axes.set_xlim(-0.6, len(one.summaries) - 0.4)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def spread(found: Answers, result: SurveyAnalysis) -> Picture:
    """Return how often each score was given, one bar a method, one panel a question."""
    questions = result.questions
    left = 0.2 + 0.075 * max(len(found.label(method)) for method in found.methods)
    width = left + len(questions) * (PANEL + GAP)
    height = 1.0 + SPREAD_ROW * len(found.methods)
    inner = SPREAD_ROW * len(found.methods) / height
    with canvas(width, height) as figure:
        for place, one in enumerate(questions):
            at = (left + place * (PANEL + GAP)) / width
            axes = figure.add_axes((at, 0.45 / height, PANEL / width, inner))
            _stack(axes, one)
            names = [found.label(method) for method in found.methods] if place == 0 else []
            axes.set_yticks(range(len(names)), names)
            axes.set_title(one.question.capitalize(), loc="left")
            if place == len(questions) - 1:
                axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=HIGHEST,
                            handlelength=0.8, handletextpad=0.3, columnspacing=0.7,
                            borderaxespad=0.2)  # fmt: skip
        return finish(
            figure,
            "survey-spread",
            "Stacked bars of how often each score was given to every method.",
            "How often each score was given, in % of the scores of a method.",
        )


def _stack(axes: Axes, one: QuestionAnalysis) -> None:
    start = np.zeros(len(one.summaries))
    rows = range(len(one.summaries))
    for step in range(LOWEST, HIGHEST + 1):
        share = np.array([100 * told.shares[step - LOWEST] for told in one.summaries])
        share = np.nan_to_num(share)
        axes.barh(rows, share, left=start, height=0.7, color=STEP_COLOURS[step - LOWEST],
                  edgecolor="white", linewidth=0.5, label=str(step))  # fmt: skip
        start += share
    axes.set_xlim(0, 100)
    axes.set_ylim(len(one.summaries) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("%")

"""The tables of an analysis: scores, tests, pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from afmsr_core.report import verdicts
from afmsr_core.report.table import MISSING, Cell, Table, number, number_cell
from afmsr_core.statistics import P_FLOOR
from afmsr_core.survey.answers import Answers
from afmsr_core.survey.outcome import QuestionAnalysis, SurveyAnalysis, SurveyPair
from afmsr_core.survey.rater_tables import (
    agreements,
    by_method,
    catches,
    exact,
    rater_means,
    raters,
    repeats,
)
from afmsr_core.survey.study import HIGHEST, LOWEST

__all__ = ["all_tables", "best", "p_text"]


def p_text(p: float) -> str:
    """Return a p-value for a table: the order of small ones too, as the paper tells it.

    Examples
    --------
    >>> p_text(0.03), p_text(2.9e-7), p_text(1e-12), p_text(float("nan"))
    ('0.030', '2.9e-7', '<1e-10', '–')
    """
    if not math.isfinite(p):
        return MISSING
    if p >= verdicts.SMALLEST:
        return verdicts.p_text(p)
    if p <= P_FLOOR:
        return f"<{P_FLOOR:.0e}"
    mantissa, _, power = f"{p:.1e}".partition("e-")
    return f"{mantissa}e-{int(power)}"


def all_tables(found: Answers, result: SurveyAnalysis) -> Iterator[Table]:
    """Return every table, in the order of the page."""
    yield scores(found, result)
    yield shares(found, result)
    if len(set(found.data_sets)) > 1:
        yield data_sets(found, result)
    yield tests(result)
    for one in result.questions:
        if one.pairs:
            yield pairs(found, result, one)
    yield agreements(result)
    yield raters(found)
    yield rater_means(found, result)
    if found.repeated:
        yield repeats(found, result)
    if found.caught:
        yield catches(found)


def best(question: QuestionAnalysis) -> set[str]:
    """Return the methods that are better than another one, and none is better than them."""
    winners = {one.better for one in question.pairs if one.better}
    losers = {m for one in question.pairs if one.better for m in (one.first, one.second)
              if m != one.better}  # fmt: skip
    return winners - losers


def scores(found: Answers, result: SurveyAnalysis) -> Table:
    """Return mean, SD and number of scores of every method, and of the truth where it was shown."""
    head = [Cell("Method")]
    for one in result.questions:
        name = one.question.capitalize()
        head += [
            Cell(f"{name}, mean", f"{one.question} mean"), Cell("SD", f"{one.question} sd"),
            Cell("n", f"{one.question} n"),
        ]  # fmt: skip
    rows = []
    for place, method in enumerate(found.methods):
        row = [Cell(found.label(method), method)]
        for one in result.questions:
            told = one.summaries[place]
            note = "" if told.n else "no score"
            row += [
                number_cell(told.mean, 2, bold=method in best(one), note=note),
                number_cell(told.sd, 2), Cell(str(told.n)),
            ]  # fmt: skip
        rows.append(row)
    if found.caught:
        row = [Cell("Truth, unlabelled", "truth", note="catch item: in no test")]
        for one in result.questions:
            given = [c.score for c in found.catches if c.question == one.question]
            given = [score for score in given if math.isfinite(score)]
            mean = float(np.mean(given)) if given else math.nan
            sd = float(np.std(given, ddof=1)) if len(given) > 1 else math.nan
            row += [number_cell(mean, 2), number_cell(sd, 2), Cell(str(len(given)))]
        rows.append(row)
    return Table(
        name="survey-scores",
        caption=f"Scores from {LOWEST} (worst) to {HIGHEST} (best)",
        head=head,
        rows=rows,
        remarks=[
            "Over all raters and images, first showings only. SD with n − 1. Bold: shown to be "
            "better than another method, and no method is shown to be better."
        ],
    )


def shares(found: Answers, result: SurveyAnalysis) -> Table:
    """Return how often each score was given."""
    return by_method(
        found,
        result,
        "survey-shares",
        "How often each score was given, in %",
        [Cell(str(step)) for step in range(LOWEST, HIGHEST + 1)],
        lambda told: [number_cell(100 * float(share), 0) for share in told.shares],
    )


def data_sets(found: Answers, result: SurveyAnalysis) -> Table:
    """Return mean scores by data set."""
    names = list(dict.fromkeys(found.data_sets))
    return by_method(
        found,
        result,
        "survey-data-sets",
        "Mean scores by data set",
        [Cell(name or "no name", below=f"{found.data_sets.count(name)} images") for name in names],
        lambda told: [number_cell(told.by_data_set[name], 2) for name in names],
    )


def tests(result: SurveyAnalysis) -> Table:
    """Return the tests of any difference between methods."""
    rows = []
    for one in result.questions:
        tukey = one.one_way.p[np.isfinite(one.one_way.p)]
        smallest = float(tukey.min()) if len(tukey) else math.nan
        model = one.model
        rows += [
            _test(one, "Cumulative logit model", model.statistic if model.converged else math.nan,
                  model.p_any if model.converged else math.nan, math.nan, model.reason),
            _test(one, "Friedman, raters × images", one.blocks.statistic, one.blocks.p,
                  one.blocks.kendall_w, one.blocks.reason),
            _test(one, "Friedman, images", one.images.statistic, one.images.p,
                  one.images.kendall_w, one.images.reason),
            _test(one, "One-way Tukey (paper), smallest p", math.nan, smallest, math.nan,
                  one.one_way.reason),
        ]  # fmt: skip
    return Table(
        name="survey-tests",
        caption="Do the methods differ at all?",
        head=[*map(Cell, ("Question", "Test", "Chi-square", "p", "Kendall's W", "Decides"))],
        rows=rows,
        words=2,
    )


def _test(
    one: QuestionAnalysis, name: str, statistic: float, p: float, w: float, reason: str
) -> list[Cell]:
    decides = name.lower().startswith(one.decided_by.split(" ", 1)[0].lower())
    decides = decides and name != "Friedman, images"
    return [
        Cell(one.question),
        Cell(name),
        number_cell(statistic, 2),
        Cell(p_text(p), exact(p), note="" if math.isfinite(p) else reason),
        number_cell(w, 2),
        Cell("yes" if decides else "no"),
    ]


def pairs(found: Answers, result: SurveyAnalysis, one: QuestionAnalysis) -> Table:
    """Return every pair of methods, by every test."""
    percent = f"{100 * result.settings.confidence:g} %"
    names = (
        ("Pair", ""), ("Mean difference", percent), ("Odds ratio", percent), ("Model", "p, Holm"),
        ("Wilcoxon, raters × images", "p, Holm"), ("Wilcoxon, images", "p, Holm"),
        ("Nemenyi", "p"), ("One-way Tukey", "p, as the paper"), ("Higher, equal, lower", "%"),
        ("Rank-biserial", ""), ("Better", ""),
    )  # fmt: skip
    return Table(
        name=f"survey-pairs-{one.question}",
        caption=f"{one.question.capitalize()}: every pair of methods",
        head=[Cell(name, below=below) for name, below in names],
        rows=[_pair(found, pair) for pair in one.pairs],
        remarks=[
            "Difference of mean scores with a bootstrap interval over images. Odds ratio: how much "
            "likelier the first is to get a higher score, by the model. p by Holm over all pairs "
            "of this table. Higher, equal, lower: share of raters and images. Rank-biserial: 1 if "
            "the first is always higher, −1 if always lower. Better: by what decides, "
            f"p < {result.settings.alpha:g}."
        ],
    )


def _pair(found: Answers, pair: SurveyPair) -> list[Cell]:
    of_images, of_blocks = pair.images, pair.blocks
    shares = [100 * share for share in (of_blocks.wins, of_blocks.ties, of_blocks.losses)]
    told = ", ".join(number(share, 0) for share in shares)
    return [
        Cell(f"{found.label(pair.first)} vs {found.label(pair.second)}"),
        Cell(_between(_mean, of_images.difference, of_images.ci_low, of_images.ci_high),
             of_images.difference, note=_reason(of_images.reason)),
        Cell(_between(_odds, pair.odds_ratio, pair.low, pair.high), exact(pair.odds_ratio)),
        *(
            Cell(p_text(p), exact(p))
            for p in (pair.p_model_holm, of_blocks.p_wilcoxon_holm, of_images.p_wilcoxon_holm,
                      pair.p_nemenyi, pair.p_tukey)
        ),
        Cell(told if of_blocks.n else MISSING),
        number_cell(of_blocks.rank_biserial, 2),
        Cell(found.label(pair.better) if pair.better else "not shown", pair.better),
    ]  # fmt: skip


def _reason(text: str) -> str:
    return text.replace("images or samples", "images")


def _between(told: Callable[[float], str], value: float, low: float, high: float) -> str:
    if not math.isfinite(low):
        return told(value)
    return f"{told(value)} ({told(low)} to {told(high)})"


def _odds(ratio: float) -> str:
    """Return an odds ratio with as many digits as it is worth.

    Examples
    --------
    >>> _odds(0.064), _odds(15.36), _odds(3812.0), _odds(2.5e6)
    ('0.06', '15.4', '3812', '2e+06')
    """
    if ratio >= 1e5:
        return f"{ratio:.0e}"
    return number(ratio, 0 if ratio >= 100 else 1 if ratio >= 10 else 2)


def _mean(difference: float) -> str:
    return number(difference, 2)

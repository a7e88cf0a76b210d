"""What the scores of a study say: means, tests, agreement, and what a reader should know first."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from afmsr_core.errors import UsageError
from afmsr_core.statistics import (
    Friedman,
    PairMatrix,
    Scores,
    compare,
    friedman,
    holm,
    one_way_tukey,
)
from afmsr_core.statistics.result import Floats, library
from afmsr_core.survey.agreement import Repeatability, agreement, repeatability
from afmsr_core.survey.answers import Answers, RaterRecord
from afmsr_core.survey.cumulative import CumulativeModel, cumulative_logit, unfitted
from afmsr_core.survey.outcome import (
    FRIEDMAN,
    MODEL,
    QuestionAnalysis,
    Settings,
    SurveyAnalysis,
    SurveyPair,
    SurveySummary,
)
from afmsr_core.survey.study import HIGHEST, LOWEST

__all__ = ["analyse_question", "analyse_study"]

FEWEST_RESAMPLES = 100
"""Of intervals over raters × images, which are too short and not shown."""

FEW_IMAGES = 10
"""Below this the p-values of tests that take images as blocks are rough."""


def analyse_study(found: Answers, settings: Settings | None = None) -> SurveyAnalysis:
    """Analyse every question of a study.

    Raises
    ------
    UsageError
        If there is no score at all.
    MissingExtraError
        If SciPy or statsmodels is not installed.
    """
    chosen = settings or Settings()
    if not found.raters:
        raise UsageError(
            "the study has no score yet: send the raters their links (afmsr survey serve), or "
            "import forms (afmsr survey import)"
        )
    repeats = {
        question: {
            rater: _repeatability(found, question, rater)
            for rater in ("", *(one.rater for one in found.records))
        }
        for question in found.scores
    }
    return SurveyAnalysis(
        settings=chosen,
        questions=tuple(analyse_question(found, question, chosen) for question in found.scores),
        repeatability=repeats,
        notes=tuple(_rules(found)),
    )


def analyse_question(found: Answers, question: str, settings: Settings) -> QuestionAnalysis:
    """Analyse one question of a study."""
    values = found.scores[question]
    methods = found.methods
    telling = np.array([_varies(one) for one in values], dtype=bool)
    if telling.any():
        model = cumulative_logit(values[telling], methods)
    else:
        model = unfitted(methods, 0, "no rater gave two different scores")
    stacked, by_image = _blocks(found, question, False), _blocks(found, question, True)
    one_way = one_way_tukey(stacked, settings.alpha)
    ranks, image_ranks = friedman(stacked, settings.alpha), friedman(by_image, settings.alpha)
    decided = MODEL if model.converged else FRIEDMAN
    p_any = model.p_any if model.converged else ranks.p
    pairs = _pairs(stacked, by_image, model, one_way, ranks, settings)
    return QuestionAnalysis(
        question=question,
        summaries=tuple(_summary(found, values, column) for column in range(len(methods))),
        one_way=one_way,
        model=model,
        blocks=ranks,
        images=image_ranks,
        pairs=pairs,
        decided_by=decided,
        p_any=p_any,
        why="" if model.converged else f"the {MODEL} does not decide: {model.reason}",
        agreement=agreement(
            values,
            confidence=settings.confidence,
            resamples=settings.resamples,
            seed=settings.seed,
        ),
        notes=tuple(
            _notes(found, question, telling, stacked, by_image, image_ranks, p_any, settings)
        ),
    )


def _varies(values: Floats) -> bool:
    given = values[np.isfinite(values)]
    return bool(len(given) and np.ptp(given) > 0)


def _blocks(found: Answers, question: str, clustered: bool) -> Scores:
    """Return raters × images as the rows of a table; clustered, rows of an image are one block."""
    values = found.scores[question]
    rows = [(rater, image) for rater in found.raters for image in found.images]
    return Scores(
        values.reshape(-1, len(found.methods)),
        found.methods,
        ["network"] * len(found.methods),
        higher_is_better=True,
        metric=question,
        images=[f"{number}" for number in range(len(rows))],
        clusters=[image for _, image in rows] if clustered else (),
    )


def _summary(found: Answers, values: Floats, column: int) -> SurveySummary:
    mine = values[:, :, column]
    given = mine[np.isfinite(mine)]
    some = len(given) > 0
    of_set = np.array(found.data_sets, dtype=object)
    steps = np.arange(LOWEST, HIGHEST + 1)
    return SurveySummary(
        method=found.methods[column],
        n=len(given),
        mean=_mean(given),
        sd=float(given.std(ddof=1)) if len(given) > 1 else math.nan,
        median=float(np.median(given)) if some else math.nan,
        shares=(given[:, None] == steps).mean(axis=0) if some else np.full(len(steps), np.nan),
        by_rater=np.array([_mean(one[np.isfinite(one)]) for one in mine]),
        by_data_set={
            name: _mean(part[np.isfinite(part)])
            for name in dict.fromkeys(found.data_sets)
            for part in [mine[:, of_set == name]]
        },
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _pairs(
    stacked: Scores,
    by_image: Scores,
    model: CumulativeModel,
    one_way: PairMatrix,
    ranks: Friedman,
    settings: Settings,
) -> tuple[SurveyPair, ...]:
    """Return every pair of methods with scores, the pairs being one family."""
    compared = [stacked.methods[column] for column in stacked.compared]
    # the later ones first: networks against interpolations
    named = [(later, earlier) for earlier, later in combinations(compared, 2)]
    blocks, images = (
        compare(
            scores,
            named,
            alpha=settings.alpha,
            confidence=settings.confidence,
            resamples=resamples,
            seed=settings.seed,
        )
        for scores, resamples in ((stacked, FEWEST_RESAMPLES), (by_image, settings.resamples))
    )
    at = {method: place for place, method in enumerate(model.methods)}
    raw = [float(model.p[at[a], at[b]]) if model.converged else math.nan for a, b in named]
    corrected = holm(raw)
    z = float(library("scipy.stats").norm.isf((1 - settings.confidence) / 2))
    found = []
    for place, (a, b) in enumerate(named):
        gain, reach = math.nan, math.nan
        if model.converged:
            gain = float(model.effects[at[a]] - model.effects[at[b]])
            reach = z * float(model.errors[at[a], at[b]])
        p = float(corrected[place]) if model.converged else blocks[place].p_wilcoxon_holm
        first_is_better = (gain if model.converged else blocks[place].rank_biserial) > 0
        found.append(
            SurveyPair(
                first=a,
                second=b,
                blocks=blocks[place],
                images=images[place],
                odds_ratio=math.exp(gain),
                low=math.exp(gain - reach),
                high=math.exp(gain + reach),
                p_model=raw[place],
                p_model_holm=float(corrected[place]),
                p_tukey=one_way.pair(a, b),
                p_nemenyi=ranks.nemenyi.pair(a, b),
                p=p,
                better=(a if first_is_better else b) if p < settings.alpha else "",
            )
        )
    return tuple(found)


def _repeatability(found: Answers, question: str, rater: str) -> Repeatability:
    mine = [one for one in found.repeats if one.question == question and rater in ("", one.rater)]
    return repeatability([one.first for one in mine], [one.again for one in mine])


def _notes(
    found: Answers,
    question: str,
    telling: np.ndarray,
    stacked: Scores,
    by_image: Scores,
    image_ranks: Friedman,
    p_any: float,
    settings: Settings,
) -> list[str]:
    """Return what a reader should know of one question before the numbers."""
    notes = []
    values = found.scores[question]
    constant = [
        f"{rater} ({np.nanmean(one):g})"
        for rater, one, varies in zip(found.raters, values, telling, strict=True)
        if not varies and np.isfinite(one).any()
    ]
    if constant:
        notes.append(
            f"one and the same score for everything: {', '.join(constant)}; such a rater tells no "
            "methods apart and is left out of the cumulative logit model, and of nothing else"
        )
    absent = [found.label(m) for m in found.methods if m not in stacked.blocks.methods]
    if absent:
        notes.append(f"without one score, so not compared: {', '.join(absent)}")
    shown = np.array([np.isfinite(values[:, :, j]).any() for j in range(len(found.methods))])
    possible = int(values.shape[0] * values.shape[1])
    used = len(stacked.blocks.used)
    if used < possible and shown.any():
        lacking = {
            rater: int((~np.isfinite(one[:, shown]).all(axis=1)).sum())
            for rater, one in zip(found.raters, values, strict=True)
        }
        told = ", ".join(f"{rater} {count}" for rater, count in lacking.items() if count)
        notes.append(
            f"{possible - used} of {possible} blocks (one rater, one image) lack a score and are "
            f"left out of the tests on blocks: {told}; means, one-way Tukey and the model use "
            "every score that there is"
        )
    units = len(by_image.blocks.units)
    if 2 <= units < FEW_IMAGES:
        notes.append(
            f"with {units} images the p-values that take images as blocks are rough, and Wilcoxon "
            f"cannot go below {2 / 2**units:.2g} before Holm"
        )
    if len(found.raters) == 1:
        notes.append("one rater: the result is that person's, and there is no agreement to measure")
    other = image_ranks.p
    if math.isfinite(p_any) and math.isfinite(other):
        if p_any < settings.alpha <= other:
            notes.append(
                "with images as blocks no difference is shown: the finding may rest on the images "
                "that were chosen, or these are too few to tell"
            )
        elif other < settings.alpha <= p_any:
            notes.append("with images as blocks a difference is shown: look at the pairs")
    return notes


def _rules(found: Answers) -> list[str]:
    """Return what is in no test, and how missing scores are dealt with."""
    notes = ["of a score that a rater changed, the last one counts"]
    if found.repeated:
        notes.append(
            f"{found.repeated} results are shown twice: only the first showing is in means and "
            "tests, the second serves to measure how far raters agree with themselves"
        )
    if found.caught:
        notes.append(
            f"{found.caught} catch items (the truth among the results) are in no mean of a method "
            "and in no test; no rater is left out for what they gave to it"
        )
    if silent := [one.rater for one in found.records if not one.given]:
        notes.append(f"invited, but without a score: {', '.join(silent)}")
    if partial := [_told(one) for one in found.records if 0 < one.given < one.asked]:
        notes.append(
            f"not complete: {', '.join(partial)}; what they scored counts as any other score"
        )
    fewer = {found.label(m): n for m, n in found.shown.items() if n < len(found.images)}
    if fewer:
        told = ", ".join(f"{label} {n}" for label, n in fewer.items())
        notes.append(f"of {len(found.images)} images some have no result of a method: {told}")
    return notes


def _told(one: RaterRecord) -> str:
    return f"{one.rater} ({one.given} of {one.asked} scores)"

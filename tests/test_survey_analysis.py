"""The analysis of a study finds what its raters think, and leaves nothing out in silence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from simulated_studies import AT, empty_study, fill

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from afmsr_core.errors import UnsupportedContentError, UsageError
from afmsr_core.survey.analysis import analyse_question, analyse_study
from afmsr_core.survey.answers import Answers, answers
from afmsr_core.survey.outcome import (
    FRIEDMAN,
    MODEL,
    QuestionAnalysis,
    Settings,
    SurveyAnalysis,
)
from afmsr_core.survey.store import Score
from afmsr_core.survey.study import Key
from docs.survey_rates import simulated_scores

EFFECTS = {"bicubic": -2.5, "rcan": 1.0, "rdn": 1.0}
QUICK = Settings(resamples=200)


def table(values: np.ndarray, methods: tuple[str, ...] = ("a", "b", "c")) -> Answers:
    """Answers to one question, from an array (raters, images, methods)."""
    raters, images, _ = values.shape
    return Answers(
        raters=tuple(f"r{n}" for n in range(raters)),
        images=tuple(f"p{n:02}" for n in range(images)),
        data_sets=("",) * images,
        methods=methods,
        labels={},
        scores={"quality": values},
    )


def analysed(values: np.ndarray, methods: tuple[str, ...] = ("a", "b", "c")) -> QuestionAnalysis:
    return analyse_question(table(values, methods), "quality", QUICK)


def told(question: QuestionAnalysis) -> str:
    return "; ".join(question.notes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answers, SurveyAnalysis]:
    """Three raters, who score everything; two repeats, three catch items, a fourth who is late."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    study, key = empty_study(
        folder, raters=("anna", "ben", "carl", "dora"), repeats=2, catch=3, data_sets=2
    )
    fill(study, key, EFFECTS, raters=("anna", "ben", "carl"))
    study.store.comment("ben", study.sets[0].set, "hard to tell")
    found = answers(study, key)
    return found, analyse_study(found, QUICK)


def test_known_preferences_are_found(whole: tuple[Answers, SurveyAnalysis]) -> None:
    _, result = whole
    for one in result.questions:
        assert one.decided_by == MODEL and one.p_any < 1e-5
        better = {frozenset((pair.first, pair.second)): pair.better for pair in one.pairs}
        assert better[frozenset(("rcan", "bicubic"))] == "rcan"
        assert better[frozenset(("rdn", "bicubic"))] == "rdn"
        assert better[frozenset(("rcan", "rdn"))] == ""
        for pair in one.pairs:
            if pair.second == "bicubic":
                assert 1 < pair.low < pair.odds_ratio < pair.high
                assert 0 < pair.images.ci_low < pair.images.difference < pair.images.ci_high
                assert max(pair.p_tukey, pair.blocks.p_wilcoxon_holm) < 0.01
                assert pair.blocks.rank_biserial > 0.5


def test_means_are_those_of_first_showings(whole: tuple[Answers, SurveyAnalysis]) -> None:
    found, result = whole
    assert found.raters == ("anna", "ben", "carl") and len(found.images) == 12
    for one in result.questions:
        values = found.scores[one.question]
        assert np.isfinite(values).all()
        for place, summary in enumerate(one.summaries):
            assert summary.n == 36
            assert summary.mean == pytest.approx(values[:, :, place].mean())
            assert summary.sd == pytest.approx(values[:, :, place].std(ddof=1))
            assert summary.shares.sum() == pytest.approx(1.0)
            assert set(summary.by_data_set) == {"set0", "set1"}
        assert one.blocks.nemenyi.n == 36 and one.images.nemenyi.n == 12


def test_repeats_catch_items_and_absent_raters_are_told(
    whole: tuple[Answers, SurveyAnalysis],
) -> None:
    found, result = whole
    assert len(found.repeats) == 3 * 2 * 3 * 2 and found.repeated == 6
    assert result.repeatability["quality"][""].n == 18
    assert result.repeatability["quality"]["anna"].n == 6
    assert result.repeatability["quality"]["dora"].n == 0
    assert found.caught == 3
    given = [one for one in found.catches if math.isfinite(one.score)]
    assert len(given) == 3 * 3 * 2 and all(one.score >= one.best for one in given)
    notes = "; ".join(result.notes)
    assert "6 results are shown twice: only the first showing" in notes
    assert "3 catch items" in notes and "no rater is left out" in notes
    assert "without a score: dora" in notes
    records = {one.rater: one for one in found.records}
    assert records["anna"].given == records["anna"].asked == (14 * 3 + 3) * 2
    assert records["anna"].complete == 14 and records["anna"].seconds == 7.5
    assert records["dora"].given == 0
    assert [(one.rater, one.text) for one in found.comments] == [("ben", "hard to tell")]


def test_it_is_the_same_whoever_sees_what_first(tmp_path: Path) -> None:
    """Methods are told apart by the key alone: the order on the sheets plays no part."""
    study, key = empty_study(tmp_path / "study", images=3)
    given = fill(study, key, EFFECTS)
    found = answers(study, key)
    for one in given:
        what = key.items[one.item]
        at = (found.raters.index(one.rater), found.images.index(what.pair),
              found.methods.index(what.method))  # fmt: skip
        assert found.scores[one.question][at] == one.score


def test_missing_scores_follow_the_rule(tmp_path: Path) -> None:
    study, key = empty_study(tmp_path / "study")
    given = fill(study, key, EFFECTS, raters=("anna", "ben"))
    fill_part(study, given)
    found = answers(study, key)
    result = analyse_study(found, QUICK)
    assert "not complete: carl (3 of 72 scores)" in "; ".join(result.notes)
    for one in result.questions:
        n = [summary.n for summary in one.summaries]
        assert sum(n) == 72 + (3 if one.question == "quality" else 0)
        if one.question == "quality":
            assert one.blocks.nemenyi.n == 24
            assert "12 of 36 blocks (one rater, one image) lack a score" in told(one)
            assert "carl 12" in told(one)


def fill_part(study: object, given: list[Score]) -> None:
    """Carl scores three results of three images, one question only, and goes."""
    seen: dict[str, Score] = {}
    for one in given:
        if one.question == "quality":
            seen.setdefault(one.set, one)
    some = [Score("carl", s.set, s.item, "quality", 2 + n, math.nan, AT)
            for n, s in enumerate(list(seen.values())[:3])]  # fmt: skip
    study.add_scores(some)  # type: ignore[attr-defined]


def test_a_change_of_mind_counts_once(tmp_path: Path) -> None:
    study, key = empty_study(tmp_path / "study", raters=("anna",), images=2)
    one = study.sets[0]
    for score in (2, 5):
        study.add_scores(
            [Score("anna", one.set, one.items[0], "quality", score, 1.0, AT)], force=True
        )
    values = answers(study, key).scores["quality"]
    assert values[np.isfinite(values)].tolist() == [5.0]


def test_two_methods() -> None:
    values = simulated_scores(np.random.default_rng(1), (0.0, 2.0), images=15)
    found = analysed(values, ("a", "b"))
    (pair,) = found.pairs
    assert (pair.first, pair.better) == ("b", "b") and pair.p_model == pair.p_model_holm


def test_one_rater() -> None:
    values = simulated_scores(np.random.default_rng(2), (0.0, 3.0, 3.0), raters=1)
    found = analysed(values)
    assert found.p_any < 0.001 and found.model.converged
    assert math.isnan(found.agreement.alpha)
    assert found.agreement.reason.startswith("no result has the scores of two raters")
    assert "one rater: the result is that person's" in told(found)


def test_a_rater_who_always_says_the_same() -> None:
    values = simulated_scores(np.random.default_rng(3), (0.0, 2.0, 2.0), raters=3)
    without = analysed(values)
    found = analysed(np.concatenate([values, np.full((1, 20, 3), 6.0)]))
    assert "one and the same score for everything: r3 (6)" in told(found)
    assert found.model.log_likelihood == pytest.approx(without.model.log_likelihood)
    assert found.summaries[0].n == 80 and found.blocks.nemenyi.n == 80
    assert found.summaries[0].by_rater[3] == 6.0


def test_ties_everywhere() -> None:
    found = analysed(np.full((3, 6, 3), 4.0))
    assert found.decided_by == FRIEDMAN and math.isnan(found.p_any)
    assert found.model.reason == "no rater gave two different scores"
    assert found.blocks.reason == "all methods tie in every image: nothing to rank"
    assert not any(pair.better for pair in found.pairs)
    assert found.agreement.reason.startswith("all scores are the same")


def test_a_method_that_nobody_scored() -> None:
    values = simulated_scores(np.random.default_rng(4), (0.0, 2.0, 0.0))
    values[:, :, 2] = math.nan
    found = analysed(values)
    assert "without one score, so not compared: c" in told(found)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("b", "a")]
    assert found.summaries[2].n == 0 and math.isnan(found.summaries[2].mean)
    assert found.blocks.nemenyi.n == 60


def test_where_the_model_has_no_estimate_ranks_decide() -> None:
    values = np.full((3, 12, 2), 1.0)
    values[:, :, 1] = np.random.default_rng(5).integers(5, 7, (3, 12))
    values[:, :, 0] += np.random.default_rng(6).integers(0, 2, (3, 12))
    found = analysed(values, ("poor", "good"))
    assert found.decided_by == FRIEDMAN and "no finite estimate" in found.why
    (pair,) = found.pairs
    assert pair.better == "good" and pair.p == pair.blocks.p_wilcoxon_holm < 1e-5
    assert math.isnan(pair.odds_ratio)


def test_few_images_and_lucky_images_are_told() -> None:
    random = np.random.default_rng(7)
    found = analysed(simulated_scores(random, (0.0, 2.0, 2.0), images=4))
    assert "with 4 images the p-values that take images as blocks are rough" in told(found)
    values = np.full((8, 5, 2), 3.0) + random.integers(0, 2, (8, 5, 2))
    values[:, :3, 1] += 2  # three images of five favour b, two favour a
    values[:, 3:, 0] += 1
    found = analysed(values, ("a", "b"))
    assert found.p_any < 0.05 < found.images.p
    assert "with images as blocks no difference is shown" in told(found)


def test_an_empty_study_is_an_error(tmp_path: Path) -> None:
    study, key = empty_study(tmp_path / "study")
    with pytest.raises(UsageError, match="no score yet: send the raters their links"):
        analyse_study(answers(study, key))


def test_the_key_of_another_study_is_refused(tmp_path: Path) -> None:
    study, key = empty_study(tmp_path / "study")
    items: Mapping = dict(list(key.items.items())[1:])
    for wrong in (
        Key("other", key.seed, key.secret, key.labels, key.items),
        Key(key.study, key.seed, key.secret, key.labels, items),
    ):
        with pytest.raises(UnsupportedContentError, match="the key is of another study"):
            answers(study, wrong)


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.0}, {"confidence": 1.0}, {"resamples": 10}, {"seed": -1}]
)
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]

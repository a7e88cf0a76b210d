"""Where no method is better the tests say so at their nominal rate; where one is, they find it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from afmsr_core.statistics import Scores, friedman, holm, ranks, tukey
from afmsr_core.survey.cumulative import cumulative_logit
from docs.survey_rates import simulated_scores

METHODS = ("a", "b", "c")
KINDS = ("network",) * 3
LEVEL = 0.05


@pytest.fixture
def no_integrals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take only the side of 0.05 that p lies on, from the critical value: a thousand times faster.

    That p and the critical value belong together is checked in test_statistics_agreement.
    """

    def side(q: np.ndarray, groups: int, dof: float) -> np.ndarray:
        return np.where(q > tukey.studentized_q(LEVEL, groups, dof), 0.01, 0.5)

    monkeypatch.setattr(ranks, "studentized_p", side)


def within(count: int, runs: int) -> bool:
    """Whether so many alarms are what a test of 5 % gives, in all but one of 10 000 cases."""
    from scipy.stats import binom

    return binom.ppf(5e-5, runs, LEVEL) <= count <= binom.ppf(1 - 5e-5, runs, LEVEL)


def ranked(values: np.ndarray, clustered: bool) -> tuple[bool, bool]:
    """Whether Friedman's and Nemenyi's test find anything, on raters × images or on images."""
    raters, images, methods = values.shape
    clusters = [str(image) for _ in range(raters) for image in range(images)]
    scores = Scores(
        values.reshape(-1, methods), METHODS, KINDS, True, clusters=clusters if clustered else ()
    )
    found = friedman(scores)
    return found.p < LEVEL, bool((found.nemenyi.p < LEVEL).any())


@pytest.mark.usefixtures("no_integrals")
def test_where_there_is_nothing_the_alarms_are_nominal() -> None:
    """Kind and severe raters, easy and hard images, but no method better than another."""
    random, runs = np.random.default_rng(11), 200
    alarms = dict.fromkeys(("model", "pairs, Holm", "Friedman", "Friedman, images"), 0)
    nemenyi = 0
    for _ in range(runs):
        values = simulated_scores(random, (0.0, 0.0, 0.0), images=8)
        model = cumulative_logit(values, METHODS)
        assert model.converged, model.reason
        alarms["model"] += model.p_any < LEVEL
        alarms["pairs, Holm"] += bool(holm(model.p[np.triu_indices(3, 1)]).min() < LEVEL)
        blocks, pairs = ranked(values, False)
        alarms["Friedman"] += blocks
        nemenyi += pairs
        alarms["Friedman, images"] += ranked(values, True)[0]
    assert all(within(count, runs) for count in alarms.values()), alarms
    assert nemenyi / runs < 0.08  # cautious with ties: only an upper limit


@pytest.mark.usefixtures("no_integrals")
def test_a_methods_luck_with_images_asks_for_images_as_blocks() -> None:
    """What no rater can average out: the tests on raters × images take it for a finding."""
    random, runs = np.random.default_rng(12), 300
    apart = together = 0
    for _ in range(runs):
        values = simulated_scores(random, (0.0, 0.0, 0.0), raters=6, interaction_sd=1.5)
        apart += ranked(values, False)[0]
        together += ranked(values, True)[0]
    assert apart / runs > 0.2
    assert within(together, runs), together / runs


@pytest.mark.usefixtures("no_integrals")
def test_where_there_is_something_it_is_found() -> None:
    """Odds of 4.5 to 1, three raters, twenty images."""
    random, runs = np.random.default_rng(13), 30
    found = {"model": 0, "Friedman": 0, "wrong": 0}
    for _ in range(runs):
        values = simulated_scores(random, (0.0, 1.5, 1.5))
        model = cumulative_logit(values, METHODS)
        p = holm(model.p[np.triu_indices(3, 1)])
        found["model"] += bool(p[0] < LEVEL and p[1] < LEVEL and model.effects[1] > 0)
        found["wrong"] += bool(p[2] < LEVEL)
        found["Friedman"] += ranked(values, False)[0]
    assert found["model"] >= 0.9 * runs, found
    assert found["Friedman"] >= 0.9 * runs, found
    assert found["wrong"] <= 0.2 * runs, found

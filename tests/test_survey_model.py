"""The cumulative logit model is the one of the literature, and says when it has no estimate."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("scipy")

from afmsr_core.survey.cumulative import cumulative_logit, fit
from docs.survey_rates import simulated_scores

# Bitterness of wine by nine judges (columns), J. H. Randall, Biometrical J. 31 (1989) 781: cold
# or warm, without or with contact with the skins, two bottles each.
RATINGS = np.array(
    [
        [2, 1, 2, 3, 2, 3, 1, 2, 1],
        [3, 2, 3, 2, 3, 2, 1, 2, 2],
        [3, 1, 3, 3, 4, 3, 2, 2, 3],
        [4, 3, 2, 2, 3, 2, 2, 3, 2],
        [4, 2, 5, 3, 3, 2, 2, 3, 3],
        [4, 3, 5, 2, 3, 4, 3, 3, 2],
        [5, 5, 4, 5, 3, 5, 2, 3, 4],
        [5, 4, 4, 3, 3, 4, 3, 4, 4],
    ]
)
WARM = np.repeat([0.0, 1.0], 4)
CONTACT = np.tile([0.0, 0.0, 1.0, 1.0], 2)
WINE = RATINGS.T.ravel().astype(float)
DESIGN = np.tile(np.column_stack([WARM, CONTACT]), (9, 1))
JUDGE = np.repeat(np.arange(9), 8)


def test_is_clmm_of_r() -> None:
    """R's ordinal 2019.4: clmm2(rating ~ temp + contact, random = judge, nAGQ = 10)."""
    found = fit(WINE, DESIGN, JUDGE)
    assert found.log_likelihood == pytest.approx(-81.53246, abs=1e-4)
    assert found.effects == pytest.approx([3.0619, 1.8334], abs=1e-3)
    assert found.thresholds == pytest.approx([-1.6235, 1.5128, 4.2271, 6.0862], abs=1e-3)
    assert found.group_sd == pytest.approx(1.1348, abs=1e-3)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([0.5951, 0.5122], abs=1e-3)


def test_more_nodes_change_nothing() -> None:
    few, many = fit(WINE, DESIGN, JUDGE), fit(WINE, DESIGN, JUDGE, nodes=25)
    assert few.log_likelihood == pytest.approx(many.log_likelihood, abs=1e-6)
    assert few.effects == pytest.approx(many.effects, abs=1e-6)


def test_without_images_it_is_the_one_of_statsmodels() -> None:
    models = pytest.importorskip("statsmodels.miscmodels.ordinal_model")
    other = models.OrderedModel(WINE.astype(int), DESIGN, distr="logit").fit(
        method="bfgs", disp=False
    )
    found = fit(WINE, DESIGN, np.zeros(len(WINE), dtype=int))
    assert found.log_likelihood == pytest.approx(other.llf, abs=1e-6)
    assert found.effects == pytest.approx(other.params[:2], abs=1e-4)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(other.bse[:2], abs=1e-3)


def test_finds_the_effects_that_were_put_in() -> None:
    random = np.random.default_rng(5)
    effects = np.array([0.0, 1.0, 2.0])
    found = [
        cumulative_logit(simulated_scores(random, effects, images=30), ("a", "b", "c"))
        for _ in range(12)
    ]
    assert all(one.converged for one in found)
    mean = np.mean([one.effects for one in found], axis=0)
    assert mean == pytest.approx(effects, abs=0.3)
    errors = np.mean([one.errors[0, 2] for one in found])
    assert errors == pytest.approx(np.std([one.effects[2] for one in found], ddof=1), rel=0.6)
    assert np.mean([one.image_sd for one in found]) == pytest.approx(1.0, abs=0.3)


def test_says_when_methods_are_too_far_apart() -> None:
    random = np.random.default_rng(6)
    values = np.where(np.arange(2) == 1, random.integers(5, 7, (3, 10, 1)), 1.0)
    found = cumulative_logit(values + 0.0 * values, ("poor", "good"))
    assert not found.converged
    assert found.reason == (
        "good and poor are scored so far apart that their odds have no finite estimate"
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((3, 5, 2), 4.0), "all scores are the same"),
        (np.full((3, 5, 2), math.nan), "a comparison needs 2 methods with scores; there is 0"),
        (np.array([[[1.0, math.nan], [3.0, math.nan]]]), "a comparison needs 2 methods"),
    ],
)
def test_says_why_there_is_nothing_to_fit(values: np.ndarray, reason: str) -> None:
    found = cumulative_logit(values, ("a", "b"))
    assert not found.converged and found.reason.startswith(reason)
    assert np.isnan(found.p).all() and math.isnan(found.p_any)

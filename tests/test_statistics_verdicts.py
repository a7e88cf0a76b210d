"""The paper's rule for bold print, the claim of no difference, and the table heads."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from afmsr_core.statistics import Analysis, Scores, Settings, analyse

METHODS = ("bilinear", "bicubic", "carn", "edsr")
KINDS = ("interpolation", "interpolation", "network", "network")
TESTS = ["one-way Tukey", "blocked Tukey", "Nemenyi", "paired t, Holm", "Wilcoxon, Holm"]


@cache
def run(*levels: float, between: float = 1.0, higher: bool = True, metric: str = "x") -> Analysis:
    random = np.random.default_rng(8)
    values = random.normal(10, between, (40, 1)) + random.normal(levels, 0.2, (40, 4))
    scores = Scores(values, METHODS, KINDS, higher, metric, "Celgard")
    return analyse(scores, Settings(resamples=500))


def holds(result: Analysis) -> dict[str, bool | None]:
    return {verdict.test: verdict.holds for verdict in result.bold}


def test_every_test_finds_a_large_difference() -> None:
    assert holds(run(0, 0, 3, 3)) == dict.fromkeys(TESTS, True)


def test_significantly_worse_is_not_bold() -> None:
    result = run(0, 0, 3, 3, higher=False)
    assert holds(result) == dict.fromkeys(TESTS, False)
    assert {verdict.holding for verdict in result.bold} == {0}
    assert all(one.losses == 1.0 for one in result.networks_against_interpolations)


def test_lower_is_better() -> None:
    result = run(0, 0, -3, -3, higher=False)
    assert holds(result) == dict.fromkeys(TESTS, True)
    assert all(one.wins == 1.0 for one in result.networks_against_interpolations)
    assert all(one.difference < 0 for one in result.networks_against_interpolations)


def test_one_pair_that_fails_is_named() -> None:
    result = run(0, 0, 3, 0)
    for verdict in result.bold:
        assert verdict.holds is False
        assert (verdict.holding, verdict.pairs) == (2, 4)
        assert verdict.weakest and verdict.weakest[0] == "edsr"
        assert np.isfinite(verdict.p)


def test_one_pair_in_the_wrong_direction_weighs_most() -> None:
    result = run(0, 1.0, 3, 0.5)
    assert {verdict.weakest for verdict in result.bold[1:]} == {("edsr", "bicubic")}


def test_images_that_vary_hide_it_from_one_way_tukey_only() -> None:
    found = holds(run(0, 0, 0.35, 0.35, between=4.5))
    assert found.pop("one-way Tukey") is False
    assert set(found.values()) == {True}


def test_no_difference_is_a_claim_with_a_margin() -> None:
    near = run(0, 0, 0.3, 0.3, metric="psnr")
    assert near.no_difference.holds is True
    margin = near.against_reference[0].equivalence.margin
    assert (margin.value, margin.source) == (0.5, "stated for psnr")
    far = run(0, 0, 0.3, 0.8, metric="psnr")
    assert far.no_difference.holds is False
    assert far.no_difference.weakest and far.no_difference.weakest[0] == "edsr"
    other = run(0, 0, 0.05, 0.05, metric="niqe").against_reference[0].equivalence
    assert other.margin.value == pytest.approx(0.2, rel=0.1)
    assert "2 % of the reference" in other.margin.source


def test_the_margin_is_a_setting() -> None:
    random = np.random.default_rng(9)
    values = random.normal(29, 4, (40, 1)) + random.normal(0, 0.2, (40, 4))
    scores = Scores(values, METHODS, KINDS, True, "psnr")
    verdicts = [
        analyse(scores, Settings(resamples=100, margins={"psnr": margin})).no_difference.holds
        for margin in (0.01, 0.5)
    ]
    assert verdicts == [False, True]


def test_table_heads_and_families() -> None:
    result = run(0, 0, 3, 3)
    spreads = [one.sd for one in result.summaries]
    assert result.data_set == "Celgard"
    assert result.sd_range == (min(spreads), max(spreads))
    assert result.settings.reference == "bicubic"
    assert [one.method for one in result.against_reference] == ["bilinear", "carn", "edsr"]
    pairs = [(one.method, one.reference) for one in result.networks_against_interpolations]
    assert pairs == [(a, b) for a in METHODS[2:] for b in METHODS[:2]]


def test_unlike_differences_are_noted() -> None:
    """The networks err alike, as trained networks do: one SD for all pairs is wrong."""
    random = np.random.default_rng(10)
    common = np.repeat(random.normal(0, 1.0, (40, 2)), 2, axis=1)
    values = common + random.normal(0, 0.05, (40, 4))
    result = analyse(Scores(values, METHODS, KINDS, True), Settings(resamples=100))
    assert result.blocked.sphericity < 0.5
    assert any("sphericity" in note for note in result.notes)


def test_the_same_twice() -> None:
    again = run.__wrapped__(0, 0, 3, 3)
    assert again.as_dict() == run(0, 0, 3, 3).as_dict()

"""Krippendorff's alpha is the published one; intervals and repeats say what they should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from afmsr_core.survey.agreement import agreement, krippendorff_alpha, repeatability

NAN = math.nan
# Four observers, twelve units: section D of K. Krippendorff, Computing Krippendorff's
# Alpha-Reliability, 2011 (repository.upenn.edu/asc_papers/43).
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


def test_the_published_example() -> None:
    assert round(krippendorff_alpha(PUBLISHED), 3) == 0.815


@pytest.mark.parametrize("seed", range(12))
def test_is_that_of_an_independent_program(seed: int) -> None:
    other = pytest.importorskip("krippendorff", reason="no krippendorff: install afmsr[dev]")
    random = np.random.default_rng(seed)
    truth = random.integers(1, 7, 25)
    values = np.clip(truth + random.integers(-2, 3, (2 + seed % 4, 25)), 1, 6).astype(float)
    values[random.random(values.shape) < 0.2] = NAN
    expected = other.alpha(values, level_of_measurement="ordinal")
    assert krippendorff_alpha(values) == pytest.approx(expected, abs=1e-12)


def test_its_ends() -> None:
    same = np.tile([1.0, 2, 3, 4, 5, 6], (3, 1))
    assert krippendorff_alpha(same) == 1.0
    assert krippendorff_alpha(np.array([[1.0, 6.0] * 5, [6.0, 1.0] * 5])) < -0.8
    chance = np.random.default_rng(1).integers(1, 7, (3, 3000)).astype(float)
    assert abs(krippendorff_alpha(chance)) < 0.03
    assert math.isnan(krippendorff_alpha(np.full((3, 5), 4.0)))


def test_the_interval_holds_the_truth() -> None:
    """Of many studies from one source, 95 % intervals hold the value of a huge study."""
    random = np.random.default_rng(2)

    def study(images: int) -> np.ndarray:
        truth = random.normal(3.5, 1.2, (1, images, 3))
        return np.clip(np.rint(truth + random.normal(0, 0.8, (3, images, 3))), 1, 6)

    value = agreement(study(4000), resamples=100).alpha
    found = [agreement(study(25), resamples=300) for _ in range(120)]
    inside = np.mean([one.low < value < one.high for one in found])
    assert 0.87 < inside <= 1.0
    assert all(one.low < one.alpha < one.high for one in found)


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.full((1, 8, 3), 4.0), "no result has the scores of two raters"),
        (np.full((3, 8, 3), 4.0), "all scores are the same"),
        (np.arange(1.0, 7.0).reshape(1, 2, 3).repeat(2, axis=0), "no interval: needs 5 images"),
    ],
)
def test_what_cannot_be_told_has_a_reason(scores: np.ndarray, reason: str) -> None:
    found = agreement(scores)
    assert found.reason.startswith(reason)
    assert math.isnan(found.low)


def test_repeats() -> None:
    found = repeatability([1, 3, 5, 6], [1, 4, 5, 4])
    assert (found.n, found.same, found.near, found.shift) == (4, 0.5, 0.75, -0.25)
    assert found.alpha == krippendorff_alpha([[1, 3, 5, 6], [1, 4, 5, 4]])
    assert repeatability([], []).reason == "no result was scored twice"
    assert repeatability([4, 4], [4, 4]).reason.startswith("all scores are the same")

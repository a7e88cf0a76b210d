"""Features that are invented, missing or there are told apart."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from afmsr_core.errors import FieldError
from afmsr_core.trust.detail import DetailOfTruth, compare_detail, detail_of, gain

RNG = np.random.default_rng(0)
SIDE = 256
PLACES = [(40, 50), (40, 150), (128, 100), (200, 60), (200, 200)]


def with_bumps(
    places: list[tuple[int, int]], height: float = 3.0, noise: float = 0.08
) -> np.ndarray:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    field = 20 * np.sin(2 * np.pi * x / 128) + 0.05 * y + RNG.normal(0, noise, (SIDE, SIDE))
    for row, column in places:
        field += height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 2.5**2))
    return field


def test_what_is_in_both_is_neither_invented_nor_missing() -> None:
    found = compare_detail(with_bumps(PLACES), with_bumps(PLACES), 0.1).as_dict()
    assert found["features_result"] >= len(PLACES)
    assert found["invented"] == 0 and found["missing"] == 0


def test_planted_features_are_counted_and_measured() -> None:
    found = compare_detail(with_bumps(PLACES), with_bumps(PLACES[:3]), 0.1)
    assert int(found.invented.sum()) == 2 and not found.missing.any()
    at = zip(found.result.rows[found.invented], found.result.columns[found.invented], strict=True)
    assert all(min(abs(r - y) + abs(c - x) for y, x in PLACES[3:]) <= 3 for r, c in at)
    assert 1.0 < found.as_dict()["invented_height"] < 3.0
    swapped = compare_detail(with_bumps(PLACES[:3]), with_bumps(PLACES), 0.1)
    assert int(swapped.missing.sum()) == 2 and not swapped.invented.any()


def test_a_hollow_for_a_hill_is_invented() -> None:
    found = compare_detail(with_bumps(PLACES[:1], -3.0), with_bumps(PLACES[:1], 3.0), 0.1)
    assert found.invented.any() and found.missing.any()


def test_noise_is_no_feature() -> None:
    found = compare_detail(with_bumps([]), with_bumps([]), 0.1)
    assert found.result.count + found.truth.count <= 2
    coarse = compare_detail(with_bumps(PLACES), with_bumps([]), 0.1, noise_of_scan=5.0)
    assert coarse.result.count == 0


def test_half_a_measured_pixel_away_is_the_same_feature() -> None:
    moved = [(row + 1, column + 2) for row, column in PLACES]
    assert not compare_detail(with_bumps(moved), with_bumps(PLACES), 0.1).invented.any()


def test_what_is_not_known_does_not_count() -> None:
    result, truth = with_bumps(PLACES), with_bumps(PLACES[1:])
    truth[:70, :70] = np.nan
    assert not compare_detail(result, truth, 0.1).invented.any()
    with pytest.raises(FieldError, match="align them"):
        compare_detail(result, truth[1:], 0.1)


def test_how_strong_a_feature_must_be_can_be_chosen() -> None:
    smooth, bump = with_bumps([], noise=0.0), with_bumps(PLACES[:1], noise=0.0)
    four = float(np.nanmax(detail_of(bump))) / gain() / 4  # the noise of which it is four sigma
    at_three, at_five = (compare_detail(bump, smooth, four, strong=strong) for strong in (3.0, 5.0))
    assert int(at_three.invented.sum()) == 1 and at_five.result.count == 0


def test_a_truth_serves_several_results_as_it_serves_one() -> None:
    rng = np.random.default_rng(0)
    truth = cv2.GaussianBlur(rng.normal(size=(96, 120)), (0, 0), 2.0)
    holed, other = truth.copy(), truth + 0.02 * rng.normal(size=truth.shape)
    holed[40:60, 30:70] = np.nan
    shared = DetailOfTruth(truth)
    for result in (other, holed, truth, other):
        alone = compare_detail(result, truth, 0.005)
        beside = compare_detail(result, truth, 0.005, detail_of_truth=shared)
        assert beside.as_dict() == alone.as_dict()
    assert compare_detail(holed, truth, 0.005).truth.count < alone.truth.count

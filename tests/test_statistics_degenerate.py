"""Whatever the scores are: a defined result with a reason, and never a false significance."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from afmsr_core.errors import UsageError
from afmsr_core.statistics import Analysis, Scores, Settings, analyse, compare

METHODS = ("bilinear", "bicubic", "carn")
KINDS = ("interpolation", "interpolation", "network")
QUICK = Settings(resamples=200)

pytestmark = pytest.mark.filterwarnings("error")


def run(values: object, metric: str = "psnr", **more: object) -> Analysis:
    table = np.array(values, dtype=float)
    k = table.shape[1]
    scores = Scores(table, METHODS[:k], KINDS[:k], higher_is_better=True, metric=metric, **more)
    result = analyse(scores, QUICK)
    text = json.dumps(result.as_dict(), allow_nan=False)  # plain data, whatever happened
    assert json.loads(text)["metric"] == metric
    return result


def p_values(result: Analysis) -> Iterator[float]:
    for matrix in (result.one_way, result.blocked, result.friedman.nemenyi):
        yield from matrix.p[np.isfinite(matrix.p)]
    yield from (p for p in [result.friedman.p] if np.isfinite(p))
    for one in (*result.against_reference, *result.networks_against_interpolations):
        told = (one.p_t, one.p_wilcoxon, one.p_t_holm, one.p_wilcoxon_holm, one.equivalence.p)
        yield from (p for p in told if np.isfinite(p))


def random(images: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(29, 4, (images, 1)) + rng.normal(0, 0.2, (images, 3))


def test_no_image() -> None:
    result = run(np.empty((0, 3)))
    assert list(p_values(result)) == []
    assert result.not_compared == METHODS
    assert result.sd_range == pytest.approx((np.nan, np.nan), nan_ok=True)
    assert all(v.holds is None and v.reason for v in (*result.bold, result.no_difference))


def test_no_method() -> None:
    result = analyse(Scores(np.empty((4, 0)), (), (), True), QUICK)
    assert result.summaries == ()
    assert result.blocked.reason and result.one_way.reason and result.friedman.reason


def test_one_image() -> None:
    result = run([[28.0, 29.0, 31.0]])
    assert list(p_values(result)) == []
    for reason in (result.one_way.reason, result.blocked.reason, result.friedman.reason):
        assert "image" in reason
    assert [one.mean for one in result.summaries] == [28.0, 29.0, 31.0]
    assert np.isnan([one.sd for one in result.summaries]).all()
    (first, second) = result.networks_against_interpolations
    assert (first.difference, second.difference) == (3.0, 2.0)
    assert "there is 1" in first.reason
    assert all(verdict.holds is None and verdict.reason for verdict in result.bold)


def test_two_images_have_p_values_but_no_interval() -> None:
    result = run(random(2))
    assert all(0 < p <= 1 for p in p_values(result))
    assert all("no interval" in one.reason for one in result.against_reference)
    assert any("rough" in note for note in result.notes)


def test_one_method() -> None:
    result = run(random()[:, :1])
    assert list(p_values(result)) == []
    assert "2 methods" in result.one_way.reason
    assert "2 methods" in result.blocked.reason
    assert result.against_reference == ()


def test_two_methods() -> None:
    result = run(random()[:, :2])
    assert np.isfinite(result.blocked.pair("bilinear", "bicubic"))
    assert np.isfinite(result.friedman.p)
    assert all(v.holds is None and "no network" in v.reason for v in result.bold)


def test_all_scores_equal() -> None:
    result = run(np.full((10, 3), 0.1))
    assert list(p_values(result)) == []
    assert all(matrix.reason for matrix in (result.one_way, result.blocked))
    assert "tie" in result.friedman.reason
    for one in result.against_reference:
        assert (one.difference, one.ties) == (0.0, 1.0)
        assert one.reason and one.equivalence.equivalent is None
    assert all(verdict.holds is None for verdict in result.bold)


def test_equal_but_for_rounding() -> None:
    """0.1 + 0.2 is not 0.3; ranks and t tests would call that a difference in every image."""
    image = np.linspace(20, 30, 12)[:, None]
    result = run(image * [0.3, 0.1 + 0.2, 0.3])
    assert set(p_values(result)) == {1.0}  # of one-way Tukey, which sees the images vary
    assert result.blocked.reason and result.friedman.reason
    assert all(one.ties == 1.0 for one in result.against_reference)
    assert not any(verdict.holds for verdict in result.bold)


def test_the_same_difference_in_every_image() -> None:
    """No variation to test with, but the order is the same in every image, and ranks may say so."""
    image = np.linspace(20, 30, 12)[:, None]
    result = run(image + np.array([0.0, 0.1, 0.4]))
    assert result.blocked.reason
    for one in result.networks_against_interpolations:
        assert np.isnan([one.p_t, one.ci_low, one.d_z, one.equivalence.p]).all()
        assert (one.wins, one.rank_biserial) == (1.0, 1.0)
        assert one.p_wilcoxon < 0.01
        assert one.reason
    holds = {verdict.test: verdict.holds for verdict in result.bold}
    assert holds["blocked Tukey"] is None
    assert holds["paired t, Holm"] is None
    assert holds["one-way Tukey"] is False


def test_two_equal_methods_among_others() -> None:
    values = random()
    values[:, 1] = values[:, 0]
    result = run(values)
    assert result.blocked.pair("bilinear", "bicubic") == 1.0
    assert result.friedman.nemenyi.pair("bilinear", "bicubic") == 1.0
    twins = next(one for one in result.against_reference if one.method == "bilinear")
    assert twins.reason and twins.ties == 1.0


def test_a_method_without_scores_is_left_out_and_named() -> None:
    values = random()
    whole = run(values[:, :2])
    values[:, 2] = np.nan
    result = run(values)
    assert result.not_compared == ("carn",)
    assert (result.used, result.dropped) == (12, ())
    assert "carn" in result.notes[0]
    assert result.blocked.p.shape == (3, 3)
    assert np.isnan(result.blocked.p[2]).all()
    np.testing.assert_array_equal(result.blocked.p[:2, :2], whole.blocked.p)
    assert all(verdict.holds is None for verdict in result.bold)


def test_the_reference_without_scores() -> None:
    values = random()
    values[:, 1] = np.nan
    result = run(values)
    assert result.settings.reference == "bilinear"
    assert [one.method for one in result.against_reference] == ["carn"]


def test_missing_scores_drop_their_images_from_blocked_tests_only() -> None:
    values = random(20)
    values[[3, 7, 7], [2, 0, 2]] = np.nan
    result = run(values, images=[f"scan{i:02d}" for i in range(20)])
    assert (result.images, result.used, result.dropped) == (20, 18, ("scan03", "scan07"))
    assert [one.n for one in result.summaries] == [19, 20, 18]
    assert "2 of 20 images" in result.notes[0] and "carn" in result.notes[0]
    whole = run(np.delete(values, [3, 7], axis=0))
    np.testing.assert_array_equal(result.blocked.p, whole.blocked.p)
    assert result.friedman.as_dict() == whole.friedman.as_dict()


def test_no_image_is_complete() -> None:
    values = random(6)
    values[:3, 0] = values[3:, 1] = np.nan
    result = run(values)
    assert result.used == 0
    assert "6 dropped" in result.blocked.reason
    assert np.isfinite(result.one_way.pair("bilinear", "bicubic"))
    assert all(np.isnan(one.difference) for one in result.against_reference)


def test_infinite_scores_are_not_averaged() -> None:
    values = random()
    values[4, 1] = np.inf
    result = run(values)
    assert np.isfinite(result.summaries[1].mean)
    assert result.used == 11
    assert any("infinite" in note for note in result.notes)


def test_one_cluster_is_one_unit() -> None:
    result = run(random(), clusters=["film"] * 12)
    assert (result.used, result.units) == (12, 1)
    assert "2 samples" in result.blocked.reason
    assert all(np.isnan(one.p_t) for one in result.against_reference)


def test_a_margin_of_zero_proves_nothing() -> None:
    values = random()
    values -= values[:, 1:2].mean()
    values[:, 1] -= values[:, 1].mean()
    values[:, 1] = np.repeat([1.0, -1.0], 6)  # the reference's mean is 0, and so is 2 % of it
    result = run(values, metric="skewness")
    assert all(one.equivalence.equivalent is None for one in result.against_reference)
    assert "margin" in result.against_reference[0].equivalence.reason


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e9, 1e30])
def test_the_unit_changes_no_p_value(scale: float) -> None:
    whole, scaled = (list(p_values(run(random() * s, metric=""))) for s in (1.0, scale))
    assert scaled == pytest.approx(whole, rel=1e-6, abs=1e-9)
    assert len(whole) > 20


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"methods": ("a", "b")}, "shape"),
        ({"methods": ("a", "b", "a")}, "'a' comes twice"),
        ({"kinds": KINDS[:2]}, "2 kinds for 3"),
        ({"kinds": ("network", "network", "filter")}, "'filter'"),
        ({"images": ("x",)}, "1 names of images for 12"),
        ({"images": ("x",) * 12}, "'x' comes twice"),
        ({"clusters": ("x",)}, "1 clusters for 12"),
        ({"values": np.zeros(5)}, "shape"),
    ],
)
def test_scores_that_make_no_sense(change: dict[str, object], word: str) -> None:
    good = {"values": random(), "methods": METHODS, "kinds": KINDS, "higher_is_better": True}
    with pytest.raises(UsageError, match=word):
        Scores(**{**good, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.0},
        {"alpha": 5},
        {"confidence": 95},
        {"resamples": 0},
        {"seed": -1},
        {"margins": {"psnr": 0.0}},
        {"margins": {"psnr": np.nan}},
    ],
)
def test_settings_that_make_no_sense(change: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Settings(**change)


def test_unknown_names() -> None:
    scores = Scores(random(), METHODS, KINDS, True)
    with pytest.raises(UsageError, match="'rdn'"):
        analyse(scores, dataclasses.replace(QUICK, reference="rdn"))
    with pytest.raises(UsageError, match="'rdn'"):
        compare(scores, [("rdn", "bicubic")])

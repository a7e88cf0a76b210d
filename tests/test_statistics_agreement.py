"""Every number equals that of an independent implementation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")
posthocs = pytest.importorskip("scikit_posthocs")

import statsmodels.formula.api as smf  # noqa: E402
from scipy import stats  # noqa: E402
from statsmodels.stats.anova import AnovaRM, anova_lm  # noqa: E402
from statsmodels.stats.multitest import multipletests  # noqa: E402
from statsmodels.stats.weightstats import ttost_paired  # noqa: E402

from afmsr_core.statistics import (  # noqa: E402
    Margin,
    Scores,
    bca_intervals,
    blocked_tukey,
    cliffs_delta,
    compare,
    friedman,
    holm,
    one_way_tukey,
    signed_rank_p,
    tost,
)

METHODS = ("bilinear", "bicubic", "carn", "afm")
KINDS = ("interpolation", "interpolation", "network", "network")
PAIRS = [(a, b) for i, a in enumerate(METHODS) for b in METHODS[i + 1 :]]


def table(seed: int = 3, images: int = 25, decimals: int = 6) -> np.ndarray:
    random = np.random.default_rng(seed)
    image = random.normal(29.0, 2.0, (images, 1))
    return np.round(
        image + np.array([0, 0.1, 0.9, 1.4]) + random.normal(0, 0.8, (images, 4)), decimals
    )


def scores(values: np.ndarray, **more: object) -> Scores:
    return Scores(values, METHODS, KINDS, higher_is_better=True, metric="psnr", **more)


def long(values: np.ndarray) -> pd.DataFrame:
    rows, columns = np.indices(values.shape)
    return pd.DataFrame(
        {"score": values.ravel(), "image": rows.ravel(), "method": columns.ravel()}
    ).dropna()


@pytest.mark.parametrize("missing", [False, True], ids=["balanced", "unequal numbers"])
def test_one_way_tukey_is_that_of_scipy(missing: bool) -> None:
    values = table()
    if missing:
        values[[0, 1, 7], [2, 2, 0]] = np.nan
    found = one_way_tukey(scores(values))
    columns = [column[np.isfinite(column)] for column in values.T]
    wanted = stats.tukey_hsd(*columns)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(found.p[off], wanted.pvalue[off], atol=1e-8)
    assert np.isnan(found.p[~off]).all()
    if not missing:  # the critical difference is half of a simultaneous interval
        width = wanted.confidence_interval(0.95)
        half = (width.high[0, 1] - width.low[0, 1]) / 2
        assert found.critical_difference == pytest.approx(half, rel=1e-6)


def test_blocked_tukey_rests_on_the_two_way_residual() -> None:
    values = table()
    found = blocked_tukey(scores(values))
    data = long(values)
    fit = smf.ols("score ~ C(image) + C(method)", data).fit()
    residual = anova_lm(fit).loc["Residual"]
    assert found.dof == residual["df"]
    assert found.spread**2 == pytest.approx(residual["mean_sq"], rel=1e-9)
    f = AnovaRM(data, "score", "image", within=["method"]).fit().anova_table.iloc[0]
    variance = values.mean(axis=0).var(ddof=1)
    assert len(values) * variance / found.spread**2 == pytest.approx(f["F Value"], rel=1e-9)
    assert found.dof == f["Den DF"]
    error = np.sqrt(residual["mean_sq"] / len(values))
    for first, second in PAIRS:
        i, j = METHODS.index(first), METHODS.index(second)
        q = abs(values[:, i].mean() - values[:, j].mean()) / error
        wanted = stats.studentized_range.sf(q, 4, residual["df"])
        assert found.pair(first, second) == pytest.approx(max(wanted, 1e-10), rel=1e-6)
    q = stats.studentized_range.ppf(0.95, 4, residual["df"])
    assert found.critical_difference == pytest.approx(q * error, rel=1e-6)


def test_blocked_tukey_of_two_methods_is_the_paired_t_test() -> None:
    values = table()[:, 1:3]
    found = blocked_tukey(Scores(values, METHODS[1:3], KINDS[1:3], True)).pair("bicubic", "carn")
    assert found == pytest.approx(stats.ttest_rel(*values.T).pvalue, rel=1e-6)


@pytest.mark.parametrize("decimals", [6, 0], ids=["no ties", "ties"])
@pytest.mark.parametrize("higher", [True, False])
def test_friedman_and_nemenyi(decimals: int, higher: bool) -> None:
    values = table(decimals=decimals)
    found = friedman(Scores(values, METHODS, KINDS, higher))
    wanted = stats.friedmanchisquare(*values.T)
    assert (found.statistic, found.p) == pytest.approx((wanted.statistic, wanted.pvalue))
    p = posthocs.posthoc_nemenyi_friedman(values).to_numpy()
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(found.nemenyi.p[off], p[off], atol=1e-8)
    assert found.nemenyi.is_better("afm", "bilinear") is higher
    assert 0 < found.kendall_w < 1


def test_paired_tests_and_holm() -> None:
    values = table()
    found = compare(scores(values), PAIRS, resamples=200)
    columns = dict(zip(METHODS, values.T, strict=True))
    for one in found:
        a, b = columns[one.method], columns[one.reference]
        assert one.p_t == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-9)
        assert one.p_wilcoxon == pytest.approx(stats.wilcoxon(a, b).pvalue, rel=1e-9)
        assert one.d_z == pytest.approx(stats.ttest_rel(a, b).statistic / 5)
        u = stats.mannwhitneyu(a, b).statistic
        assert one.cliffs_delta == pytest.approx(2 * u / a.size / b.size - 1)
        w = stats.wilcoxon(a, b, alternative="greater").statistic  # the sum of positive ranks
        assert one.rank_biserial == pytest.approx(2 * w / (25 * 26 / 2) - 1)
        assert one.wins == (a > b).mean()
        assert one.wins + one.ties + one.losses == pytest.approx(1)
    for name in ("p_t", "p_wilcoxon"):
        raw = [getattr(one, name) for one in found]
        corrected = [getattr(one, f"{name}_holm") for one in found]
        np.testing.assert_allclose(corrected, multipletests(raw, method="holm")[1])


@pytest.mark.parametrize("differences", [5, 9, 13, 50, 51, 200])
def test_wilcoxon_of_few_and_of_many(differences: int) -> None:
    d = np.random.default_rng(differences).normal(0.3, 1.0, differences)
    assert signed_rank_p(d) == pytest.approx(stats.wilcoxon(d).pvalue, rel=1e-9)


def test_wilcoxon_with_ties_is_exact() -> None:
    """Against every one of the 2**9 signs that the differences could have."""
    d = np.array([1, 1, 2, -1, 0, 3, 2, 2, 3, -2, 0])
    ranks = stats.rankdata(np.abs(d[d != 0]))
    sums = (np.array(list(product([0, 1], repeat=9))) * ranks).sum(axis=1)
    away = np.abs(sums - sums.mean())
    found = ranks[d[d != 0] > 0].sum()
    wanted = (away >= abs(found - sums.mean()) - 1e-9).mean()
    assert signed_rank_p(d) == pytest.approx(wanted)


def test_cliffs_delta_with_ties() -> None:
    a, b = [1, 2, 2, 3, 5], [2, 2, 4]
    assert cliffs_delta(a, b) == np.sign(np.subtract.outer(a, b)).mean()


def test_holm_keeps_what_was_not_tested_apart() -> None:
    p = np.random.default_rng(0).random(9) ** 3
    holed = np.insert(p, [2, 5], np.nan)
    corrected = holm(holed)
    np.testing.assert_allclose(corrected[np.isfinite(holed)], multipletests(p, method="holm")[1])
    assert np.isnan(corrected[np.isnan(holed)]).all()


@pytest.mark.parametrize("margin", [0.3, 1.0, 2.0])
def test_equivalence_is_that_of_statsmodels(margin: float) -> None:
    a, b = table()[:, 2], table()[:, 1]
    found = tost(a - b, Margin(margin, "test"))
    wanted = ttost_paired(a, b, -margin, margin)[0]
    assert found.p == pytest.approx(wanted, rel=1e-9)
    assert found.equivalent == (wanted < 0.05)
    assert found.equivalent == (-margin < found.ci_low and found.ci_high < margin)
    interval = stats.ttest_rel(a, b).confidence_interval(0.9)
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_bca_interval_is_that_of_scipy(confidence: float) -> None:
    skewed = np.random.default_rng(5).lognormal(0.0, 0.9, (40, 2))
    ours = bca_intervals(skewed, confidence=confidence, resamples=40_000)
    for quantity, interval in zip(skewed.T, ours.T, strict=True):
        wanted = stats.bootstrap(
            (quantity,), np.mean, confidence_level=confidence, n_resamples=40_000, rng=1
        ).confidence_interval
        np.testing.assert_allclose(interval, wanted, atol=0.02 * (wanted.high - wanted.low))


def test_clusters_are_resampled_whole() -> None:
    """As SciPy does it for pairs of sum and size, whose ratio is the mean over images."""
    random = np.random.default_rng(6)
    sizes = random.integers(1, 6, 30)
    sample = np.repeat(np.arange(30), sizes)
    d = (random.normal(0.3, 1.0, 30)[sample] + random.normal(0, 0.1, len(sample)))[:, None]
    before = random.normal(29, 4, (len(sample), 1))
    clustered = Scores(
        np.hstack([before, before + d]), METHODS[1:3], KINDS[1:3], True, clusters=sample.tolist()
    )
    (one,) = compare(clustered, [("carn", "bicubic")], resamples=40_000)
    sums = np.bincount(sample, d[:, 0])
    wanted = stats.bootstrap(
        (sums, sizes),
        lambda s, n, axis: s.sum(axis=axis) / n.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=40_000,
        rng=1,
    ).confidence_interval
    width = wanted.high - wanted.low
    np.testing.assert_allclose((one.ci_low, one.ci_high), wanted, atol=0.02 * width)
    assert one.difference == pytest.approx(d.mean())
    assert (one.n, one.units) == (len(sample), 30)
    assert one.p_t == pytest.approx(stats.ttest_1samp(sums / sizes, 0).pvalue)
    blocked = blocked_tukey(clustered)
    assert (blocked.n, blocked.dof) == (30, 29)
    assert blocked.pair("carn", "bicubic") == pytest.approx(one.p_t, rel=1e-6)


def test_the_same_draws_whatever_else_was_asked_for() -> None:
    values = table()
    first = compare(scores(values), PAIRS)[-1]
    (alone,) = compare(scores(values), PAIRS[-1:])
    assert (alone.ci_low, alone.ci_high) == pytest.approx((first.ci_low, first.ci_high), rel=1e-12)
    (other,) = compare(scores(values), PAIRS[-1:], seed=1)
    assert other.ci_low != alone.ci_low


def test_rounding_does_not_move_an_interval() -> None:
    values = np.random.default_rng(5).normal(size=(8, 12)) + 0.3
    moved = values * (1.0 + 1e-14 * np.random.default_rng(6).normal(size=values.shape))
    np.testing.assert_allclose(bca_intervals(moved), bca_intervals(values), rtol=1e-9, atol=1e-9)

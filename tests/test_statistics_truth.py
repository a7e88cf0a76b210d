"""On simulated scores whose truth is known: what is there is found, what is not there is not.

The numbers are those of the paper's PSNR: SD 4.5 dB between images, 0.2 dB within one, 52 images.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("statsmodels")

from afmsr_core.statistics import (
    MARGINS,
    Margin,
    Scores,
    bca_intervals,
    blocked_tukey,
    compare,
    friedman,
    one_way_tukey,
    ranks,
    tost,
    tukey,
)

IMAGES, BETWEEN, WITHIN, DIFFERENCE = 52, 4.5, 0.2, 0.35
METHODS = tuple("abcdefghij")  # the paper's ten
KINDS = ("interpolation",) * 3 + ("network",) * 7


def psnr(random: np.random.Generator, shift: float = 0.0, methods: int = 10) -> Scores:
    """Return scores whose networks (from the fourth method on) differ by `shift` from the rest."""
    image = random.normal(29.0, BETWEEN, (IMAGES, 1))
    truth = np.where(np.arange(methods) >= 3, shift, 0.0)
    values = image + truth + random.normal(0.0, WITHIN, (IMAGES, methods))
    return Scores(values, METHODS[:methods], KINDS[:methods], True, "psnr")


def errors(rate: float, runs: int) -> float:
    """Four standard errors of a share of so many runs."""
    return 4 * float(np.sqrt(rate * (1 - rate) / runs))


@pytest.fixture
def no_integrals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take only the side of 0.05 that p lies on, from the critical value: a thousand times faster.

    That p and the critical value belong together is checked in test_statistics_agreement.
    """

    def side(q: np.ndarray, groups: int, dof: float) -> np.ndarray:
        return np.where(q > tukey.studentized_q(0.05, groups, dof), 0.01, 0.5)

    monkeypatch.setattr(tukey, "studentized_p", side)
    monkeypatch.setattr(ranks, "studentized_p", side)


def test_one_way_tukey_never_finds_it() -> None:
    random = np.random.default_rng(1)
    for _ in range(3):  # of four methods: of ten it has even less power
        found = one_way_tukey(psnr(random, DIFFERENCE, methods=4))
        assert np.nanmin(found.p) > 0.9
        assert found.critical_difference > 5 * DIFFERENCE


@pytest.mark.usefixtures("no_integrals")
def test_the_blocked_tests_find_it() -> None:
    random, runs, pairs = np.random.default_rng(2), 60, 3 * 7
    blocked = nemenyi = every = 0
    for _ in range(runs):
        scores = psnr(random, -DIFFERENCE)
        first = blocked_tukey(scores)
        significant = first.p[:3, 3:] < 0.05
        blocked += int(significant.sum())
        every += bool(significant.all())
        nemenyi += int((friedman(scores).nemenyi.p[:3, 3:] < 0.05).sum())
        assert first.is_better("a", "d")
        assert first.critical_difference < 0.15
    assert blocked == runs * pairs
    assert every == runs
    assert nemenyi / (runs * pairs) > 0.95


def test_paired_comparisons_find_it_and_measure_it() -> None:
    random, runs = np.random.default_rng(3), 40
    inside = 0
    for _ in range(runs):
        (one,) = compare(psnr(random, DIFFERENCE), [("d", "a")], resamples=1000)
        assert one.p_t_holm < 1e-6
        assert one.p_wilcoxon_holm < 1e-4
        assert one.wins > 0.7
        assert one.d_z == pytest.approx(DIFFERENCE / WITHIN / np.sqrt(2), abs=0.9)
        assert abs(one.cliffs_delta) < 0.2  # what is left of it without the pairing
        assert one.equivalence.equivalent  # and 0.35 dB is within the margin of 0.5
        inside += one.ci_low < DIFFERENCE < one.ci_high
    assert inside / runs > 0.95 - errors(0.95, runs)


@pytest.mark.usefixtures("no_integrals")
def test_false_alarms_keep_to_their_rate() -> None:
    """Of any pair, where no method differs: the family-wise error is the nominal 5 %."""
    random, runs, methods = np.random.default_rng(4), 600, 4
    alarms = dict.fromkeys(("blocked Tukey", "Friedman", "Nemenyi"), 0)
    for _ in range(runs):
        scores = psnr(random, methods=methods)
        ranked = friedman(scores)
        alarms["blocked Tukey"] += bool((blocked_tukey(scores).p < 0.05).any())
        alarms["Friedman"] += ranked.p < 0.05
        alarms["Nemenyi"] += bool((ranked.nemenyi.p < 0.05).any())
    rates = {test: count / runs for test, count in alarms.items()}
    assert all(abs(rate - 0.05) < errors(0.05, runs) for rate in rates.values()), rates


def test_false_alarms_of_paired_tests_with_holm() -> None:
    """Where no method differs: 5 % or less, for Holm's rule is cautious."""
    random, runs = np.random.default_rng(5), 150
    pairs = [("c", "a"), ("c", "b"), ("d", "a"), ("d", "b")]
    alarms = dict.fromkeys(("p_t", "p_wilcoxon", "p_t_holm", "p_wilcoxon_holm"), 0)
    for _ in range(runs):
        found = compare(psnr(random, 0.0, 4), pairs, resamples=100)
        for name in alarms:
            alarms[name] += any(getattr(one, name) < 0.05 for one in found)
    rates = {name: count / runs for name, count in alarms.items()}
    for name in ("p_t", "p_wilcoxon"):
        assert rates[f"{name}_holm"] < 0.05 + errors(0.05, runs), rates
        assert rates[name] > 0.08, rates  # what happens without the correction


@pytest.mark.parametrize(
    ("images", "skew", "lowest"),
    [(IMAGES, 0.0, 0.935), (IMAGES, 0.5, 0.92), (25, 0.0, 0.92), (16, 0.0, 0.90)],
)
def test_intervals_cover_the_truth(images: int, skew: float, lowest: float) -> None:
    """Close to 95 %, with the bootstrap's known lack for few images."""
    runs = 1500
    normal = np.random.default_rng(5).normal(0.0, 1.0, (images, runs))
    d, truth = (np.exp(skew * normal), np.exp(skew**2 / 2)) if skew else (normal, 0.0)
    low, high = bca_intervals(d, resamples=1500)
    coverage = ((low < truth) & (truth < high)).mean()
    assert lowest < coverage < 0.97


def test_intervals_of_clusters_cover_and_those_of_images_do_not() -> None:
    random, samples, images, runs = np.random.default_rng(6), 25, 4, 1000
    of_samples = np.repeat(random.normal(0.0, 1.0, (samples, runs)), images, axis=0)
    d = of_samples + random.normal(0.0, 0.3, of_samples.shape)
    clusters = d.reshape(samples, images, runs).mean(axis=1)
    coverage = []
    for values, sizes in ((clusters, np.full(samples, images)), (d, None)):
        low, high = bca_intervals(values, sizes, resamples=1000)
        coverage.append(((low < 0) & (high > 0)).mean())
    assert coverage[0] > 0.91
    assert coverage[1] < 0.75


def test_equivalence_is_claimed_wrongly_no_more_often_than_stated() -> None:
    """The true difference lies on the margin: five in a hundred are called equivalent."""
    random, runs = np.random.default_rng(7), 600
    margin = Margin(MARGINS["psnr"], "default")
    d = random.normal(margin.value, WITHIN, (runs, 12))
    wrong = sum(bool(tost(one, margin).equivalent) for one in d) / runs
    assert wrong == pytest.approx(0.05, abs=errors(0.05, runs))
    assert not tost(random.normal(0.0, 5.0, 12), margin).equivalent  # too uncertain to tell

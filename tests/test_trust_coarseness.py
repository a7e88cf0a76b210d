"""A scan says itself whether its pixels are small enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from afmsr_core.errors import FieldError
from afmsr_core.trust.coarseness import FINE, judge, left_out
from afmsr_core.trust.noise import noise_of

RNG = np.random.default_rng(0)


def waves(side: int, period: float, noise: float = 0.0) -> np.ndarray:
    """Many waves of about one length, in all directions; `period` in pixels."""
    y, x = np.mgrid[0:side, 0:side]
    angles, phases = RNG.uniform(0, np.pi, 40), RNG.uniform(0, 2 * np.pi, 40)
    lengths = period * RNG.uniform(0.8, 1.25, 40)
    k = 2 * np.pi / lengths[:, None, None]
    field = np.sin(
        k * (np.cos(angles)[:, None, None] * x + np.sin(angles)[:, None, None] * y)
        + phases[:, None, None]
    ).sum(axis=0)
    return field + RNG.normal(0, noise, field.shape)


@pytest.mark.parametrize(
    ("period", "verdict"), [(40.0, "fine"), (16.0, "fine"), (2.5, "too coarse")]
)
def test_the_verdict_follows_the_size_of_the_relief(period: float, verdict: str) -> None:
    scan = waves(96, period, noise=0.02)
    assert judge(scan, noise_of(scan)).verdict == verdict


def test_the_expected_error_rises_as_pixels_grow_and_the_advice_with_it() -> None:
    errors, advised = [], []
    for period in (24.0, 8.0, 5.0, 3.5):
        scan = waves(96, period, noise=0.02)
        found = judge(scan, noise_of(scan))
        errors.append(found.expected_error)
        advised.append(found.pixels[0])
    assert errors == sorted(errors) and advised == sorted(advised)
    assert advised[0] == 96 and advised[-1] > 96


def test_noise_alone_is_called_noise() -> None:
    scan = waves(96, 40.0) + RNG.normal(0, 3.0, (96, 96))
    found = judge(scan, noise_of(scan))
    assert found.verdict != "fine" and "noise" in found.advice


def test_slopes_are_angles_and_edges_are_told_from_flanks() -> None:
    y, x = np.mgrid[0:64, 0:64]
    ramp = np.abs((x + 0.3 * y) % 32 - 16.0)  # flanks of one pixel height per pixel width
    found = judge(ramp, noise_of(ramp), (1.0, 1.0))
    assert found.slope == pytest.approx(45.0, abs=0.5) and found.edge < 1.1
    steps = 20.0 * ((x // 16) % 2) + 0.01 * y
    assert judge(steps, noise_of(steps), (1.0, 1.0)).edge == pytest.approx(2.0, abs=0.05)
    assert judge(steps, noise_of(steps)).slope is None


def test_a_cubic_is_predicted_exactly_and_holes_do_not_count() -> None:
    y = np.arange(32.0)[:, None] + np.zeros((1, 32))
    field = y**3 - 4 * y
    assert left_out(field, 2, 0) < 1e-8 * np.ptp(field)
    field[10, 5:9] = np.nan
    assert left_out(field, 1, 0) < 1e-8 * np.nanmax(field)


def test_flat_and_tiny_scans() -> None:
    flat = np.full((32, 32), 7.0)
    assert judge(flat, noise_of(flat)).verdict == "fine"
    with pytest.raises(FieldError, match="too small to judge"):
        judge(np.zeros((8, 8)), noise_of(flat))


def test_real_scans_are_judged_right(judged_scans: list[Any]) -> None:
    from benchmarks.trust.cases import CONDITIONS, Method, cases

    bicubic = Method("bicubic")
    for case in cases(judged_scans, CONDITIONS[:1]):
        found = judge(case.coarse, case.noise)
        error = case.registered(bicubic(case.coarse)) - case.right
        relative = float(np.sqrt(np.mean(error**2)) / np.std(case.coarse))
        assert (found.verdict == "fine") == (relative < FINE)
        assert found.expected_error == pytest.approx(relative, rel=0.6)

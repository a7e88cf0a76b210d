"""What realisations are learnt and judged by: the constants that ship follow from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from afmsr_core.grid import LINES_X4, SQUARE, Scale
from afmsr_core.realisations import shipped
from benchmarks.realisations.cases import made
from benchmarks.realisations.learn import Observed, _fitted, _spread, noise_passed, passed
from benchmarks.realisations.tables import _surface
from benchmarks.trust.cases import CONDITIONS


@pytest.mark.parametrize("scale", [SQUARE, LINES_X4], ids=lambda scale: scale.option)
def test_what_the_scale_decides_is_as_it_ships(scale: Scale) -> None:
    texture = shipped(scale)
    assert texture is not None
    found = passed(scale)
    assert np.allclose(texture.passed, found, rtol=1e-3, atol=1e-6 * found.max())
    assert np.allclose(texture.noise_passed, noise_passed(scale), rtol=1e-3, atol=1e-9)


def test_medians_do_not_follow_outliers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = np.column_stack([1.0 + 2.0 * x[:, 0], -x[:, 1]])
    y[:20] += 50.0
    model = _fitted([Observed(str(i), False, *row) for i, row in enumerate(zip(x, y, strict=True))])
    off = np.array([model(one) for one in x[20:]]) - y[20:]
    assert np.median(np.abs(off)) < 0.3


def test_an_interval_holds_its_share_of_samples() -> None:
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.05, 0.2, 400)
    off = 0.1 + 1.5 * spread * rng.normal(size=400)
    found = _spread([(str(i), *row) for i, row in enumerate(zip(off, spread, strict=True))])
    reach = found.deviations * np.hypot(spread, found.floor)
    assert abs(found.bias - 0.1) < 0.02
    assert abs(np.mean(np.abs(off - found.bias) <= reach) - 0.95) < 0.01


def test_a_real_scan_is_judged(judged_scans: list[Any]) -> None:
    one = next(made(judged_scans[:1], CONDITIONS[:1], SQUARE))
    found = _surface(one)
    assert abs(found["PSNR of the mean, dB"]) < 0.1
    assert 0 < found["PSNR, dB"] < 6
    assert found["scanned again, sigma"] < 1.1
    assert found["result: Sdq"] < found["Sdq"]
    assert 0.5 < found["held"] <= 1

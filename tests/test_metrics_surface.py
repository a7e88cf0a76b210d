"""Surface parameters: closed forms, scaling with the units, and the definitions themselves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from afmsr_core.metrics import evaluate
from afmsr_core.metrics.roughness import surface_parameters

Floats = NDArray[np.float64]
AMPLITUDE, PERIOD, PIXEL = 20.0, 640.0, 5.0  # nm


def sine(direction: str = "x") -> Floats:
    """An egg-carton free sine over whole periods; the centres of pixels are symmetric."""
    at = (np.arange(512) + 0.5) * PIXEL
    wave = AMPLITUDE * np.cos(2 * np.pi * at / PERIOD)
    field = np.tile(wave, (256, 1))
    return field if direction == "x" else field.T


@pytest.mark.parametrize("direction", ["x", "y"])
def test_a_sine_has_the_parameters_of_the_closed_form(direction: str) -> None:
    found = surface_parameters(sine(direction), (PIXEL, PIXEL))
    slope = 2 * np.pi * AMPLITUDE / PERIOD
    # Mean of sqrt(1 + s² sin²) over a period: 2/pi E(-s²), the complete elliptic integral.
    area = 2 / np.pi * special.ellipe(-(slope**2))
    assert found == {
        "Sa": pytest.approx(2 / np.pi * AMPLITUDE, rel=1e-3),
        "Sq": pytest.approx(AMPLITUDE / np.sqrt(2), rel=1e-9),
        "Ssk": pytest.approx(0.0, abs=1e-9),
        "Sku": pytest.approx(1.5, rel=1e-9),
        "Sz": pytest.approx(2 * AMPLITUDE, rel=1e-3),
        "Sdq": pytest.approx(slope / np.sqrt(2), rel=5e-3),
        "Sdr": pytest.approx(100 * (area - 1), rel=1e-2),
    }


def test_a_ridge_of_constant_slope_has_exactly_its_slope_and_area() -> None:
    x = np.arange(65.0)
    roof = np.tile(3.0 * np.abs(x - 32.0), (40, 1))
    found = surface_parameters(roof, (4.0, 4.0))
    assert found["Sdq"] == pytest.approx(3 / 4, rel=1e-12)
    assert found["Sdr"] == pytest.approx(100 * (5 / 4 - 1), rel=1e-12)


def test_the_moments_are_those_of_scipy_and_a_plane_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    z = rng.gamma(2.0, 3.0, (60, 70))
    y, x = (n - n.mean() for n in np.mgrid[:60, :70].astype(float))
    for plane in (np.ones_like(x), x, y):
        z = z - plane * (z * plane).sum() / (plane**2).sum()
    found = surface_parameters(z + 1e4 + 5 * x - 3 * y, (1.0, 1.0))
    assert found["Sq"] == pytest.approx(z.std(), rel=1e-9)
    assert found["Sa"] == pytest.approx(np.abs(z).mean(), rel=1e-9)
    assert found["Ssk"] == pytest.approx(stats.skew(z.ravel()), rel=1e-9)
    assert found["Sku"] == pytest.approx(stats.kurtosis(z.ravel(), fisher=False), rel=1e-9)
    assert found["Sz"] == pytest.approx(np.ptp(z), rel=1e-9)


def test_units_scale_as_they_must() -> None:
    z = np.random.default_rng(1).normal(size=(50, 60))
    one = surface_parameters(z, (2.0, 3.0))
    high = surface_parameters(2 * z, (2.0, 3.0))
    wide = surface_parameters(z, (4.0, 6.0))
    both = surface_parameters(2 * z, (4.0, 6.0))
    factors = {"Sa": 2, "Sq": 2, "Sz": 2, "Ssk": 1, "Sku": 1, "Sdq": 2}
    for name, factor in factors.items():
        assert high[name] == pytest.approx(factor * one[name], rel=1e-9), name
    for name in ("Sa", "Sq", "Sz", "Ssk", "Sku"):
        assert wide[name] == pytest.approx(one[name], rel=1e-12), name
    assert wide["Sdq"] == pytest.approx(one["Sdq"] / 2, rel=1e-12)
    assert both["Sdr"] == pytest.approx(one["Sdr"], rel=1e-12)


def test_a_tiny_slope_keeps_its_digits() -> None:
    x = np.arange(65.0)
    roof = np.tile(1e-9 * np.abs(x - 32.0), (40, 1))
    assert surface_parameters(roof, (1.0, 1.0))["Sdr"] == pytest.approx(100 * 0.5e-18, rel=1e-6)


def test_flat_holed_and_small_fields_are_defined() -> None:
    y, x = np.mgrid[:20, :30]
    flat = surface_parameters(1e6 + 3.0 * x - y, (1.0, 1.0))
    assert flat["Sa"] == flat["Sq"] == flat["Sz"] == flat["Sdq"] == flat["Sdr"] == 0.0
    assert flat["Ssk"] is None and flat["Sku"] is None
    z = np.random.default_rng(2).normal(size=(40, 40))
    holed = z.copy()
    holed[10, 10] = np.nan
    whole, found = surface_parameters(z, (1.0, 1.0)), surface_parameters(holed, (1.0, 1.0))
    for name in ("Sa", "Sq", "Sdq", "Sdr"):
        assert found[name] == pytest.approx(whole[name], rel=0.01)
    line = surface_parameters(z[:1], (1.0, 1.0))
    assert line["Sq"] is not None and line["Sdq"] is None and line["Sdr"] is None


def test_result_and_truth_are_both_reported() -> None:
    truth = sine()
    result = 0.8 * truth
    found = evaluate(result, truth, PIXEL, "nm")
    sq = found["sq"]
    assert sq.value == pytest.approx(0.8) == sq.details["ratio"]
    assert sq.details["truth"] == pytest.approx(AMPLITUDE / np.sqrt(2))
    assert sq.details["bias"] == pytest.approx(-0.2 * AMPLITUDE / np.sqrt(2))
    assert sq.details["unit"] == "nm" and sq.details["form"] == "plane"
    assert found["ssk"].value == pytest.approx(0.0, abs=1e-9)
    assert found["sdr"].details["unit"] == "%"
    flat = evaluate(np.zeros((30, 30)), np.random.default_rng(0).normal(size=(30, 30)), 1.0, "nm")
    assert flat["sq"].value is not None  # the removed plane is noise, not relief

"""Metrics in nanometres: what is removed, what is not, and what they agree with."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.metrics import evaluate

Floats = NDArray[np.float64]


@pytest.fixture
def truth() -> Floats:
    y, x = np.mgrid[:50, :80]
    return np.asarray(30 * np.sin(x / 7) * np.cos(y / 9) + 500.0)


@pytest.fixture
def error(truth: Floats) -> Floats:
    """An error without datum and tilt: orthogonal to every plane."""
    y, x = (n - n.mean() for n in np.mgrid[:50, :80].astype(float))
    noise = np.random.default_rng(1).normal(0, 2, truth.shape)
    for plane in (np.ones_like(x), x, y):
        noise -= plane * (noise * plane).sum() / (plane**2).sum()
    return noise


def test_errors_are_those_of_the_difference(truth: Floats, error: Floats) -> None:
    from skimage.metrics import structural_similarity

    found = evaluate(truth + error, truth, 10.0, "nm")
    assert found["rmse"].value == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
    assert found["mae"].value == pytest.approx(np.abs(error).mean(), rel=1e-9)
    assert found["bias"].value == pytest.approx(0.0, abs=1e-9)
    span = truth.max() - truth.min()
    expected = 20 * np.log10(span / np.sqrt(np.mean(error**2)))
    assert found["psnr_nm"].value == pytest.approx(expected, abs=1e-9)
    ssim = structural_similarity(truth + error, truth, data_range=span)
    assert found["ssim_nm"].value == pytest.approx(ssim, abs=1e-9)


def test_datum_and_tilt_are_removed_and_reported(truth: Floats, error: Floats) -> None:
    plane = 120.0 + np.linspace(-40, 40, 80) + np.linspace(3, -3, 50)[:, None]
    plain = evaluate(truth + error, truth, 10.0, "nm")
    tilted = evaluate(truth + error + plane, truth, 10.0, "nm")
    for name in plain:
        if name != "bias" and plain[name].value is not None:
            assert tilted[name].value == pytest.approx(plain[name].value, rel=1e-6), name
    assert tilted["bias"].value == pytest.approx(120.0, abs=1e-9)
    removed = tilted["rmse"].details["removed"]
    assert removed["datum"] == pytest.approx(120.0, abs=1e-9)
    assert removed["rise_across"] == pytest.approx(80 * 80 / 79, abs=1e-9)
    assert removed["rise_down"] == pytest.approx(-6 * 50 / 49, abs=1e-9)


def test_the_gain_in_z_is_never_fitted(truth: Floats) -> None:
    relief = truth - 500.0
    found = evaluate(1.1 * relief, relief, 10.0, "nm")
    flat = relief - np.polynomial.polynomial.polyval(0, [relief.mean()])
    assert found["rmse"].value is not None
    assert found["rmse"].value > 0.05 * np.sqrt(np.mean(flat**2))
    assert found["sq"].value == pytest.approx(1.1, rel=1e-9)


def test_nanometres_are_nanometres(truth: Floats, error: Floats) -> None:
    one = evaluate(truth + error, truth, 10.0, "nm")
    two = evaluate(2 * (truth + error), 2 * truth, 10.0, "nm")
    wide = evaluate(truth + error, truth, 20.0, "nm")
    for name in ("rmse", "mae"):
        assert two[name].value == pytest.approx(2 * (one[name].value or 0), rel=1e-9)
        assert wide[name].value == one[name].value
    for name in ("psnr_nm", "ssim_nm", "sq", "sdq", "psd_fine", "sal"):
        assert two[name].value == pytest.approx(one[name].value, rel=1e-6), name
        assert wide[name].value == pytest.approx(one[name].value, rel=1e-6), name


def test_pixels_that_were_not_measured_do_not_count(truth: Floats, error: Floats) -> None:
    result = truth + error
    holed, other = result.copy(), truth.copy()
    holed[:4], other[:, -3:] = np.nan, np.inf
    found = evaluate(holed, other, 10.0, "nm")
    inside = evaluate(result[4:, :-3], truth[4:, :-3], 10.0, "nm")
    for name in ("rmse", "mae", "bias", "ssim_nm", "psnr_nm"):
        if name != "psnr_nm":  # the peak is that of all finite truth
            assert found[name].value == pytest.approx(inside[name].value, abs=2e-4), name
    assert found["rmse"].details["pixels"] == 46 * 77
    assert found["psd_fine"].value is None and "not finite" in found["psd_fine"].reason


def test_other_units_are_named() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(40, 40))
    found = evaluate(truth + 0.1, truth * 1.1, 10.0, "nm", unit="V")
    assert found["rmse"].details["unit"] == "V" and found["sq"].details["unit"] == "V"
    assert found["sdq"].details["unit"] == "V/nm"
    assert found["sdr"].value is None and "Sdr is an area" in found["sdr"].reason


def test_inputs_are_not_changed(truth: Floats, error: Floats) -> None:
    result, copy = truth + error + 5.0, truth + error + 5.0
    evaluate(result, truth, 10.0, "nm", low=truth[::4, ::4], upscaled=result)
    np.testing.assert_array_equal(result, copy)

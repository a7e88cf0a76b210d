"""Spectra and autocorrelation: Parseval, white noise, known filters and known lengths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from afmsr_core.errors import FieldError
from afmsr_core.metrics import evaluate
from afmsr_core.metrics.spectrum import autocorrelation, autocorrelation_length, power_spectrum
from afmsr_core.surfaces import fit_plane

NOISE = np.random.default_rng(0).normal(0.0, 3.0, (192, 256))  # nm


def test_parseval_all_power_is_the_mean_square_of_the_heights() -> None:
    level = fit_plane(NOISE).subtracted_from(NOISE)
    spectrum = power_spectrum(NOISE, (2.0, 5.0), window=False)
    whole = spectrum.density.sum(axis=0) @ spectrum.times * spectrum.cell
    assert whole == pytest.approx(np.mean(level**2), rel=1e-12)
    assert spectrum.power(0.0, 1.0)[0] == pytest.approx(np.mean(level**2), rel=1e-12)
    windowed = power_spectrum(NOISE, (2.0, 5.0))
    assert windowed.power(0.0, 1.0)[0] == pytest.approx(np.mean(level**2), rel=0.02)


def test_white_noise_is_flat_at_the_height_that_theory_says() -> None:
    radius, density = power_spectrum(NOISE, (2.0, 2.0)).radial()
    # Variance times the area of a pixel: 9 nm² * 4 nm².
    for part in np.array_split(density[4:], 4):
        assert part.mean() == pytest.approx(36.0, rel=0.06)
    assert radius[0] == pytest.approx(1 / (192 * 2.0)) and radius[-1] <= 0.25 + 1e-12


def test_a_wave_has_its_power_at_its_frequency() -> None:
    x = (np.arange(256) + 0.5) * 4.0
    wave = np.tile(10 * np.sin(2 * np.pi * x / 64.0), (256, 1))
    spectrum = power_spectrum(wave, (4.0, 4.0))
    total, _ = spectrum.power(0.0, 1.0)
    inside, _ = spectrum.power(1 / 64 - 0.003, 1 / 64 + 0.003)
    assert total == pytest.approx(50.0, rel=0.01)
    assert inside / total > 0.99


def test_bands_follow_the_nyquist_frequency_of_the_low_scan() -> None:
    from scipy import fft

    truth = NOISE[:192, :192]
    frequency = np.hypot(fft.fftfreq(192, 3.0)[:, None], fft.fftfreq(192, 3.0))
    nyquist = 0.5 / (4 * 3.0)
    gains = {"psd_coarse": 1.0, "psd_medium": 0.9, "psd_fine": 0.5, "psd_beyond": 0.1}
    edges = [0.0, 0.25, 0.5, 1.0, 9.0]
    gain = np.zeros_like(frequency)
    for factor, low, high in zip(gains.values(), edges[:-1], edges[1:], strict=True):
        gain[(frequency > low * nyquist) & (frequency <= high * nyquist)] = factor
    result = np.real(fft.ifft2(fft.fft2(truth) * gain))
    found = evaluate(result, truth, 3.0, "nm")
    for name, factor in gains.items():
        assert found[name].value == pytest.approx(factor**2, rel=0.15), name
    assert found["psd_fine"].details["frequencies_per_nm"] == pytest.approx([nyquist / 2, nyquist])
    assert found["psd_beyond"].details["frequencies_per_nm"][1] == pytest.approx(0.5 / 3.0)
    twice = evaluate(result, truth, 3.0, "nm", {"scale": 2})["psd_fine"].details
    assert twice["frequencies_per_nm"] == pytest.approx([nyquist, 2 * nyquist])


def test_a_band_without_coefficients_or_relief_has_no_value() -> None:
    small = evaluate(NOISE[:8, :8], NOISE[:8, :8], 1.0, "nm")
    assert small["psd_coarse"].value is None
    assert "Fourier coefficients" in small["psd_coarse"].reason
    flat = evaluate(NOISE, np.zeros_like(NOISE), 1.0, "nm")
    assert flat["psd_fine"].value is None and "no relief in this band" in flat["psd_fine"].reason


def test_autocorrelation_is_the_mean_product_over_the_overlap() -> None:
    z = NOISE[:20, :31]
    level = fit_plane(z).subtracted_from(z)
    acf = autocorrelation(z)
    assert acf.shape == (21, 31) and acf[10, 15] == pytest.approx(1.0)
    for dy, dx in ((0, 3), (4, -7), (-10, 15)):
        a = level[max(0, dy) : 20 + min(0, dy), max(0, dx) : 31 + min(0, dx)]
        b = level[max(0, -dy) : 20 + min(0, -dy), max(0, -dx) : 31 + min(0, -dx)]
        expected = np.mean(a * b) / np.mean(level**2)
        assert acf[10 + dy, 15 + dx] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("pixel", [1.0, 2.5])
def test_sal_of_blurred_noise_is_that_of_its_gaussian(pixel: float) -> None:
    rng = np.random.default_rng(4)
    sigma = 4.0
    z = ndimage.gaussian_filter(rng.normal(size=(512, 512)), sigma)
    # The autocorrelation is exp(-r²/4σ²), which is 0.2 at 2σ sqrt(ln 5).
    expected = 2 * sigma * np.sqrt(np.log(5)) * pixel
    assert autocorrelation_length(z, (pixel, pixel)) == pytest.approx(expected, rel=0.1)


def test_sal_is_the_shortest_direction_and_knows_pixels_that_are_not_square() -> None:
    x = (np.arange(400) + 0.5) * 2.0
    wave = np.tile(np.cos(2 * np.pi * x / 80.0), (100, 1))
    # The autocorrelation of a wave along x is cos(2πx/80), which is 0.2 at acos(0.2) 80/2π.
    expected = np.arccos(0.2) * 80 / (2 * np.pi)
    assert autocorrelation_length(wave, (9.0, 2.0)) == pytest.approx(expected, rel=0.02)
    assert autocorrelation_length(wave.T, (2.0, 9.0)) == pytest.approx(expected, rel=0.02)


def test_relief_larger_than_the_field_has_no_sal() -> None:
    for side in (64, 512):
        x = np.linspace(-1, 1, side)
        with pytest.raises(FieldError, match="flat"):
            autocorrelation_length(np.tile(x, (side, 1)), (1.0, 1.0))
    step = np.where(np.arange(64)[:, None] < 32, 0.0, 1.0) * np.ones(64)
    ratio = evaluate(step, step, 1.0, "nm")["sal"]
    assert ratio.value is not None or "larger" in ratio.reason


def test_a_hole_does_not_move_sal_much() -> None:
    z = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=(256, 256)), 4.0)
    holed = z.copy()
    holed[100:120, 30:60] = np.nan
    whole = autocorrelation_length(z, (1.0, 1.0))
    assert autocorrelation_length(holed, (1.0, 1.0)) == pytest.approx(whole, rel=0.05)

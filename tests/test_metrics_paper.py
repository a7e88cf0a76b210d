"""Metrics of the paper's protocol: independent computations, and what each value rests on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.metrics import evaluate
from afmsr_core.metrics.perceptual import perceptual_index
from afmsr_core.metrics.sharpness import fourier_sharpness

Grey = NDArray[np.uint8]


@pytest.fixture
def pair() -> tuple[Grey, Grey]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:61, :74]
    truth = 120 + 70 * np.sin(x / 9) * np.cos(y / 7)
    result = truth + rng.normal(0, 8, truth.shape)
    return result.clip(0, 255).astype(np.uint8), truth.astype(np.uint8)


def test_psnr_is_that_of_scikit_image(pair: tuple[Grey, Grey]) -> None:
    from skimage.metrics import peak_signal_noise_ratio

    result, truth = pair
    found = evaluate(result, truth, 1.0)["psnr"]
    assert found.value == pytest.approx(peak_signal_noise_ratio(truth, result), abs=1e-12)
    assert found.details["peak"] == 255.0 and found.details["peak_rule"] == "255"
    assert found.details["crop"] == [61, 74]

    other = evaluate(result, truth, 1.0, settings={"psnr_peak": "reference"})["psnr"]
    peak = int(truth.max())
    assert peak < 200
    assert other.value == pytest.approx(
        peak_signal_noise_ratio(truth, result, data_range=peak), abs=1e-12
    )
    assert other.details["peak"] == peak


def test_psnr_does_not_wrap_around_in_8_bits() -> None:
    truth, result = np.full((8, 8), 250, np.uint8), np.full((8, 8), 5, np.uint8)
    expected = 20 * np.log10(255 / 245)
    assert evaluate(result, truth, 1.0)["psnr"].value == pytest.approx(expected)
    assert evaluate(truth, result, 1.0)["psnr"].value == pytest.approx(expected)


def test_psnr_of_equals_and_of_a_black_reference_has_no_value(pair: tuple[Grey, Grey]) -> None:
    result, truth = pair
    same = evaluate(truth, truth, 1.0)["psnr"]
    assert same.value is None and "equals the truth" in same.reason
    black = evaluate(result, np.zeros_like(truth), 1.0, settings={"psnr_peak": "reference"})
    assert black["psnr"].value is None and "peak 0" in black["psnr"].reason


def test_ssim_is_that_of_scikit_image(pair: tuple[Grey, Grey]) -> None:
    from skimage.metrics import structural_similarity

    result, truth = pair
    found = evaluate(result, truth, 1.0)["ssim"]
    assert found.value == pytest.approx(structural_similarity(result, truth), abs=1e-12)
    assert found.details["window"] == "uniform, 7x7 pixels (scikit-image)"
    assert found.details["windows"] == (61 - 6) * (74 - 6)
    assert found.details["data_range"] == [0, 255]
    small = evaluate(result[:6], truth[:6], 1.0)["ssim"]
    assert small.value is None and "74x6 pixels is smaller than the window of 7" in small.reason


def test_fourier_sharpness_is_the_mean_logarithm_of_the_transform(pair: tuple[Grey, Grey]) -> None:
    result = pair[0][:12, :10].astype(float)
    total = 0.0
    rows, columns = result.shape
    y, x = np.mgrid[:rows, :columns]
    for u, v in itertools.product(range(rows), range(columns)):
        wave = np.exp(-2j * np.pi * (u * y / rows + v * x / columns))
        total += np.log(abs(np.sum(result * wave)))
    found = evaluate(pair[0][:12, :10], pair[1][:12, :10], 1.0)["fourier_sharpness"]
    assert found.value == pytest.approx(total / result.size, rel=1e-12)
    assert found.details["crop"] == [12, 10] and found.details["logarithm"] == "natural"
    assert "8 bits" in found.details["values"]


def test_fourier_sharpness_of_noise_grows_with_the_crop() -> None:
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 256, (256, 256), dtype=np.uint8)
    small, large = (
        evaluate(crop, crop, 1.0)["fourier_sharpness"].value for crop in (noise[:, :128], noise)
    )
    assert small is not None and large is not None
    assert large - small == pytest.approx(np.log(2) / 2, abs=0.01)
    # white noise: |DFT|² is exponential, so E ln|DFT| = (ln(n var) - gamma) / 2
    expected = 0.5 * (np.log(noise.size * noise.var()) - np.euler_gamma)
    assert large == pytest.approx(expected, abs=0.01)


def test_a_zero_coefficient_has_no_logarithm() -> None:
    rng = np.random.default_rng(2)
    for field in (np.full((16, 16), 9), np.kron(rng.integers(0, 255, (8, 8)), np.ones((2, 2)))):
        grey = field.astype(np.uint8)
        found = evaluate(grey, grey, 1.0)["fourier_sharpness"]
        assert found.value is None and "Fourier coefficients are zero" in found.reason


def test_a_single_zero_coefficient_is_left_out_and_counted() -> None:
    noise = np.random.default_rng(4).integers(100, 110, (64, 64), dtype=np.uint8)
    y, x = np.mgrid[:64, :64]
    rest = int(np.sum(noise * (-1.0) ** (x + y)))  # the coefficient of the chessboard
    flat = noise.ravel()
    flat[np.flatnonzero((x + y).ravel() % 2 == (rest < 0))[: abs(rest)]] -= 1
    found = evaluate(noise, noise, 1.0)["fourier_sharpness"]
    magnitude = np.abs(np.fft.fft2(noise)).ravel()
    assert found.details["zero_frequencies"] == 1
    assert found.value == pytest.approx(np.log(np.sort(magnitude)[1:]).mean(), abs=1e-12)


def test_gradient_sharpness_of_a_plane_is_its_slope() -> None:
    y, x = np.mgrid[:20, :30]
    found = evaluate((3 * x + 4 * y).astype(np.uint8), (x + y).astype(np.uint8), 5.0)
    assert found["gradient_sharpness"].value == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("ma", "niqe", "pi"),
    # The paper's tables 1 and 2: bilinear, EDSR and RDN on Celgard, bicubic and CARN on titanium.
    [
        (2.217, 12.20, 9.990),
        (3.131, 10.67, 8.771),
        (3.167, 10.91, 8.871),
        (3.6, 9.53, 7.964),
        (4.591, 7.47, 6.44),
    ],
)
def test_pi_agrees_with_the_paper(ma: float, niqe: float, pi: float) -> None:
    assert perceptual_index(ma, niqe) == pytest.approx(pi, abs=0.004)


@pytest.mark.parametrize("shape", [(32, 48), (33, 47), (32, 47), (2, 2), (5, 1)])
def test_half_of_the_frequencies_stand_for_all(shape: tuple[int, int]) -> None:
    grey = np.random.default_rng(1).integers(1, 255, shape).astype(np.uint8)
    every = np.abs(np.fft.fft2(grey))
    value, zeros = fourier_sharpness(grey)
    assert value == pytest.approx(np.log(every).mean(), rel=1e-12) and zeros == 0

"""Ring correlation finds the length below which two scans are noise; regions lie where they say."""

from __future__ import annotations

import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.levelling import level
from afmsr_core.trust.bias import levelling_bias
from afmsr_core.trust.regions import flagged, worth_a_zoom
from afmsr_core.trust.resolution import resolved_frequency, ring_correlation

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("edge", [0.1, 0.2, 0.35])
def test_what_is_common_up_to_a_frequency_is_resolved_up_to_it(edge: float) -> None:
    radius = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    common = np.fft.ifft2(np.fft.fft2(RNG.normal(size=(128, 128))) * (radius < edge)).real
    scans = [10 * common + RNG.normal(0, 1, (128, 128)) for _ in "ab"]
    assert resolved_frequency(*scans) == pytest.approx(edge, abs=0.03)


def test_noise_alone_resolves_nothing_and_contradictions_are_refused() -> None:
    noise = [RNG.normal(size=(64, 64)) for _ in "ab"]
    assert resolved_frequency(*noise) < 0.05
    with pytest.raises(FieldError, match="align"):
        ring_correlation(noise[0], noise[1][:32])
    with pytest.raises(FieldError, match="measured"):
        ring_correlation(np.full((64, 64), np.nan), noise[1])


def test_regions_are_where_the_uncertainty_is_in_the_coordinates_of_the_microscope() -> None:
    width = np.full((128, 256), 0.1)
    width[20:30, 200:210] = 5.0
    width[90:100, 40:50] = 3.0
    uncertainty = Channel(width, 2560.0, 1280.0, xoff=1000.0, yoff=-500.0)
    first, second, *_ = worth_a_zoom(uncertainty)
    assert abs(first.x - 3050) <= 80 and abs(first.y + 250) <= 80 and first.size == 160.0
    assert abs(second.x - 1450) <= 80 and abs(second.y - 450) <= 80
    assert first.uncertainty > second.uncertainty and first.share + second.share > 0.9


def test_at_most_the_stated_share_is_flagged() -> None:
    width = RNG.exponential(size=(50, 40))
    width[:5] = np.nan
    doubt = flagged(width)
    assert 0.14 < doubt[5:].mean() <= 0.15 and not doubt[:5].any()
    assert not flagged(np.ones((8, 8))).any() and not flagged(np.full((4, 4), np.nan)).any()


@pytest.mark.parametrize("spec", ["plane", "rows-median", "poly3"])
def test_the_bias_of_levelling_is_what_levelling_does(spec: str) -> None:
    cv2 = pytest.importorskip("cv2")
    lost, told = [], []
    for _ in range(12):
        rough = cv2.GaussianBlur(RNG.normal(size=(288, 288)), (0, 0), 5)[16:272, 16:272]
        relief = level(Channel(rough, 1.0, 1.0), spec).channel.heights
        lost.append(np.mean(relief**2))
        told.append(levelling_bias(relief, spec))
    sigma = 1 / (2 * np.sqrt(np.pi) * 5)  # of noise smoothed by this Gaussian
    found = np.sqrt(np.mean(lost)) / sigma - 1
    assert np.mean(told) == pytest.approx(found, rel=0.5, abs=0.012)


def test_a_polynomial_of_degree_one_is_a_plane() -> None:
    relief = np.random.default_rng(4).normal(size=(64, 64))
    bias = {spec: levelling_bias(relief, spec) for spec in ("none", "poly0", "poly1", "plane")}
    assert bias["none"] == 0 and bias["poly1"] == bias["plane"]
    assert bias["plane"] < bias["poly0"] < 0

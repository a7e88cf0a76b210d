"""Generated surfaces: every kind can be made in any size, and is what its name says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the extra `eval` is not installed")

from afmsr_core.errors import UsageError
from afmsr_core.simulation.specimens import SPECIMENS, Specimen, specimen

KINDS = pytest.mark.parametrize("kind", SPECIMENS, ids=lambda kind: kind.name)


@KINDS
def test_heights_fill_the_range_in_any_size(kind: Specimen) -> None:
    for seed, shape in enumerate([(64, 64), (40, 150), (150, 33), (200, 200)]):
        heights = kind.make(*shape, np.random.default_rng(seed))
        assert heights.shape == shape and heights.dtype == np.float64
        assert np.isfinite(heights).all()
        assert (heights.min(), heights.max()) == (0.0, 1.0)


@KINDS
def test_the_same_seed_gives_the_same_surface(kind: Specimen) -> None:
    once, again, other = (kind.make(80, 80, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


@KINDS
def test_no_edge_is_sharper_than_a_tip_could_trace(kind: Specimen) -> None:
    """Real scans are oversampled: next to nothing lies in the uppermost third of the spectrum."""
    heights = kind.make(256, 256, np.random.default_rng(3))
    window = np.hanning(256)[:, None] * np.hanning(256)
    power = np.abs(np.fft.fft2((heights - heights.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    assert power[frequency > 0.4].sum() < 0.02 * power.sum()


def test_a_grating_is_periodic_and_terraces_are_flat() -> None:
    spectrum = np.abs(np.fft.rfft2(specimen("grating").make(256, 256, np.random.default_rng(5))))
    spectrum[0, 0] = 0
    assert spectrum.max() > 20 * np.median(spectrum[spectrum > 0])
    slopes = np.hypot(*np.gradient(specimen("steps").make(256, 256, np.random.default_rng(3))))
    assert np.median(slopes) < 0.1 * np.percentile(slopes, 99)


def test_an_unknown_kind_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"'foam'. There are: film, grains"):
        specimen("foam")

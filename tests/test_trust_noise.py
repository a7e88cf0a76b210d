"""Noise that is known is found: added to relief, and between trace and retrace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_core.errors import FieldError
from afmsr_core.trust.noise import noise_between, noise_of

RNG = np.random.default_rng(0)


def relief(side: int = 192, period: float = 40.0) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side]
    hills = 20.0 * np.sin(2 * np.pi * x / period) * np.cos(2 * np.pi * y / (1.3 * period))
    return hills + 0.3 * x - 0.1 * y


@pytest.mark.parametrize("white", [0.05, 0.5, 2.0])
def test_white_noise_on_relief_is_found(white: float) -> None:
    scan = relief() + RNG.normal(0.0, white, (192, 192))
    assert noise_of(scan).white == pytest.approx(white, rel=0.2)


def test_steps_of_terraces_are_no_noise() -> None:
    scan = np.repeat(np.arange(8.0) * 30, 24)[None] + RNG.normal(0.0, 0.4, (192, 192))
    assert noise_of(scan).white == pytest.approx(0.4, rel=0.15)


@pytest.mark.parametrize("lines", [0.0, 0.3, 1.5])
def test_offsets_of_lines_are_told_from_white_noise(lines: float) -> None:
    scan = RNG.normal(0.0, 0.5, (192, 192)) + RNG.normal(0.0, lines, (192, 1))
    found = noise_of(scan + relief(period=96.0))
    assert found.white == pytest.approx(0.5, rel=0.15)
    assert found.lines == pytest.approx(lines, rel=0.3, abs=0.1)


def test_columns_are_not_lines() -> None:
    scan = RNG.normal(0.0, 0.5, (192, 192)) + RNG.normal(0.0, 1.5, (1, 192))
    assert noise_of(scan).lines < 0.2


def test_what_was_not_measured_does_not_count() -> None:
    scan = RNG.normal(0.0, 1.0, (128, 128))
    scan[40:60, 30:90] = np.nan
    scan[5] = np.nan
    assert noise_of(scan).white == pytest.approx(1.0, rel=0.15)


def test_trace_and_retrace_tell_noise_on_any_relief() -> None:
    rough = RNG.normal(0.0, 30.0, (128, 128))  # rough from pixel to pixel: one scan cannot tell
    scans = [rough + RNG.normal(0, 0.8, (128, 128)) + RNG.normal(0, 0.4, (128, 1)) for _ in "ab"]
    found = noise_between(*scans)
    assert found.white == pytest.approx(0.8, rel=0.15)
    assert found.lines == pytest.approx(0.4, rel=0.3)
    assert found.source == "trace and retrace" and noise_of(scans[0]).white > 10


def test_a_field_without_enough_pixels_is_refused() -> None:
    with pytest.raises(FieldError, match="100 x 10 px are too few"):
        noise_of(np.zeros((10, 100)))
    with pytest.raises(FieldError, match="measured throughout"):
        noise_of(np.full((64, 64), np.nan))
    with pytest.raises(FieldError, match="align them"):
        noise_between(np.zeros((64, 64)), np.zeros((64, 32)))


def test_real_trace_and_retrace_agree_with_one_scan(corpus: Path) -> None:
    from afmsr_core.alignment import align
    from benchmarks.retrace.pairs import read_pairs

    names = ("circles.nid", "SBS-PMMA.nid")
    ratios = []
    for pair in (p for p in read_pairs(corpus, "dev") if p.name in names):
        both = noise_between(pair.trace, align(pair.retrace, pair.trace).warp(pair.retrace))
        ratios.append(noise_of(pair.trace).white / both.white)
    assert len(ratios) == 2 and all(0.8 < ratio < 1.5 for ratio in ratios)

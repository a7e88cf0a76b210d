"""The planted surfaces are what the table says: known everywhere, scanned with known noise."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the virtual AFM needs scipy")

from afmsr_core.trust.detail import detail_of, features_of
from benchmarks.trust import planted


def test_the_scan_is_of_the_truth_with_its_noise_on_it() -> None:
    surface = planted._scanned("noisy", "film", [1, 0, 0])
    side = planted.SIDE
    assert surface.truth.shape == (side, side) and surface.coarse.shape == (side // 4, side // 4)
    rows = surface.truth.reshape(side // 4, 4, side // 4, 4)
    there = rows[:, 1:3, :, 1:3].mean(axis=(1, 3))
    error = surface.coarse - there
    error -= np.median(error)
    # The middle half: what is narrower than a pixel is no noise, and scars are few.
    quartiles = np.subtract(*np.quantile(error, [0.75, 0.25])) / 1.349
    assert quartiles == pytest.approx(surface.noise.pixel, rel=0.5)
    again = planted._scanned("noisy", "film", [1, 0, 0])
    assert np.array_equal(again.coarse, surface.coarse)


def test_what_stands_out_of_the_truth_was_planted() -> None:
    surface = planted._scanned("typical", "film", [0, 0, 0])
    detail = detail_of(surface.truth)
    found = features_of(detail, 0.1 * float(np.nanmax(np.abs(detail))))
    # A pit or a ridge may have a rim or two tops; what is small or overlaps may be hidden.
    assert planted.COUNT / 4 < found.count < 3 * planted.COUNT

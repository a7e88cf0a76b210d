"""Simulated scans, measured as real ones were, have the figures of real ones.

Medians and quartiles of real scans: `REAL`, from 34 pairs of trace and retrace and 233 raw fields.
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the extra `eval` is not installed")

from afmsr_core.simulation import PRESETS, Instrument
from afmsr_core.simulation.pair import surface_for
from benchmarks.simulation.__main__ import quartiles, simulated
from benchmarks.simulation.figures import REAL, Figures

SCANS = 40
SIZE = 192


@pytest.fixture(scope="module")
def figures() -> list[Figures]:
    return simulated(SCANS, SIZE, "typical")


@pytest.mark.parametrize("name", REAL)
def test_the_median_lies_between_the_quartiles_of_real_scans(
    name: str, figures: list[Figures]
) -> None:
    _, lower, upper = REAL[name]
    assert lower <= quartiles(figures, name)[0] <= upper


def test_what_differs_is_correlated_along_the_line(figures: list[Figures]) -> None:
    assert quartiles(figures, "near")[0] == pytest.approx(0.91, abs=0.12)
    assert quartiles(figures, "far")[0] == pytest.approx(0.5, abs=0.2)
    assert quartiles(figures, "exponent")[0] == pytest.approx(1.15, abs=0.5)
    ratio = [one.total / one.white for one in figures]
    assert 2 < np.median(ratio) < 8  # real scans: about 4


def test_row_means_drift(figures: list[Figures]) -> None:
    assert quartiles(figures, "offsets_exponent")[0] == pytest.approx(1.7, abs=0.6)


def test_some_scans_have_scars_and_few_have_many(figures: list[Figures]) -> None:
    scars = np.array([one.scars for one in figures])
    assert 0.25 < np.mean(scars > 0) < 0.7  # real scans: 45 %
    drawn = [PRESETS["typical"].draw(np.random.default_rng(n)).scars for n in range(400)]
    counted = np.random.default_rng(0).poisson(drawn)
    assert np.median(counted) == 0
    assert 1 <= np.percentile(counted, 75) <= 4 and 10 <= np.percentile(counted, 95) <= 35


def test_two_scans_of_one_place_drift_apart() -> None:
    moved = []
    still = {"pixel": 10.0, "tip_radius": 0.0, "lag": 0.0, "dwell": 0.0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        conditions = PRESETS["typical"].draw(rng, **still)
        surface, area = surface_for("film", 64, conditions, rng)
        instrument = Instrument(surface, area, conditions, rng, frame_lines=32)
        first, second = (instrument.scan(32, 32).trace for _ in range(2))
        apart = [(getattr(second, axis) - getattr(first, axis)).mean() for axis in "xy"]
        moved.append(np.hypot(*apart) / 640.0 * 256)
    assert np.median(moved) == pytest.approx(4.4, rel=0.4)  # pixels of 256


def test_presets_differ_in_what_they_are_named_after() -> None:
    kinds = {name: simulated(3, 96, name) for name in ("ideal", "typical", "noisy", "fast-scan")}
    median = {
        name: {what: quartiles(found, what)[0] for what in ("white", "total", "lag", "scars")}
        for name, found in kinds.items()
    }
    assert median["ideal"]["total"] < 0.3 * median["typical"]["total"]
    assert median["noisy"]["white"] > 1.3 * median["typical"]["white"]
    assert median["noisy"]["scars"] > 5
    assert median["fast-scan"]["lag"] > 1.2 * median["typical"]["lag"]

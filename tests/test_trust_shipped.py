"""The calibration that ships was made for the weights that ship, on samples set aside for it."""

from __future__ import annotations

import hashlib

import pytest

from afmsr_core.trust.calibration import SHIPPED, Calibration


@pytest.mark.parametrize("weights", ["afm.onnx", "afm.safetensors"])
def test_it_was_made_for_these_weights(weights: str) -> None:
    digest = hashlib.sha256((SHIPPED.parent / weights).read_bytes()).hexdigest()
    assert Calibration.read(SHIPPED).fits("afm", digest), (
        f"{weights} has changed: run `python -m benchmarks.trust --corpus CORPUS calibrate`"
    )


def test_it_says_what_it_was_made_from() -> None:
    from training.corpus import SET_ASIDE

    made = Calibration.read(SHIPPED)
    assert made.samples == len(SET_ASIDE) and "set aside" in made.made_from
    assert made.scales(0.5) < made.scales(0.68) < made.scales(0.9) < made.scales(0.95)
    assert sum(made.level.values()) == pytest.approx(1.0)

"""The calibrations that ship were made for the weights that ship, on samples set aside for them."""

from __future__ import annotations

import hashlib

import pytest

from afmsr_core.grid import Scale
from afmsr_core.methods import registry
from afmsr_core.trust.calibration import FILES, Calibration

AT = pytest.mark.parametrize("scale", registry.scales("afm"), ids=lambda scale: scale.option)


@AT
@pytest.mark.parametrize("form", ["onnx", "safetensors"])
def test_it_was_made_for_these_weights(scale: Scale, form: str) -> None:
    path = FILES[scale]
    weights = path.with_name(path.name.replace("_calibration.json", f".{form}"))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert Calibration.read(path).fits("afm", digest, scale), (
        f"{weights.name} has changed: run `python -m benchmarks.trust --corpus CORPUS --scale "
        f"{scale.option} calibrate`"
    )


@AT
def test_it_says_what_it_was_made_from(scale: Scale) -> None:
    from training.corpus import SET_ASIDE

    made = Calibration.read(FILES[scale])
    assert made.samples >= len(SET_ASIDE) and "has not seen" in made.made_from
    assert made.scale == scale.option
    assert made.scales(0.5) < made.scales(0.68) < made.scales(0.9) < made.scales(0.95)

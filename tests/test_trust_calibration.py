"""An interval holds as often as it says, on samples that it was not learnt on."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.grid import SQUARE
from afmsr_core.levelling import level
from afmsr_core.surfaces import Background, Plane, fit_polynomial
from afmsr_core.trust.calibration import Calibration, Observation, calibrate, observe
from afmsr_core.trust.evidence import KINDS, LENGTHS, OF_SCAN, TRAITS, Evidence, gather
from afmsr_core.trust.noise import Noise
from afmsr_core.upscale import upscale

SIDE = 64


def evidence(rng: np.random.Generator, size: float = 1.0) -> Evidence:
    def drawn(side: int) -> np.ndarray:
        return rng.normal(0, 0.7, (side, side)).astype(np.float32)

    of_scan = {name: drawn(SIDE // 4) for name in OF_SCAN}
    unit = math.log(size)
    kind = {name: float(rng.normal()) for name in KINDS}
    return Evidence(drawn(SIDE), of_scan, math.log(0.1) + unit, SQUARE, kind, unit)


def true_scale(of: Evidence) -> np.ndarray:
    logs = 0.7 * of.enlarged(of.of_scan["curvature"]) + 0.3 * of.disagreement + of.unit
    return 0.5 * np.exp(logs + 2 * of.away[0] + 0.4 * of.kind["steepness"])


def observations(samples: int, seed: int = 0, size: float = 1.0) -> list[Observation]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(samples):
        of = evidence(rng, size)
        error = true_scale(of) * rng.laplace(0, 1, (SIDE, SIDE)) * np.exp(rng.normal(0, 0.1))
        found.append(observe(of, error, f"sample {number}", rng))
    return found


def test_the_interval_holds_on_new_samples_at_every_coverage() -> None:
    made = calibrate(observations(40), "afm", ["abc"])
    rng = np.random.default_rng(99)
    for coverage in made.quantiles:
        held = []
        for _ in range(20):
            of = evidence(rng)
            error = true_scale(of) * rng.laplace(0, 1, (SIDE, SIDE)) * np.exp(rng.normal(0, 0.1))
            half = made.scales(float(coverage)) * made.scale_of(of)
            held.append(np.mean(np.abs(error) <= half))
        assert np.mean(held) == pytest.approx(float(coverage), abs=0.03)


def test_the_map_finds_where_the_error_is() -> None:
    made = calibrate(observations(12), "afm", ["abc"])
    of = evidence(np.random.default_rng(5))
    found = np.corrcoef(np.log(made.scale_of(of)).ravel(), np.log(true_scale(of)).ravel())[0, 1]
    assert found > 0.95 and made.row_distance > 3 * abs(made.column_distance)


def test_how_large_the_errors_are_follows_from_the_kind_of_surface() -> None:
    made, few = (calibrate(observations(count), "afm", []) for count in (60, 6))
    _, spread, weight = made.traits["steepness"]
    assert 0.2 < weight / spread < 0.4  # held back by what 24 samples would say
    others = [abs(made.traits[name][2]) for name in KINDS if name != "steepness"]
    assert max(others) < 0.1 * weight
    assert few.traits["steepness"][2] / few.traits["steepness"][1] < 0.2  # few samples tell little
    of = evidence(np.random.default_rng(5))
    far, further = (
        made.scale_of(dataclasses.replace(of, kind=of.kind | {"steepness": value})).mean()
        for value in (20.0, 40.0)
    )
    assert far == further < math.exp(2.5 * weight) * 2 * made.scale_of(of).mean()


def test_a_scan_that_is_like_no_other_does_not_bend_the_rest() -> None:
    found = observations(12)
    odd = [dataclasses.replace(one, error=one.error / 50) for one in observations(13)[-1:]]
    of = evidence(np.random.default_rng(5))
    without, with_it = (
        calibrate(one, "afm", []).scale_of(of).mean() for one in (found, found + odd)
    )
    assert with_it == pytest.approx(without, rel=0.25)  # by least squares 2.5 times less


def test_units_do_not_matter() -> None:
    nm, pm = (calibrate(observations(6, size=size), "afm", ["abc"]) for size in (1.0, 1000.0))
    of = evidence(np.random.default_rng(5))
    unit = math.log(1000.0)
    scaled = dataclasses.replace(of, noise=of.noise + unit, unit=of.unit + unit)
    assert np.allclose(1000 * nm.scale_of(of), pm.scale_of(scaled), rtol=1e-6)
    assert np.allclose(1000 * nm.scale_of(of), nm.scale_of(scaled), rtol=1e-9)


def test_scans_of_one_sample_count_as_one() -> None:
    found = observations(6)
    twice = [*found, *(dataclasses.replace(o) for o in found if o.sample == "sample 0")]
    once, again = calibrate(found, "afm", []), calibrate(twice, "afm", [])
    assert (again.samples, again.scans) == (6, 7)
    assert again.scales(0.9) == pytest.approx(once.scales(0.9), rel=1e-6)


def test_too_few_samples_are_refused_and_few_are_not_called_guaranteed() -> None:
    with pytest.raises(UsageError, match="too few to calibrate"):
        calibrate(observations(2), "afm", [])
    assert not calibrate(observations(8), "afm", []).guaranteed
    many = calibrate(observations(20), "afm", [])
    assert many.guaranteed and many.scales(0.9) < many.scales(0.95)


def test_a_calibration_survives_its_file_and_knows_its_weights(tmp_path: Path) -> None:
    made = calibrate(observations(4), "afm", ["abc"], "four samples")
    path = tmp_path / "ours.json"
    path.write_text(made.as_json())
    assert Calibration.read(path) == made
    assert made.fits("afm", "abc") and not made.fits("afm", "abd") and not made.fits("carn", "abc")
    with pytest.raises(UsageError, match="this calibration knows"):
        made.scales(0.77)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9}', '{"format": 4, "method": "afm"}'])
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="afmsr calibrate"):
        Calibration.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"row_distance": math.nan},
        {"column_distance": None},
        {"intercept": math.inf},
        {"quantiles": {"0.9": -1.0}},
        {"quantiles": {"0.9": math.nan}},
        {"quantiles": {}},
        {"local": {}},
        {"traits": {}},
        {"traits": {name: [0.0, 0.0, 1.0] for name in TRAITS}},
        {"traits": {name: [0.0, 1.0] for name in TRAITS}},
        {"traits": {name: [0.0, 1.0, math.nan] for name in TRAITS}},
        {"weights_sha256": math.nan},
        {"guaranteed": "no"},
    ],
)
def test_a_calibration_with_values_that_none_has_is_refused(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "ours.json"
    held = json.loads(calibrate(observations(4), "afm", ["abc"]).as_json())
    path.write_text(json.dumps(held | change))
    with pytest.raises(UsageError, match=r"ours\.json: no calibration"):
        Calibration.read(path)


def test_evidence_follows_the_unit_and_knows_where_was_measured() -> None:
    relief = np.random.default_rng(0).normal(0, 1, (24, 32)).cumsum(axis=1)
    result = np.repeat(np.repeat(relief, 4, axis=0), 4, axis=1)
    noise = Noise(0.1, 0.0, None, "scan")
    of = gather(relief, result, noise)
    assert of.disagreement.shape == (96, 128) and set(of.of_scan) == set(OF_SCAN)
    assert set(of.level) == set(LENGTHS)
    for unit in (1000.0, 1e-9, 1e12):
        other = gather(unit * relief, unit * result, dataclasses.replace(noise, white=0.1 * unit))
        for name in LENGTHS:
            assert of.level[name] + math.log(unit) == pytest.approx(other.level[name], abs=1e-6)
            assert np.allclose(of.local(name), other.local(name), atol=1e-4)
    assert np.array_equal(of.away[0][:4, 0], np.float32([0.375, 0.125, 0.125, 0.375]))
    assert np.array_equal(of.away[1][0, :4], np.float32([0.375, 0.125, 0.125, 0.375]))
    holes, holed = relief.copy(), result.copy()
    holes[3:6, 4:8] = holed[12:24, 16:32] = np.nan
    with_holes = gather(holes, holed, noise)
    away = np.s_[15:, 15:]
    ratio = with_holes.of_scan["curvature"][away] - of.of_scan["curvature"][away]
    assert np.allclose(ratio, of.unit - with_holes.unit, atol=1e-5)
    assert all(np.isfinite(of.local(name)).all() for name in LENGTHS)


def test_the_background_of_a_result_and_its_mean_are_no_evidence() -> None:
    relief = np.random.default_rng(0).normal(0, 1, (24, 32)).cumsum(axis=1)
    relief = level(Channel(relief, 32.0, 24.0), "poly2").channel.heights
    result = upscale(Channel(relief, 32.0, 24.0), method="lanczos4", level="none").heights
    noise = Noise(0.1, 0.0, None, "scan")
    alone = gather(relief, result, noise)
    bowl = Background((Plane(4000.0, 300.0, -200.0), fit_polynomial(np.eye(24, 32) * 90.0, 3)))
    whole = gather(relief, result + bowl.on_grid(96, 128) + 12.0, noise, background=bowl)
    assert np.allclose(alone.disagreement, whole.disagreement, atol=2e-3)


@pytest.mark.parametrize("datum", [0.0, 5000.0])
def test_the_datum_does_not_make_pixels_beside_a_gap_uncertain(datum: float) -> None:
    y, x = np.mgrid[0:32, 0:40]
    relief = datum + 10 * np.sin(x / 6) * np.cos(y / 5)
    relief[12:16, 20:25] = np.nan

    result = upscale(Channel(relief, 40.0, 32.0), method="lanczos4", level="none").heights
    of = gather(relief, result, Noise(0.01, 0.0, None, "scan"))
    disagreement = np.where(np.isfinite(result), np.exp(of.unit + of.disagreement), np.nan)
    assert np.nanmax(disagreement) < 2.0  # nm, of a range of 20

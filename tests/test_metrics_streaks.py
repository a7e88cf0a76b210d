"""Streaks: scars are found where they are, relief is not taken for one, and shares are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.errors import FieldError
from afmsr_core.metrics import Value, evaluate
from afmsr_core.metrics.streaks import Rule, find_scars, heights_of, on_lines, share_left

Floats = NDArray[np.float64]
PLACES = ((20, 1, 30, 90, 6.0), (60, 2, 5, 50, -8.0), (100, 3, 64, 128, 5.0), (90, 1, 0, 128, 7.0))


def relief() -> Floats:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.normal(size=(128, 128)), 6.0) * 100
    return np.asarray(smooth + rng.normal(0, 0.1, smooth.shape))


def scarred() -> Floats:
    scan = relief()
    for row, width, start, stop, height in PLACES:
        scan[row : row + width, start:stop] += height
    return scan


def _truth(result: Floats, truth: Floats, settings: dict[str, str] | None = None) -> Value:
    return evaluate(result, truth, 1.0, "nm", settings, only=["streaks_truth"])["streaks_truth"]


def _low(truth: Floats, low: Floats | None, upscaled: Floats | None) -> Value:
    found = evaluate(truth, truth, 1.0, "nm", only=["streaks_low"], low=low, upscaled=upscaled)
    return found["streaks_low"]


def test_scars_are_found_where_they_are_and_as_high_as_they_are() -> None:
    found = sorted(find_scars(scarred()), key=lambda scar: scar.row)
    assert [(s.row, s.width) for s in found] == sorted(p[:2] for p in PLACES)
    for scar, (_, _, start, stop, height) in zip(found, sorted(PLACES), strict=True):
        assert abs(scar.start - start) <= 5 and abs(scar.stop - stop) <= 5
        assert scar.height == pytest.approx(height, abs=1.2)
        assert scar.pixels == scar.width * (scar.stop - scar.start)


def test_relief_and_noise_have_none() -> None:
    assert find_scars(relief()) == ()
    assert find_scars(np.random.default_rng(1).normal(size=(256, 256))) == ()


def test_short_wide_and_low_ones_are_left_to_others() -> None:
    scan = relief()
    scan[20, 30:42] += 8.0
    scan[60:66, 5:50] += 8.0
    assert find_scars(scan) == ()
    assert [s.row for s in find_scars(scan, Rule(length=10))] == [20]
    assert [(s.row, s.width) for s in find_scars(scan, Rule(width=6))] == [(60, 6)]
    assert find_scars(scan, Rule(length=10, high=100.0)) == ()


def test_the_line_beside_a_scar_is_no_scar_of_the_other_sign() -> None:
    slope = np.arange(64.0)[:, None] * np.ones(128) * 2.0
    slope += np.random.default_rng(0).normal(0, 0.5, slope.shape)
    slope[30] += 9.0
    assert [(s.row, s.height > 0) for s in find_scars(slope, Rule(high=1.0))] == [(30, True)]


def test_units_datum_and_sign_do_not_matter() -> None:
    places = [(s.row, s.start, s.stop) for s in find_scars(scarred())]
    for other in (1e-3 * scarred(), scarred() + 1e5):
        assert [(s.row, s.start, s.stop) for s in find_scars(other)] == places
    assert {s.row for s in find_scars(-scarred())} == {row for row, *_ in places}


def test_real_scans_have_scars_along_the_lines_and_not_across(shared: Path) -> None:
    import json

    index = json.loads((shared / "data/afm/dev_index.json").read_text())
    along = across = 0
    with np.load(shared / "data/afm/dev.npz") as archive:
        for entry in index:
            heights = archive[entry["id"]].astype(float)
            if min(heights.shape) < 200 or heights.size > 140_000:
                continue
            try:
                along += len(find_scars(heights))
                across += len(find_scars(heights.T))
            except FieldError:
                continue
    assert along > 300 and across <= 5


def test_shares_are_those_that_were_left() -> None:
    scan, clean = scarred(), relief()
    scars = find_scars(scan)
    assert share_left(scars, scan) == pytest.approx(1.0)
    assert share_left(scars, clean) == pytest.approx(0.0, abs=0.1)
    assert share_left(scars, clean + 0.3 * (scan - clean)) == pytest.approx(0.3, abs=0.1)
    np.testing.assert_allclose(heights_of(scars, scan), [s.height for s in scars])
    with pytest.raises(FieldError, match="no pixel is finite"):
        share_left(scars, np.full_like(scan, np.nan))


def test_what_is_left_of_the_truths_scars_is_a_metric() -> None:
    scan, clean = scarred(), relief()
    kept = _truth(scan, scan)
    gone = _truth(clean, scan)
    assert kept.value == pytest.approx(1.0, abs=1e-6)
    assert gone.value == pytest.approx(0.0, abs=0.1)
    assert kept.details["scars"] == 4 and kept.details["rule"]["high"] == 2.0
    assert kept.details["scar_area"] == pytest.approx(470 / 128**2, rel=0.1)
    none = _truth(scan, clean)
    assert none.value is None and "has no scars" in none.reason and none.details["scars"] == 0
    turned = _truth(scan.T, scan.T, {"fast_axis": "y"})
    assert turned.value == pytest.approx(1.0, abs=1e-6)


def test_what_is_left_of_the_low_scans_scars_is_measured_on_its_own_lines() -> None:
    import cv2

    low = scarred()
    size = (4 * low.shape[1], 4 * low.shape[0])
    truth = np.kron(relief(), np.ones((4, 4)))
    shares = {}
    for name, flag in (("linear", cv2.INTER_LINEAR), ("nearest", cv2.INTER_NEAREST)):
        upscaled = cv2.resize(low, size, interpolation=flag)
        found = _low(truth, low, upscaled)
        shares[name] = found.value
        assert found.details["scars"] == 4
    assert shares["nearest"] == pytest.approx(1.0, abs=1e-6)
    # Linear interpolation at the middle of a line: 7/8 of the line and 1/8 of the next.
    assert shares["linear"] == pytest.approx(0.87, abs=0.06)
    median = cv2.resize(ndimage.median_filter(low, (7, 1)), size, interpolation=cv2.INTER_LINEAR)
    cured = _low(truth, low, median)
    assert cured.value == pytest.approx(0.0, abs=0.1)
    missing = _low(truth, None, None)
    assert missing.value is None and "evaluate with low and upscaled" in missing.reason


def test_a_result_on_its_lines_keeps_a_plane() -> None:
    y, x = np.mgrid[:32, :48] + 0.5
    low_y, low_x = 4 * (np.mgrid[:8, :12] + 0.5)
    np.testing.assert_allclose(on_lines(3 * x - y, (8, 12)), 3 * low_x - low_y)


def test_too_few_lines_and_masks_have_no_value() -> None:
    with pytest.raises(FieldError, match="too few to look for scars"):
        find_scars(np.zeros((7, 50)))
    with pytest.raises(FieldError, match="do not differ"):
        find_scars(np.eye(50))

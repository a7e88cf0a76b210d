"""A coarse scan is taken as an instrument takes it, and its offset is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from afmsr_core.errors import UsageError
from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.simulation import Acquisition, coarse_scan

RNG = np.random.default_rng


def test_takes_one_line_per_row_and_no_average_over_rows() -> None:
    fine = np.zeros((8, 8))
    fine[1] = 5.0  # only the line that is scanned
    fine[2] = 99.0
    coarse = coarse_scan(fine, Acquisition(row=1), RNG(0))
    assert np.array_equal(coarse, [[5.0, 5.0], [0.0, 0.0]])


@pytest.mark.parametrize("row", [0, 1, 2, 3])
@pytest.mark.parametrize("dwell", [1, 2, 3, 4])
def test_offset_is_where_the_measured_point_lies(row: int, dwell: int) -> None:
    y, x = np.mgrid[0:16, 0:16].astype(float)
    acquisition = Acquisition(row=row, dwell=dwell)
    centres = 4 * np.arange(4) + 1.5
    rows, columns = acquisition.offset
    assert np.allclose(coarse_scan(y, acquisition, RNG(0))[:, 0] - centres, rows)
    assert np.allclose(coarse_scan(x, acquisition, RNG(0))[0] - centres, columns)


@pytest.mark.parametrize(("factor", "row"), [(LINES_X4, 1), (LINES_X4, 2), (LINES_X2, 0)])
def test_every_point_of_the_lines_that_are_taken(factor: Scale, row: int) -> None:
    fine = RNG(0).normal(size=(16, 6))
    acquisition = Acquisition(factor=factor, row=row, dwell=1)
    coarse = coarse_scan(fine, acquisition, RNG(0))
    assert np.array_equal(coarse, fine[row :: factor.rows])
    y = np.mgrid[0:16, 0:6][0].astype(float)
    centres = factor.rows * np.arange(16 // factor.rows) + (factor.rows - 1) / 2
    assert acquisition.offset[1] == 0
    assert np.allclose(coarse_scan(y, acquisition, RNG(0))[:, 0] - centres, acquisition.offset[0])


def test_noise_is_a_fraction_of_the_range() -> None:
    fine = np.zeros((512, 512))
    fine[:, 256:] = 10.0
    noisy = coarse_scan(fine, Acquisition(noise=0.02), RNG(1))
    assert np.std(noisy[:, :64]) == pytest.approx(0.2, rel=0.03)
    lines = coarse_scan(fine, Acquisition(line_noise=0.02), RNG(1))
    assert np.ptp(lines[:, :64], axis=1).max() == 0
    assert np.std(lines[:, 0]) == pytest.approx(0.2, rel=0.25)


def test_scars_lie_along_the_fast_axis() -> None:
    flat = np.zeros((1024, 1024))
    scarred = coarse_scan(flat, Acquisition(scars=10.0), RNG(2), height_range=1.0)
    rows, columns = np.nonzero(scarred)
    assert 2 <= len(set(rows)) <= 40
    assert len(columns) > 2 * len(set(rows))


@pytest.mark.parametrize("factor", [SQUARE, LINES_X4])
def test_noise_along_the_lines_is_smooth_along_them_alone(factor: Scale) -> None:
    fine = np.zeros((256 * factor.rows, 256 * factor.columns))
    acquisition = Acquisition(factor=factor, dwell=1, along=0.02)
    noise = coarse_scan(fine, acquisition, RNG(1), height_range=10.0)
    assert np.std(noise) == pytest.approx(0.2, rel=0.1)
    points = factor.rows // factor.columns  # in the time of one point of a square scan
    near = np.mean(noise[:, points:] * noise[:, :-points]) / np.var(noise)
    below = np.mean(noise[1:] * noise[:-1]) / np.var(noise)
    assert near == pytest.approx(0.91, abs=0.06)  # published, of real scans
    assert abs(below) < 0.06


def test_a_detail_has_scars_as_long_as_the_field_and_its_share_of_them() -> None:
    flat, acquisition = np.zeros((4096, 128)), Acquisition(scars=20.0)
    lengths, shares = {}, {}
    for line in (None, 128):
        found = coarse_scan(flat, acquisition, RNG(2), height_range=1.0, line=line) != 0
        begins = np.diff(found, axis=1, prepend=False) & found
        lengths[line], shares[line] = found.sum() / begins.sum(), begins.sum()
    assert lengths[None] < 2.6 < 4 < lengths[128]
    assert shares[128] == pytest.approx(shares[None] * 36 / 128, rel=0.35)  # or 36 of 128 pixels


def test_same_seed_same_scan() -> None:
    fine = RNG(0).normal(size=(64, 64))
    acquisition = Acquisition(noise=0.01, line_noise=0.01, scars=5, along=0.01)
    assert np.array_equal(
        coarse_scan(fine, acquisition, RNG(3)), coarse_scan(fine, acquisition, RNG(3))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"row": 4},
        {"row": -1},
        {"dwell": 0},
        {"dwell": 5},
        {"factor": LINES_X2, "dwell": 1, "row": 2},
        {"factor": LINES_X4, "dwell": 2},
    ],
)
def test_refuses_what_no_instrument_does(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="must lie in"):
        Acquisition(**wrong)

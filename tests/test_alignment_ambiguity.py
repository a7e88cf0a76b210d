"""Promise: an alignment says when another place of the truth would fit as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from test_alignment import SCANS, bundle, fractal, levelled, scanned, true_map, upscaled

from afmsr_core.alignment import align
from afmsr_core.alignment.ambiguity import AMBIGUOUS, find_rival

pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

Field = NDArray[np.float64]

PERIODIC = ("circles", "circles_holes", "squares_holes")
PERIOD = 40  # pixels of the truth


def lattice(side: int, defect: float = 0.0) -> Field:
    y, x = np.mgrid[0:side, 0:side] * 2 * np.pi / PERIOD
    dots = np.exp(2 * (np.cos(x) + np.cos(y)))
    dots[side // 2 - 20 : side // 2 + 20, side // 2 - 10 : side // 2 + 10] += defect * np.ptp(dots)
    return np.asarray(dots / dots.std())


def test_a_lattice_is_ambiguous_by_one_period() -> None:
    found = align(*scanned(lattice(256), 16, true_map(224, shift=(3.3, -2.6))))
    assert found.accepted and found.ambiguous
    assert found.rival is not None and found.rival.ratio > 0.9
    x, y = np.abs(found.rival.shift_px)
    for part in (x, y):
        assert min(part % PERIOD, -part % PERIOD) <= 4
    assert max(x, y) >= PERIOD - 4
    (warning,) = found.warnings
    assert "periodic" in warning and "a period off" in warning and "defect" in warning
    told = found.as_dict()
    assert told["ambiguous"] is True and told["warnings"] == [warning]
    assert told["ambiguity"] == found.rival.ratio


def test_a_pair_one_period_off_is_told_to_be_so() -> None:
    """What nothing in the heights can tell is at least marked."""
    surface = lattice(360)
    _, truth = scanned(surface, 16, np.eye(3))
    result, _ = scanned(surface[PERIOD:, :][:320], 16, np.eye(3))
    found = align(result[:256, :256], truth[:256, :256])
    assert found.accepted and found.ambiguous and found.warnings


def test_a_rough_surface_is_not() -> None:
    for slope in (1.0, 1.4, 2.0):
        found = align(*scanned(fractal(288, seed=3, slope=slope), 16, true_map(256, shift=(3, 1))))
        assert found.accepted and not found.ambiguous and not found.warnings
        assert found.rival is not None and found.rival.ratio < AMBIGUOUS


def test_a_great_defect_on_a_lattice_settles_it() -> None:
    field = lattice(256, defect=3.0)
    found = find_rival(field, field, np.ones(field.shape, bool), 2)
    assert found is not None and found.ratio < AMBIGUOUS


def test_real_scans_fall_into_two_classes(shared: Path) -> None:
    fields = bundle(shared / "data" / "afm")
    for name in SCANS:
        field = levelled(fields[name])
        periodic = any(f"__{word}." in name for word in PERIODIC)
        found = find_rival(upscaled(field[1::4, 1::4]), field, np.ones(field.shape, bool), 2)
        assert found is not None
        assert found.ratio > 0.95 if periodic else found.ratio < 0.7, name
    for word in PERIODIC:
        field = levelled(fields[f"nsfopen-2.2.4__{word}.nid__height_for"])
        found = find_rival(upscaled(field[1::4, 1::4]), field, np.ones(field.shape, bool), 2)
        assert found is not None and found.ratio > 0.95, word


def test_what_was_not_measured_takes_no_part() -> None:
    field = lattice(256)
    valid = np.ones(field.shape, bool)
    valid[:60], valid[100:120, 90:130] = False, False
    spoilt = np.where(valid, field, np.nan)
    found = find_rival(spoilt, spoilt, valid, 2)
    assert found is not None and found.ratio > 0.95


def test_nothing_in_common_has_no_rival() -> None:
    field = fractal(64, seed=0)
    assert find_rival(field, field, np.zeros(field.shape, bool), 2) is None
    assert find_rival(field, -field, np.ones(field.shape, bool), 2) is None


def test_the_command_warns_of_pairs_that_it_scored(capsys: pytest.CaptureFixture[str]) -> None:
    from afmsr_cli.eval import _tell

    found = align(*scanned(lattice(256), 16, true_map(224, shift=(3.3, -2.6))))
    pairs = [
        {"id": "grid", "status": "scored", "alignment": found.as_dict()},
        {"id": "lost", "status": "failed", "alignment": None, "reason": "copy it again"},
    ]
    assert _tell({"pairs": pairs}, Path("report.html"), 0) == 1
    said = capsys.readouterr().err
    assert f"afmsr-eval: grid: {found.warnings[0]}\n" in said and "lost failed" in said

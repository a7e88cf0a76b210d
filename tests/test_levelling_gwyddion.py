"""Levelling gives Gwyddion's numbers: from a committed record and, if installed, from itself."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.levelling import level
from afmsr_core.surfaces import fit_plane

HERE = Path(__file__).parent / "golden"
HELPER = HERE / "gwyddion_levelling.py"
TIMEOUT = 120  # seconds; it takes under two
TOLERANCE = 1e-9  # of the range

SCANS = (
    "nsfopen-2.2.4__MoS2.nid__height_for",  # 512 wide, 256 high
    "AFM__AFMImageOfAluminiumInterface.rda__height",
    "DTMicroscope__PTO_Funakubo0001.h5__height_bac",
)
MASKINGS = ("ignore", "exclude", "include")
# Row alignment is compared where the answer of 2.62 is right: on the narrow field (see the
# helper). With an included mask its median of differences removes nothing at all.
GOLDEN = [
    *(("scan", spec, mode) for spec in ("plane", "poly2", "poly3") for mode in MASKINGS),
    *(("narrow", spec, mode) for spec in ("plane", "poly2", "poly3") for mode in MASKINGS[:2]),
    *(
        ("narrow", spec, mode)
        for spec in ("rows-median", "rows-median-diff")
        for mode in MASKINGS[:2]
    ),
]


def levelled(heights: Any, mask: Any, spec: str, mode: str) -> NDArray[np.float64]:
    marked = None if mask is None else np.asarray(mask, dtype=bool)
    scan = Channel(np.asarray(heights, dtype=np.float64), xreal=1000.0, yreal=1000.0, mask=marked)
    return level(scan, spec, mode).channel.heights


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return json.loads((HERE / "levelling.json").read_text(encoding="ascii"))


@pytest.mark.parametrize(("name", "spec", "mode"), GOLDEN)
def test_the_record_is_met(record, name: str, spec: str, mode: str) -> None:
    field = record["fields"][name]
    found = levelled(field["heights"], field["mask"], spec, mode)
    expected = np.array(field["answers"][f"{spec}/{mode}"])
    assert np.abs(found - expected).max() <= TOLERANCE * np.ptp(field["heights"])


@pytest.mark.parametrize("name", ["scan", "narrow"])
def test_the_plane_has_the_recorded_coefficients(record, name: str) -> None:
    field = record["fields"][name]
    heights = np.array(field["heights"])
    plane = fit_plane(heights).on_grid(*heights.shape)
    found = [plane[0, 0], plane[0, 1] - plane[0, 0], plane[1, 0] - plane[0, 0]]
    expected = field["answers"]["plane-coefficients/ignore"]
    assert found == pytest.approx(expected, rel=0, abs=TOLERANCE * np.ptp(heights))


# --- the real program ----------------------------------------------------------------------


def run_gwyddion(folder: Path, fields: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    try:
        ctypes.CDLL("libgwyddion2.so.0")  # the smallest of them: no GTK comes into this process
    except OSError as error:
        pytest.skip(f"Gwyddion 2 is not installed ({error}); apt-get install gwyddion")
    archive: dict[str, Any] = dict(fields)
    np.savez(folder / "fields.npz", **archive)
    command = [sys.executable, str(HELPER), "fields.npz", "answers.npz"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "answers.npz") as answers:
        return {name: answers[name] for name in answers.files}


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory) -> dict[str, Any]:
    """Real scans, a random mask on a third of them, and Gwyddion's answers.

    A mask on one corner would compare rounding: Gwyddion's polynomials are normalised to the
    field, ours to the pixels that take part.
    """
    afm = shared / "data" / "afm"
    index = json.loads((afm / "dev_index.json").read_text(encoding="utf-8"))
    entries = {entry["id"]: entry for entry in index}
    fields = {}
    with np.load(afm / "dev.npz") as bundle:
        for name in SCANS:
            entry = entries[name]
            heights = entry["z_offset_nm"] + entry["z_scale_nm"] * bundle[name].astype(np.float64)
            fields[name] = heights
            mask = np.random.default_rng(len(fields)).random(heights.shape) < 0.3
            fields[f"{name}.mask"] = mask.astype(np.float64)
    return fields | run_gwyddion(tmp_path_factory.mktemp("gwyddion"), fields)


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("spec", ["plane", "poly2", "poly3"])
@pytest.mark.parametrize("mode", MASKINGS)
def test_real_scans_come_out_as_from_gwyddion(real, name: str, spec: str, mode: str) -> None:
    found = levelled(real[name], real[f"{name}.mask"], spec, mode)
    error = np.abs(found - real[f"{name}/{spec}/{mode}"]).max()
    assert error <= TOLERANCE * np.ptp(real[name])


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("spec", ["rows-median", "rows-median-diff"])
def test_aligned_rows_of_real_scans_are_close_to_gwyddion(real, name: str, spec: str) -> None:
    """Close, not equal: 2.62 takes the upper of two middle values and now and then misses them.

    On these scans it finds the median of 94 to 98 % of the lines; elsewhere its value lies
    within one per cent of the pixels beside the median. Ours is the median, always.
    """
    heights = real[name]
    ours = levelled(heights, None, spec, "ignore")
    apart = (ours - real[f"{name}/{spec}/ignore"])[:, 0]  # its line offsets less ours
    lines = heights
    if spec == "rows-median-diff":  # offsets are running sums
        apart, lines = np.diff(apart), np.diff(heights, axis=0)
    theirs = np.median(lines, axis=1) + apart - np.median(apart)
    low, high = np.quantile(lines, [0.48, 0.52], axis=1)
    slack = TOLERANCE * np.ptp(heights)
    assert np.all(theirs >= low - slack) and np.all(theirs <= high + slack)


def test_the_record_is_what_gwyddion_answers_today(record, tmp_path: Path) -> None:
    fields = {}
    for name, field in record["fields"].items():
        fields[name] = np.array(field["heights"])
        fields[f"{name}.mask"] = np.array(field["mask"], dtype=np.float64)
    answers = run_gwyddion(tmp_path, fields)
    for name, field in record["fields"].items():
        for operation, expected in field["answers"].items():
            found = answers[f"{name}/{operation}"]
            assert np.allclose(found, expected, rtol=1e-9, atol=1e-9), operation

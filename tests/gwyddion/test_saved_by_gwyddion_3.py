"""Files that Gwyddion 3 saved, with a result of ours: Gwyddion 3 reads all and saves the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gwyfiles
import numpy as np
import pytest

from afmsr_core.channel import Step
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.results import write_results
from afmsr_core.upscale import upscale

HEIGHTS = np.sin(np.arange(192.0)).reshape(12, 16) * 1e-9
SIZE = (2e-6, 1.5e-6)
SELECTED = {"max": ("i", 16), "data": ("D", [1e-7, 2e-7, 3e-7, 4e-7])}
CURVE = {"xdata": ("D", [0.0, 1.0]), "ydata": ("D", [0.0, 4.0]), "description": ("s", b"c")}
VOXELS = {f"{axis}res": ("i", count) for axis, count in zip("xyz", (2, 3, 2), strict=True)}
SIDES = {f"{axis}real": ("d", 1e-6) for axis in "xyz"}
LINE = {"res": ("i", 2), "real": ("d", 1.0), "data": ("D", [1.0, 2.0])}


def second() -> bytes:
    """Return a file of version 2 with something of each kind, for the program to turn into 3."""
    scan: dict[str, Any] = {
        "/0/data": gwyfiles.field_2(HEIGHTS, SIZE),
        "/0/data/title": ("s", "Höhe".encode()),
        "/0/data/visible": ("b", True),
        "/0/data/realsquare": ("b", True),
        "/0/data/log": gwyfiles.log(b'file::gwyfile(filename="x")@2026-01-02 03:04:05.000000Z'),
        "/0/mask": gwyfiles.field_2((HEIGHTS > 6e-10).astype(float), SIZE),
        **{f"/0/mask/{name}": ("d", 0.5) for name in ("red", "green", "blue", "alpha")},
        "/0/base/palette": ("s", b"Rust"),
        "/0/base/range-type": ("i", 1),
        "/0/base/min": ("d", -5e-10),
        "/0/base/max": ("d", 7e-10),
        "/0/meta": ("o", ("GwyContainer", {"Tip": ("s", b"sharp"), "count": ("d", 3.0)})),
        "/0/show": gwyfiles.field_2(HEIGHTS * 2, SIZE),
        "/0/select/line": ("o", ("GwySelectionLine", SELECTED)),
        "/7/data": gwyfiles.field_2(HEIGHTS, SIZE, unit=b"deg"),
        "/7/data/title": ("s", b"Z"),
    }
    graph = {"title": ("s", b"Profile"), "curves": ("O", [("GwyGraphCurveModel", CURVE)])}
    spectra = {
        "title": ("s", b"curves"),
        "coords": ("D", [1e-7, 2e-7]),
        "selected": ("I", [0]),
        "data": ("O", [("GwyDataLine", LINE)]),
    }
    others = {
        "/0/graph/graph/1": ("o", ("GwyGraphModel", graph)),
        "/brick/0": ("o", ("GwyBrick", VOXELS | SIDES | {"data": ("D", np.arange(12.0))})),
        "/brick/0/title": ("s", b"map"),
        "/surface/0": ("o", ("GwySurface", {"data": ("D", np.arange(12.0))})),
        "/sps/0": ("o", ("GwySpectra", spectra)),
    }
    return gwyfiles.version_2(scan | others)


@pytest.fixture
def again(newer, home):
    """Let Gwyddion 3 open a file and save it as version 3."""

    def saved(source: Path, target: Path) -> gwyfiles.Components:
        command = newer.command("gwyddion3", f"--convert-to-gwy3={target}", source)
        done = home.call(*command)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return gwyfiles.parsed(target.read_bytes())

    return saved


def test_a_result_is_read_by_gwyddion_3_and_saved_as_it_was_written(again, newer, home, tmp_path):
    made, source, target = tmp_path / "two.gwy", tmp_path / "three.gwy", tmp_path / "out.gwy"
    made.write_bytes(second())
    before = again(made, source)
    expected = {"/graph/1", "/volume/0", "/xyz/0", "/sps/0", "/image/0/mask-color"}
    assert expected | {"/image/0/selection/line", "/image/0/show"} <= before.keys()
    file = GwyFile.open(source)
    done = upscale(file.channel(0), method="bicubic").after(Step("note", "1", {"text": "<ä>"}))
    extra = done.replace(title="Residual, Höhe", unit="V", mask=None, look=None)
    write_results(target, file, [done, extra.replace(number=7)])

    old, new = source.read_bytes(), target.read_bytes()
    assert new[20 : len(old)] == old[20:]
    written = gwyfiles.parsed(new)
    assert written["/image/8/mask"][1][0] == "GwyNield"
    check = home.call(*newer.command("gwyddion3", "--check", target))
    assert (check.returncode, check.stderr) == (0, "")
    kept = again(target, tmp_path / "again.gwy")
    assert kept.keys() == written.keys()
    for name in written.keys() - {"/filename"}:
        assert gwyfiles.comparable(kept[name]) == gwyfiles.comparable(written[name]), name
    assert kept["/image/8/range/max"] == ("d", 7e-10)
    assert kept["/image/8/log"][1][1]["strings"][1][-1].startswith(b"image::afmsr_note(")


def test_large_results_and_numbers_of_grains(again, tmp_path):
    """A mask has whole numbers: any above 0 marks; a large field is written in parts."""
    numbers = np.array([[-3, 0, 1], [7, 2**31 - 1, -(2**31)]])
    field = gwyfiles.placed_3(np.arange(6.0).reshape(2, 3) * 1e-9, (3e-6, 2e-6), (1e-7, -1e-7))
    source, target = tmp_path / "three.gwy", tmp_path / "out.gwy"
    parts = {"/image/0": field, "/image/0/mask": gwyfiles.mask_3(numbers)}
    source.write_bytes(gwyfiles.version_3(parts))
    channel = GwyFile.open(source).channel(0)
    heights = np.random.default_rng(2).normal(size=(1100, 1300))
    mask = heights > 1
    write_results(target, GwyFile.open(source), [channel.replace(heights=heights, mask=mask)])
    kept = again(target, tmp_path / "again.gwy")
    np.testing.assert_array_equal(kept["/image/0/mask"][1][1]["data"][1], numbers.ravel())
    np.testing.assert_array_equal(kept["/image/1/mask"][1][1]["data"][1], mask.ravel())
    np.testing.assert_array_equal(kept["/image/1"][1][1]["data"][1], heights.ravel() / 1e9)
    assert kept["/image/1"][1][1]["xoff"] == ("d", 1e-7)
    assert channel.mask.tolist() == [[False, False, True], [True, True, False]]

"""A channel is added to a Gwyddion file without touching a byte of what is there."""

from __future__ import annotations

import json
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from gwyfile.objects import GwyContainer, GwyObject
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from afmsr_core import io
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import ChannelNotFoundError, FieldError, OutputExistsError
from afmsr_core.io.gwy import GwyFile, log_entry

SCAN = Channel(
    np.arange(6.0).reshape(2, 3), 30.0, 10.0, xoff=-5.0, yoff=7.0, title="Height (x4 afm)"
)


def saved(file: GwyFile, folder: Path) -> bytes:
    path = folder / "saved.gwy"
    file.save(path, force=True)
    return path.read_bytes()


def real_files(shared: Path) -> list[Path]:
    originals = shared / "data" / "afm" / "originals" / "gwy"
    return [
        *sorted((shared / "gwyddion" / "fixtures").glob("*.gwy")),
        *(
            path
            for path in sorted(originals.glob("*.gwy"))
            if path.name != "GwiddionReader_chip.gwy"
        ),
    ]


def test_unchanged_files_are_saved_byte_for_byte(shared: Path, tmp_path: Path) -> None:
    files = real_files(shared)
    assert "v2_by_gwyddion_2.62.gwy" in [path.name for path in files]
    for path in files:
        assert saved(GwyFile.open(path), tmp_path) == path.read_bytes()


def test_old_bytes_stay_and_only_the_root_size_changes(shared: Path, tmp_path: Path) -> None:
    for path in real_files(shared):
        file = GwyFile.open(path)
        old = path.read_bytes()
        grown = file.with_channel(SCAN, like=file.numbers[0])
        grown = grown.with_channel(SCAN, like=grown.numbers[-1])
        new = saved(grown, tmp_path)
        size, start = ("<I", 21) if file.version == 2 else ("<Q", 20)
        at = start - struct.calcsize(size)
        assert new[:at] == old[:at]
        assert struct.unpack(size, new[at:start]) == (len(new) - start,)
        assert new[start : len(old)] == old[start:]
        again = GwyFile.open(tmp_path / "saved.gwy")
        assert again.numbers == grown.numbers
        for number in file.numbers:
            np.testing.assert_array_equal(
                again.channel(number).heights, file.channel(number).heights
            )


def test_the_new_channel_comes_back(tmp_path: Path) -> None:
    mask = np.array([[True, False, False], [False, False, True]])
    GwyFile.new([SCAN.replace(mask=mask)]).save(tmp_path / "new.gwy")
    channel = GwyFile.open(tmp_path / "new.gwy").channel(0)
    np.testing.assert_allclose(channel.heights, SCAN.heights, rtol=1e-15)
    assert channel.mask is not None
    np.testing.assert_array_equal(channel.mask, mask)
    for name in ("xreal", "yreal", "xoff", "yoff"):
        assert getattr(channel, name) == pytest.approx(getattr(SCAN, name), rel=1e-15)
    assert (channel.title, channel.unit, channel.lateral_unit) == (SCAN.title, "nm", "nm")


@pytest.mark.parametrize("unit", ["nm", "V", "deg", "", "m/V", "1/m", "furlong"])
def test_units_come_back(unit: str, tmp_path: Path) -> None:
    GwyFile.new([SCAN.replace(unit=unit, lateral_unit=unit)]).save(tmp_path / "new.gwy")
    channel = GwyFile.open(tmp_path / "new.gwy").channel(0)
    assert (channel.unit, channel.lateral_unit) == (unit, unit)
    np.testing.assert_allclose(channel.heights, SCAN.heights, rtol=1e-15)


def test_a_unit_with_prefix_is_written_without_it(tmp_path: Path) -> None:
    GwyFile.new([SCAN.replace(unit="mV", lateral_unit="um")]).save(tmp_path / "new.gwy")
    channel = GwyFile.open(tmp_path / "new.gwy").channel(0)
    assert (channel.unit, channel.lateral_unit) == ("V", "nm")
    np.testing.assert_allclose(channel.heights, SCAN.heights * 1e-3)
    assert channel.xreal == pytest.approx(30_000)


@settings(deadline=None, max_examples=60)
@given(
    heights=arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-1e6, 1e6, allow_subnormal=False),
    ),
    xreal=st.floats(1e-3, 1e6),
    yreal=st.floats(1e-3, 1e6),
    xoff=st.floats(-1e6, 1e6, allow_subnormal=False),
    title=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
)
def test_any_channel_survives(
    heights: np.ndarray, xreal: float, yreal: float, xoff: float, title: str
) -> None:
    import tempfile

    channel = Channel(heights, xreal, yreal, xoff=xoff, title=title)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.gwy")
        GwyFile.new([channel]).save(path)
        back = GwyFile.open(path).channel(0)
    np.testing.assert_allclose(back.heights, heights, rtol=1e-15, atol=1e-290)
    assert back.title == title
    assert [back.xreal, back.yreal, back.xoff] == pytest.approx([xreal, yreal, xoff], rel=1e-15)


def test_numbers_go_on_from_the_largest(tmp_path: Path) -> None:
    import gwyfile

    field = gwyfile.objects.GwyDataField(np.zeros((2, 2)), 1e-6, 1e-6)
    names = OrderedDict({"/7/data": field, "/123/data": field})
    file = GwyFile.from_bytes(b"GWYP" + GwyContainer(names).serialize())
    assert file.with_channel(SCAN).with_channel(SCAN).numbers == (7, 123, 124, 125)
    assert GwyFile.new([SCAN] * 12).numbers == tuple(range(12))


def test_left_overs_of_a_removed_channel_are_not_inherited() -> None:
    names = OrderedDict({"/0/base/palette": "Gold", "/1/meta": GwyContainer(), "/2/data": 3})
    file = GwyFile.from_bytes(b"GWYP" + GwyContainer(names).serialize())
    assert file.numbers == ()
    assert file.with_channel(SCAN).with_channel(SCAN).numbers == (3, 4)


def test_numbers_stay_small_below_left_overs() -> None:
    names = OrderedDict({"/9999999999/base/palette": "Gold", "/1/base/palette": "Gold"})
    file = GwyFile.from_bytes(b"GWYP" + GwyContainer(names).serialize())
    assert file.with_channel(SCAN).with_channel(SCAN).numbers == (0, 2)


def test_looks_log_and_metadata_are_taken_over(tmp_path: Path) -> None:
    import gwyfile

    field = gwyfile.objects.GwyDataField(np.zeros((2, 2)), 1e-6, 1e-6)
    note = GwyObject("GwyStringList", OrderedDict(strings=["file::x()@2020"]), {"strings": "S"})
    meta = GwyContainer(OrderedDict({"Tip": "sharp", "afmsr": "old"}))
    names = OrderedDict(
        {
            "/3/data": field,
            "/3/base/palette": "Gold",
            "/3/base/range-type": 1,
            "/3/base/min": -1e-9,
            "/3/base/max": 2e-9,
            "/3/data/log": note,
            "/3/meta": meta,
            "/3/select/line": "not for the new one",
        }
    )
    file = GwyFile.from_bytes(b"GWYP" + GwyContainer(names).serialize())
    file = file.with_channel(SCAN, like=3, log=["proc::a()@2026"], meta={"afmsr": '{"a": 1}'})
    file = file.with_channel(SCAN.replace(title="Z"), like=4, log=["proc::b()@2026"])
    file.save(tmp_path / "x.gwy")
    root = gwyfile.load(str(tmp_path / "x.gwy"))
    for number in (4, 5):
        assert root[f"/{number}/base/palette"] == "Gold"
        assert root[f"/{number}/base/range-type"] == 1
        assert root[f"/{number}/base/min"] == -1e-9
        assert root[f"/{number}/base/max"] == 2e-9
        assert root[f"/{number}/data/visible"] is True
        assert dict(root[f"/{number}/meta"]) == {"Tip": "sharp", "afmsr": '{"a": 1}'}
        assert f"/{number}/select/line" not in root
    assert root["/4/data/log"]["strings"] == ["file::x()@2020", "proc::a()@2026"]
    assert root["/5/data/log"]["strings"][-1] == "proc::b()@2026"
    assert (root["/5/data/title"], root.typecodes["/5/data/title"]) == ("Z", "s")
    again = GwyFile.open(tmp_path / "x.gwy")
    assert again.log(5) == file.log(5) and again.meta(4) == file.meta(4)
    with pytest.raises(ChannelNotFoundError):
        file.with_channel(SCAN, like=99)


def test_pixels_that_were_not_measured_become_mean_and_mask(tmp_path: Path) -> None:
    heights = SCAN.heights.copy()
    heights[0, 1] = np.nan
    heights[1, 2] = np.inf
    GwyFile.new([SCAN.replace(heights=heights)]).save(tmp_path / "x.gwy")
    file = GwyFile.open(tmp_path / "x.gwy")
    (stored,) = file.channels(as_stored=True)
    assert stored.mask is not None
    np.testing.assert_array_equal(stored.mask, ~np.isfinite(heights))
    mean = heights[np.isfinite(heights)].mean()
    np.testing.assert_allclose(stored.heights[stored.mask], mean)
    read = file.channel(0)
    np.testing.assert_allclose(read.heights, np.where(stored.mask, np.nan, heights))
    assert read.mask is None
    with pytest.raises(FieldError, match="not one pixel is finite"):
        GwyFile.new([SCAN.replace(heights=np.full((2, 3), np.nan))])


@pytest.mark.parametrize("datum", [0.0, -3e6])
def test_gaps_are_gaps_again_and_what_else_was_masked_stays_so(
    tmp_path: Path, datum: float
) -> None:
    heights = datum + np.random.default_rng(0).normal(size=(40, 50))
    mask = heights > datum + 1.5
    heights[5:9, 10:20] = np.nan
    GwyFile.new([Channel(heights, 1e3, 1e3, mask=mask)]).save(tmp_path / "x.gwy")
    (read,) = io.read(tmp_path / "x.gwy")
    np.testing.assert_allclose(read.heights, heights, rtol=1e-14)
    np.testing.assert_array_equal(read.mask, mask & np.isfinite(heights))


def test_history_of_new_files_is_in_the_metadata() -> None:
    step = Step("level", "1", {"degree": 1}, "removed 3 nm")
    file = GwyFile.new([SCAN.after(step)])
    assert json.loads(file.meta(0)["afmsr history"]) == [step.as_dict()]


def test_existing_files_are_kept_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "x.gwy"
    GwyFile.new([SCAN]).save(path)
    before = path.read_bytes()
    with pytest.raises(OutputExistsError, match="--force"):
        GwyFile.new([]).save(path)
    assert path.read_bytes() == before
    # The file that was read may be the one that is written.
    GwyFile.open(path).with_channel(SCAN).save(path, force=True)
    assert GwyFile.open(path).numbers == (0, 1)


def test_log_entries_look_like_those_of_gwyddion(shared: Path) -> None:
    import re

    form = re.compile(r"\w+::\w+\(.*\)@\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}Z")
    assert form.fullmatch(log_entry("afmsr_upscale", {"method": "afm", "scale": 4}))
    real = shared / "data" / "afm" / "originals" / "gwy" / "file_landscape.gwy"
    assert all(form.fullmatch(entry) for entry in GwyFile.open(real).log(3))

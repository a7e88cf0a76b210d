"""Every channel of a native Gwyddion file comes out right, whatever its version and number."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gwyfile.objects import GwyContainer, GwyDataField, GwySIUnit
from gwyfiles import field_3, mask_3, version_3

from afmsr_core.errors import (
    ChannelNotFoundError,
    CorruptFileError,
    FieldError,
    UnreadableFileError,
    UnsupportedContentError,
)
from afmsr_core.io.gwy import GwyFile

VALUES = np.arange(15.0).reshape(3, 5) * 1e-9


def opened(**items: Any) -> GwyFile:
    """Return a file with these root components, as the gwyfile library writes them."""
    names = {name.replace("__", "/"): value for name, value in items.items()}
    container = GwyContainer(OrderedDict(names))
    for name, value in names.items():
        if isinstance(value, str):
            container.typecodes[name] = "s"
    return GwyFile.from_bytes(b"GWYP" + container.serialize())


def field(values: np.ndarray = VALUES, **changes: Any) -> GwyDataField:
    made = GwyDataField(values, 2e-6, 9e-7, si_unit_xy="m", si_unit_z="m")
    for name, value in changes.items():
        if value is None:
            del made[name]
        else:
            made[name] = value
    return made


def test_both_versions_of_a_file_hold_the_same_channel(shared: Path) -> None:
    folder = shared / "gwyddion" / "fixtures"
    two = GwyFile.open(folder / "v2_by_gwyddion_3.12.gwy")
    three = GwyFile.open(folder / "v3_by_gwyddion_3.12.gwy")
    assert (two.version, three.version) == (2, 3)
    assert two.numbers == three.numbers == (0,)
    a, b = two.channel(0), three.channel(0)
    np.testing.assert_array_equal(a.heights, b.heights)
    assert a.mask is not None and b.mask is not None
    np.testing.assert_array_equal(a.mask, b.mask)
    for name in ("xreal", "yreal", "xoff", "yoff", "unit", "lateral_unit"):
        assert getattr(a, name) == getattr(b, name)
    assert a.heights.shape == (9, 12)
    assert (a.xreal, a.yreal) == pytest.approx((2000, 1500))
    assert (a.xoff, a.yoff) == pytest.approx((300, 100))
    assert (a.title, b.title) == ("Höhe", "Z")


def test_heights_agree_with_the_gwyfile_library(shared: Path) -> None:
    import gwyfile

    for name in ("PTO_110_Virgin0001", "file_landscape", "file_square", "test"):
        path = shared / "data" / "afm" / "originals" / "gwy" / f"{name}.gwy"
        theirs = gwyfile.util.get_datafields(gwyfile.load(str(path)))
        ours = GwyFile.open(path).channels()
        assert len(ours) == len(theirs)
        for channel in ours:
            factor = 1e9 if channel.is_height else 1.0
            np.testing.assert_array_equal(channel.heights, theirs[channel.title].data * factor)
            assert channel.xreal == theirs[channel.title].xreal * (
                1e9 if channel.lateral_unit == "nm" else 1.0
            )


def test_non_square_channel_keeps_rows_and_columns() -> None:
    channel = opened(__0__data=field(xoff=1e-7, yoff=-2e-7)).channel(0)
    assert (channel.yres, channel.xres) == (3, 5)
    np.testing.assert_allclose(channel.heights[1], [5, 6, 7, 8, 9], rtol=1e-15)
    assert channel.dx == pytest.approx(400) and channel.dy == pytest.approx(300)
    assert (channel.xoff, channel.yoff) == pytest.approx((100, -200))


def test_numbers_of_any_length_and_with_gaps() -> None:
    items = {f"__{number}__data": field() for number in (123, 0, 10, 7)}
    items["__123__data__title"] = "far"
    file = opened(**items)
    assert file.numbers == (0, 7, 10, 123)
    assert file.channel(123).title == "far"
    assert file.channel(10).number == 10
    with pytest.raises(ChannelNotFoundError, match="no channel 1; the file has 0, 7, 10, 123"):
        file.channel(1)


def test_titles_of_one_character() -> None:
    file = opened(__0__data=field(), __0__data__title="Z", __1__data=field(), __2__data=field())
    assert file.channel(0).title == "Z"
    assert file.channel(1).title == ""
    # As gwyfile writes it when it has to guess: a character instead of a string.
    container = GwyContainer(OrderedDict({"/0/data": field(), "/0/data/title": "Z"}))
    assert GwyFile.from_bytes(b"GWYP" + container.serialize()).channel(0).title == "Z"


@pytest.mark.parametrize(
    ("unit", "expected", "factor"),
    [
        ("m", "nm", 1e9),
        ("nm", "nm", 1),
        ("um", "nm", 1e3),
        ("µm", "nm", 1e3),
        ("μm", "nm", 1e3),
        ("pm", "nm", 1e-3),
        ("Å", "nm", 0.1),
        ("\u212b", "nm", 0.1),
        ("mV", "V", 1e-3),
        ("V", "V", 1),
        ("nA", "A", 1e-9),
        ("deg", "deg", 1),
        ("", "", 1),
        ("1/m", "1/m", 1),
        ("pm/V", "m/V", 1e-12),
        ("furlong", "furlong", 1),
    ],
)
def test_units_of_heights_and_sizes(unit: str, expected: str, factor: float) -> None:
    channel = opened(
        __0__data=field(
            np.full((2, 2), 3.0),
            si_unit_z=GwySIUnit(unitstr=unit),
            si_unit_xy=GwySIUnit(unitstr=unit),
        )
    ).channel(0)
    assert (channel.unit, channel.lateral_unit) == (expected, expected)
    np.testing.assert_allclose(channel.heights, 3 * factor, rtol=1e-15)
    assert channel.xreal == pytest.approx(2e-6 * factor, rel=1e-15)


def test_empty_and_missing_units_mean_dimensionless() -> None:
    empty = GwySIUnit(OrderedDict())
    for unit in (empty, None):
        channel = opened(__0__data=field(si_unit_z=unit, si_unit_xy=unit)).channel(0)
        assert (channel.unit, channel.lateral_unit) == ("", "")
        np.testing.assert_array_equal(channel.heights, VALUES)


def test_missing_offsets_are_zero() -> None:
    channel = opened(__0__data=field(xoff=None, yoff=None)).channel(0)
    assert (channel.xoff, channel.yoff) == (0, 0)


def test_a_mask_is_marked_above_zero_as_gwyddion_counts() -> None:
    values = np.array([[0, 1e-300, 0.3, 1, 7], [0, 0, 0, 0, 0], [np.nan, 0, 0, 0, -1]])
    channel = opened(__0__data=field(), __0__mask=field(values)).channel(0)
    assert channel.mask is not None
    assert channel.mask.tolist() == [
        [False, True, True, True, True],
        [False] * 5,
        [False] * 5,
    ]


def test_a_mask_of_version_3_is_marked_above_zero_too() -> None:
    values = np.array([[0, 1, 7], [-1, 2**31 - 1, -(2**31)]])
    parts = {"/image/0": field_3(np.zeros((2, 3))), "/image/0/mask": mask_3(values)}
    mask = GwyFile.from_bytes(version_3(parts)).channel(0).mask
    assert mask is not None
    assert mask.tolist() == [[False, True, True], [False, True, False]]


def test_contradictions_are_named() -> None:
    with pytest.raises(CorruptFileError, match="the mask has 2 x 2 pixels, the channel 5 x 3"):
        opened(__0__data=field(), __0__mask=field(np.zeros((2, 2)))).channel(0)
    with pytest.raises(CorruptFileError, match="15 values instead of 6 x 3"):
        opened(__0__data=field(xres=6)).channel(0)
    with pytest.raises(CorruptFileError, match="resolution 0 x 3"):
        opened(__0__data=field(np.zeros((3, 5)), xres=0)).channel(0)
    with pytest.raises(CorruptFileError, match="no data"):
        opened(__0__data=field(data=None)).channel(0)
    with pytest.raises(FieldError, match=r"xreal must be positive, found 0\.0; set it in Gwyddion"):
        opened(__0__data=field(xreal=0.0)).channel(0)
    with pytest.raises(UnsupportedContentError, match="'GwySIUnit' instead of a field"):
        opened(__0__data=GwySIUnit(unitstr="m")).channel(0)


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        GwyFile.open(tmp_path / "absent.gwy")
    with pytest.raises(UnreadableFileError, match="folder"):
        GwyFile.open(tmp_path)
    old = tmp_path / "old.gwy"
    old.write_bytes(b"GWYOGwyContainer\0\0\0\0\0")
    with pytest.raises(UnsupportedContentError, match=r"old\.gwy: the file is of Gwyddion 1"):
        GwyFile.open(old)
    with pytest.raises(UnsupportedContentError, match="not a native Gwyddion file"):
        GwyFile.from_bytes(b"PK\3\4....")

"""Gwyddion Simple Fields are read and written as Gwyddion does, and damage is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gsffile import read_gsf

from afmsr_core.channel import Channel, Step
from afmsr_core.errors import AfmsrError, CorruptFileError, FieldError
from afmsr_core.io import gsf

SCAN = Channel(
    np.array([[1.0, 2.5, np.nan], [-4.0, 0.0, 6.0]]),
    30.0,
    10.0,
    xoff=-5.0,
    yoff=7.0,
    title="Höhe (x4 afm)",
)


def test_a_channel_survives_to_seven_digits(tmp_path: Path) -> None:
    gsf.write(tmp_path / "a.gsf", SCAN)
    channel = gsf.read(tmp_path / "a.gsf")
    np.testing.assert_allclose(channel.heights, SCAN.heights, rtol=1e-7)
    for name in ("xreal", "yreal", "xoff", "yoff"):
        assert getattr(channel, name) == pytest.approx(getattr(SCAN, name), rel=1e-15)
    assert (channel.title, channel.unit, channel.lateral_unit) == (SCAN.title, "nm", "nm")
    assert (channel.path, channel.number) == (tmp_path / "a.gsf", 0)


@pytest.mark.parametrize("unit", ["V", "", "deg"])
def test_units_other_than_lengths(unit: str, tmp_path: Path) -> None:
    gsf.write(tmp_path / "a.gsf", SCAN.replace(unit=unit, lateral_unit=unit, title="a = b\nc"))
    channel = gsf.read(tmp_path / "a.gsf")
    assert (channel.unit, channel.lateral_unit, channel.title) == (unit, unit, "a : b c")


def test_the_history_survives_and_other_programs_read_the_rest(tmp_path: Path) -> None:
    steps = (Step("level", "1", {"a = b": "é\n<x>"}, "tilt = 3"), Step("convert", "2", {"n": 1}))
    gsf.write(tmp_path / "a.gsf", Channel(np.eye(3), 9.0, 9.0, history=steps))
    assert gsf.read(tmp_path / "a.gsf").history == steps
    values, header = read_gsf(tmp_path / "a.gsf")
    assert values.shape == (3, 3) and header["XReal"] == pytest.approx(9e-9)


def test_real_files_agree_with_the_gsffile_library(shared: Path) -> None:
    paths = sorted((shared / "data" / "afm" / "originals" / "gsf").glob("*.gsf"))
    assert len(paths) == 3
    for path in paths:
        values, header = read_gsf(path)
        channel = gsf.read(path)
        is_length = header.get("ZUnits", "") == "m"
        assert channel.unit == ("nm" if is_length else "")
        np.testing.assert_array_equal(
            channel.heights, values.astype(np.float64) * (1e9 if is_length else 1)
        )
        assert channel.xreal == header["XReal"] * 1e9
        assert channel.xoff == header.get("XOffset", 0) * 1e9
        assert channel.title == header.get("Title", "")


def made(header: str, data: bytes = b"\0" * 24) -> bytes:
    text = gsf.MAGIC + header.encode()
    return text + b"\0" * (4 - len(text) % 4) + data


def test_what_the_header_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "a.gsf").write_bytes(made("XRes = 3\n\nYRes=2\nTitle=a=b\n"))
    channel = gsf.read(tmp_path / "a.gsf")
    assert (channel.xreal, channel.yreal, channel.xoff, channel.unit) == (1, 1, 0, "")
    assert (channel.title, channel.heights.shape) == ("a=b", (2, 3))
    (tmp_path / "a.gsf").write_bytes(made("XRes=3\nYRes=2\nXReal=2\nXYUnits=um\nZUnits=mV\n"))
    channel = gsf.read(tmp_path / "a.gsf")
    assert (channel.xreal, channel.lateral_unit, channel.unit) == (2000, "nm", "V")


@pytest.mark.parametrize(
    "data",
    [
        made("XRes=3\n"),
        made("XRes=3\nYRes=0\n"),
        made("XRes=-3\nYRes=-2\n"),
        made("XRes=3\nYRes=²\n"),
        made("XRes=3\nYRes=3\n"),
        made("XRes=999999999\nYRes=999999999\n"),
        made(f"XRes=3\nYRes={'9' * 5000}\n"),
        made("XRes=3\nYRes=2\nXReal=wide\n"),
        made("XRes=3\nYRes=2\nnonsense\n"),
        made("XRes=3\nYRes=2\n", b"\0" * 25),
        made("XRes=3\nYRes=2\n").replace(b"XRes", b"\xff\xfeRes"),
        gsf.MAGIC,
        gsf.MAGIC + b"XRes=3\nYRes=2\n",
        b"Gwyddion Simple Field 2.0\n\0",
    ],
)
def test_damage_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.gsf").write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"a\.gsf: damaged: "):
        gsf.read(tmp_path / "a.gsf")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    gsf.write(tmp_path / "a.gsf", SCAN)
    data = (tmp_path / "a.gsf").read_bytes()
    for length in range(len(data)):
        (tmp_path / "b.gsf").write_bytes(data[:length])
        with pytest.raises(CorruptFileError):
            gsf.read(tmp_path / "b.gsf")


def test_mutations_give_named_errors_or_channels(tmp_path: Path) -> None:
    gsf.write(tmp_path / "a.gsf", SCAN)
    data = (tmp_path / "a.gsf").read_bytes()
    random = np.random.default_rng(7)
    for _ in range(1000):
        mutant = bytearray(data)
        for _ in range(random.integers(1, 4)):
            mutant[random.integers(len(data))] = random.integers(256)
        (tmp_path / "b.gsf").write_bytes(mutant)
        try:
            gsf.read(tmp_path / "b.gsf")
        except AfmsrError as error:
            assert "b.gsf" in str(error)


def test_values_too_large_for_the_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="exceed 32-bit floats"):
        gsf.write(tmp_path / "a.gsf", SCAN.replace(heights=np.full((2, 3), 1e300), unit="V"))
    assert list(tmp_path.iterdir()) == []

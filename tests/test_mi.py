"""Images of Agilent and Keysight: the same from text and binary, in the file's units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.errors import (
    ChannelNotFoundError,
    CorruptFileError,
    FieldError,
    UnsupportedContentError,
)
from tests.instrument_files import mi, relief

COUNTS = relief(24, 32)


@pytest.mark.parametrize("scan_up", ["TRUE", "FALSE"])
@pytest.mark.parametrize(
    ("kind", "full"), [("ASCII", 2**15), ("BINARY", 2**15), ("", 2**15), ("BINARY_32", 2**31)]
)
def test_every_way_to_store_counts(kind: str, full: int, scan_up: str, tmp_path: Path) -> None:
    buffers = {"Topography": (COUNTS, "um"), "Tip Current": (COUNTS + 1, "A"), "CP": (COUNTS, "mV")}
    mi(tmp_path / "a.mi", buffers, kind, scanUp=scan_up)
    height, current, potential = io.read(tmp_path / "a.mi")
    np.testing.assert_allclose(height.heights, COUNTS / full * 0.5 * 1000, rtol=1e-14)
    np.testing.assert_allclose(current.heights, (COUNTS + 1) / full * 0.5, rtol=1e-14)
    np.testing.assert_allclose(potential.heights, COUNTS / full * 0.5e-3, rtol=1e-14)
    assert [c.unit for c in (height, current, potential)] == ["nm", "A", "V"]
    assert [c.number for c in (height, current, potential)] == [0, 1, 2]
    for channel in (height, current, potential):
        assert (channel.xreal, channel.yreal, channel.lateral_unit) == (2000, 1500, "nm")


def test_a_current_alone_is_no_height(tmp_path: Path) -> None:
    mi(tmp_path / "a.mi", {"Current": (COUNTS, "A")}, "BINARY")
    with pytest.raises(ChannelNotFoundError, match=r"no channel with heights; .*'Current' \(A\)"):
        io.select(io.read(tmp_path / "a.mi"))


def test_spectra_only(tmp_path: Path) -> None:
    mi(tmp_path / "a.mi", {"Topography": (COUNTS, "um")}, "ASCII", fileType="Spectroscopy")
    with pytest.raises(UnsupportedContentError, match="holds no image, only spectra"):
        io.read(tmp_path / "a.mi")


def test_other_text_is_refused_by_its_name(tmp_path: Path) -> None:
    mi(tmp_path / "a.mi", {"Topography": (COUNTS, "um")}, "ASCII_MULTICOLUMN")
    with pytest.raises(UnsupportedContentError, match="'ASCII_MULTICOLUMN'"):
        io.read(tmp_path / "a.mi")


@pytest.mark.parametrize("kind", ["ASCII", "BINARY"])
def test_damage_is_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mi"
    mi(path, {"Topography": (COUNTS, "um")}, kind)
    data = path.read_bytes()
    for damaged in (
        data[:40],
        data[: len(data) // 2],
        data.replace(b"xPixels       32", b"xPixels       99999999"),
        data.replace(b"xPixels       32", b"xPixels       -2"),
        data.replace(b"xPixels       32", b"xPixels       many"),
        data.replace(b"bufferRange", b"bufferRandy"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(CorruptFileError, match=r"a\.mi"):
            io.read(path)
    path.write_bytes(data.replace(b"xLength       2e-06", b"xLength       0"))
    with pytest.raises(FieldError, match="xreal"):
        io.read(path)


def test_a_word_among_the_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.mi"
    mi(path, {"Topography": (COUNTS, "um")}, "ASCII")
    start, end = path.read_bytes().rsplit(b"\n", 1)[0].rsplit(b"\n", 1)
    path.write_bytes(start + b"\nx" + end + b"\n")
    with pytest.raises(CorruptFileError, match="are not 768 numbers"):
        io.read(path)

"""A text of numbers that is not read: the message names what its user can change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.errors import UnknownFormatError
from afmsr_core.io.raw import READERS
from afmsr_core.io.raw.plain_text import cause

HEADER = "# Channel: Höhe\n# Width: 5.00 µm\n# Height: 5.00 µm\n# Value units: nm\n"
VALUES = np.random.default_rng(3).random((8, 8))


def text(separator: str, comma: bool) -> str:
    rows = (separator.join(f"{value:.5f}" for value in row) for row in VALUES)
    whole = "\n".join(rows) + "\n"
    return whole.replace(".", ",") if comma else whole


@pytest.mark.parametrize("header", ["", HEADER.replace(".", ",")], ids=["bare", "header"])
@pytest.mark.parametrize("separator", ["\t", ";", "; ", "  "])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_decimal_commas(header: str, separator: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes((header + text(separator, True)).encode(encoding))
    with pytest.raises(UnknownFormatError, match=r"a\.txt: .*decimal commas; write them with"):
        io.read(tmp_path / "a.txt")


@pytest.mark.parametrize("separator", ["\t", ",", ", ", ";"])
def test_numbers_alone(separator: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text(separator, False))
    with pytest.raises(UnknownFormatError, match="without their unit and the size of the scan"):
        io.read(tmp_path / "a.txt")


def test_latin_1_is_read_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes((HEADER + text("\t", False)).encode("latin-1"))
    assert cause(path) == "its text is not UTF-8 (byte 0xf6 in line 1); save it as UTF-8"
    monkeypatch.setattr("afmsr_core.io.raw.READERS", READERS[:1])
    if not READERS[0].find():
        pytest.skip("SurfaceTopography is not installed")
    with pytest.raises(UnknownFormatError, match=r"byte 0xf6 in line 1\); save it as UTF-8"):
        io.read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\nworld\n",
        b"",
        b"\0\1\2",
        b"1\n2\n",
        b"x y\n1 2\na b\n",
        b"{}",
        "ä ö\n".encode("latin-1"),
    ],
)
def test_what_is_no_table_has_no_cause(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert cause(tmp_path / "a.txt") is None

"""Text of values need not be UTF-8: it is read, its bytes are kept, and Gwyddion opens the result.

Instruments write degree and micro signs as Latin-1, and Gwyddion copies them as they are.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gwyfiles import field_2, field_3, version_2, version_3

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.errors import CorruptFileError
from afmsr_core.io import gsf
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.gwystructure import Structure

VALUES = np.random.default_rng(1).random((8, 8)) * 1e-9
SENSITIVITY = b"691.2652 nm\xb1/V"
LOG = b'proc::level(note="30\xb0")@2026-01-01 00:00:00.000000Z'


def metadata() -> tuple[str, Any]:
    return "o", ("GwyContainer", {"Sens": ("s", SENSITIVITY), "Name": ("s", "Böhm".encode())})


def log() -> tuple[str, Any]:
    return "o", ("GwyStringList", {"strings": ("S", [LOG, b"plain"])})


def second(**changes: Any) -> bytes:
    """Return a file of version 2 with Latin-1 where Gwyddion itself puts it."""
    parts = {
        "/0/data": field_2(VALUES),
        "/0/data/title": ("s", b"Height"),
        "/0/data/log": log(),
        "/0/meta": metadata(),
    }
    return version_2(parts | {f"/0/{name}": value for name, value in changes.items()})


def third() -> bytes:
    return version_3(
        {
            "/image/0": field_3(VALUES, unit=b"\xb5m"),
            "/image/0/title": ("s", b"H\xf6he"),
            "/image/0/palette": ("s", b"Gr\xfcn"),
            "/image/0/log": log(),
            "/image/0/meta": metadata(),
        }
    )


def upscaled(path: Path) -> Path:
    assert main(["upscale", str(path), "--method", "bicubic", "--quiet"]) == 0
    return path.with_name(f"{path.stem}_x4.gwy")


def complaints(path: Path) -> str:
    """Return what Gwyddion finds wrong with a file."""
    if shutil.which("gwyddion") is None:
        pytest.skip("no Gwyddion is installed")
    command = ["timeout", "60", "gwyddion", "--check", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_metadata_and_log_keep_their_bytes_in_the_copy_and_in_the_new_channel(
    tmp_path: Path,
) -> None:
    path = tmp_path / "scan.gwy"
    path.write_bytes(second())
    before, after = path.read_bytes(), upscaled(path).read_bytes()
    head = len(b"GWYPGwyContainer\0") + 4
    assert after[head : len(before)] == before[head:]
    added = after[len(before) :]
    assert b"Sens\0s" + SENSITIVITY + b"\0" in added
    assert "Name\0sBöhm\0".encode() in added
    assert LOG + b"\0plain\0" in added


def test_they_are_read_as_latin_1(tmp_path: Path) -> None:
    file = GwyFile.from_bytes(second())
    assert file.meta(0) == {"Sens": "691.2652 nm±/V", "Name": "Böhm"}
    assert file.log(0) == ('proc::level(note="30°")@2026-01-01 00:00:00.000000Z', "plain")
    again = file.with_channel(file.channel(0), like=0)
    assert (again.meta(1), again.log(1)) == (file.meta(0), file.log(0))


def test_gwyddion_opens_the_result(tmp_path: Path) -> None:
    path = tmp_path / "scan.gwy"
    path.write_bytes(second())
    assert complaints(upscaled(path)) == ""


def test_a_new_title_is_utf_8_whatever_the_old_one_was(tmp_path: Path) -> None:
    path = tmp_path / "scan.gwy"
    path.write_bytes(second(**{"data/title": ("s", b"H\xf6he")}))
    result = upscaled(path)
    assert [one.title for one in io.read(result)] == ["Höhe", "Höhe (x4 bicubic)"]
    assert "sHöhe (x4 bicubic)\0".encode() in result.read_bytes()
    # What Gwyddion says of the old title it says of the old file too; it opens both.
    assert complaints(result).replace("_x4", "") == complaints(path)


def test_version_3_keeps_them_too(tmp_path: Path) -> None:
    path = tmp_path / "scan.gwy"
    path.write_bytes(third())
    result = upscaled(path)
    file = GwyFile.open(result)
    assert [file.title(number) for number in file.numbers] == ["Höhe", "Höhe (x4 bicubic)"]
    data = result.read_bytes()
    for kept in (b"Sens\0s" + SENSITIVITY, LOG, b"Gr\xfcn"):
        assert data.count(kept + b"\0") == 2
    assert file.meta(0) | file.meta(1) == file.meta(1)
    assert file.meta(1)["Sens"] == "691.2652 nm±/V"
    np.testing.assert_allclose(file.channel(0).heights, VALUES * 1e3, rtol=1e-12)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [(b"\xb5m", 1e3), ("µm".encode(), 1e3), (b"\xc5", 0.1), ("Å".encode(), 0.1), (b"m", 1e9)],
)
def test_units_in_latin_1_are_right(unit: bytes, factor: float, tmp_path: Path) -> None:
    data = version_2({"/0/data": field_2(VALUES, (2.0, 3.0), unit=unit, lateral=unit)})
    header = b"XRes = 8\nYRes = 8\nXReal = 2\nYReal = 3\nXYUnits = %b\nZUnits = %b\n" % (unit, unit)
    start = gsf.MAGIC + header
    (tmp_path / "a.gsf").write_bytes(
        start + b"\0" * (4 - len(start) % 4) + VALUES.astype("<f4").tobytes()
    )
    for channel in (GwyFile.from_bytes(data).channel(0), gsf.read(tmp_path / "a.gsf")):
        assert (channel.unit, channel.lateral_unit) == ("nm", "nm")
        assert channel.xreal == pytest.approx(2 * factor)
        np.testing.assert_allclose(channel.heights, VALUES * factor, rtol=1e-6)


def test_a_degree_in_latin_1() -> None:
    parts = {"/0/data": field_2(VALUES, unit=b"\xb0")}
    assert GwyFile.from_bytes(version_2(parts)).channel(0).unit == "deg"


def test_names_stay_strict() -> None:
    for damaged in (
        version_2({"x": ("b", True)}).replace(b"x\0b", b"\xb5\0b"),
        version_2({"x": ("o", ("Kind", {}))}).replace(b"Kind", b"K\xefnd"),
    ):
        with pytest.raises(CorruptFileError, match="a name is not UTF-8"):
            Structure(damaged, "a.gwy")


def test_a_title_in_a_simple_field_may_have_any_sign(tmp_path: Path) -> None:
    """Only line ends end a line, not the other signs that text is split at."""
    for title, found in (
        (b"H\xf6he 30\xb0", "Höhe 30°"),
        ("Höhe".encode(), "Höhe"),
        ("a\u2028b\u0085c".encode(), "a\u2028b\u0085c"),
    ):
        start = gsf.MAGIC + b"XRes = 8\nYRes = 8\nTitle = %b\nZUnits = m\n" % title
        data = start + b"\0" * (4 - len(start) % 4) + VALUES.astype("<f4").tobytes()
        (tmp_path / "a.gsf").write_bytes(data)
        channel = gsf.read(tmp_path / "a.gsf")
        assert (channel.title, channel.unit) == (found, "nm")


def test_a_title_that_is_a_number_is_none() -> None:
    for value in (("i", 2**31 - 1), ("b", True), ("d", 1.0), ("S", [b"a"])):
        parts = {"/0/data": field_2(VALUES), "/0/data/title": value}
        assert GwyFile.from_bytes(version_2(parts)).title(0) == ""

"""The plug-in's file is read and written as Gwyddion does it, or refused with a reason."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from afmsr_core.errors import CorruptFileError, UnreadableFileError
from gwyddion_plugin.exchange import dump
from gwyddion_plugin.exchange.dump import RawField

VALUES = struct.pack("<6d", *range(6))
# As Gwyddion 2.62 writes it.
GIVEN = (
    b"/0/data/xres=3\n/0/data/yres=2\n/0/data/xreal=3e-06\n/0/data/yreal=2e-06\n"
    b"/0/data/unit-xy=m\n/0/data/unit-z=V\n/0/data=[\n[" + VALUES + b"]]\n"
)
FIELD = RawField(3, 2, 3e-6, 2e-6, "m", "V", VALUES)


def file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "field.dump"
    path.write_bytes(content)
    return path


def test_reads_what_gwyddion_writes(tmp_path: Path) -> None:
    assert dump.read(file(tmp_path, GIVEN)) == FIELD


def test_comes_back_as_it_went(tmp_path: Path) -> None:
    path = file(tmp_path, b"")
    for mask in (None, VALUES):
        field = RawField(3, 2, 0.1, 1 / 3, "m", "deg", VALUES, mask)
        dump.overwrite(path, field)
        assert dump.read(path) == field


def test_dimensionless_is_written_as_1(tmp_path: Path) -> None:
    path = file(tmp_path, GIVEN)
    dump.overwrite(path, RawField(3, 2, 1, 1, "", "", VALUES, VALUES))
    content = path.read_bytes()
    assert b"/0/data/unit-xy=1\n/0/data/unit-z=1\n" in content
    assert b"/0/mask/unit-z=1\n" in content


def test_is_overwritten_in_place_and_made_shorter(tmp_path: Path) -> None:
    path = file(tmp_path, GIVEN + b"x" * 100_000)
    with path.open("rb") as kept_open:
        dump.overwrite(path, FIELD)
        assert kept_open.read().startswith(b"/0/data/xres=3\n")
    assert dump.read(path) == FIELD


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = file(tmp_path, GIVEN)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from afmsr_core.errors import OutputError\n"
        "from gwyddion_plugin.exchange import dump\n"
        "from gwyddion_plugin.exchange.dump import RawField\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "big = RawField(100, 100, 1, 1, 'm', 'm', bytes(80_000))\n"
        "try:\n    dump.overwrite(Path(sys.argv[1]), big)\n"
        "except OutputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, timeout=30)
    assert b"free some space" in done.stdout, done.stderr
    assert path.read_bytes() == GIVEN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"garbage\n",
        GIVEN[:-1],
        GIVEN[:-20],
        GIVEN[:60],
        GIVEN.replace(b"xres=3", b"xres=-3"),
        GIVEN.replace(b"xres=3", b"xres=99999999"),
        GIVEN.replace(b"xres=3", b"xres=\xb2"),
        GIVEN.replace(b"3e-06", b"wide"),
        GIVEN + GIVEN.replace(b"data", b"mask").replace(b"xres=3", b"xres=2").replace(b"2e", b"3e"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CorruptFileError, match="not what Gwyddion writes"):
        dump.read(file(tmp_path, content))


@pytest.mark.parametrize("cut", [0, 10, len(GIVEN) - len(VALUES), len(GIVEN) - 3, len(GIVEN) - 1])
def test_a_file_that_a_full_folder_cut_short(tmp_path: Path, cut: int) -> None:
    with pytest.raises(CorruptFileError, match=f"ends after {cut} bytes.* free some space"):
        dump.read(file(tmp_path, GIVEN[:cut]))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="menu"):
        dump.read(tmp_path / "missing")

"""A folder for temporary files that is full is called that, with TMPDIR as the cure."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from afmsr_core.errors import CorruptFileError, OutputError
from afmsr_core.io.raw.gwyddion import GWYDDION_2
from afmsr_core.temporary import no_room, roomy_folder
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.worker import field_files

SMALL = 64 << 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_conversion_without_room_blames_the_folder_not_the_file(
    small_disk: Path, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if GWYDDION_2.find() is None:
        pytest.skip("no Gwyddion is installed")
    scan = next((shared / "data" / "afm" / "originals").rglob("test.sxm"))
    monkeypatch.setenv("TMPDIR", str(small_disk))
    monkeypatch.setattr(tempfile, "tempdir", None)  # what it found before
    with pytest.raises(OutputError, match=r"test.sxm: .* has room for 0\.1 MB .* with TMPDIR"):
        GWYDDION_2.read(scan, known=True)
    assert list(small_disk.iterdir()) == []
    # A damaged file is still that where there is room.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    cut = tmp_path / "cut.sxm"
    cut.write_bytes(scan.read_bytes()[:3000])
    with pytest.raises(CorruptFileError):
        GWYDDION_2.read(cut, known=True)


def test_a_field_for_the_worker_without_room_names_the_folder(tmp_path: Path) -> None:
    field = RawField(100, 100, 1.0, 1.0, "m", "m", bytes(80_000))
    resource = pytest.importorskip("resource", reason="Windows limits no file's size")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError) as error:
            field_files.write(tmp_path, field)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(error.value).startswith(f"{tmp_path}: no room for a temporary file")
    assert "another folder with TMPDIR" in str(error.value)


def test_the_message_needs_no_folder_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    told = str(no_room(OSError(28, "No space left on device"), size=3 << 30))
    assert told.startswith("no folder for temporary files: no room for a temporary file of 3.0 GiB")


def test_a_folder_that_was_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/somewhere")
    assert roomy_folder() is None

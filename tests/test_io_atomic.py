"""A written file is complete or absent, and never replaces another without being told."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from afmsr_core.errors import FieldError, OutputError, OutputExistsError
from afmsr_core.io.atomic import writing, writing_all


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_target_appears_when_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "a.gwy"
    with writing(target) as file:
        file.write(b"one")
        file.flush()
        assert not target.exists()
        assert Path(file.name).parent == tmp_path
        file.write(b"two")
    assert target.read_bytes() == b"onetwo"
    assert names(tmp_path) == ["a.gwy"]


@pytest.mark.parametrize("error", [FieldError("no"), ValueError("no"), KeyboardInterrupt()])
def test_errors_of_the_body_pass_and_leave_nothing(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)), writing(tmp_path / "a.gwy") as file:
        file.write(b"half")
        raise error
    assert names(tmp_path) == []


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.gwy"
    target.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="exists already; use --force"), writing(target):
        pytest.fail("the body must not run")
    with pytest.raises(RuntimeError), writing(target, force=True) as file:
        file.write(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    with writing(target, force=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a.gwy"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.gwy"
    with pytest.raises(OutputExistsError), writing(target):
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["a.gwy"]


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_and_says_so(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[place], full)
    with (
        pytest.raises(OutputError, match=r"a\.gwy: not written .*the disk is full: free some"),
        writing(tmp_path / "a.gwy") as file,
    ):
        file.write(b"x")
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_full_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, mode: str) -> BinaryIO:
        path.touch()
        return open("/dev/full", "wb")  # noqa: PTH123

    monkeypatch.setattr(Path, "open", full)
    with (
        pytest.raises(OutputError, match="the disk is full"),
        writing(tmp_path / "a.gwy") as file,
    ):
        file.write(b"x" * 1_000_000)
    monkeypatch.undo()
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_the_mode_follows_the_umask(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        with writing(tmp_path / "a.gwy") as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.gwy").stat().st_mode & 0o777 == mode


def test_unwritable_targets_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(OutputError, match="the folder does not exist: create it first"),
        writing(tmp_path / "absent" / "a.gwy"),
    ):
        pass
    with pytest.raises(OutputError, match="it is a folder"), writing(tmp_path, force=True):
        pass
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="choose another folder"),
        writing(tmp_path / "file" / "a.gwy"),
    ):
        pass

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with (
        pytest.raises(OutputError, match="no permission to write there"),
        writing(tmp_path / "a.gwy"),
    ):
        pass


def test_a_link_keeps_its_target(tmp_path: Path) -> None:
    (tmp_path / "real.gwy").write_bytes(b"old")
    link = tmp_path / "link.gwy"
    try:
        link.symlink_to("real.gwy")
    except OSError:
        pytest.skip("this system makes no links")
    with writing(link, force=True) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "real.gwy").read_bytes() == b"new"


def test_several_files_come_together_or_not_at_all(tmp_path: Path) -> None:
    targets = [tmp_path / name for name in ("a.json", "a.npy")]
    with pytest.raises(RuntimeError), writing_all(targets) as files:
        files[0].write(b"{}")
        raise RuntimeError
    assert names(tmp_path) == []
    targets[1].write_bytes(b"old")
    with pytest.raises(OutputExistsError), writing_all(targets):
        pass
    assert names(tmp_path) == ["a.npy"]
    with writing_all(targets, force=True) as files:
        for file in files:
            file.write(b"new")
    assert [target.read_bytes() for target in targets] == [b"new", b"new"]


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_writer_leaves_no_target(tmp_path: Path) -> None:
    from afmsr_core.io import find_files

    code = (
        "import sys, time; from afmsr_core.io.atomic import writing\n"
        "with writing(sys.argv[1]) as file:\n"
        "    file.write(b'x' * 1000000); file.flush(); print('half', flush=True); time.sleep(60)"
    )
    target = tmp_path / "a.gwy"
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, cwd=root
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    time.sleep(0.01)
    assert not target.exists()
    # What is left is hidden, and no folder that we read gives it to anyone.
    assert find_files([tmp_path]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the encoding of names is that of the locale")
def test_a_name_that_the_locale_cannot_show(tmp_path: Path) -> None:
    code = "import sys; from afmsr_core.io.atomic import writing\nwith writing(sys.argv[1]): pass"
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    target = os.fsencode(tmp_path) + "/Höhe.gwy".encode()
    subprocess.run([sys.executable, "-c", code, target], env=environment, check=True)
    assert os.fsencode(names(tmp_path)[0]) == "Höhe.gwy".encode()

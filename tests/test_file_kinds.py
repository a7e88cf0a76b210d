"""Pipes, sockets, devices, links, odd and long names: refused at once or treated as files are."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, OutputError, UnreadableFileError
from afmsr_core.io.atomic import check_target, writing
from afmsr_core.io.files import contents, head, special

SCAN = Channel(np.random.default_rng(5).random((8, 8)), 100.0, 100.0, title="Height")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files of Unix")


@pytest.fixture(params=["a pipe", "a socket", "a device"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    path = tmp_path / "odd.gwy"
    if request.param == "a device":
        path.symlink_to(os.devnull)
        yield path, request.param
    elif request.param == "a pipe":
        os.mkfifo(path)
        yield path, request.param
    else:
        with socket.socket(socket.AF_UNIX) as held:
            before = Path.cwd()
            os.chdir(tmp_path)  # names of sockets are short
            held.bind(path.name)
            os.chdir(before)
            yield path, request.param


def test_they_are_refused_as_inputs_without_being_opened(
    no_file: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, what = no_file
    for read in (contents, head, io.read, io.as_gwy):
        with pytest.raises(UnreadableFileError, match=f"odd.gwy: this is {what}, no file; save"):
            read(path)
    assert main(["upscale", str(path), "--method", "bicubic"]) == 1
    assert f"this is {what}" in capsys.readouterr().err


def test_they_are_refused_as_outputs_before_anything_is_done(
    no_file: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, what = no_file
    io.write(tmp_path / "scan.gwy", SCAN)
    before = os.lstat(path)
    for force in (False, True):
        with pytest.raises(OutputError, match=f"it is {what}, which would be replaced"):
            check_target(path, force)
        with pytest.raises(OutputError, match=f"it is {what}"), writing(path, force):
            pytest.fail("it was opened")
    for command in ("upscale", "convert"):
        options = ["--to", "gwy"] if command == "convert" else ["--dry-run"]
        arguments = [command, str(tmp_path / "absent.gwy"), "-o", str(path), "--force", *options]
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert f"it is {what}" in said and "absent" not in said
    assert os.lstat(path) == before


@pytest.mark.parametrize(
    "command",
    [
        ("upscale", "absent.gwy", "--confidence", "--calibration"),
        ("eval", "absent", "--config"),
        ("fit-niqe", "-o", "niqe.npz"),
    ],
    ids=lambda command: command[0],
)
def test_nothing_that_a_command_reads_may_be_one(
    command: tuple[str, ...], no_file: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, what = no_file
    assert main([*command, str(path)]) in (1, 2)
    assert f"odd.gwy: this is {what}, no file" in capsys.readouterr().err


def test_what_is_a_file_or_nothing_is_not_special(tmp_path: Path) -> None:
    io.write(tmp_path / "scan.gwy", SCAN)
    (tmp_path / "link.gwy").symlink_to("scan.gwy")
    (tmp_path / "circle").symlink_to("circle")
    for name in ("scan.gwy", "link.gwy", ".", "absent", "circle", "a" * 300, "a\0b"):
        assert special(tmp_path / name) == ""


# --- links ---------------------------------------------------------------------------------


def test_a_result_is_named_after_the_link_and_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    io.write(tmp_path / "pool" / "0001.gwy", SCAN)
    (tmp_path / "mica.gwy").symlink_to(Path("pool", "0001.gwy"))
    assert main(["upscale", str(tmp_path / "mica.gwy"), "--method", "bicubic", "--quiet"]) == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mica.gwy", "mica_x4.gwy", "pool"]
    assert [one.name for one in (tmp_path / "pool").iterdir()] == ["0001.gwy"]


def test_companions_are_looked_for_beside_the_link_and_then_where_it_leads(
    tmp_path: Path,
) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    marked = SCAN.replace(mask=np.eye(8, dtype=bool))
    io.write(pool / "1.npy", marked)
    link = tmp_path / "scan.npy"
    link.symlink_to(pool / "1.npy")
    (found,) = io.read(link)
    assert (found.title, found.path) == ("Height", link)
    np.testing.assert_array_equal(found.mask, marked.mask)
    notes = {"unit": "nm", "xreal": 7, "yreal": 7, "title": "Mine", "mask": "scan.mask.npy"}
    (tmp_path / "scan.json").write_text(json.dumps(notes))
    np.save(tmp_path / "scan.mask.npy", np.ones((8, 8)))
    (found,) = io.read(link)
    assert (found.title, found.xreal) == ("Mine", 7.0)
    assert found.mask is not None and found.mask.all()


def test_links_in_a_circle_are_a_file_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.gwy").symlink_to("b.gwy")
    (tmp_path / "b.gwy").symlink_to("a.gwy")
    assert main(["upscale", str(tmp_path / "a.gwy"), "--method", "bicubic"]) == 1
    assert "a.gwy: cannot be read" in capsys.readouterr().err


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_a_name_that_leaves_no_room_for_the_result_is_refused_before_any_work(
    dry: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 126 letters of two bytes: what counts are bytes.
    path = tmp_path / ("ä" * 125 + ".gwy")
    io.write(path, SCAN)
    assert main(["upscale", str(path), "--method", "bicubic", *dry]) == 1
    said = capsys.readouterr().err
    assert (
        "the name has 257 bytes, of 255 that a name may have); give a shorter one with -o" in said
    )
    assert list(tmp_path.iterdir()) == [path]
    out = str(tmp_path / "out.gwy")
    assert main(["upscale", str(path), "--method", "bicubic", "--quiet", "-o", out]) == 0


@pytest.mark.parametrize("letter", ["a", "ä", "\u20ac", "\U0001f52c", "\udcb5"])
def test_the_longest_names_are_written(letter: str, tmp_path: Path) -> None:
    """The temporary file's name fits too; halves of letters are in none."""
    stem = letter * ((255 - 4) // len(os.fsencode(letter)))
    for name in (stem + ".gwy", "a" + letter * ((255 - 1) // len(os.fsencode(letter)))):
        with writing(tmp_path / name) as file:
            file.write(b"whole")
            temporary = os.fsencode(Path(file.name).name)
            assert len(temporary) < 143  # which some encrypted file systems allow
            temporary.decode("utf-8")
        assert (tmp_path / name).read_bytes() == b"whole"


def test_inputs_with_names_that_cannot_be_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["upscale", "--method", "bicubic"], ["convert", "--to", "csv"]):
        arguments = [
            *command,
            str(tmp_path / ("n" * 300 + ".gwy")),
            "-o",
            str(tmp_path / "a" / "b.gwy"),
        ]
        if command[0] == "convert":
            arguments[-1] = str(tmp_path / "a" / "b.csv")
        assert main(arguments) == 1
        assert "cannot be read" in capsys.readouterr().err


NOT_UTF_8 = os.fsdecode(b"H\xf6he \xb5m")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A scan whose name is Latin-1, as archives of old systems bring it."""
    path = tmp_path / f"{NOT_UTF_8}.gwy"
    try:
        io.write(path, SCAN)
    except AfmsrError:
        pytest.skip("this file system takes only UTF-8 names")
    return path


def test_a_name_that_is_not_utf_8_goes_through_every_format(
    odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["upscale", str(odd), "--method", "bicubic", "--preview", "--quiet"]) == 0
    assert odd.with_name(f"{NOT_UTF_8}_x4.gwy").is_file()
    assert odd.with_name(f"{NOT_UTF_8}_x4.png").is_file()
    for to in ("npy", "csv", "gsf"):
        assert main(["convert", str(odd), "--to", to, "--quiet"]) == 0
        assert odd.with_suffix(f".{to}").is_file()
    notes = json.loads(odd.with_suffix(".json").read_text(encoding="utf-8"))
    assert os.fsencode(notes["source"]["file"]) == os.fsencode(odd.name)
    (again,) = io.read(odd.with_suffix(".npy"))
    np.testing.assert_allclose(again.heights, SCAN.heights)
    assert "# source: H\\udcf6he" in odd.with_suffix(".csv").read_text(encoding="utf-8")
    capsys.readouterr()
    command = ["upscale", str(odd), "--method", "bicubic", "--dry-run", "--json", "--force"]
    assert main(command) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert os.fsencode(record["input"]) == os.fsencode(str(odd))


def test_a_message_about_such_a_name_can_be_shown(
    odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd.write_bytes(b"GWYP")
    assert main(["upscale", str(odd), "--method", "bicubic"]) == 1
    said = capsys.readouterr().err
    assert "damaged" in said and "\\udcf6" in said


def test_half_a_surrogate_pair_in_a_title_is_no_error(tmp_path: Path) -> None:
    """JSON can say one, and no encoding can."""
    path = tmp_path / "a.npy"
    io.write(path, SCAN)
    notes = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(notes | {"title": "half \ud800 pair"}))
    assert main(["upscale", str(path), "--method", "bicubic", "--dry-run"]) == 0
    for to in ("npy", "csv", "gsf", "gwy"):
        target = ["-o", str(tmp_path / f"out.{to}")]
        assert main(["convert", str(path), "--to", to, "--quiet", *target]) == 0


# --- what is replaced --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_force_keeps_the_mode(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "a.gwy"
    io.write(path, SCAN)
    path.chmod(mode)
    io.write(path, SCAN.replace(title="new"), force=True)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert io.read(path)[0].title == "new"


def test_force_keeps_the_owner_where_it_may(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root gives files away")
    path = tmp_path / "a.gwy"
    io.write(path, SCAN)
    os.chown(path, 1234, 4321)
    path.chmod(0o640)
    io.write(path, SCAN, force=True)
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 4321, 0o640)

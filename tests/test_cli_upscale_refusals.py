"""``afmsr upscale`` refuses what makes no sense: nothing is written, and the cure is named."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_cli_upscale import files, quick, run, save

from afmsr_cli.main import main
from afmsr_core.errors import pip_install


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--method", "bicubik"), "Did you mean bicubic?"),
        (("--level", "plain"), "no step is called 'plain'"),
        (("--tile", "0"), "--tile 0: give a positive number"),
        (("--jobs", "-1"), "--jobs -1: give a positive number"),
        (("--threads", "0"), "--threads 0: give a positive number"),
        (("--device", "warp"), "--device warp: choose auto"),
        (("--method", "bicubic", "--weights", "x.pt"), "it has no weights"),
        (("--method", "bicubic", "--device", "cuda"), "it has no use for the device cuda"),
        (("--method", "bicubic", "--engine", "torch"), "it has no engine, be it torch"),
        (("--method", "bicubic", "--tile", "4"), "it has no tiles"),
        (("--engine", "onnx", "--device", "cuda"), "the installed ONNX Runtime has cpu"),
        (("-o", "fine.tiff"), "the name must end with one of .gwy, .gsf, .npy"),
        (("-o", "scan.gwy"), "the output would replace the input"),
    ],
)
def test_usage_that_makes_no_sense_does_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: Sequence[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "scan.gwy")
    assert main(["upscale", "scan.gwy", *options]) == 2
    assert told in capsys.readouterr().err
    assert files(tmp_path) == ["scan.gwy"]


@pytest.mark.parametrize(
    "arguments", [(), ("a.gwy", "--no-such"), ("a.gwy", "--mask", "x"), ("a.gwy", "--jobs", "x"),
                  ("a.gwy", "--channel", "1", "--all-channels")]
)  # fmt: skip
def test_options_that_do_not_exist_are_refused(arguments: Sequence[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["upscale", *arguments])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("scan_x4.gwy", ()),
        ("scan_x4.png", ("--preview",)),
        ("fine.npy", ("-o", "fine.npy")),
        ("fine.json", ("-o", "fine.npy")),
    ],
)
def test_an_existing_output_is_kept_unless_forced(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: Sequence[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("scan.gwy"))
    Path(name).write_text("mine")
    assert quick("scan.gwy", *options) == 2
    assert f"{name} exists already; --force overwrites" in capsys.readouterr().err
    assert files(tmp_path) == sorted([name, "scan.gwy"]) and Path(name).read_text() == "mine"
    assert quick("scan.gwy", *options, "--force") == 0
    assert Path(name).read_bytes() != b"mine"


def test_one_existing_output_stops_all(tmp_path: Path) -> None:
    save(tmp_path / "a.gwy")
    save(tmp_path / "b.gwy")
    (tmp_path / "b_x4.gwy").write_text("mine")
    assert quick(tmp_path / "a.gwy", tmp_path / "b.gwy") == 2
    assert files(tmp_path) == ["a.gwy", "b.gwy", "b_x4.gwy"]


def test_outputs_that_collide_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = save(tmp_path / "1" / "a.gwy"), save(tmp_path / "2" / "a.gwy")
    made = save(tmp_path / "1" / "a_x4.gwy")
    assert quick(one, two, "-o", tmp_path / "out") == 2
    assert "would both be written to" in capsys.readouterr().err
    assert quick(one, made, "--force") == 2
    assert f"would replace the input {made}" in capsys.readouterr().err
    assert quick(one, two, "-o", made, "--force") == 2
    assert "several inputs need a folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_same_file_twice_is_one_job(tmp_path: Path) -> None:
    source = save(tmp_path / "sub" / "a.gwy")
    assert quick(source, tmp_path / "sub" / ".." / "sub" / "a.gwy", tmp_path) == 0
    assert files(tmp_path) == ["sub/a.gwy", "sub/a_x4.gwy"]


def test_nothing_to_do_is_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quick(tmp_path) == 3
    assert "no scans found" in capsys.readouterr().err


def test_missing_weights_are_status_4_with_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="the extra `torch` is not installed")
    monkeypatch.setenv("AFMSR_MODEL_DIR", str(tmp_path / "models"))
    source = save(tmp_path / "scan.gwy")
    assert run(source, "--method", "carn") == 4
    assert "afmsr models fetch carn" in capsys.readouterr().err
    assert run(source, "--weights", tmp_path / "none.pt") == 4
    assert files(tmp_path) == ["scan.gwy"]


def test_a_missing_extra_is_status_4_with_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "torchsr", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(save(tmp_path / "scan.gwy"), "--method", "rdn") == 4
    assert pip_install("torch") in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_or_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "scan.gwy")
    (tmp_path / "file").write_text("")
    assert quick(source, "-o", tmp_path / "file" / "x.gwy") == 1
    told = capsys.readouterr().err
    assert "scan.gwy: " in told and "file" in told and "Traceback" not in told
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        locked = Path("/proc")  # not even root may write there
    else:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
    if locked.is_dir():
        assert quick(source, "-o", locked) == 1
        told = capsys.readouterr().err
        assert str(locked) in told and "Traceback" not in told
    assert files(tmp_path) == ["file", "scan.gwy"]

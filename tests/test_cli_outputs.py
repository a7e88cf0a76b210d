"""Every scan gets an output of its own, and what ``-o`` names is what comes into being."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from test_cli_upscale import files, quick, save

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel


def named(folder: Path, *names: str) -> list[Path]:
    """Save a scan under names that `io.write` does not know."""
    scan = save(folder / "scan.gwy")
    folder.mkdir(exist_ok=True)
    made = [Path(shutil.copy(scan, folder / name)) for name in names]
    scan.unlink()
    return made


@pytest.mark.parametrize(
    ("names", "outputs"),
    [
        (("film.000", "film.001"), ("film.000_x4.gwy", "film.001_x4.gwy")),
        (
            ("s_0.jpk", "s_0.jpk-qi-image", "t.spm"),
            ("s_0.jpk-qi-image_x4.gwy", "s_0.jpk_x4.gwy", "t_x4.gwy"),
        ),
    ],
)
def test_scans_of_one_stem_get_an_output_each(
    tmp_path: Path, names: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    named(tmp_path / "scans", *names)
    assert quick(tmp_path / "scans", "-o", tmp_path / "out") == 0
    assert files(tmp_path / "out") == list(outputs)
    assert quick(tmp_path / "scans") == 0
    assert files(tmp_path / "scans") == sorted((*names, *outputs))
    assert quick(tmp_path / "scans", "--resume") == 0  # results are known for what they are
    assert files(tmp_path / "scans") == sorted((*names, *outputs))


def test_numbered_scans_one_by_one_do_not_meet(tmp_path: Path) -> None:
    for source in named(tmp_path, "film.000", "film.001"):
        assert quick(source) == 0
        assert main(["convert", str(source), "--to", "npy"]) == 0
    assert [name for name in files(tmp_path) if not name.endswith(".json")] == [
        *("film.000", "film.000.npy", "film.000_x4.gwy"),
        *("film.001", "film.001.npy", "film.001_x4.gwy"),
    ]


def test_a_folder_converts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = named(tmp_path, "film.gwy", "film.spm")
    assert main(["convert", str(tmp_path), "--to", "gsf"]) == 0
    made = ["film.gwy", "film.gwy.gsf", "film.spm", "film.spm.gsf"]
    assert files(tmp_path) == made
    assert main(["convert", str(tmp_path), "--to", "gsf"]) == 2  # refused, none taken for a scan
    assert "and 1 more exist already" in capsys.readouterr().err
    assert main(["convert", str(tmp_path), "--to", "gsf", "--force"]) == 0
    assert files(tmp_path) == made and all(path.is_file() for path in names)


@pytest.mark.parametrize("name", ["results", "results/", "results.v2/", "a/b/results.gwy/"])
def test_a_folder_is_made_for_one_scan_too(tmp_path: Path, name: str) -> None:
    source = save(tmp_path / "scan.gwy")
    assert quick(source, "-o", f"{tmp_path}/{name}") == 0
    assert files(tmp_path) == [f"{name.rstrip('/')}/scan_x4.gwy", "scan.gwy"]


@pytest.mark.parametrize("name", ["two.gwy", "two.npy", "two.CSV"])
def test_several_scans_are_not_written_to_the_name_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    one, two = save(tmp_path / "in" / "a.gwy"), save(tmp_path / "in" / "b.gwy")
    for inputs in ([one, two], [tmp_path / "in"]):
        assert quick(*inputs, "-o", tmp_path / name) == 2
        assert "several inputs need a folder" in capsys.readouterr().err
    assert files(tmp_path) == ["in/a.gwy", "in/b.gwy"] and not (tmp_path / name).exists()
    assert quick(one, two, "-o", f"{tmp_path / name}/") == 0
    assert files(tmp_path / name) == ["a_x4.gwy", "b_x4.gwy"]


def test_notes_and_pictures_in_a_folder_are_no_failed_scans(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.gwy")
    for name in ("readme.txt", "thumb.png"):
        (tmp_path / name).touch()
    assert quick(tmp_path) == 0
    assert "failed" not in capsys.readouterr().err and "a_x4.gwy" in files(tmp_path)
    assert quick(tmp_path / "readme.txt") == 1  # named itself, it is read
    assert "readme.txt: the file is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        (["calibrate", "absent"], ".json"),
        (["fit-niqe", "absent.gwy"], ".npz"),
        (["verify", "absent.gwy", "absent.gwy"], ".gwy"),
    ],
)
def test_outputs_are_refused_before_anything_is_read(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    suffix: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"mine{suffix}").write_text("mine")
    Path(f"folder{suffix}").mkdir()
    for output, status, told in (
        (f"no/such/x{suffix}", 2, f"there is no folder {Path('no', 'such')}; make it first"),
        (f"folder{suffix}", 2, "this is a folder"),
        ("x.txt", 2, f"the name must end with {suffix}"),
        (f"mine{suffix}", 2, "exists already; use --force"),
        (f"new{suffix}", 1, "absent"),  # only now the inputs are looked for
    ):
        assert main([*command, "-o", output]) == status
        assert told in capsys.readouterr().err
    assert main([*command, "-o", f"mine{suffix}", "--force"]) == 1
    assert files(tmp_path) == [f"mine{suffix}"] and Path(f"mine{suffix}").read_text() == "mine"


def test_the_frames_of_a_movie_are_told_in_a_short_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [Channel(np.eye(4) + n, 40.0, 40.0, title=f"frame {n}", number=n) for n in range(9)]
    io.write(tmp_path / "movie.gwy", frames)
    arguments = ["upscale", str(tmp_path / "movie.gwy"), "--all-channels", "--method", "bicubic"]
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert "frame 5 to 16 x 16 px (bicubic), and 3 more channels" in said
    assert "frame 6" not in said

"""Every command twice on one folder, with its results beside the scans: none becomes a scan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import afmsr
from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel

SCANS = {"a.gwy", "b.gwy", "sub/a.gwy"}


def save(path: Path, seed: int, titles: tuple[str, ...] = ("Height", "Phase")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    heights = np.random.default_rng(seed).normal(size=(24, 32)).cumsum(axis=1)
    io.write(path, [Channel(heights, 320.0, 240.0, title=title) for title in titles])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate(sorted(SCANS)):
        save(tmp_path / "scans" / name, seed)
    monkeypatch.chdir(tmp_path)
    return Path("scans")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def scans_of(told: str) -> set[str]:
    """Return the scans of a dry run, which has a line for each."""
    return {line.partition(" -> ")[0].removeprefix("scans/") for line in told.splitlines()
            if " -> " in line}  # fmt: skip


@pytest.fixture
def upscaled(capsys: pytest.CaptureFixture[str]) -> Iterator[set[str]]:
    """What a run of upscale would take for scans, asked when the test is over."""
    yield SCANS
    capsys.readouterr()
    assert main(["upscale", "scans", "-o", "elsewhere/", "--method", "bicubic", "--dry-run"]) == 0
    assert scans_of(capsys.readouterr().out) == SCANS


COMMANDS = {
    "beside": ["upscale", "scans", "--preview", "--report", "--summary", "scans/all.csv"],
    "into": ["upscale", "scans", "-o", "scans/results/", "--all-channels"],
    "fewer": ["upscale", "scans", "--scale", "2"],
    "pixels": ["upscale", "scans", "--pixels", "50"],
    **{
        f"{to} {which}": ["convert", "scans", "--to", to, "-o", f"scans/{where}", *more]
        for to in ("npy", "gsf", "csv", "gwy")
        for which, where, more in (
            ("into", "made/", ()), ("all", "made/", ("--all-channels",)),
            *([] if to == "gwy" else [("beside", "", ())]),
        )
    },
    "report": ["report", "scans/a_x4.gwy", "-o", "scans/page.html"],
    **{
        f"picture {kind}": ["picture", "scans/a.gwy", "-o", f"scans/figure.{kind}"]
        for kind in ("png", "svg", "pdf", "tiff")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_the_next_run_finds_the_same_scans(name: str, folder: Path, upscaled: set[str]) -> None:
    command = COMMANDS[name]
    quiet = ["--quiet", *(["--method", "bicubic"] if command[0] == "upscale" else [])]
    if command[0] == "report":
        assert main(["upscale", "scans/a.gwy", "--method", "bicubic", "--quiet"]) == 0
    assert main([*command, *quiet]) == 0
    once = files(folder)
    assert len(once) > len(SCANS)
    assert main([*command, *quiet, "--force"]) == 0
    assert files(folder) == once


@pytest.mark.parametrize("name", ["fine.gwy", "fine.gsf", "fine.npy", "a.npy", "a.gsf", "b.gsf"])
def test_a_result_of_any_name_is_no_scan(name: str, folder: Path, upscaled: set[str]) -> None:
    command = ["upscale", "scans/a.gwy", "-o", f"scans/{name}", "--method", "bicubic", "--quiet"]
    assert main(command) == 0
    other = ["upscale", "scans", "-o", "out/", "--method", "bicubic", "--quiet"]
    assert main(other) == 0
    assert files(Path("out")) == {path.replace(".gwy", "_x4.gwy") for path in SCANS}
    assert main([*other, "--resume"]) == 0  # named itself, it is taken:
    assert main(["upscale", f"scans/{name}", "-o", "again.gwy", "--quiet"]) == 0


def test_a_folder_of_results_only_is_nothing_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = ["scans/a.gwy", "scans/b.gwy"]
    assert main(["upscale", *scans, "-o", "out/", "--method", "bicubic", "--quiet"]) == 0
    assert main(["upscale", "out", "-o", "more/", "--method", "bicubic"]) == 3
    said = capsys.readouterr().err
    assert "a_x4.gwy: left out: a result of afmsr; name it to upscale it again" in said
    assert "0 done, 0 failed, 2 left out" in said and not Path("more").exists()
    records = afmsr.upscale_many("out", "more", method="bicubic")
    assert {record.status for record in records} == {"left out"}


def test_conversions_elsewhere_are_scans(folder: Path) -> None:
    """Many a lab converts first and works on what came out; same names alone tell nothing."""
    assert main(["convert", "scans", "--to", "gsf", "-o", "plain/", "--quiet"]) == 0
    assert main(["upscale", "plain", "--method", "bicubic", "--quiet"]) == 0
    assert len(files(Path("plain"))) == 2 * len(SCANS)
    save(Path("other/a.gwy"), 9)
    (Path("other") / "sub").mkdir()
    Path("plain/sub/a.gsf").rename("other/sub/a.gsf")  # of another a.gwy
    assert main(["upscale", "other", "--method", "bicubic", "--quiet"]) == 0
    assert files(Path("other")) >= {"a_x4.gwy", "sub/a_x4.gwy"}

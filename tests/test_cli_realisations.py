"""``afmsr upscale --realisations`` and ``--sharpness``: what is written, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import afmsr
from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.data import example_pair
from afmsr_core.realisations import PERIOD, Realiser


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    """Two copies of the example."""
    paths = [tmp_path / f"{name}.gwy" for name in ("one", "two")]
    for path in paths:
        shutil.copy(example_pair()[0], path)
    return paths


def heights(path: Path) -> list[np.ndarray]:
    return [one.heights for one in afmsr.read(path)]


def test_writes_surfaces_beside_the_result(scans: list[Path]) -> None:
    assert main(["upscale", str(scans[0]), "--realisations", "2", "--seed", "7"]) == 0
    channels = afmsr.read(scans[0].with_name("one_x4.gwy"))
    scan, result, *surfaces = channels
    assert [one.title.partition(", Height")[0] for one in surfaces] == [
        "Realisation 1 of 2, seed 7",
        "Realisation 2 of 2, seed 7",
    ]
    for one in surfaces:
        assert (one.xreal, one.yreal, one.xoff, one.unit) == (
            scan.xreal,
            scan.yreal,
            scan.xoff,
            scan.unit,
        )
        assert one.history[-1].name == "realise"
        assert 0 < np.std(one.heights - result.heights) < np.std(scan.heights)
    settings = afmsr.Settings()
    fine = afmsr.Upscaler(settings)(scan)
    expected = Realiser(scan, fine, settings, 7).surface(2, 2).heights
    assert np.allclose(surfaces[1].heights, expected, rtol=1e-12)  # which a file keeps in metres


def test_the_same_by_one_process_and_by_two(scans: list[Path], tmp_path: Path) -> None:
    asked = [*map(str, scans), "--realisations", "1", "--quiet"]
    for jobs in ("1", "2"):
        folder = tmp_path / jobs
        folder.mkdir()
        assert main(["upscale", *asked, "-o", f"{folder}/", "--jobs", jobs]) == 0
    for path in scans:
        name = f"{path.stem}_x4.gwy"
        once, twice = (heights(tmp_path / jobs / name) for jobs in ("1", "2"))
        assert all(np.array_equal(a, b) for a, b in zip(once, twice, strict=True))


def test_sharpness_makes_another_result(scans: list[Path]) -> None:
    assert main(["upscale", str(scans[0]), "--sharpness", "0.5"]) == 0
    _, result = afmsr.read(scans[0].with_name("one_x4.gwy"))
    assert result.title.endswith("(x4 afm@0.5)")
    assert result.history[-1].settings == {"sharpness": 0.5, "seed": 0}
    best = afmsr.upscale(scans[0])
    drawn = result.heights - best.heights
    assert 0.01 < np.std(drawn) / np.std(best.heights) < 0.5


def test_averaged_with_the_result(scans: list[Path]) -> None:
    asked = ["--realisations", "1", "--scale", "2"]
    assert main(["upscale", str(scans[0]), *asked]) == 0
    _, result, surface = afmsr.read(scans[0].with_name("one_x2.gwy"))
    assert surface.heights.shape == result.heights.shape == (256, 256)


def test_numbers_of_the_full_scan_are_told(
    scans: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["upscale", str(scans[0]), "--realisations", "1", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    (channel,) = record["channels"]
    told = channel["parameters"]["full_scan"]["numbers"]["Sdq"]
    assert 0 < told["low"] < told["median"] < told["high"]
    assert told["median"] > channel["parameters"]["result"]["Sdq"]


@pytest.mark.parametrize("options", [["--sharpness", "0.5"], ["--scale", "2"], ["--confidence"]])
def test_numbers_of_the_full_scan_are_about_the_best_guess(
    scans: list[Path], options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Not about a result that was sharpened or averaged, and has too much or too little detail."""
    found = []
    for more in ([], options):
        asked = ["upscale", str(scans[0]), "--realisations", "1", "--json", "--force"]
        assert main([*asked, *more]) == 0
        (record,) = json.loads(capsys.readouterr().out)
        found.append(record["channels"][0]["parameters"]["full_scan"])
    assert found[0]["numbers"] and found[0] == found[1]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--realisations", "1", "--method", "bicubic"], "learnt for afm"),
        (["--realisations", "-1"], "--realisations -1: give 0 to 256"),
        (["--sharpness", "1.5"], "--sharpness 1.5: give 0 (the best guess) to 1"),
        (["--sharpness", "0.5", "--confidence"], "which --sharpness leaves; choose one"),
        (["--sharpness", "0.5", "--protocol", "paper"], "need --protocol nm"),
        (["--realisations", "1", "--seed", "-1"], "--seed -1"),
        (["--realisations", "1", "-o", "{}/one.npy"], ".npy holds one channel, 2 would be written"),
    ],
)
def test_refuses(
    scans: list[Path],
    tmp_path: Path,
    asked: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = set(tmp_path.iterdir())
    asked = [one.format(tmp_path) for one in asked]
    assert main(["upscale", str(scans[0]), *asked]) != 0
    assert said in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before


def test_refuses_before_it_computes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = afmsr.read(example_pair()[0])[0]
    path = tmp_path / "both.gwy"
    io.write(path, [scan.replace(title=title, unit="deg") for title in ("Phase", "Phase 2")])
    monkeypatch.setattr(afmsr.Upscaler, "begin", None)
    assert main(["upscale", str(path), "--all-channels", "--realisations", "1"]) == 1
    assert "both.gwy, channel 0 'Phase': realisations are learnt on heights" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("asked", [["--realisations", "2"], ["--sharpness", "0.5"]])
def test_channels_that_cannot_be_drawn_cost_the_others_nothing(
    tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    scan = afmsr.read(example_pair()[0])[0]
    scan = Channel(scan.heights[:32, :32], 32 * scan.dx, 32 * scan.dy, title="Height")
    flat = scan.replace(title="Flat", heights=np.zeros_like(scan.heights))
    path, target = tmp_path / "four.gwy", tmp_path / "out.gwy"
    others = [scan.replace(title="Phase", unit="deg"), scan.replace(title="I", unit="A"), flat]
    io.write(path, [scan, *others])
    command = ["upscale", str(path), "-o", str(target), "--json"]
    assert main([*command, "--all-channels", *asked]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    for number, title in ((1, "Phase"), (2, "I")):
        told = f"channel {number} {title!r}: nothing was drawn, the result is the best guess: "
        assert (
            f"{told}realisations are learnt on heights, and this channel shows none"
            in (record["warnings"])
        )
    assert any("channel 3 'Flat': nothing was drawn" in one for one in record["warnings"])
    made = afmsr.read(target)[4:]
    drawn = [one for one in made if {"realise", "sharpen"} & {step.name for step in one.history}]
    assert len(made) - len(drawn) == (3 if "--sharpness" in asked else 4)
    assert all("Height" in one.title for one in drawn) and drawn
    alone = afmsr.upscale(path, channel="Phase").heights
    phase = next(one for one in made if one.title.startswith("Phase"))
    assert np.allclose(phase.heights, alone, rtol=1e-12)

    target.unlink()  # only if nothing at all can be drawn, the file fails
    assert main([*command, "--channel", "1", "--channel", "3", *asked]) == 1
    assert "realisations are learnt on heights" in capsys.readouterr().out
    assert not target.exists()


def test_python_has_it_too(scans: list[Path], tmp_path: Path) -> None:
    (done,) = afmsr.upscale_many(scans[0], tmp_path / "fine.gwy", realisations=1, seed=3)
    assert done.status == "done"
    _, result, surface = afmsr.read(done.output)
    drawn = afmsr.realisations(scans[0], 1, seed=3)
    assert np.allclose(drawn[0].heights, surface.heights, rtol=1e-12)
    assert PERIOD == 32  # as the pages say
    assert result.heights.shape == surface.heights.shape

"""Confidence, residual, calibration and verification from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.trust.calibration import SHIPPED, Calibration

SIDE = 256  # fine pixels
SIZE = 2560.0  # nm


def surface(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rough = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 5, mode="wrap")
    return 20 * rough / rough.std() + rng.normal(0, 0.1, (SIDE, SIDE))


def coarse(fine: np.ndarray) -> np.ndarray:
    return 0.5 * (fine[1::4] + fine[2::4]).reshape(SIDE // 4, SIDE // 4, 4)[:, :, 1:3].mean(axis=2)


def channel(heights: np.ndarray, **changes: object) -> Channel:
    return Channel(heights, SIZE, SIZE, title="Height").replace(**changes)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.gwy"
    io.write(path, [channel(coarse(surface(1)), xoff=500.0, yoff=-100.0)])
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_confidence_and_residual_become_channels(
    scan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("upscale", scan, "--confidence", "--residual", "--json", "--threads", 1) == 0
    told = json.loads(capsys.readouterr().out)[0]["channels"][0]
    record, sides = told["trust"], told["parameters"]
    assert sides["scan"]["Sq"] == pytest.approx(sides["result"]["Sq"], rel=0.2)
    assert -0.2 < sides["sq_bias_of_levelling"] < 0
    for one in (sides["scan"], sides["result"]):
        assert one["intervals"]["Sq"][0] < one["Sq"] < one["intervals"]["Sq"][1]
        assert one["hills"]["count_low"] < one["hills"]["count"] < one["hills"]["count_high"]
    assert sides["result"]["hills"]["count"] == pytest.approx(
        sides["scan"]["hills"]["count"], rel=0.25
    )
    assert sides["grain_rule"]["cutoff"] == pytest.approx(2 * SIZE / (SIDE // 4))
    assert {"noise_floor", "streak_index", "resolved_frequency"} <= set(sides["quality"])
    _, result, width, residual, sigma = io.read(scan.with_name("scan_x4.gwy"))
    assert width.heights.shape == result.heights.shape == (SIDE, SIDE)
    assert (width.xreal, width.xoff, width.yoff, width.unit) == (SIZE, 500.0, -100.0, "nm")
    assert (width.heights > 0).all() and width.mask is not None
    assert width.mask.mean() == pytest.approx(0.15, abs=0.01) == record["flagged_share"]
    assert width.heights[width.mask].mean() > width.heights[~width.mask].mean()
    assert residual.heights.shape == sigma.heights.shape == (SIDE // 4, SIDE // 4)
    assert residual.unit == "nm" and sigma.unit == "" and residual.title.startswith("Residual")
    assert record["coarseness"]["verdict"] in ("fine", "doubtful", "too coarse")
    assert len(record["regions"]) == 5
    for region in record["regions"]:
        assert 500 <= region["x"] <= 500 + SIZE and -100 <= region["y"] <= SIZE - 100
    assert np.isfinite(record["noise"]["white"])


def test_what_was_not_asked_for_is_not_written(scan: Path) -> None:
    assert run("upscale", scan, "--method", "bicubic") == 0
    assert len(io.read(scan.with_name("scan_x4.gwy"))) == 2


def test_other_weights_are_called_uncalibrated(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not SHIPPED.is_file():
        pytest.skip("no calibration ships")
    assert run("upscale", scan, "--method", "bicubic", "--confidence", "--json") == 0
    record = json.loads(capsys.readouterr().out)[0]["channels"][0]["trust"]
    assert not record["calibrated"] and "afmsr calibrate" in record["warning"]
    titles = [one.title for one in io.read(scan.with_name("scan_x4.gwy"))]
    assert titles[2].startswith("Relative uncertainty")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--calibration", "none.json"), "give both"),
        (("--confidence", "--calibration", "none.json"), "afmsr calibrate"),
        (("--confidence", "--protocol", "paper"), "protocol nm"),
    ],
)
def test_options_that_make_no_sense(
    scan: Path, options: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("upscale", scan, *options) == 2
    assert told in capsys.readouterr().err and not scan.with_name("scan_x4.gwy").exists()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(4):
        sample = folder / f"sample {number % 3}"
        sample.mkdir(exist_ok=True)
        fine = surface(10 + number)
        io.write(sample / f"{number}_low.npy", channel(coarse(fine)))
        io.write(sample / f"{number}_high.npy", channel(fine))
    return folder


def test_a_lab_calibrates_on_its_own_pairs_and_uses_it(
    pairs: Path, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "ours.json"
    assert run("calibrate", pairs, "-o", ours, "--method", "bicubic", "--quiet") == 0
    made = Calibration.read(ours)
    assert (made.method, made.samples, made.scans) == ("bicubic", 3, 4)
    assert run("calibrate", pairs, "-o", ours, "--method", "bicubic") == 2  # it is there already
    capsys.readouterr()
    options = ("--method", "bicubic", "--confidence", "--calibration", ours, "--json")
    assert run("upscale", scan, *options) == 0
    assert json.loads(capsys.readouterr().out)[0]["channels"][0]["trust"]["calibrated"]
    result, width = io.read(scan.with_name("scan_x4.gwy"))[1:]
    off = np.abs(result.heights - surface(1))[8:-8, 8:-8]
    assert 0.8 < np.mean(off <= width.heights[8:-8, 8:-8]) < 0.98


def test_calibrating_on_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", tmp_path, "-o", tmp_path / "x.json") == 3
    assert "no pairs" in capsys.readouterr().err and not (tmp_path / "x.json").exists()


def test_a_zoom_confirms_what_is_there_and_finds_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = surface(5)
    low = channel(coarse(fine))
    result = channel(fine, title="Height (x4 afm)")
    heights = fine.copy()
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    heights += 15 * np.exp(-((y - 120) ** 2 + (x - 130) ** 2) / (2 * 2.0**2))  # a bump in it
    paths = [tmp_path / "r.gwy", tmp_path / "z.npy"]
    width = result.replace(heights=np.full(fine.shape, 1.0))
    width = width.replace(title=f"Half-width of the 90 % interval, {result.title}")
    io.write(paths[0], [low, result.replace(heights=heights), width])
    part = np.s_[64:192, 64:192]
    edge = 64 * SIZE / SIDE
    zoom = Channel(fine[part], SIZE / 2, SIZE / 2, xoff=edge, yoff=edge, title="Zoom")
    io.write(paths[1], zoom)
    assert run("verify", *paths, "--json", "-o", tmp_path / "checked.gwy") == 0
    record = json.loads(capsys.readouterr().out)
    nearest = record["not_confirmed"][0]
    assert abs(nearest["x"] - 130.5 * 10) < 20 and abs(nearest["y"] - 120.5 * 10) < 20
    assert record["confirmed"] >= 20 and len(record["not_confirmed"]) <= 2
    assert 0.9 < record["within_interval"] <= record["within_interval_of_second_scan"]
    assert record["parameters"]["zoom"]["Sq"] == pytest.approx(
        record["parameters"]["result"]["Sq"], rel=0.05
    )
    assert len(io.read(tmp_path / "checked.gwy")) == 3
    y, x = np.mgrid[70:190:20, 70:190:20].reshape(2, -1, 1, 1)  # 36 bumps more
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    many = fine + (25 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8.0)).sum(axis=0)
    io.write(paths[0], [low, result.replace(heights=many)], force=True)
    assert run("verify", *paths) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "not confirmed:" in line]
    count = int(lines[0].split()[2].rstrip(","))
    assert count > 5 and lines[0].endswith(f"{count}, of which the 5 highest (--json lists all):")
    assert len(lines) == 6
    other = zoom.replace(heights=surface(77)[part])
    io.write(paths[1], other, force=True)
    assert run("verify", *paths) == 1
    said = capsys.readouterr().err
    assert "cannot be found" in said and "mirrored" in said


def test_niqe_is_fitted_to_scans(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from afmsr_core.metrics.niqe import niqe, read_model

    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(16):
        io.write(folder / f"{number}.npy", channel(surface(number)))
    model = tmp_path / "ours.npz"
    io.write(folder / "again.gwy", channel(surface(7), xoff=3.0))  # saved once more, elsewhere
    io.write(folder / "fine.gwy", channel(surface(17), title="Height (x4 afm)"))
    assert run("fit-niqe", folder, "-o", model, "--json") == 0
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert record["patches"] > 36 and record["scans"] == 16
    assert record["doubles"] == {str(folder / "again.gwy"): str(folder / "7.npy")} or (
        record["doubles"] == {str(folder / "7.npy"): str(folder / "again.gwy")}
    )
    assert "the same scan as" in told.err and "fine.gwy: left out: a result" in told.err
    rng = np.random.default_rng(0)
    grey = 128 + 40 * surface(99) / 20
    other = rng.uniform(0, 255, (SIDE, SIDE))
    found = read_model(model)
    assert niqe(grey.round(), found).value < niqe(other.round(), found).value
    assert run("fit-niqe", folder / "0.npy", "-o", tmp_path / "few.npz") == 1
    assert "too few" in capsys.readouterr().err

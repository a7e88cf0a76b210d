"""``afmsr convert``: the right numbers in nm, and a JSON file that says what they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel

Y, X = np.mgrid[0:12, 0:20] + 0.5
RELIEF = np.cos(2 * np.pi * X / 20) * np.cos(2 * np.pi * Y / 12)  # no plane fits it better than 0
SCAN = Channel(RELIEF + 3.0 * X - 5.0 * Y + 100.0, 2000.0, 900.0, xoff=7.0, title="Height")


def convert(*arguments: object) -> int:
    return main(["convert", *map(str, arguments)])


def values(path: Path) -> np.ndarray:
    if path.suffix == ".csv":
        return np.loadtxt(path, delimiter=",", ndmin=2)
    return np.load(path) if path.suffix == ".npy" else io.read(path)[0].heights


@pytest.fixture
def source(tmp_path: Path) -> Path:
    io.write(tmp_path / "scan.gwy", [SCAN, SCAN.replace(title="Phase", unit="deg")])
    return tmp_path / "scan.gwy"


@pytest.mark.parametrize("to", ["npy", "gsf", "gwy", "csv"])
def test_heights_are_in_nm_and_levelled_on_request(source: Path, to: str) -> None:
    target = source.with_name(f"out.{to}")
    assert convert(source, "--to", to, "-o", target) == 0
    np.testing.assert_allclose(values(target), SCAN.heights, rtol=1e-6)
    assert convert(source, "--to", to, "-o", target, "--force", "--level", "plane") == 0
    np.testing.assert_allclose(values(target), RELIEF - RELIEF.mean(), atol=1e-6)


def test_a_half_width_has_no_tilt_to_take_off(tmp_path: Path) -> None:
    slope = np.tile(np.linspace(0.0, 1.0, 32), (32, 1))
    titles = ("Height", "Half-width of the 90 % interval, Height (x4 afm)")
    io.write(tmp_path / "a.gwy", [Channel(slope, 9.0, 9.0, title=title) for title in titles])
    asked = ("--to", "gwy", "--all-channels", "--level", "plane", "-o", tmp_path / "b.gwy")
    assert convert(tmp_path / "a.gwy", *asked) == 0
    height, half_width = io.read(tmp_path / "b.gwy")
    assert np.abs(height.heights).max() < 1e-9
    np.testing.assert_allclose(half_width.heights, slope, rtol=1e-12)


def test_the_companion_tells_unit_size_source_and_levelling(source: Path) -> None:
    assert convert(source, "--to", "npy", "--level", "plane") == 0
    notes = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
    assert (notes["unit"], notes["lateral_unit"], notes["shape"]) == ("nm", "nm", [12, 20])
    assert (notes["xreal"], notes["yreal"], notes["xoff"]) == pytest.approx((2000.0, 900.0, 7.0))
    assert notes["source"] == {"file": "scan.gwy", "channel": 0}
    assert notes["history"][0]["settings"]["step"] == "plane"
    assert "tilt 30 nm/µm in x" in notes["history"][0]["effect"]
    assert np.load(source.with_suffix(".npy")).dtype == np.float64


def test_formats_of_one_field_get_a_file_a_channel(source: Path) -> None:
    assert convert(source, "--to", "gsf", "--all-channels") == 0
    assert io.read(source.with_name("scan_0.gsf"))[0].unit == "nm"
    assert io.read(source.with_name("scan_1.gsf"))[0].unit == "deg"
    assert convert(source, "--to", "gwy", "--all-channels", "-o", source.with_name("b.gwy")) == 0
    assert [channel.title for channel in io.read(source.with_name("b.gwy"))] == ["Height", "Phase"]


def test_a_channel_asked_for_twice_comes_once(source: Path) -> None:
    options = ("--channel", "0", "--channel", "height")
    assert convert(source, "--to", "gwy", "-o", source.with_name("b.gwy"), *options) == 0
    assert len(io.read(source.with_name("b.gwy"))) == 1


def test_a_folder_is_converted_again_without_its_own_results(source: Path) -> None:
    folder = source.parent
    for _ in range(2):
        assert convert(folder, "--to", "npy", "--force") == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["scan.gwy", "scan.json", "scan.npy"]


def test_status_and_messages(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = source.parent
    assert convert(source, "--to", "npy", "--level", "plain") == 2
    assert convert(source, "--to", "npy", "-o", folder / "a.gsf") == 2
    assert convert(source, "--to", "gwy") == 2
    assert "the output would replace the input" in capsys.readouterr().err
    (folder / "scan.json").write_text("mine")
    assert convert(source, "--to", "npy") == 2
    assert "scan.json exists already; --force overwrites" in capsys.readouterr().err
    (folder / "empty").mkdir()
    assert convert(folder / "empty", "--to", "npy") == 3
    (folder / "bad.gwy").write_bytes(source.read_bytes()[:-1])
    assert convert(folder / "bad.gwy", source, "--to", "gsf") == 1
    assert "bad.gwy: " in capsys.readouterr().err and (folder / "scan.gsf").is_file()
    assert convert(source, "--to", "csv", "--dry-run") == 0
    assert tuple(capsys.readouterr()) == (f"{source} -> {folder / 'scan.csv'}\n", "")
    assert not (folder / "scan.csv").exists()
    assert convert(source, "--to", "csv", "--json", "--quiet") == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record == {
        "input": str(source),
        "status": "done",
        "outputs": [str(folder / "scan.csv")],
        "warnings": [],
    }


def test_a_real_scan_keeps_its_heights(shared: Path, tmp_path: Path) -> None:
    original = shared / "data" / "afm" / "originals" / "gwy" / "file_landscape.gwy"
    target = tmp_path / "heights.npy"
    assert convert(original, "--to", "npy", "-o", target) == 0
    channel = io.select(io.read(original))[0]
    np.testing.assert_array_equal(np.load(target), channel.heights)
    notes = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    assert notes["shape"] == list(channel.heights.shape) and notes["xreal"] == channel.xreal

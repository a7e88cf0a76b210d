"""`afmsr calibrate` counts samples, not files: copies and neighbours promise nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel

ndimage = pytest.importorskip("scipy.ndimage", reason="the extra `eval` is not installed")

SIDE = 192


def write_pair(folder: Path, name: str, seed: int) -> None:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    fine = 200 * ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 4, mode="wrap")
    low = fine.reshape(SIDE // 4, 4, SIDE // 4, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))
    for side, heights in (("low", low), ("high", fine)):
        io.write(folder / f"{name}_{side}.npy", Channel(heights, 1000.0, 1000.0, title="Height"))


def calibrate(pairs: Path, *options: str) -> tuple[int, dict]:
    target = pairs.parent / "ours.json"
    status = main(["calibrate", str(pairs), "-o", str(target), "--method", "bicubic", *options])
    return status, json.loads(target.read_text()) if target.is_file() else {}


def copies(folder: Path, count: int, suffix: str = ".npy") -> None:
    """Write one pair under many names; another suffix saves it again."""
    write_pair(folder, "p00", 0)
    for number in range(1, count):
        for side in ("low", "high"):
            source = folder / f"p00_{side}.npy"
            for path in (source, source.with_suffix(".json")):
                shutil.copy(path, folder / path.name.replace("p00", f"p{number:02}"))


def test_twenty_copies_of_one_pair_are_one_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies(tmp_path / "pairs", 20)
    assert calibrate(tmp_path / "pairs") == (2, {})
    said = capsys.readouterr().err
    assert "pairs of 1 sample, and 3 are needed" in said and "folder of its own" in said
    # Nor does --each make more of them.
    assert calibrate(tmp_path / "pairs", "--each") == (2, {})
    said = capsys.readouterr().err
    assert said.count("the same scans as p00, counted once") == 19
    assert "pairs of 1 sample, and 3 are needed" in said
    assert "add pairs of other samples" in said and "give --each" not in said


@pytest.mark.parametrize("unit, title", [("deg", "Phase"), ("nm", "Amplitude error")])
def test_what_is_no_height_is_no_calibration_for_heights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], unit: str, title: str
) -> None:
    pairs = tmp_path / "pairs"
    for number in range(3):
        write_pair(pairs, f"p{number}", number)
    for path in pairs.glob("*.npy"):
        (channel,) = io.read(path)
        io.write(path, channel.replace(unit=unit, title=title), force=True)
    assert calibrate(pairs, "--each", "--channel", "0") == (2, {})
    said = capsys.readouterr().err
    assert said.count(f"channel '{title}' is no height") == 3


def test_copies_saved_again_are_one_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs"
    copies(pairs, 1)
    (low,), (high,) = (io.read(pairs / f"p00_{side}.npy") for side in ("low", "high"))
    for side, one in (("low", low), ("high", high)):
        y, x = np.indices(one.heights.shape)
        tilted = one.heights + x * 0.1 * 192 / one.xres - y * 0.2 * 192 / one.yres + 5e3
        lsb = np.ptp(one.heights) / 2**16
        for name, heights, suffix in (
            ("datum", one.heights - 3e3, ".gsf"),
            ("tilted", tilted, ".gwy"),
            ("counts", np.round(one.heights / lsb) * lsb, ".npy"),
            ("calibrated", one.heights * 1.1, ".npy"),
        ):
            io.write(pairs / f"{name}_{side}{suffix}", one.replace(heights=heights))
        # A second scan of the same place is none: its noise is another.
        noise = np.random.default_rng(1).normal(0, 0.01 * one.heights.std(), one.heights.shape)
        io.write(pairs / f"again_{side}.npy", one.replace(heights=one.heights + noise))
    assert calibrate(pairs, "--each") == (2, {})
    said = capsys.readouterr().err
    assert said.count("the same scans as calibrated, counted once") == 4
    assert "pairs of 2 samples, and 3 are needed" in said


def test_a_flat_folder_is_one_sample_unless_each_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        write_pair(tmp_path / "pairs", f"p{number}", number)
    assert calibrate(tmp_path / "pairs")[0] == 2
    capsys.readouterr()
    status, made = calibrate(tmp_path / "pairs", "--each")
    assert (status, made["samples"], made["scans"], made["guaranteed"]) == (0, 4, 4, False)


def test_folders_are_samples_and_copies_in_them_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    for number in range(3):
        write_pair(pairs / f"sample {number}", "p", number)
    shutil.copytree(pairs / "sample 2", pairs / "sample 3")
    (again,) = io.read(pairs / "sample 1" / "p_high.npy")  # saved again, in another format
    (low,) = io.read(pairs / "sample 1" / "p_low.npy")
    (pairs / "sample 4").mkdir()
    io.write(pairs / "sample 4" / "q_high.npy", again.replace(title="Copy"))
    io.write(
        pairs / "sample 4" / "q_low.npy",
        low.replace(heights=low.heights + np.indices(low.heights.shape)[0] % 2),
    )
    status, made = calibrate(pairs)
    assert status == 0 and (made["samples"], made["scans"]) == (3, 4)
    said = capsys.readouterr().err
    assert "sample 3/p: the same scans as sample 2/p, counted once" in said
    assert "sample 4/q: sample sample 1" in said  # it shows the same place

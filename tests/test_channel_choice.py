"""A channel has one number in every command, and a bad one costs no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import ChannelNotFoundError, FieldError

SCAN = Channel(np.random.default_rng(0).normal(size=(16, 24)), 240.0, 160.0, title="Height")
TITLES = ("Height", "Phase", "Sensor")


def run(command: str, source: Path, *options: object) -> int:
    return main([command, str(source), *map(str, options), "--quiet"])


def with_bad(path: Path, *numbers: int) -> Path:
    """Write three channels; those that are named are zero wide."""
    io.write(path, [SCAN.replace(title=title) for title in TITLES])
    data = path.read_bytes()
    for number in numbers:
        field = data.index(f"/{number}/data\0o".encode())
        at = data.index(b"xreal\0d", field) + 7
        data = data[:at] + bytes(8) + data[at + 8 :]
    path.write_bytes(data)
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return with_bad(tmp_path / "scan.gwy", 1)


def test_a_bad_channel_costs_no_other(broken: Path) -> None:
    channels = io.read(broken)
    assert [channel.title for channel in channels] == ["Height", "Sensor"]
    assert [bad.number for bad in io.unreadable(channels)] == [1]
    assert io.select(channels)[0].title == "Height"
    assert run("upscale", broken, "--channel", 2, "--method", "bicubic") == 0
    made = io.as_gwy(broken.with_name("scan_x4.gwy"))
    assert made.numbers == (0, 1, 2, 3) and made.channel(3).title == "Sensor (x4 bicubic)"


@pytest.mark.parametrize("which", ["1", "phase", "*"])
def test_a_bad_channel_that_is_asked_for_is_told(broken: Path, which: str) -> None:
    with pytest.raises(FieldError, match=r"channel 1 'Phase': physical size xreal must be positi"):
        io.select(io.read(broken), which)


def test_bad_channels_are_named_where_one_is_missing(broken: Path) -> None:
    with pytest.raises(ChannelNotFoundError, match=r"2 'Sensor' \(nm\), 1 'Phase' \(cannot be use"):
        io.select(io.read(broken), "current")


def test_all_channels_are_all(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("convert", broken, "--to", "npy", "--all-channels") == 1
    assert "channel 1 'Phase'" in capsys.readouterr().err


def test_what_may_be_the_heights_is_not_replaced_unasked(tmp_path: Path) -> None:
    channels = io.read(with_bad(tmp_path / "scan.gwy", 0))
    with pytest.raises(FieldError, match="channel 0 'Height'"):
        io.select(channels)
    assert io.select(channels, "Sensor")[0].number == 2


def test_a_file_of_bad_channels_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="channel 0 'Height'"):
        io.read(with_bad(tmp_path / "scan.gwy", 0, 1, 2))


def test_instrument_files_keep_their_numbers(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("SurfaceTopography", reason="the extra 'raw' is not installed")
    source = shared / "data" / "afm" / "originals" / "nanoscope" / "di-3.di"
    assert run("convert", source, "--channel", 3, "--to", "npy", "-o", tmp_path / "3.npy") == 0
    target = tmp_path / "fine.gwy"
    assert run("upscale", source, "--channel", 3, "--method", "bicubic", "-o", target) == 0
    file = io.as_gwy(target)
    assert file.numbers == (0, 3, 4)
    assert file.title(4) == f"{file.title(3)} (x4 bicubic)"
    np.testing.assert_allclose(
        file.channel(3).heights, np.load(tmp_path / "3.npy"), rtol=0, atol=1e-9
    )
    assert run("upscale", source, "--channel", 1, "-o", tmp_path / "none.gwy") == 1
    assert "di-3.di: no channel '1'; it holds 0 " in capsys.readouterr().err

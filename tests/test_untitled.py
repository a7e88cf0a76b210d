"""A channel without a title is called by its number, wherever somebody reads of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gwyfiles import field_2, version_2

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import ChannelNotFoundError

VALUES = np.random.default_rng(3).random((8, 8)) * 1e-9


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A file whose channel 0 is no height and whose heights, channel 3, have no title."""
    path = tmp_path / "scan.gwy"
    parts = {
        "/0/data": field_2(VALUES, unit=b"V"),
        "/0/data/title": ("s", b"Amplitude"),
        "/3/data": field_2(VALUES),
        "/4/data": field_2(VALUES, unit=b"deg"),
        "/4/data/title": ("s", b"  "),
    }
    path.write_bytes(version_2(parts))
    return path


def test_the_result_is_named_after_the_number(scan: Path) -> None:
    assert main(["upscale", str(scan), "--method", "bicubic", "--quiet"]) == 0
    titles = [channel.title for channel in io.read(scan.with_name("scan_x4.gwy"))]
    assert titles == ["Amplitude", "", "  ", "channel 3 (x4 bicubic)"]


def test_the_command_line_says_the_number(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["upscale", str(scan), "--method", "bicubic", "--all-channels", "--dry-run"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "Amplitude to 32 x 32 px" in said
    assert "channel 3 to 32 x 32 px" in said
    assert "channel 4 to 32 x 32 px" in said


def test_json_tells_that_there_is_no_title(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upscale", str(scan), "--method", "bicubic", "--dry-run", "--json"]) == 0
    (channel,) = json.loads(capsys.readouterr().out)[0]["channels"]
    assert (channel["number"], channel["title"]) == (3, "")


def test_a_list_of_channels_names_it_and_the_name_chooses_it(scan: Path) -> None:
    channels = io.read(scan)
    with pytest.raises(ChannelNotFoundError) as error:
        io.select(channels, "absent")
    assert "0 'Amplitude' (V), channel 3 (nm), channel 4 (deg);" in str(error.value)
    assert [one.number for one in io.select(channels, "Channel 3")] == [3]
    assert [one.number for one in io.select(channels, "3")] == [3]


def test_residuals_and_intervals_carry_the_name(scan: Path) -> None:
    fine = np.random.default_rng(0).random((48, 48)) * 1e-9
    scan.write_bytes(version_2({"/7/data": field_2(fine)}))
    command = ["upscale", str(scan), "--method", "bicubic", "--residual", "--quiet"]
    assert main(command) == 0
    titles = [channel.title for channel in io.read(scan.with_name("scan_x4.gwy"))]
    assert "Residual, channel 7 (x4 bicubic)" in titles


def test_a_table_has_a_title(tmp_path: Path) -> None:
    io.write(tmp_path / "a.csv", Channel(VALUES, 1.0, 1.0, number=5))
    assert (tmp_path / "a.csv").read_text().startswith("# title: channel 5\n")


def test_messages_have_no_empty_title() -> None:
    for title in ("", " "):
        channel = Channel(VALUES, 1.0, 1.0, title=title, number=0, path=Path("a.gwy"))
        assert channel.where == "a.gwy, channel 0"
        assert channel.name == "channel 0"
    assert Channel(VALUES, 1.0, 1.0).name == "channel"

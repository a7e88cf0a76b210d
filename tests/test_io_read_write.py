"""Files are told by their content, channels by number or title, formats by suffix on writing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import (
    ChannelNotFoundError,
    CorruptFileError,
    OutputExistsError,
    UnreadableFileError,
    UsageError,
)

SCAN = Channel(np.arange(6.0).reshape(2, 3), 30.0, 10.0, title="Height", number=0)
CHANNELS = [
    SCAN.replace(title="Phase", unit="deg", number=3),
    SCAN.replace(title="Height (retrace)", number=10),
    SCAN.replace(title="Height", number=11),
    SCAN.replace(title="Current [Left]", unit="A", number=120),
]


@pytest.mark.parametrize("suffix", [".gwy", ".gsf", ".npy"])
def test_what_is_written_is_read_whatever_its_name(suffix: str, tmp_path: Path) -> None:
    io.write(tmp_path / f"a{suffix}", SCAN)
    (channel,) = io.read(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(channel.heights, SCAN.heights, rtol=1e-6)
    if suffix == ".npy":
        (tmp_path / "b.json").write_bytes((tmp_path / "a.json").read_bytes())
    (tmp_path / f"a{suffix}").rename(tmp_path / "b.dat")
    (channel,) = io.read(tmp_path / "b.dat")
    assert channel.unit == "nm" and channel.path == tmp_path / "b.dat"


def test_writing_follows_the_suffix(tmp_path: Path) -> None:
    io.write(tmp_path / "a.GWY", CHANNELS)
    assert len(io.read(tmp_path / "a.GWY")) == 4
    for suffix in (".gsf", ".npy", ".csv"):
        with pytest.raises(UsageError, match="holds one channel, 4 were given"):
            io.write(tmp_path / f"a{suffix}", CHANNELS)
        io.write(tmp_path / f"a{suffix}", SCAN)
        with pytest.raises(OutputExistsError):
            io.write(tmp_path / f"a{suffix}", SCAN)
        io.write(tmp_path / f"a{suffix}", [SCAN], force=True)
    for name in ("a.png", "a"):
        with pytest.raises(UsageError, match=r"use \.gwy, \.gsf, \.npy, \.csv"):
            io.write(tmp_path / name, SCAN)


def test_reading_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such file"):
        io.read(tmp_path / "absent.gwy")
    with pytest.raises(UnreadableFileError, match="folder"):
        io.read(tmp_path)
    (tmp_path / "empty.gwy").touch()
    with pytest.raises(CorruptFileError, match="empty"):
        io.read(tmp_path / "empty.gwy")
    (tmp_path / "four.gwy").write_bytes(b"GWYP")
    with pytest.raises(CorruptFileError, match=r"four\.gwy: damaged at byte 4"):
        io.read(tmp_path / "four.gwy")


def test_any_file_can_become_a_gwy_that_grows(tmp_path: Path) -> None:
    io.write(tmp_path / "a.gsf", SCAN)
    file = io.as_gwy(tmp_path / "a.gsf").with_channel(SCAN, like=0)
    assert file.numbers == (0, 1)
    file.save(tmp_path / "a.gwy")
    assert io.as_gwy(tmp_path / "a.gwy").numbers == (0, 1)


def numbers(spec: str | int | None) -> list[int | None]:
    return [channel.number for channel in io.select(CHANNELS, spec)]


def test_channels_are_selected() -> None:
    assert numbers(None) == [10]
    assert numbers(120) == numbers("120") == [120]
    assert numbers("phase") == [3]
    assert numbers("HEIGHT") == [11]
    assert numbers("height*") == [10, 11]
    assert numbers("current [left]") == [120]
    assert numbers("*") == [3, 10, 11, 120]
    titled = [SCAN.replace(title="7", number=1), SCAN.replace(title="x", number=7)]
    assert [channel.number for channel in io.select(titled, "7")] == [1]


def test_a_channel_that_is_missing_is_answered_with_the_list() -> None:
    with pytest.raises(ChannelNotFoundError) as caught:
        io.select([channel.replace(path=Path("scan.gwy")) for channel in CHANNELS], "adhesion")
    assert str(caught.value).startswith("scan.gwy: no channel 'adhesion'; it holds 3 'Phase' (deg)")
    with pytest.raises(ChannelNotFoundError, match="no channel with heights; it holds 3 'Phase'"):
        io.select(CHANNELS[:1])
    with pytest.raises(ChannelNotFoundError, match="it holds no channel"):
        io.select([])


def test_folders_stand_for_their_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("z.gwy", "a.npy", "a.json", "a.mask.npy", ".a.gwy", "b/c.gsf", ".hidden/d.gwy"):
        (tmp_path / name).touch()
    for name in ("readme.txt", "b/thumb.PNG", "a.csv", ".b.csv"):
        (tmp_path / name).touch()
    found = io.find_files([tmp_path])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a.npy",
        "b/c.gsf",
        "z.gwy",
    ]
    absent = tmp_path / "absent.gwy"
    assert io.find_files([absent, tmp_path / "b", tmp_path / "b" / "c.gsf"]) == [
        absent,
        tmp_path / "b" / "c.gsf",
    ]
    assert io.find_files([]) == []
    named = tmp_path / "readme.txt"  # a table of heights, perhaps: who names it means it
    assert io.find_files([named]) == [named]
    names = [path.name for path in io.find_files([tmp_path], also=("a.csv", ".b.csv"))]
    assert names == ["a.csv", "a.npy", "c.gsf", "z.gwy"]


def test_csv_tells_units_and_sizes(tmp_path: Path) -> None:
    heights = SCAN.heights / 3
    heights[0, 0] = np.nan
    io.write(tmp_path / "a.csv", SCAN.replace(heights=heights, xoff=-4.0))
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    for line in ("# title: Height", "# unit: nm", "# width: 30.0", "# x offset: -4.0"):
        assert line in text.splitlines()
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "a.csv", delimiter=","), heights)


def test_importing_is_light() -> None:
    code = (
        "import sys, afmsr_core.io as io; "
        "heavy = {'gwyfile', 'gsffile', 'SurfaceTopography', 'scipy', 'cv2', 'torch', 'h5py'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

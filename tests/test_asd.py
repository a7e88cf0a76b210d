"""High-speed movies: every frame of every signal is a channel in its unit, right side up."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core import io
from afmsr_core.errors import CorruptFileError, FieldError, UnsupportedContentError
from tests.instrument_files import asd, relief

FRAMES = np.stack([relief(24, 32) // 9 + 2000, relief(24, 32) // 9 + 2010, relief(24, 32) // 7])


def test_the_original_is_what_its_bundle_says(shared: Path) -> None:
    folder = shared / "data" / "afm"
    channels = io.read(folder / "originals" / "asd" / "asd_sample_0.asd")
    (movie,) = (
        movie
        for movie in json.loads((folder / "movies_index.json").read_text())
        if movie["file"] == "asd_sample_0.asd" and movie["frames"] == 32
    )
    with np.load(folder / "movies.npz") as bundle:
        frames = movie["z_offset_nm"] + movie["z_scale_nm"] * bundle[movie["id"]].astype(float)
    first, last = movie["saved_frames"]
    assert [channel.number for channel in channels] == list(range(32))
    assert len(frames) == last - first + 1
    for channel, frame in zip(channels[first : last + 1], frames, strict=True):
        assert channel.title == f"Topography frame {channel.number}"
        assert (channel.unit, channel.lateral_unit) == ("nm", "nm")
        assert (channel.dx, channel.dy) == (movie["px_nm"], movie["px_nm"])
        np.testing.assert_allclose(channel.heights, frame, atol=movie["z_scale_nm"])


@pytest.mark.parametrize("version", [0, 1, 2])
def test_values_of_all_versions_and_signals(version: int, tmp_path: Path) -> None:
    asd(tmp_path / "a.asd", {"TP": FRAMES, "PH": FRAMES + 1}, version)
    channels = io.read(tmp_path / "a.asd")
    titles = [f"{kind} frame {n}" for kind in ("Topography", "Phase") for n in range(3)]
    assert [channel.title for channel in channels] == titles
    # Bipolar, 5 V: a count goes down from +5 V in steps of 10 V / 4096; 40 nm and 36 degrees a V.
    volts = 5 - FRAMES * 10 / 4096
    for channel, frame in zip(channels[:3], volts * 40, strict=True):
        np.testing.assert_allclose(channel.heights, frame, rtol=1e-12)
        assert (channel.unit, channel.xreal, channel.yreal) == ("nm", 300, 200)
    for channel, frame in zip(channels[3:], (volts - 10 / 4096) * -36, strict=True):
        np.testing.assert_allclose(channel.heights, frame, rtol=1e-9, atol=1e-9)
        assert channel.unit == "deg"


@pytest.mark.parametrize(("code", "volts"), [(1, 1.0), (2, 2.5), (3, 9.99), (4, 5.0)])
def test_a_unipolar_converter_counts_from_zero(code: int, volts: float, tmp_path: Path) -> None:
    asd(tmp_path / "a.asd", {"TP": FRAMES[:1], "ER": FRAMES[:1]}, 1, converter=code)
    height, error = io.read(tmp_path / "a.asd")
    # The piezo carries the sample: more volts are a lower sample. The deflection is its own sign.
    np.testing.assert_allclose(height.heights, FRAMES[0] * -volts / 4096 * 40, rtol=1e-12)
    np.testing.assert_allclose(error.heights, FRAMES[0] * volts / 4096 * 50, rtol=1e-12)
    assert (height.title, error.title) == ("Topography", "Error")
    assert io.select([error, height]) == [height]


def test_what_is_not_calibrated_stays_in_volts(tmp_path: Path) -> None:
    asd(tmp_path / "a.asd", {"TP": FRAMES, "PH": FRAMES}, 0, phase=0.0)
    phase = io.read(tmp_path / "a.asd")[3]
    assert phase.unit == "V"
    np.testing.assert_allclose(phase.heights, FRAMES[0] * 10 / 4096 - 5, rtol=1e-12)


def test_a_frame_that_nobody_chose_says_that_it_is_one_of_many(tmp_path: Path) -> None:
    asd(tmp_path / "a.asd", {"TP": FRAMES}, 1)
    channels = io.read(tmp_path / "a.asd")
    (chosen,) = io.select(channels)
    assert chosen.number == 0 and "first of 3 frames" in chosen.warnings[0]
    for channel in (*channels, *io.select(channels, 0), *io.select(channels, "*frame*")):
        assert not channel.warnings
    asd(tmp_path / "one.asd", {"TP": FRAMES[:1]}, 1)
    (alone,) = io.read(tmp_path / "one.asd")
    assert (alone.title, alone.warnings) == ("Topography", ())


def test_the_command_line_chooses_frames(tmp_path: Path) -> None:
    asd(tmp_path / "a.asd", {"TP": FRAMES}, 1)
    arguments = ["convert", str(tmp_path / "a.asd"), "--to", "gwy", "-o"]
    assert main([*arguments, str(tmp_path / "all.gwy"), "--all-channels"]) == 0
    assert len(io.read(tmp_path / "all.gwy")) == 3
    assert main([*arguments, str(tmp_path / "one.gwy"), "--channel", "2"]) == 0
    (channel,) = io.read(tmp_path / "one.gwy")
    assert channel.title == "Topography frame 2"
    np.testing.assert_allclose(channel.heights, (5 - FRAMES[2] * 10 / 4096) * 40, rtol=1e-9)


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.asd"
    asd(path, {"TP": FRAMES}, 1)
    data = path.read_bytes()
    for length in (20, 164, 170, 1000, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(CorruptFileError, match=r"a\.asd"):
            io.read(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(CorruptFileError, match="3 frames of 32 x 24"):
        io.read(path)
    # Sizes that no memory holds, and that are below nothing.
    for at, value in ((36, 2**31 - 1), (48, 2**31 - 1), (48, -1), (4, -1), (8, 0), (36, 0)):
        path.write_bytes(data[:at] + struct.pack("<i", value) + data[at + 4 :])
        with pytest.raises(CorruptFileError):
            io.read(path)


def test_an_unknown_converter_and_no_size_are_refused(tmp_path: Path) -> None:
    asd(tmp_path / "a.asd", {"TP": FRAMES}, 1, converter=0x80000)
    with pytest.raises(UnsupportedContentError, match="code 0x80000, 12 bits"):
        io.read(tmp_path / "a.asd")
    asd(tmp_path / "b.asd", {"TP": FRAMES}, 1, size=(0, 200))
    with pytest.raises(FieldError, match=r"b\.asd.*xreal"):
        io.read(tmp_path / "b.asd")

"""The real Gwyddion 2 takes what we write, without complaint and with the same content."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile, log_entry

GWYDDION = shutil.which("gwyddion")
pytestmark = pytest.mark.skipif(GWYDDION is None, reason="Gwyddion 2 is not installed")


def gwyddion(home: Path, *arguments: str | Path) -> str:
    """Run the real program without a display and return what it complains about."""
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    environment.update(HOME=str(home), LC_ALL="C.UTF-8")
    command = [str(GWYDDION), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0
    return done.stderr


def scan(title: str = "Height (x4 afm)") -> Channel:
    heights = np.random.default_rng(1).normal(5, 30, (12, 20))
    mask = heights > 20
    return Channel(heights, 2000.0, 900.0, xoff=-300.0, yoff=40.0, title=title, mask=mask)


def test_check_is_silent_and_content_is_the_same(shared: Path, tmp_path: Path) -> None:
    originals = shared / "data" / "afm" / "originals" / "gwy"
    sources = [*sorted((shared / "gwyddion" / "fixtures").glob("v2*.gwy"))]
    sources += [originals / f"{name}.gwy" for name in ("PTO_110_Virgin0001", "file_square", "test")]
    for source in sources:
        file = GwyFile.open(source)
        first = file.numbers[0]
        entry = log_entry("afmsr_upscale", {"method": "afm", "scale": 4})
        file = file.with_channel(scan(), like=first, log=[entry], meta={"afmsr": '{"a": "ä"}'})
        file = file.with_channel(scan("Z").replace(unit="V"), like=first)
        written, read = tmp_path / f"written {source.name}", tmp_path / f"read {source.name}"
        file.save(written)
        assert gwyddion(tmp_path, "--check", written) == ""
        assert gwyddion(tmp_path, f"--convert-to-gwy={read}", written) == ""
        back = GwyFile.open(read)
        assert back.numbers == file.numbers
        written_file = GwyFile.open(written)
        for number in file.numbers:
            ours, theirs = written_file.channel(number), back.channel(number)
            np.testing.assert_array_equal(theirs.heights, ours.heights)
            assert (theirs.mask is None) == (ours.mask is None)
            if ours.mask is not None:
                np.testing.assert_array_equal(theirs.mask, ours.mask)
            for name in ("title", "unit", "lateral_unit", "xreal", "yreal", "xoff", "yoff"):
                assert getattr(theirs, name) == getattr(ours, name)
            assert back.log(number)[: len(file.log(number))] == file.log(number)
            assert back.meta(number).items() >= file.meta(number).items()


def test_new_files_of_any_kind_are_sound(tmp_path: Path) -> None:
    channels = [scan(str(number)) for number in range(12)]
    channels += [scan("V").replace(unit="V", lateral_unit=""), scan("").replace(unit="", mask=None)]
    channels += [
        Channel(np.full((1, 1), np.pi), 1.0, 2.0, title="ü"),
        scan("x").replace(unit="m/V"),
    ]
    path = tmp_path / "new.gwy"
    GwyFile.new(channels).save(path)
    assert gwyddion(tmp_path, "--check", path) == ""
    converted = tmp_path / "converted.gwy"
    gwyddion(tmp_path, f"--convert-to-gwy={converted}", path)
    back = GwyFile.open(converted)
    for number, channel in enumerate(channels):
        again = back.channel(number)
        np.testing.assert_allclose(again.heights, channel.heights, rtol=1e-15)
        assert (again.unit, again.lateral_unit) == (channel.unit, channel.lateral_unit)
        assert again.title in (channel.title, "Untitled", "Unknown channel")


def test_pixels_not_measured_reach_gwyddion_as_a_mask(tmp_path: Path) -> None:
    heights = scan().heights.copy()
    heights[3, 4] = np.nan
    path = tmp_path / "holes.gwy"
    GwyFile.new([scan().replace(heights=heights, mask=None)]).save(path)
    assert gwyddion(tmp_path, "--check", path) == ""
    converted = tmp_path / "converted.gwy"
    gwyddion(tmp_path, f"--convert-to-gwy={converted}", path)
    mask = GwyFile.open(converted).channels(as_stored=True)[0].mask
    assert mask is not None
    assert np.argwhere(mask).tolist() == [[3, 4]]


def test_gsf_goes_to_gwyddion_and_keeps_its_holes(tmp_path: Path) -> None:
    from afmsr_core.io import gsf

    heights = scan().heights.copy()
    heights[3, 4] = np.nan
    gsf.write(tmp_path / "a.gsf", scan().replace(heights=heights))
    converted = tmp_path / "converted.gwy"
    gwyddion(tmp_path, f"--convert-to-gwy={converted}", tmp_path / "a.gsf")
    channel = GwyFile.open(converted).channel(0)
    assert channel.mask is not None and np.argwhere(channel.mask).tolist() == [[3, 4]]
    np.testing.assert_allclose(channel.heights[~channel.mask], heights[~channel.mask], rtol=1e-6)
    assert (channel.title, channel.unit) == ("Height (x4 afm)", "nm")
    assert (channel.xreal, channel.yoff) == pytest.approx((2000, 40))

"""Files of instruments are read as the table in docs/formats.md says, or refused by name.

The table below is that of the documentation; `test_the_documentation_says_the_same` keeps them so.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import (
    CorruptFileError,
    MissingReaderError,
    UnknownFormatError,
    UnreadableFileError,
    UnsupportedContentError,
    pip_install,
)
from afmsr_core.io import raw


class Expected(NamedTuple):
    """How one of the originals is read: reader, channels, and what the first height is."""

    folder: str
    name: str
    reader: str
    channels: int = 0
    first: str | None = None
    size: str = ""
    microns: float = 0.0
    nanometres: float = 0.0


OURS, PYTHON, GWYDDION, REFUSED = "afmsr", "SurfaceTopography", "Gwyddion", "refused"
ORIGINALS = (
    Expected("gwy", "PTO_110_Virgin0001.gwy", OURS, 4, "HeightRetrace", "256 x 256", 10.04, 125.1),
    Expected("gwy", "GwiddionReader_chip.gwy", GWYDDION, 1, "", "300 x 300", 80, 6981),
    Expected("gwy", "file_square.gwy", OURS, 1, "Left_Top_Right_Bottom", "256 x 256", 1, 1.647),
    Expected("gwy", "file_landscape.gwy", OURS, 1, "Left_Top_Right_Bottom", "220 x 170", 1, 1.647),
    Expected("gwy", "test.gwy", OURS, 1),
    Expected("gsf", "GwiddionReader_chip.gsf", OURS, 1, "Topography", "300 x 300", 80, 6981),
    Expected(
        "gsf", "2018-02-09 1506 PH dt20nmwindow1 Z raw.gsf", OURS, 1, "", "200 x 200", 5, 103.7
    ),
    Expected("gsf", "2018-02-09 1506 PH dt20nmwindow1 R-Z raw.gsf", OURS, 1),
    Expected("nanoscope", "di-1.di", PYTHON, 2, "Height", "512 x 512", 0.5, 59.2),
    Expected("nanoscope", "di-3.di", PYTHON, 2, "ZSensor", "256 x 256", 10, 1210),
    Expected(
        "nanoscope", "CL 0deg xcal.0_00000.spm", PYTHON, 2, "ZSensor", "256 x 256", 84.84, 395.7
    ),
    Expected("nanoscope", "old_bruker.002", PYTHON, 1, "Height", "256 x 256", 15, 704.8),
    Expected("nanoscope", "kpg20080408.007", PYTHON, 1, "Height", "256 x 256", 1, 18.67),
    Expected("ibw", "spot_1-1000nm.ibw", PYTHON, 8, "HeightTrace", "256 x 256", 20.08, 373.4),
    Expected("ibw", "AR_20211011.ibw", PYTHON, 4, "HeightRetrace", "128 x 128", 4.031, 83.25),
    Expected("sxm", "test.sxm", GWYDDION, 4, "Z (Forward)", "256 x 256", 5, 116.1),
    Expected("nid", "grid.nid", PYTHON, 2, "Scan forward (Z-Axis)", "256 x 256", 3, 302.6),
    Expected(
        "nid", "NanoSurf_20160301.nid", PYTHON, 2, "Scan forward (Z-Axis)", "128 x 128", 10, 205.7
    ),
    Expected("mi", "mi-1.mi", OURS, 4, "Topography", "256 x 256", 20, 165.6),
    Expected("jpk", "sample_0.jpk", PYTHON, 6, "Height (retrace)", "256 x 256", 0.3269, 56.65),
    Expected(
        "jpk", "sample_0.jpk-qi-image", PYTHON, 3, "Height (measured)", "100 x 100", 0.5, 499.7
    ),
    Expected("asd", "asd_sample_0.asd", OURS, 32, "Topography frame 0", "200 x 200", 0.1, 1.765),
    Expected("wsxm", "stp-1.stp", PYTHON, 1, "Default", "256 x 256", 0.6, 13.7),
    Expected("wsxm", "top-1.top", PYTHON, 1, "Default", "256 x 256", 0.6, 18.89),
    Expected(
        "sm4",
        "topo_ABC_Graphite-Sample5_9K_2021_08_13_19_11_10_065.sm4",
        GWYDDION,
        6,
        "Topography [Left]",
        "128 x 128",
        0.075,
        9.95,
    ),
    Expected("park_tiff", "example_ps.tiff", PYTHON, 1, "Z Height", "512 x 512", 1, 36.69),
    Expected(
        "park_tiff", "Park_20210916_034.tiff", PYTHON, 1, "Topography", "256 x 256", 2.5, 11.96
    ),
    Expected("axz", "PEA_BDA_film.axz", GWYDDION, 68, "Height 1", "128 x 128", 20, 187.1),
    Expected("other", "image_with_defects.dat", REFUSED),
)
NAMES = [original.name for original in ORIGINALS]


def path_of(original: Expected, shared: Path) -> Path:
    return shared / "data" / "afm" / "originals" / original.folder / original.name


def need(reader: str) -> None:
    if reader == PYTHON:
        pytest.importorskip("SurfaceTopography", reason="the extra 'raw' is not installed")
    if reader == GWYDDION and not raw.shutil.which("gwyddion"):
        pytest.skip("Gwyddion 2 is not installed")


@pytest.mark.parametrize("original", ORIGINALS, ids=NAMES)
def test_each_original_is_read_or_refused(original: Expected, shared: Path) -> None:
    path = path_of(original, shared)
    need(original.reader)
    if original.reader == REFUSED:
        with pytest.raises(
            UnknownFormatError, match=r"of no format that we know; save it as \.gwy"
        ):
            io.read(path)
        return
    channels = io.read(path)
    assert len(channels) == original.channels
    assert all(channel.path == path for channel in channels)
    heights = [channel for channel in channels if channel.is_height][:1]
    assert [channel.title for channel in heights] == (
        [] if original.first is None else [original.first]
    )
    for channel in heights:
        assert f"{channel.xres} x {channel.yres}" == original.size
        assert channel.lateral_unit == "nm"
        assert channel.xreal == pytest.approx(original.microns * 1000, rel=1e-3)
        assert np.ptp(channel.heights) == pytest.approx(original.nanometres, rel=1e-3)


def test_every_original_is_in_the_table(shared: Path) -> None:
    files = (shared / "data" / "afm" / "originals").glob("*/*")
    assert sorted(path.name for path in files) == sorted(NAMES)
    assert len(NAMES) == 29


def test_the_documentation_says_the_same() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].strip("`") in NAMES:
            rows[cells[0].strip("`")] = cells[2:5]
    assert len(rows) == 29
    for original in ORIGINALS:
        reader, count, first = rows[original.name]
        assert reader == original.reader
        assert count == (str(original.channels) if original.channels else "none")
        if original.first is None:
            assert first == "none"
        else:
            size = f"{original.size}, {original.microns:g} µm, {original.nanometres:g} nm"
            assert first == (f"{original.first}: {size}" if original.first else f"untitled: {size}")


def same(title: str) -> str:
    """Return a title as SurfaceTopography has it in the words of Gwyddion."""
    names = {
        "Scan forward (Z-Axis)": "Z-Axis forward",
        "Scan backward (Z-Axis)": "Z-Axis backward",
        "Height (measured, retrace)": "Height (measured) (retrace)",
        "Default": "Topography",
    }
    return names.get(title, title)


@pytest.mark.parametrize(
    "original",
    [original for original in ORIGINALS if original.reader == PYTHON],
    ids=lambda o: o.name,
)
def test_both_readers_give_the_same_heights(original: Expected, shared: Path) -> None:
    need(PYTHON)
    need(GWYDDION)
    path = path_of(original, shared)
    ours = raw.surface_topography.read(path)
    theirs = raw.read_with_gwyddion(str(raw.shutil.which("gwyddion")), path)
    assert ours
    for channel in ours:
        # Several channels may have one title: they come in the same order from both.
        order = [other for other in ours if other.title == channel.title].index(channel)
        twin = [other for other in theirs if other.title == same(channel.title)][order]
        assert channel.unit == twin.unit and channel.lateral_unit == twin.lateral_unit == "nm"
        assert [channel.xreal, channel.yreal] == pytest.approx([twin.xreal, twin.yreal], rel=1e-12)
        # WSxM's header gives its scale with seven digits, which the two use differently.
        np.testing.assert_allclose(channel.heights, twin.heights, rtol=1e-6, atol=1e-9)


def without(monkeypatch: pytest.MonkeyPatch, *readers: str) -> None:
    if PYTHON in readers:
        monkeypatch.setitem(sys.modules, "SurfaceTopography", None)
        monkeypatch.setitem(sys.modules, "SurfaceTopography.IO", None)
    if GWYDDION in readers:
        monkeypatch.setattr(raw.shutil, "which", lambda name: None)


def test_without_any_reader_the_message_says_what_to_install(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, PYTHON, GWYDDION)
    for original in ORIGINALS:
        if original.reader == OURS:
            continue
        path = path_of(original, shared)
        if raw.known_format(path) is None:
            with pytest.raises(
                UnknownFormatError, match=rf"{re.escape(pip_install('raw'))} or install Gw"
            ):
                io.read(path)
            continue
        with pytest.raises(MissingReaderError, match="no reader is installed") as caught:
            io.read(path)
        assert (pip_install("raw") in str(caught.value)) == (original.reader == PYTHON)
        assert "install Gwyddion" in str(caught.value)


def test_gwyddion_alone_is_enough(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(GWYDDION)
    without(monkeypatch, PYTHON)
    monkeypatch.setenv("DISPLAY", ":99")
    for original in ORIGINALS:
        if original.reader == PYTHON:
            channels = io.read(path_of(original, shared))
            assert len(channels) >= original.channels


def test_surface_topography_alone(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(PYTHON)
    without(monkeypatch, GWYDDION)
    by_name = {original.name: path_of(original, shared) for original in ORIGINALS}
    assert len(io.read(by_name["mi-1.mi"])) == 4
    with pytest.raises(MissingReaderError, match=r"a file of Nanonis, .*; install Gwyddion"):
        io.read(by_name["test.sxm"])
    with pytest.raises(UnknownFormatError, match="or, for more formats, install Gwyddion"):
        io.read(by_name["image_with_defects.dat"])


@pytest.mark.parametrize("readers", [(), (PYTHON,), (GWYDDION,)])
@pytest.mark.parametrize("length", [40, 3000, 100_000])
def test_truncated_files_are_corrupt(
    readers: tuple[str, ...],
    length: int,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need(PYTHON)
    need(GWYDDION)
    without(monkeypatch, *readers)
    for folder, name in (
        ("nanoscope", "di-1.di"),
        ("mi", "mi-1.mi"),
        ("park_tiff", "example_ps.tiff"),
    ):
        path = tmp_path / name
        path.write_bytes(
            (shared / "data" / "afm" / "originals" / folder / name).read_bytes()[:length]
        )
        with pytest.raises((CorruptFileError, UnsupportedContentError), match=name):
            io.select(io.read(path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "di-1.di",
        "example_ps.tiff",
        "mi-1.mi",
    ]


def test_text_is_of_no_format(tmp_path: Path) -> None:
    for text in ("hello\nworld\n", "1 2 3\n4 5 6\n7 8 9\n", "a,b\n1,2\n"):
        (tmp_path / "notes.txt").write_text(text)
        with pytest.raises(UnknownFormatError, match=r"notes\.txt: of no format"):
            io.read(tmp_path / "notes.txt")
    with pytest.raises(UnreadableFileError):
        raw.read(tmp_path / "absent.spm")


def program(folder: Path, script: str) -> str:
    """Return a stand-in for Gwyddion."""
    path = folder / "gwyddion"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 0", "exit status 0"),
        ("kill -BUS $$", "crashed with signal 7"),
        ("echo \"$2: File is truncated.\" >&2; exit 1", r"\(File is truncated\)"),
        ("sleep 5", "did not finish reading it within 0 s"),
        ("printf GWYP > \"${1#*=}\"", "damaged at byte 4"),
    ],
)  # fmt: skip
def test_a_gwyddion_that_fails_is_named(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, PYTHON)
    fake = program(tmp_path, script)
    monkeypatch.setattr(raw.shutil, "which", lambda name: fake)
    monkeypatch.setattr("afmsr_core.io.raw.gwyddion._TIMEOUT", 0.3)
    (tmp_path / "a.sxm").write_bytes(b":NANONIS_VERSION:\n2\n")
    with pytest.raises(CorruptFileError, match=message):
        io.read(tmp_path / "a.sxm")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_gwyddion_runs_without_the_users_display_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, PYTHON)
    ready = tmp_path / "ready.gwy"
    io.write(ready, Channel(np.zeros((2, 2)), 1.0, 1.0, title="made"))
    script = f'env > "{tmp_path}/seen"; cp "{ready}" "${{1#*=}}"'
    fake = program(tmp_path, script)
    monkeypatch.setattr(raw.shutil, "which", lambda name: fake)
    monkeypatch.setenv("DISPLAY", ":99")
    (tmp_path / "a.xyz").write_bytes(b"something")
    (channel,) = io.read(tmp_path / "a.xyz")
    assert (channel.title, channel.path) == ("made", tmp_path / "a.xyz")
    seen = dict(
        line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines() if "=" in line
    )
    assert "DISPLAY" not in seen
    assert seen["HOME"] != os.environ.get("HOME")
    assert not Path(seen["HOME"]).exists()

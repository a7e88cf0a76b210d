"""Files of instruments are read as the table in docs/formats.md says, or refused by name.

The table below is that of the documentation; `test_the_documentation_says_the_same` keeps them so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
import time
from importlib import metadata
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


OURS, PYTHON, CONVERTER, REFUSED = "afmsr", "SurfaceTopography", "gwyddionpy", "refused"
GWYDDION, GWYDDION_3 = "Gwyddion 2", "Gwyddion 3"
ORIGINALS = (
    Expected("gwy", "PTO_110_Virgin0001.gwy", OURS, 4, "HeightRetrace", "256 x 256", 10.04, 125.1),
    Expected("gwy", "GwiddionReader_chip.gwy", CONVERTER, 1, "", "300 x 300", 80, 6981),
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
    Expected("sxm", "test.sxm", CONVERTER, 4, "Z (Forward)", "256 x 256", 5, 116.1),
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
        CONVERTER,
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
    Expected("axz", "PEA_BDA_film.axz", CONVERTER, 68, "Height 1", "128 x 128", 20, 187.1),
    Expected("other", "image_with_defects.dat", REFUSED),
)
NAMES = [original.name for original in ORIGINALS]


def path_of(original: Expected, shared: Path) -> Path:
    return shared / "data" / "afm" / "originals" / original.folder / original.name


READERS = {reader.name: reader for reader in raw.READERS}


def need(*readers: str) -> None:
    for name in readers:
        if name in READERS and not READERS[name].find():
            pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("original", ORIGINALS, ids=NAMES)
def test_each_original_is_read_or_refused(original: Expected, shared: Path) -> None:
    path = path_of(original, shared)
    need(original.reader)
    if original.reader == REFUSED:
        with pytest.raises((UnknownFormatError, UnsupportedContentError)):
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


@pytest.mark.parametrize("pair", [(PYTHON, CONVERTER), (CONVERTER, GWYDDION)], ids=" and ".join)
@pytest.mark.parametrize(
    "original",
    [original for original in ORIGINALS if original.reader in (PYTHON, CONVERTER)],
    ids=lambda o: o.name,
)
def test_two_readers_give_the_same_heights(
    original: Expected, pair: tuple[str, str], shared: Path
) -> None:
    if original.reader == CONVERTER and PYTHON in pair:
        return  # which does not read it
    need(*pair)
    ours, theirs = (READERS[name].read(path_of(original, shared)).channels for name in pair)
    assert ours
    for channel in ours:
        title = same(channel.title) if PYTHON in pair else channel.title
        # Several channels may have one title: they come in the same order from both.
        order = [other for other in ours if other.title == channel.title].index(channel)
        twin = [other for other in theirs if other.title == title][order]
        assert channel.unit == twin.unit and channel.lateral_unit == twin.lateral_unit == "nm"
        assert [channel.xreal, channel.yreal] == pytest.approx([twin.xreal, twin.yreal], rel=1e-12)
        # WSxM's header gives its scale with seven digits, which the two use differently.
        np.testing.assert_allclose(channel.heights, twin.heights, rtol=1e-6, atol=1e-9)


def only(monkeypatch: pytest.MonkeyPatch, *readers: str) -> None:
    """Hide the modules and programs of all readers but these."""
    if PYTHON not in readers:
        monkeypatch.setitem(sys.modules, "SurfaceTopography", None)
    if CONVERTER not in readers:
        monkeypatch.setitem(sys.modules, "gwyddionpy_converter", None)
    programs = {"gwyddion": GWYDDION, "gwyddion3": GWYDDION_3, "gwyconvert": CONVERTER}
    which = shutil.which

    def visible(program: str) -> str | None:
        return which(program) if programs.get(program) in readers else None

    monkeypatch.setattr(shutil, "which", visible)


def test_without_any_reader_the_message_says_what_to_install(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch)
    for original in ORIGINALS:
        if original.reader in (OURS, REFUSED):
            continue
        path = path_of(original, shared)
        if raw.known_format(path) is None:
            with pytest.raises(
                UnknownFormatError, match=rf"{re.escape(pip_install('raw'))}, or install Gw"
            ):
                io.read(path)
            continue
        with pytest.raises(MissingReaderError, match="no reader is installed") as caught:
            io.read(path)
        assert pip_install("raw") in str(caught.value)
        assert "install Gwyddion" in str(caught.value)


@pytest.mark.parametrize("alone", [CONVERTER, GWYDDION])
def test_one_reader_alone_is_enough(
    alone: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(alone)
    only(monkeypatch, alone)
    monkeypatch.setenv("DISPLAY", ":99")
    for original in ORIGINALS:
        if original.reader in (PYTHON, CONVERTER):
            channels = io.read(path_of(original, shared))
            assert len(channels) >= original.channels
            heights = [channel for channel in channels if channel.is_height]
            assert any(
                (one.xres, one.yres) == tuple(map(int, original.size.split(" x ")))
                and one.xreal == pytest.approx(original.microns * 1000, rel=1e-3)
                and np.ptp(one.heights) == pytest.approx(original.nanometres, rel=1e-3)
                for one in heights
            ), original.name


def test_surface_topography_alone(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(PYTHON)
    only(monkeypatch, PYTHON)
    by_name = {original.name: path_of(original, shared) for original in ORIGINALS}
    assert len(io.read(by_name["di-1.di"])) == 2
    with pytest.raises(MissingReaderError, match=r"a file of Nanonis, .*; pip install .*install G"):
        io.read(by_name["test.sxm"])
    with pytest.raises(
        UnknownFormatError, match=r"or, for more formats, pip install .*install Gwy"
    ):
        io.read(by_name["image_with_defects.dat"])


def test_gwyddion_3_is_asked_last_and_for_a_file_of_version_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch)
    ready = tmp_path / "ready.gwy"
    io.write(ready, Channel(np.zeros((2, 2)), 1.0, 1.0, title="made"))
    script = 'case "$1" in --version) echo "Gwyddion 3.12"; exit;; --convert-to-gwy2=*) '
    fake = program(tmp_path, f'{script} cp "{ready}" "${{1#*=}}";; *) exit 1;; esac')
    monkeypatch.setattr(shutil, "which", lambda name: fake if name == "gwyddion3" else None)
    (tmp_path / "a.sxm").write_bytes(b":NANONIS_VERSION:\n2\n")
    (channel,) = io.read(tmp_path / "a.sxm")
    (step,) = channel.history
    assert (step.name, step.version, step.settings["reader"]) == ("read", "3.12", GWYDDION_3)
    assert [reader.name for reader in raw.READERS] == [PYTHON, CONVERTER, GWYDDION, GWYDDION_3]


def test_the_record_names_reader_version_and_format(shared: Path) -> None:
    need(PYTHON, CONVERTER)
    seen = {}
    for name in ("di-1.di", "test.sxm", "PTO_110_Virgin0001.gwy"):
        (original,) = [original for original in ORIGINALS if original.name == name]
        seen[name] = [channel.history for channel in io.read(path_of(original, shared))]
    for history in seen["di-1.di"]:
        (step,) = history
        assert step.name == "read" and step.version == metadata.version("SurfaceTopography")
        assert step.settings == {"reader": "SurfaceTopography", "format": "di"}
    for (step,) in seen["test.sxm"]:
        assert step.version == metadata.version("gwyddionpy-converter")
        assert step.settings == {"reader": "gwyddionpy", "format": "nanonis"}
    assert set(seen["PTO_110_Virgin0001.gwy"]) == {()}


def test_the_record_reaches_files_and_logs(shared: Path, tmp_path: Path) -> None:
    need(PYTHON)
    (original,) = [original for original in ORIGINALS if original.name == "di-1.di"]
    file = io.as_gwy(path_of(original, shared))
    file.save(tmp_path / "a.gwy")
    again = io.GwyFile.open(tmp_path / "a.gwy")
    (step,) = again.channel(0).history
    assert step.settings["reader"] == "SurfaceTopography"
    (line,) = again.log(0)
    assert line.startswith('proc::afmsr_read(reader="SurfaceTopography", format="di")')
    io.write(tmp_path / "a.npy", again.channel(0))
    assert json.loads((tmp_path / "a.json").read_text())["history"] == [step.as_dict()]


@pytest.mark.parametrize(
    "readers", [(PYTHON, CONVERTER), (PYTHON,), (CONVERTER,), (GWYDDION,)], ids=" and ".join
)
@pytest.mark.parametrize("length", [40, 3000, 100_000])
def test_truncated_files_are_corrupt(
    readers: tuple[str, ...],
    length: int,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need(*readers)
    only(monkeypatch, *readers)
    for folder, name in (
        ("nanoscope", "di-1.di"),
        ("park_tiff", "example_ps.tiff"),
    ):
        path = tmp_path / name
        path.write_bytes(
            (shared / "data" / "afm" / "originals" / folder / name).read_bytes()[:length]
        )
        with pytest.raises((CorruptFileError, UnsupportedContentError), match=name):
            io.select(io.read(path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["di-1.di", "example_ps.tiff"]


def test_text_is_of_no_format(tmp_path: Path) -> None:
    for text in ("hello\nworld\n", "1 2 3\n4 5 6\n7 8 9\n", "a,b\n1,2\n"):
        (tmp_path / "notes.txt").write_text(text)
        with pytest.raises(UnknownFormatError, match=r"notes\.txt: (of no format|a table of num)"):
            io.read(tmp_path / "notes.txt")
    with pytest.raises(UnreadableFileError):
        raw.read(tmp_path / "absent.spm")


@pytest.mark.parametrize("comma", [False, True])
def test_what_keeps_text_with_a_header_from_being_read_is_named(
    comma: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(PYTHON)
    monkeypatch.setattr(raw, "READERS", raw.READERS[:1])  # gwyddionpy reads Latin-1
    header = "# Channel: H\xf6he\n# Width: 5.00 \xb5m\n# Height: 5.00 \xb5m\n# Value units: nm\n"
    text = header + "1.5\t2.5\t3.5\n" * 3
    path = tmp_path / "a.txt"
    path.write_bytes((text.replace(".", ",") if comma else text).encode("latin-1"))
    message = "decimal commas; write them" if comma else r"not UTF-8 \(at byte 12\); save it as UTF"
    with pytest.raises(UnsupportedContentError, match=message):
        io.read(path)


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
        ("sleep 5", "did not finish within 0 s"),
        ("printf GWYP > \"${1#*=}\"", "damaged at byte 4"),
    ],
)  # fmt: skip
def test_a_gwyddion_that_fails_is_named(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch)
    fake = program(tmp_path, script)
    monkeypatch.setattr(shutil, "which", lambda name: fake if name == "gwyddion" else None)
    monkeypatch.setattr("afmsr_core.io.raw.limits._SECONDS", 0.3)
    (tmp_path / "a.sxm").write_bytes(b":NANONIS_VERSION:\n2\n")
    with pytest.raises(CorruptFileError, match=message):
        io.read(tmp_path / "a.sxm")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_what_a_converter_starts_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch)
    fake = program(tmp_path, f'sleep 60 & echo $! > "{tmp_path}/pid"; wait')
    monkeypatch.setattr(shutil, "which", lambda name: fake if name == "gwyddion" else None)
    monkeypatch.setattr("afmsr_core.io.raw.limits._SECONDS", 1.0)
    (tmp_path / "a.sxm").write_bytes(b":NANONIS_VERSION:\n2\n")
    with pytest.raises(CorruptFileError, match="did not finish"):
        io.read(tmp_path / "a.sxm")
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if sys.platform == "linux" and "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            return
        time.sleep(0.02)
    pytest.fail("it still runs")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_gwyddion_runs_without_the_users_display_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch)
    ready = tmp_path / "ready.gwy"
    io.write(ready, Channel(np.zeros((2, 2)), 1.0, 1.0, title="made"))
    script = f'test "$1" = --version && exit; env > "{tmp_path}/seen"; cp "{ready}" "${{1#*=}}"'
    fake = program(tmp_path, script)
    monkeypatch.setattr(shutil, "which", lambda name: fake if name == "gwyddion" else None)
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

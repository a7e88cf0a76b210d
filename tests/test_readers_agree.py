"""Whoever reads a file, the scan is the same: size, offset, way up, scale, unit and name.

Every reader that is installed reads every file; what readers of others get wrong is put right
before it is compared.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, FieldError, UnsupportedContentError
from afmsr_core.io.raw import READERS
from afmsr_core.io.raw.corrections import corrected
from afmsr_core.io.raw.own import OWN, START
from tests import instrument_files as write
from tests.instrument_files import relief

COUNTS = relief(24, 32)

# Titles of one reader in the words of another.
SAME_TITLES = {
    "Scan forward (Z-Axis)": "Z-Axis forward",
    "Scan backward (Z-Axis)": "Z-Axis backward",
    "Height (measured, retrace)": "Height (measured) (retrace)",
    "Default": "Topography",
}
# In nm, of all channels of originals that are not at 0.
OFFSETS = {
    "sample_0.jpk": (2584, 1623),
    "sample_0.jpk-qi-image": (11259, -439),
    "test.sxm": (-2500, -2500),
}

# Suffixes of originals that a reader does not know.
UNREAD: dict[str, tuple[str, ...]] = {
    "SurfaceTopography": (".sxm", ".sm4", ".axz", ".asd"),
    "gwyddionpy": (".asd",),
    "Gwyddion 2": (".asd",),
    "Gwyddion 3": (".asd", ".axz"),
}


def by_all_readers(path: Path) -> dict[str, list[Channel] | AfmsrError]:
    """Return what each installed reader makes of a file, ours included."""
    found: dict[str, list[Channel] | AfmsrError] = {}
    start = path.read_bytes()[:START]
    for own in OWN:
        if own.knows(path, start):
            found["afmsr"] = own.read(path)
    for reader in READERS:
        if reader.find():
            try:
                found[reader.name] = corrected(path, reader.name, reader.read(path).channels)
            except AfmsrError as error:
                found[reader.name] = error
    return found


def read_by_gwyddion(found: dict[str, list[Channel] | AfmsrError]) -> None:
    """Hold that every Gwyddion that is installed reads the file."""
    for name, one in found.items():
        assert isinstance(one, list) or "yddion" not in name, f"{name}: {one}"


def need_two(found: dict[str, list[Channel] | AfmsrError]) -> dict[str, list[Channel]]:
    read = {name: channels for name, channels in found.items() if isinstance(channels, list)}
    if len(read) < 2:
        pytest.skip(f"fewer than two readers of this file are installed: {', '.join(found)}")
    return read


def twin(channel: Channel, channels: list[Channel], others: list[Channel]) -> Channel | None:
    """Return the channel of the same title and place among those of that title."""
    title = SAME_TITLES.get(channel.title, channel.title)
    same = [one for one in channels if SAME_TITLES.get(one.title, one.title) == title]
    twins = [one for one in others if SAME_TITLES.get(one.title, one.title) == title]
    return twins[same.index(channel)] if len(twins) == len(same) else None


def compare(path: Path, read: dict[str, list[Channel]], rtol: float = 1e-12) -> None:
    """Compare the readers' channels, as far as the one that gives the fewest has them."""
    first, *rest = read
    fewest = min(read, key=lambda name: len(read[name]))
    for name in (first, *rest):
        if name == fewest:
            continue
        for channel in read[fewest]:
            other = twin(channel, read[fewest], read[name])
            where = f"{path.name}: {channel.title!r} by {fewest} and {name}"
            assert other is not None, f"{where}: no such channel"
            assert (channel.unit, channel.lateral_unit) == (other.unit, other.lateral_unit), where
            sizes = [(one.xreal, one.yreal) for one in (channel, other)]
            assert sizes[0] == pytest.approx(sizes[1], rel=1e-9), where
            spread = np.ptp(channel.heights) or 1.0
            np.testing.assert_allclose(
                channel.heights, other.heights, rtol=rtol, atol=rtol * spread, err_msg=where
            )
            offsets = [(one.xoff, one.yoff) for one in (channel, other)]
            assert offsets[0] == pytest.approx(offsets[1], rel=1e-9, abs=1e-6), where


def originals(shared: Path) -> Iterator[Path]:
    for path in sorted((shared / "data" / "afm" / "originals").glob("*/*")):
        if path.suffix not in (".gwy", ".gsf") and path.name != "image_with_defects.dat":
            yield path


def test_the_originals(shared: Path) -> None:
    compared = 0
    for path in originals(shared):
        found = by_all_readers(path)
        read = {name: one for name, one in found.items() if isinstance(one, list)}
        for name in set(found) - set(read):
            assert path.suffix in UNREAD[name], f"{path.name}: {name}: {found[name]}"
        if len(read) > 1:
            # WSxM's header gives its scale with seven digits, which the readers use differently.
            compare(path, read, rtol=1e-6 if path.parent.name == "wsxm" else 1e-12)
            compared += 1
        for channels in read.values():
            if path.name in OFFSETS:
                places = {(round(one.xoff), round(one.yoff)) for one in channels}
                assert places == {OFFSETS[path.name]}
    if not compared:
        pytest.skip("fewer than two readers are installed")


def test_the_cases(shared: Path, tmp_path: Path) -> None:
    script = shared / "cases" / "make_cases.py"
    if not script.is_file():
        pytest.skip(f"no cases: {script} is absent")
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True)
    for path in sorted(tmp_path.iterdir()):
        if path.suffix != ".gwy" and path.name != "text.mi":
            found = by_all_readers(path)
            read_by_gwyddion(found)
            compare(path, need_two(found))


# --- neighbours of the cases -----------------------------------------------------------------

Writer = Callable[[Path], None]


def bruker(rows: int = 24, **header: object) -> Writer:
    return lambda path: write.nanoscope(path, COUNTS[:rows], **header)  # type: ignore[arg-type]


# Name of the file -> how it is written, and its width and height in nm.
SIZES: dict[str, tuple[Writer, float, float]] = {
    "square.spm": (bruker(), 1000, 1000),
    "one number.spm": (bruker(size="1000 nm"), 1000, 1000),
    "wide.spm": (bruker(size="1000 500 nm"), 1000, 500),
    "tilde.spm": (bruker(size="2 1 ~m"), 2000, 1000),
    "micro.spm": (bruker(size="2 1 \xb5m"), 2000, 1000),
    "slow axis.spm": (bruker(slow="500 nm"), 1000, 500),
    "slow axis in micrometres.spm": (bruker(slow="0.5 ~m"), 1000, 500),
    "slow axis, 2 to 1.spm": (bruker(12, slow="500 nm", aspect="2:1"), 1000, 500),
    "2 to 1.spm": (bruker(12, size="1000 500 nm", aspect="2:1"), 1000, 500),
    "1 to 2.spm": (bruker(size="1000 2000 nm", aspect="1:2"), 1000, 2000),
    "pixels not square.spm": (bruker(12), 1000, 1000),
    "early.spm": (bruker(15, aspect="0.6", lines=24), 1000, 625),
    "early, 1.6 to 1.spm": (bruker(15, aspect="1.6:1", lines=24), 1000, 625),
    "early, slow axis.spm": (
        bruker(15, aspect="1.6:1", lines=24, size="1000 625 nm", scan="1000 nm", slow="1000 nm"),
        1000,
        625,
    ),
    "other lines.spm": (bruker(lines=48), 1000, 1000),
    "micro.top": (lambda path: write.wsxm(path, COUNTS, b"2 \xb5m", b"1 \xb5m"), 2000, 1000),
    "micro in UTF-8.top": (
        lambda path: write.wsxm(path, COUNTS, b"2 \xc2\xb5m", b"1 \xc2\xb5m"),
        2000,
        1000,
    ),
    "angstrom.top": (lambda path: write.wsxm(path, COUNTS, b"300 \xc5", b"200 \xc5"), 30, 20),
    "nano.top": (lambda path: write.wsxm(path, COUNTS, b"300 nm", b"200 nm"), 300, 200),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str, tmp_path: Path) -> None:
    writer, xreal, yreal = SIZES[name]
    path = tmp_path / name
    writer(path)
    found = by_all_readers(path)
    read_by_gwyddion(found)
    read = need_two(found)
    compare(path, read, rtol=1e-6 if path.suffix == ".top" else 1e-12)
    for channels in (*read.values(), io.read(path)):
        for channel in channels:
            assert (channel.xreal, channel.yreal) == pytest.approx((xreal, yreal), rel=1e-9)
            assert channel.lateral_unit == "nm"
    stored = COUNTS[: channels[0].yres]
    slope = np.polyfit(stored.ravel(), channels[0].heights.ravel(), 1)
    np.testing.assert_allclose(channels[0].heights, np.polyval(slope, stored), atol=1e-6)
    assert slope[0] > 0


UNITS: dict[str, tuple[Writer, str, float]] = {
    "nm.spm": (bruker(sensitivity="10 nm/V"), "nm", 10),
    "pm.spm": (bruker(sensitivity="10 pm/V"), "nm", 0.01),
    "tilde.spm": (bruker(sensitivity="0.01 ~m/V"), "nm", 10),
    "A.spm": (bruker(sensitivity="1e-9 A/V", name="Current"), "A", 1e-9),
    "nA.spm": (bruker(sensitivity="2 nA/V", name="Current"), "A", 2e-9),
    "pA.spm": (bruker(sensitivity="2 pA/V", name="Current"), "A", 2e-12),
    "V.spm": (bruker(sensitivity="3 V/V", name="Potential"), "V", 3),
    "mV.spm": (bruker(sensitivity="3 mV/V", name="Potential"), "V", 0.003),
    "log.spm": (bruker(sensitivity="0.5 log(Pa)/V", name="LogModulus"), "log(Pa)", 0.5),
    "Arb.spm": (bruker(sensitivity="2 Arb/V", name="Inphase"), "Arb", 2),
}


@pytest.mark.parametrize("name", UNITS)
def test_units(name: str, tmp_path: Path) -> None:
    writer, unit, scale = UNITS[name]
    path = tmp_path / name
    writer(path)
    found = by_all_readers(path)
    read_by_gwyddion(found)
    read = {key: one for key, one in found.items() if isinstance(one, list)}
    if not read:
        pytest.skip("no reader of this unit is installed")
    for (channel,) in (*read.values(), io.read(path)):
        assert channel.unit == unit
        # 400 V are the 65536 counts.
        np.testing.assert_allclose(channel.heights, COUNTS / 65536 * 400 * scale, rtol=1e-9)


def test_amperes_of_nanosurf(tmp_path: Path) -> None:
    write.nid(tmp_path / "a.nid", COUNTS, {"Z-Axis": "m", "Tip Current": "A"})
    found = by_all_readers(tmp_path / "a.nid")
    read_by_gwyddion(found)
    read = need_two(found)
    compare(tmp_path / "a.nid", read)
    for channels in read.values():
        heights = [channel for channel in channels if channel.is_height]
        assert [channel.title.count("Z-Axis") for channel in heights] == [1]
        np.testing.assert_allclose(heights[0].heights, COUNTS * 1e-3, atol=1e-9)
        for channel in set(channels) - set(heights):
            assert channel.unit == "A"
            np.testing.assert_allclose(channel.heights, COUNTS * 1e-12, atol=1e-18)


def test_amperes_of_park(shared: Path, tmp_path: Path) -> None:
    original = shared / "data" / "afm" / "originals" / "park_tiff" / "Park_20210916_034.tiff"
    data = original.read_bytes()
    # The header's last "um" is the unit of the values.
    start, micron, end = data.rpartition("um\0".encode("utf-16-le"))
    assert micron
    path = tmp_path / "current.tiff"
    path.write_bytes(start + "A\0\0".encode("utf-16-le") + end)
    found = by_all_readers(path)
    read_by_gwyddion(found)
    for channels in found.values():
        if isinstance(channels, list):
            assert [channel.unit for channel in channels] == ["A"]
            (height,) = io.read(original)
            np.testing.assert_allclose(channels[0].heights, height.heights / 1000, rtol=1e-9)


@pytest.mark.parametrize("unit", ["A", "nA"])
def test_amperes_of_wsxm(unit: str, tmp_path: Path) -> None:
    path = tmp_path / "a.cur"
    write.wsxm(path, COUNTS, b"2 \xb5m", b"1 \xb5m", f"5 {unit}".encode())
    found = by_all_readers(path)
    read_by_gwyddion(found)
    read = {key: one for key, one in found.items() if isinstance(one, list)}
    if not read:
        pytest.skip("no reader of currents in WSxM is installed")
    for (channel,) in read.values():
        assert channel.unit == "A"
        factor = {"A": 1.0, "nA": 1e-9}[unit]
        np.testing.assert_allclose(np.ptp(channel.heights), 5 * factor, rtol=1e-9)
        assert (channel.xreal, channel.yreal) == pytest.approx((2000, 1000))


def test_prefixes_of_nanonis(tmp_path: Path) -> None:
    path = tmp_path / "a.sxm"
    units = {"Z": b"m", "Z_calibrated": b"nm", "Deflection": b"\xb5V", "Current": b"pA"}
    units |= {"Depth": b"\xc2\xb5m", "Phase": b"\xb0", "Shift": b"kHz", "Counts": b"cts"}
    write.nanonis(path, {name: (COUNTS, unit) for name, unit in units.items()})
    found = by_all_readers(path)
    read_by_gwyddion(found)
    for channels in filter(lambda one: isinstance(one, list), found.values()):
        named = {one.title.partition(" (")[0]: one for one in channels}
        assert {name: one.unit for name, one in named.items()} == {
            **dict.fromkeys(("Z", "Z_calibrated", "Depth"), "nm"),
            **{"Deflection": "V", "Current": "A", "Phase": "deg", "Shift": "Hz", "Counts": "cts"},
        }
        factors = {"Z": 1e9, "Depth": 1e3, "Deflection": 1e-6, "Current": 1e-12, "Shift": 1e3}
        for name, one in named.items():
            expected = COUNTS.astype(">f4").astype(float) * factors.get(name, 1)
            np.testing.assert_allclose(one.heights, expected, rtol=1e-9)


def test_lines_that_were_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "stopped.ibw"
    heights = COUNTS * 1e-12
    heights[15:] = heights[3, 4] = np.nan
    write.igor(path, {b"HeightTrace": heights})
    found = by_all_readers(path)
    read_by_gwyddion(found)
    for channels in (one for one in found.values() if isinstance(one, list)):
        assert channels[0].mask is None
        np.testing.assert_allclose(channels[0].heights, heights * 1e9, rtol=1e-6)
    (channel,) = io.read(path)
    assert channel.warnings[0].startswith("lines 16 to 24 of 24 were not measured")


@pytest.mark.parametrize("order", ["<", ">"])
def test_labels_of_asylum(order: str, tmp_path: Path) -> None:
    heights = COUNTS * 1e-12
    waves = {b"HeightTrace\0Retrace": heights, b"ZSensorTrace\0Two": heights * 2, b"": heights}
    write.igor(tmp_path / "a.ibw", waves, order=order)
    found = by_all_readers(tmp_path / "a.ibw")
    read_by_gwyddion(found)
    read = need_two(found)
    for channels in read.values():
        assert [channel.title for channel in channels[:2]] == ["HeightTrace", "ZSensorTrace"]
        # Waves are floats of 32 bits.
        np.testing.assert_allclose(channels[1].heights, COUNTS * 2e-3, rtol=1e-6)
        assert (channels[0].xreal, channels[0].yreal) == pytest.approx((320, 240))


def test_an_asylum_unit_follows_from_the_label_alone(tmp_path: Path) -> None:
    note = b"UserIn0Unit: A\rVersion: 1\r"
    write.igor(tmp_path / "a.ibw", {b"HeightTrace": COUNTS, b"UserIn0Trace\0xyz": COUNTS}, note)
    (current,) = io.select(io.read(tmp_path / "a.ibw"), "UserIn0Trace")
    assert current.unit == "A"


def test_text_of_iso_28600(tmp_path: Path) -> None:
    path = tmp_path / "a.spm"
    write.iso28600(path, COUNTS * 1e-12)
    read = need_two(by_all_readers(path))
    ours = read["afmsr"][0]
    assert (ours.xoff, ours.yoff) == (40, 70)
    for name in set(read) - {"afmsr"}:
        (theirs,) = read[name]
        # They leave the offset out.
        assert (theirs.xoff, theirs.yoff) == (0, 0)
        compare(path, {"afmsr": [ours.replace(xoff=0.0, yoff=0.0)], name: [theirs]}, 1e-9)


def test_images_of_createc(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    write.createc(path, COUNTS)
    found = by_all_readers(path)
    read_by_gwyddion(found)
    read = {key: one for key, one in found.items() if isinstance(one, list)}
    if not read:
        pytest.skip("no reader of Createc is installed")
    for channels in (*read.values(), io.read(path)):
        assert channels[0].unit == "nm"
        np.testing.assert_allclose(channels[0].heights, COUNTS * 20 / 2**20, rtol=1e-6)
        assert (channels[0].xreal, channels[0].yreal) == pytest.approx((25, 18.75), rel=1e-6)


def test_binary_mi_is_read_the_same_by_all(tmp_path: Path) -> None:
    for kind in ("BINARY", "BINARY_32"):
        path = tmp_path / f"{kind}.mi"
        write.mi(path, {"Topography": (COUNTS, "um"), "Current": (COUNTS, "nA")}, kind)
        compare(path, need_two(by_all_readers(path)))


@pytest.mark.parametrize(
    "writer",
    [bruker(size="0 0 nm"), bruker(size="1000 nm", slow="0 nm")],
    ids=["no size", "no slow axis"],
)
def test_no_size_is_an_error_whoever_reads(writer: Writer, tmp_path: Path) -> None:
    writer(tmp_path / "a.spm")
    for name, error in by_all_readers(tmp_path / "a.spm").items():
        assert isinstance(error, AfmsrError), name
    with pytest.raises(FieldError):
        io.read(tmp_path / "a.spm")


def test_four_bytes_in_an_old_version_are_read_right_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.spm"
    write.nanoscope(path, COUNTS, bytes_per_pixel=4, hard="26214400 V")
    for name, found in by_all_readers(path).items():
        if isinstance(found, list):
            expected = COUNTS / 2**32 * 26214400 * 10
            np.testing.assert_allclose(found[0].heights, expected, rtol=1e-9, err_msg=name)
        else:
            assert isinstance(found, UnsupportedContentError), name


@pytest.mark.parametrize(
    ("version", "said", "stored"),
    [("0x09200000", 2, 4), ("0x09200000", 4, 4), ("0x09700105", 2, 4), ("0x08150300", 2, 2)],
)
def test_bytes_of_a_count(version: str, said: int, stored: int, tmp_path: Path) -> None:
    path = tmp_path / "a.spm"
    write.nanoscope(path, COUNTS, version=version, bytes_per_pixel=said, stored_bytes=stored)
    found = by_all_readers(path)
    read_by_gwyddion(found)
    read = need_two(found)
    compare(path, read)
    expected = COUNTS / 256.0**said * 400 * 10
    for (channel,) in read.values():
        np.testing.assert_allclose(channel.heights, expected, rtol=1e-9)

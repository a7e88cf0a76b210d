"""What cannot be used is refused for the right reason, in time, by every reader."""

from __future__ import annotations

import io as streams
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.errors import (
    AfmsrError,
    CorruptFileError,
    FieldError,
    MissingReaderError,
    ReadError,
    UnknownFormatError,
    UnsupportedContentError,
    pip_install,
)
from afmsr_core.io import raw
from afmsr_core.io.raw.gwyddion import _INVENTED, Converter, _warnings
from afmsr_core.io.raw.messages import Reading
from afmsr_core.io.raw.said import sentences
from tests import instrument_files

SIZE = 16 << 20
READERS = {reader.name: reader for reader in raw.READERS}
installed = [reader for reader in raw.READERS if reader.find()]
each_reader = pytest.mark.parametrize("reader", installed, ids=lambda reader: reader.name)


def _zip() -> bytes:
    file = streams.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.bin", Random(1).randbytes(SIZE))
    return file.getvalue()


def _hdf5() -> bytes:
    h5py = pytest.importorskip("h5py", reason="the extra 'raw' is not installed")
    file = streams.BytesIO()
    with h5py.File(file, "w") as content:
        content["x/y"] = np.random.default_rng(1).random(SIZE // 8)
    return file.getvalue()


def _picture() -> bytes:
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(1).integers(0, 255, (2300, 2300, 3), dtype=np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def _numbers() -> bytes:
    return "\n".join(
        " ".join(f"{x * 1e-3:.4f}" for x in range(y, y + 1500)) for y in range(1400)
    ).encode()


RUBBISH: dict[str, Callable[[], bytes]] = {
    "random": lambda: Random(1).randbytes(SIZE),
    "zeros": lambda: bytes(SIZE),
    "prose": lambda: b"The quick brown fox jumps over 12.5 lazy dogs, and so on.\n" * (SIZE // 58),
    "one line": lambda: b"x" * SIZE,
    "notes with a unit": lambda: b"# Unit: none of your business, said the fox.\n" * (SIZE // 45),
    "numbers": _numbers,
    "zip": _zip,
    "hdf5": _hdf5,
    "picture": _picture,
}  # fmt: skip


@pytest.mark.parametrize("kind", RUBBISH)
def test_16_mb_that_nobody_knows_are_refused_within_5_seconds(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rubbish.dat"
    path.write_bytes(RUBBISH[kind]())
    raw.prepare(path)  # as a command does beside its other start
    with pytest.raises(UnknownFormatError):
        io.read(_small(tmp_path))
    taken = []
    while len(taken) < 2 and min(taken, default=5) >= 5:  # neighbours may be at work
        began = time.monotonic()
        with pytest.raises((UnknownFormatError, UnsupportedContentError, FieldError)):
            io.read(path)
        taken.append(time.monotonic() - began)
    assert min(taken) < 5
    assert sorted(one.name for one in tmp_path.iterdir()) == ["rubbish.dat", "small.dat"]


def _small(folder: Path) -> Path:
    (folder / "small.dat").write_bytes(b"?" * 64)
    return folder / "small.dat"


# --- sizes ---------------------------------------------------------------------------------

COUNTS = (1000 * np.add.outer(np.sin(np.arange(16)), np.cos(np.arange(24)))).astype("<i2")


def sxm(size: float) -> bytes:
    """Return a small Nanonis file with this scan size in metres."""
    header = {
        "NANONIS_VERSION": "2", "SCANIT_TYPE": "FLOAT MSBFIRST", "REC_DATE": "01.01.2024",
        "REC_TIME": "10:00:00", "SCAN_PIXELS": "24 16", "SCAN_FILE": "a.sxm",
        "SCAN_TIME": "1.0E+0 1.0E+0", "SCAN_RANGE": f"{size:E} {size:E}",
        "SCAN_OFFSET": "0.0E+0 0.0E+0", "SCAN_ANGLE": "0.0E+0", "SCAN_DIR": "down",
        "BIAS": "1.0E+0", "DATA_INFO": "\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n"
        "\t14\tZ\tm\tboth\t1.0E+0\t0.0E+0\n",
    }  # fmt: skip
    text = "".join(f":{name}:\n{value}\n" for name, value in header.items())
    data = (np.stack([COUNTS, COUNTS]) * 1e-12).astype(">f4")
    return f"{text}:SCANIT_END:\n\n\n".encode() + b"\x1a\x04" + data.tobytes()


@each_reader
@pytest.mark.parametrize("size", ["1000 500 nm", "0 0 nm", "0 nm", ""])
def test_a_bruker_scan_without_a_size_is_a_field_error(
    reader: raw.Reader, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "READERS", (reader,))
    path = tmp_path / "a.spm"
    instrument_files.nanoscope(path, COUNTS, size=size or "1 1 nm")
    if not size:
        path.write_bytes(path.read_bytes().replace(b"\\Scan Size", b"\\Scat Size"))
    if size.startswith("1"):
        (channel,) = io.read(path)
        assert (channel.xreal, channel.yreal) == pytest.approx((1000, 500))
    elif size == "" and reader.name == "SurfaceTopography":
        with pytest.raises(CorruptFileError, match="looks like a file of Bruker"):
            io.read(path)
    else:
        with pytest.raises(FieldError, match=r"size"):
            io.read(path)


@each_reader
@pytest.mark.parametrize("size", [1e-6, 0.0, float("nan")])
def test_a_nanonis_scan_without_a_size_is_a_field_error(
    reader: raw.Reader, size: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "READERS", (reader,))
    path = tmp_path / "a.sxm"
    path.write_bytes(sxm(size))
    if reader.name == "SurfaceTopography":
        with pytest.raises(MissingReaderError, match="Nanonis"):
            io.read(path)
    elif size == 1e-6:
        assert [channel.xreal for channel in io.read(path)] == pytest.approx([1000, 1000])
    else:
        with pytest.raises(FieldError, match="size"):
            io.read(path)


# --- curves --------------------------------------------------------------------------------


def igor_curve(shape: tuple[int, int]) -> bytes:
    """Return an Igor wave of version 5 that holds curves, 32-bit floats."""
    values = np.arange(shape[0] * max(shape[1], 1), dtype="<f4")
    wave = struct.pack(
        "<I I I i h h 6x h 32s 4x I 4i 4d 4d 4s 16s h 2x d d I 4I 4I I 64x h h h b b I i h h I I",
        0, 0, 0, values.size, 2, 0, 1, b"w", 0, *shape, 0, 0,
        1e-8, 1e-8, 1, 1, 0, 0, 0, 0, b"m", b"m", *[0] * 24,
    )  # fmt: skip

    def binary(check: int) -> bytes:
        sizes = (320 + values.nbytes, *[0] * 15)
        return struct.pack("<h H 16i", 5, check, *sizes)[:64]

    check = -sum(struct.unpack("<192h", binary(0) + wave)) & 0xFFFF
    return binary(check) + wave + values.tobytes()


@each_reader
@pytest.mark.parametrize("shape", [(200, 0), (200, 4)], ids=["one curve", "four curves"])
def test_a_sound_file_of_curves_is_called_that(
    reader: raw.Reader, shape: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "READERS", (reader,))
    path = tmp_path / "force.ibw"
    path.write_bytes(igor_curve(shape))
    with pytest.raises(UnsupportedContentError, match=r"curves.*choose a file with a scan"):
        io.read(path)


def test_a_spectrum_of_nanonis_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "bias.dat"
    rows = "".join(f"{x / 100:.3E}\t{x * 1e-12:.3E}\n" for x in range(-50, 50))
    header = "Experiment\tbias spectroscopy\t\nDate\t01.01.2024 10:00:00\t\nUser\t\t\n"
    header += "X (m)\t1e-9\t\nY (m)\t1e-9\t\nZ (m)\t1e-9\t\n\n[DATA]\n"
    path.write_text(f"{header}Bias calc (V)\tCurrent (A)\n{rows}", encoding="ascii")
    if not any(reader.name != "SurfaceTopography" for reader in installed):
        pytest.skip("needs gwyddionpy or Gwyddion")
    with pytest.raises(UnsupportedContentError, match="curves, spectra"):
        io.read(path)


# --- which reason, which cure --------------------------------------------------------------


class Stand:
    """A reader that gives an error, or is not installed."""

    def __init__(self, name: str, error: AfmsrError | None, here: bool = True) -> None:
        self.name, self.error, self.here = name, error, here

    @property
    def installed(self) -> str | None:
        return "1" if self.here else None

    def find(self) -> str | None:
        return self.installed

    def read(self, path: Path, known: bool = True) -> Reading:
        assert self.error
        raise self.error


UNKNOWN, CURVES = UnknownFormatError("unknown"), UnsupportedContentError("curves")
CORRUPT, LOST = CorruptFileError("corrupt"), MissingReaderError("lost")
NAMES = ("SurfaceTopography", "gwyddionpy", "Gwyddion 2", "Gwyddion 3")
BRUKER, NANONIS, OLD = b"\\*File list\r\n", b":NANONIS_VERSION:\n2\n", b"GWYOGwyContainer"


@pytest.mark.parametrize(
    ("start", "errors", "kind", "words"),
    [
        # nothing installed
        (BRUKER, (None, None, None, None), MissingReaderError, ("Bruker", "pip", "Gwyddion 2")),
        (NANONIS, (None, None, None, None), MissingReaderError, ("Nanonis", "pip", "Gwyddion 2")),
        (b"?", (None, None, None, None), UnknownFormatError, ("pip", "Gwyddion 2")),
        # the one that is installed does not read the format
        (NANONIS, (UNKNOWN, None, None, None), MissingReaderError, ("pip", "Gwyddion 2")),
        (OLD, (UNKNOWN, None, None, UNKNOWN), MissingReaderError, ("pip", "Gwyddion 2")),
        # it reads the format, and does not know the file
        (BRUKER, (UNKNOWN, None, None, None), CorruptFileError, ("looks like a file of Bruker",)),
        (NANONIS, (None, None, UNKNOWN, None), CorruptFileError, ("looks like a file of Nano",)),
        (NANONIS, (None, None, None, UNKNOWN), CorruptFileError, ("looks like a file of Nano",)),
        # the most telling reason of several
        (BRUKER, (CORRUPT, UNKNOWN, CURVES, None), UnsupportedContentError, ("curves",)),
        (BRUKER, (LOST, CORRUPT, UNKNOWN, None), CorruptFileError, ("corrupt",)),
        (BRUKER, (LOST, None, None, None), MissingReaderError, ("lost",)),
        # what SurfaceTopography says of a file that nothing marks as a scan counts for little
        (b"?", (CURVES, UNKNOWN, None, None), UnknownFormatError, ("no format", "Gwyddion 2")),
        (b"?", (CORRUPT, UNKNOWN, UNKNOWN, None), UnknownFormatError, ("save it as .gwy",)),
        (b"?", (UNKNOWN, CURVES, None, None), UnsupportedContentError, ("curves",)),
    ],
)  # fmt: skip
def test_the_message_fits_what_is_installed(
    start: bytes,
    errors: tuple[AfmsrError | None, ...],
    kind: type[AfmsrError],
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stands = [
        Stand(name, error, error is not None) for name, error in zip(NAMES, errors, strict=True)
    ]
    monkeypatch.setattr(raw, "READERS", tuple(stands))
    monkeypatch.setattr(raw, "OWN", ())
    path = tmp_path / "a.x"
    path.write_bytes(start)
    with pytest.raises(ReadError) as caught:
        io.read(path)
    assert type(caught.value) is kind
    said = str(caught.value).replace(pip_install("raw"), "pip")
    assert all(word in said for word in words), said
    # No cure that is there already.
    assert not (errors[0] and errors[1] and "pip" in said)
    assert not (errors[2] and "install Gwyddion" in said)


def test_a_size_of_zero_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next reader might take one metre for it."""
    stands = (Stand(NAMES[0], FieldError("no size")), Stand(NAMES[1], AssertionError()))  # type: ignore[arg-type]
    monkeypatch.setattr(raw, "READERS", stands)
    (tmp_path / "a.spm").write_bytes(BRUKER)
    with pytest.raises(FieldError, match="no size"):
        io.read(tmp_path / "a.spm")


def test_no_picture_is_a_scan_of_impossible_size(tmp_path: Path) -> None:
    """gwyddionpy takes a BMP for a file of Burleigh, and 54 bytes of its pixels for numbers."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    (tmp_path / "a.bmp").write_bytes(cv2.imencode(".bmp", pixels)[1].tobytes())
    try:
        found = io.read(tmp_path / "a.bmp")
    except ReadError:
        return
    for one in found:
        assert one.lateral_unit == "" or 1e-3 < min(one.xreal, one.yreal) < 1e9


# --- what readers say ----------------------------------------------------------------------


def test_warnings_of_gwyddion_are_told_from_those_of_its_libraries() -> None:
    said = """\
** (gwyddion:12): WARNING **: 10:00:00.123: plain
(gwyconvert.real:20926): Module-WARNING **: 11:45:24.649: Unknown converter code 0x0003.
(process:17619): Module-WARNING: Invalid value of Control::X Amplitude
(gwyddion:7): Gtk-WARNING **: cannot open display
(gwyddion:7): GLib-GObject-CRITICAL **: 10:00:00.123: g_object_unref failed
/tmp/a.axz:2: namespace warning : xmlns: URI is not absolute
"""
    assert _warnings(said) == [
        "plain",
        "Unknown converter code 0x0003.",
        "Invalid value of Control::X Amplitude",
    ]


@pytest.mark.parametrize(
    ("text", "invented"),
    [
        ("Real x size is 0.0, fixing to 1.0", True),
        ("XRange is 0.0 or NaN, fixing to 1.0", True),
        ("Pixel size is 0.0, fixing to 1.0", True),
        ("Real x size is 0.0 or not finite, fixing it to 1.0", True),
        ("Invalid value of Control::X Amplitude", True),
        ("Spectrum sweep range is 0.0, fixing to 1.0", False),
        ("Unknown converter code 0x0003.", False),
    ],
)
def test_invented_sizes_are_recognised(text: str, invented: bool) -> None:
    assert bool(_INVENTED.search(text)) == invented


def test_few_short_sentences_reach_the_user() -> None:
    told = list(sentences("Gwyddion 2", ["a", "a", "b" * 1000, "c\nd.", "e", "f", ""]))
    assert told[0] == "Gwyddion 2 warns: a."
    assert len(told[1]) < 230 and told[1].endswith("….")
    assert told[2] == "Gwyddion 2 warns: c d."
    assert told[3] == "Gwyddion 2 warns 2 times more."
    assert len(told) == 4


def test_a_warning_of_a_real_reader_comes_with_the_channels(shared: Path) -> None:
    reader = READERS["gwyddionpy"]
    if not isinstance(reader, Converter) or not reader.find():
        pytest.skip("gwyddionpy is not installed")
    path = shared / "data" / "afm" / "originals" / "axz" / "PEA_BDA_film.axz"
    assert {channel.warnings for channel in reader.read(path).channels} == {()}

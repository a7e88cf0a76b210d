"""Movies of high-speed AFMs (``.asd``).

The layout is described by libasd (github.com/ToruNiina/libasd, MIT), written with the makers of
the instrument, and confirmed on files of versions 0 and 1. Where descriptions differ:

- A count of a unipolar converter stands for a voltage from 0 upwards, of a bipolar one for a
  voltage downwards from its maximum. The piezo carries the sample, so a higher voltage means a
  lower sample. libasd and Gwyddion 3.11 turn the bipolar ones only, which leaves unipolar movies
  upside down in height; AFMReader and this module turn both.
- The code 3, of ranges near 10 V, is AFMReader's; libasd and Gwyddion 3.11 do not know it.
- The offsets of the frames have no documented meaning: they are not told.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import CorruptFileError, UnsupportedContentError
from afmsr_core.io.files import contents
from afmsr_core.io.raw import movie

__all__ = ["NAME", "knows", "read"]

NAME = "high-speed AFM movie"

_VERSION_0 = np.dtype(
    [
        ("version", "<i4"), ("kinds", "S2", 2), ("size", "<i4"), ("frame_header", "<i4"),
        ("operator", "<i4"), ("gap", "<i4"), ("comment", "<i4"),  # lengths of texts, in bytes
        ("pixels", "<i2", 2), ("nm", "<i2", 2), ("frame_ms", "<f4"), ("piezo", "<f4"),
        ("gain", "<f4"), ("converter", "<u4"), ("bits", "<i4"), ("averaged", "?"),
        ("window", "<i4"), ("legacy", "<i2"), ("date", "V7"), ("rounding", "u1"),
        ("largest_nm", "<f4", 2), ("reserved", "<i4", 3), ("recorded", "<i4"), ("frames", "<i4"),
        ("machine", "<i4"), ("file", "<i2"),
    ]
)  # fmt: skip
_SENSITIVITIES_0 = np.dtype([("sensor", "<f4"), ("phase", "<f4")])  # behind the operator's name
_VERSION_1 = np.dtype(
    [
        ("version", "<i4"), ("size", "<i4"), ("frame_header", "<i4"), ("encoding", "<i4"),
        ("operator", "<i4"), ("comment", "<i4"), ("kinds", "S4", 2), ("recorded", "<i4"),
        ("frames", "<i4"), ("direction", "<i4"), ("file", "<i4"), ("pixels", "<i4", 2),
        ("nm", "<i4", 2), ("averaged", "?"), ("window", "<i4"), ("date", "<i4", 6),
        ("rounding", "<i4", 2), ("frame_ms", "<f4"), ("sensor", "<f4"), ("phase", "<f4"),
        ("offset", "<i4"), ("reserved", "V12"), ("machine", "<i4"), ("converter", "<u4"),
        ("bits", "<i4"), ("largest_nm", "<f4", 2), ("piezo_xy", "<f4", 2), ("piezo", "<f4"),
        ("gain", "<f4"),
    ]
)  # fmt: skip
_FRAME_HEADER = 32  # Bytes: the least that a frame has before its pixels.

# Code of the converter's range -> volts, and whether counts go down from the maximum.
_CONVERTERS = {
    0x1: (1.0, False),
    0x2: (2.5, False),
    0x3: (9.99, False),
    0x4: (5.0, False),
    0x10000: (1.0, True),
    0x20000: (2.5, True),
    0x40000: (5.0, True),
}
_KINDS = {b"TP": "Topography", b"ER": "Error", b"PH": "Phase"}


class _Header(NamedTuple):
    """What a header says, whatever its version."""

    start: int  # byte at which the first frame begins
    frame_header: int
    kinds: list[bytes]
    frames: int
    xres: int
    yres: int
    xreal: float  # nm
    yreal: float  # nm
    converter: int
    bits: int
    piezo: float  # nm per volt, with the gain
    sensor: float  # nm per volt of the deflection
    phase: float  # degrees per volt


def knows(path: Path, start: bytes) -> bool:
    """Return whether the file is such a movie: its version and kinds of data tell."""
    version = int.from_bytes(start[:4], "little")
    if version > 2 or len(start) < _VERSION_1.itemsize:
        return version <= 2 and path.suffix.lower() == ".asd"
    layout = _VERSION_1 if version else _VERSION_0
    first, second = np.frombuffer(start, layout, 1)["kinds"][0]
    return first in _KINDS and second in (*_KINDS, b"")


def read(path: Path) -> list[Channel]:
    """Read a movie: its frames are the channels.

    Raises
    ------
    UnreadableFileError
        If the system does not let us read it.
    CorruptFileError
        If the file is shorter or longer than its header says, or the header is senseless.
    UnsupportedContentError
        If its converter is of a kind that nobody has described.
    FieldError
        If the size of the scan is not positive.
    """
    data = contents(path)
    header = _header(path, data)
    if header.converter not in _CONVERTERS or not 0 < header.bits <= 32:
        raise UnsupportedContentError(
            f"{path.name}: its converter (code {header.converter:#x}, {header.bits} bits) is of a "
            f"kind that is not described; open it with the instrument's program and save its "
            f"frames in another format"
        )
    kinds = header.kinds
    pixels = header.xres * header.yres
    frame = header.frame_header + 2 * pixels
    needed = header.start + len(kinds) * header.frames * frame
    if min(header.xres, header.yres, header.frames, len(kinds)) < 1 or needed != len(data):
        raise CorruptFileError(
            f"{path.name}: a movie of {header.frames} frames of {header.xres} x {header.yres} "
            f"pixels in {len(kinds)} signals has {needed} bytes, this file {len(data)}; take the "
            f"file from its source again"
        )
    layout = np.dtype([("header", f"V{header.frame_header}"), ("counts", "<i2", (pixels,))])
    stack = np.frombuffer(data, layout, offset=header.start)["counts"]
    stack = stack.reshape(len(kinds), header.frames, header.yres, header.xres)
    signals = [_signal(kind, counts, header) for kind, counts in zip(kinds, stack, strict=True)]
    return movie.channels(path, signals, (header.xreal, header.yreal), "nm")


def _signal(kind: bytes, counts: np.ndarray, header: _Header) -> movie.Signal:
    """Return one signal with its scale; the sign is that of the module's first remark."""
    volts, downwards = _CONVERTERS[header.converter]
    levels = 2.0**header.bits
    # Minus the voltage of a count.
    scale = -(2 if downwards else 1) * volts / levels
    offset = volts if downwards else 0.0
    factor, unit = {
        b"TP": (header.piezo, "nm"),
        b"ER": (-header.sensor, "nm"),
        b"PH": (-header.phase, "deg"),
    }[kind]
    if factor == 0:  # Not calibrated: the voltage itself.
        factor, unit = -1.0, "V"
    return movie.Signal(_KINDS[kind], unit, counts, scale * factor, offset * factor)


def _header(path: Path, data: bytes) -> _Header:
    """Return the header."""
    try:
        version = int.from_bytes(data[:4], "little")
        fields = np.frombuffer(data, _VERSION_1 if version else _VERSION_0, 1)[0]
        start, calibration = int(fields["size"]), fields
        if version == 0:
            lengths = [int(fields[name]) for name in ("operator", "gap", "comment")]
            start += lengths[1] + lengths[2]
            at = _VERSION_0.itemsize + max(lengths[0], 0)
            calibration = np.frombuffer(data, _SENSITIVITIES_0, 1, at)[0]
    except ValueError as error:
        raise CorruptFileError(
            f"{path.name}: cut short in its header ({len(data)} bytes); take the file from its "
            f"source again"
        ) from error
    xres, yres = (int(pixels) for pixels in fields["pixels"])
    xreal, yreal = (float(size) for size in fields["nm"])
    header = _Header(
        start=start,
        frame_header=int(fields["frame_header"]),
        kinds=[kind for kind in fields["kinds"].tolist() if kind in _KINDS],
        frames=int(fields["frames"]),
        xres=xres,
        yres=yres,
        xreal=xreal,
        yreal=yreal,
        converter=int(fields["converter"]),
        bits=int(fields["bits"]),
        piezo=float(fields["piezo"]) * float(fields["gain"]),
        sensor=float(calibration["sensor"]),
        phase=float(calibration["phase"]),
    )
    scales = (header.piezo, header.sensor, header.phase)
    if start < 0 or header.frame_header < _FRAME_HEADER or not np.isfinite(scales).all():
        raise CorruptFileError(
            f"{path.name}: its header contradicts itself; take the file from its source again"
        )
    return header

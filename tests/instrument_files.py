"""Writers of small instrument files, as far as the tests need them.

Each takes counts or values with the top line first, whatever its format stores first.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np


def relief(yres: int, xres: int, steps: float = 9000.0) -> np.ndarray:
    """Return whole numbers like heights: every turned or mirrored copy differs."""
    y, x = np.mgrid[0:yres, 0:xres] / max(yres, xres)
    hill = np.exp(-((x - 0.3) ** 2 + (y - 0.2) ** 2) / 0.02)
    dale = np.exp(-((x - 0.8) ** 2 + (y - 0.6) ** 2) / 0.01)
    return np.round(steps * (hill - 0.4 * dale + 0.05 * x))


def nanoscope(
    path: Path,
    counts: np.ndarray,
    *,
    size: str = "1000 1000 nm",
    slow: str | None = None,
    scan: str | None = None,
    aspect: str = "1:1",
    lines: int | None = None,
    version: str = "0x08150300",
    bytes_per_pixel: int = 2,
    stored_bytes: int | None = None,
    sensitivity: str = "10 nm/V",
    hard: str = "400 V",
    name: str = "Height",
) -> None:
    """Write a Bruker Nanoscope file of one image; a count of 65536 stands for `hard`."""
    yres, xres = counts.shape
    data = counts[::-1].astype(f"<i{stored_bytes or bytes_per_pixel}").tobytes()
    first = 4096
    slow_axis = [f"\\Slow Axis Size: {slow}"] if slow else []
    header = [
        "\\*File list", f"\\Version: {version}", "\\Date: 11:12:13 AM Mon Mar 06 2023",
        "\\Start context: OL", f"\\Data length: {first}",
        "\\*Scanner list", f"\\@Sens. Zsens: V {sensitivity}",
        "\\*Ciao scan list", "\\Operating mode: Image", f"\\Samps/line: {xres}",
        f"\\Lines: {lines or yres}", f"\\Scan Size: {scan or size}", *slow_axis,
        "\\*Ciao image list", f"\\Data offset: {first}", f"\\Data length: {len(data)}",
        f"\\Bytes/pixel: {bytes_per_pixel}", "\\Start context: OL", "\\Data type: AFM",
        f"\\Samps/line: {xres}", f"\\Number of lines: {yres}", f"\\Aspect Ratio: {aspect}",
        f"\\Scan Size: {size}", "\\Line Direction: Retrace", "\\Frame direction: Down",
        f'\\@2:Image Data: S [{name}] "{name}"', "\\@Z magnify: C [2:Z scale] 0.01",
        f"\\@2:Z scale: V [Sens. Zsens] (0.0061 V/LSB) {hard}",
        "\\*File list end",
    ]  # fmt: skip
    text = ("\r\n".join(header) + "\r\n\x1a").encode("latin-1")
    path.write_bytes(text.ljust(first, b"\0") + data)


def mi(path: Path, buffers: dict[str, tuple[np.ndarray, str]], kind: str, **header: Any) -> None:
    """Write an Agilent image; buffers by label, each with its unit. A full range is 0.5."""
    yres, xres = next(iter(buffers.values()))[0].shape
    keys = {
        "fileType": "Image", "version": "PicoView 0x10c04", "xPixels": xres, "yPixels": yres,
        "xLength": 2e-6, "yLength": 1.5e-6, "scanUp": "TRUE", **header,
    }  # fmt: skip
    lines = [f"{key:<14}{value}" for key, value in keys.items()]
    for label, (_, unit) in buffers.items():
        lines += [f"{'bufferLabel':<14}{label}", f"{'trace':<14}Trace"]
        lines += [f"{'bufferUnit':<14}{unit}", f"{'bufferRange':<14}0.5"]
    text = "\n".join([*lines, f"{'data':<14}{kind}"]).encode() + b"\n"
    stack = np.concatenate([counts[::-1].ravel() for counts, _ in buffers.values()])
    if kind == "ASCII":
        data = "\n".join(str(int(count)) for count in stack).encode() + b"\n"
    else:
        data = stack.astype("<i4" if kind == "BINARY_32" else "<i2").tobytes()
    path.write_bytes(text + data)


def asd(
    path: Path,
    signals: dict[str, np.ndarray],
    version: int,
    *,
    converter: int = 0x40000,
    size: tuple[int, int] = (300, 200),
    piezo: float = 20.0,
    gain: float = 2.0,
    sensor: float = 50.0,
    phase: float = 36.0,
) -> None:
    """Write a high-speed movie; signals by kind ("TP", "ER", "PH"), shape (frames, yres, xres)."""
    kinds = [kind.encode() for kind in signals] + [b""]
    frames, yres, xres = next(iter(signals.values())).shape
    name, comment, gap = b"nobody", b"mica", b"" if version else b"\0" * 5
    if version == 0:
        size_of_header = 117 + len(name)
        header = struct.pack(
            "<i2s2s5i4h3fIi?ihh5BB2f3i2iih", 0, kinds[0], kinds[1], size_of_header, 32, len(name),
            len(gap), len(comment), xres, yres, *size, 400.0, piezo, gain, converter, 12, True, 1,
            0, 2022, 7, 15, 16, 8, 30, 15, 9900.0, 4500.0, 0, 0, 0, frames, frames, 0, 1,
        ) + name + struct.pack("<2fi", sensor, phase, 1) + gap + comment  # fmt: skip
    else:
        more = b"" if version == 1 else b"\0" * 36
        header = struct.pack(
            "<i5i4s4s4i4i?i6i2i3fi12xiIi2f3ff", version, 165 + len(name + comment + more), 32, 932,
            len(name), len(comment), kinds[0], kinds[1], frames, frames, 1, 1, xres, yres, *size,
            True, 1, 2021, 3, 5, 18, 28, 0, 10, 1, 590.0, sensor, phase, 0, 2, converter, 12, 867.0,
            3345.0, 8.67, 33.45, piezo, gain,
        ) + name + comment + more  # fmt: skip
    body = b"".join(
        struct.pack("<i4h2f?bhii", number, 0, 0, 7, 9, 0.0, 0.0, False, 0, 0, 0, 0)
        + frame.astype("<i2").tobytes()
        for stack in signals.values()
        for number, frame in enumerate(stack)
    )
    path.write_bytes(header + body)


def igor(path: Path, images: dict[bytes, np.ndarray], note: bytes = b"", order: str = "<") -> None:
    """Write a wave of images in m, each 10 nm a pixel, under labels of up to 32 raw bytes."""
    stack = np.stack([image[::-1].T for image in images.values()], axis=2).astype(f"{order}f4")
    labels = b"".join(label.ljust(32, b"\0") for label in [b"", *images])
    shape = (*stack.shape, 0)
    wave = struct.pack(
        order + "3I i h h 6x h 32s 4x I 4i 4d 4d 4s 16s h 2x d d I 4I 4I I 64x 3h b b I i h h I I",
        0, 0, 0, stack.size, 2, 0, 1, b"wave", 0, *shape, 1e-8, 1e-8, 1, 1, 0, 0, 0, 0,
        b"m", b"m\0\0\0m", *[0] * 24,
    )  # fmt: skip

    def head(check: int) -> bytes:
        sizes = (320 + stack.nbytes, 0, len(note), 0, *[0] * 4, 0, 0, len(labels), 0, 0, 0, 0)
        return struct.pack(order + "hh 4i 4i 4i 3i", 5, check, *sizes)

    total = sum(struct.unpack(order + "192h", head(0) + wave))
    check = struct.unpack("h", struct.pack("H", -total & 0xFFFF))[0]
    path.write_bytes(head(check) + wave + stack.tobytes(order="F") + note + labels)


def wsxm(path: Path, counts: np.ndarray, x: bytes, y: bytes, z: bytes = b"5 nm") -> None:
    """Write a WSxM image of counts whose whole range stands for `z`, `x` wide and `y` high."""
    yres, xres = counts.shape
    lines = [
        b"[Control]", b"", b"    X Amplitude: " + x, b"    Y Amplitude: " + y, b"",
        b"[General Info]", b"", b"    Head type: STM", b"    Image Data Type: short",
        b"    Number of columns: %d" % xres, b"    Number of rows: %d" % yres,
        b"    Z Amplitude: " + z, b"",
        b"[Miscellaneous]", b"", b"    Maximum: %d" % counts.max(),
        b"    Minimum: %d" % counts.min(), b"    Version: 1.0 (12, August, 2005)", b"",
        b"[Header end]", b"",
    ]  # fmt: skip
    header = b"\r\n".join(lines)
    first = b"WSxM file copyright Nanotec Electronica\r\nSxM Image file\r\n"
    size = b"Image header size: %05d\r\n"
    first += size % (len(first) + len(size % 0) + len(header))
    path.write_bytes(first + header + counts[::-1, ::-1].astype("<i2").tobytes())


def nanonis(path: Path, images: dict[str, tuple[np.ndarray, bytes]]) -> None:
    """Write a Nanonis file, 50 nm x 40 nm, of the forward images of these names, with units."""
    yres, xres = next(iter(images.values()))[0].shape
    table = [b"\tChannel\tName\tUnit\tDirection\tCalibration\tOffset"]
    for number, (name, (_, unit)) in enumerate(images.items()):
        table.append(b"\t%d\t%s\t%s\tforward\t1.0E+0\t0.0E+0" % (number, name.encode(), unit))
    header = [
        b":NANONIS_VERSION:", b"2", b":SCANIT_TYPE:", b"FLOAT MSBFIRST",
        b":SCAN_PIXELS:", b"%d %d" % (xres, yres), b":SCAN_RANGE:", b"5.0E-8 4.0E-8",
        b":SCAN_OFFSET:", b"0.0E+0 0.0E+0", b":SCAN_ANGLE:", b"0.0E+0", b":SCAN_DIR:", b"down",
        b":DATA_INFO:", *table, b"", b":SCANIT_END:", b"", b"", b"",
    ]  # fmt: skip
    numbers = b"".join(values.astype(">f4").tobytes() for values, _ in images.values())
    path.write_bytes(b"\n".join(header) + b"\x1a\x04" + numbers)


def nid(path: Path, counts: np.ndarray, quantities: dict[str, str]) -> None:
    """Write a Nanosurf file: one image, in steps of 1e-12, for each name and unit."""
    yres, xres = counts.shape
    lines = ["[DataSet]", "Version=2", "GroupCount=1", f"Gr0-Count={len(quantities)}"]
    lines += [f"Gr0-Ch{number}=DataSet-0:{number}" for number in range(len(quantities))]
    lines += ["", "[DataSet-Info]", "Date=06-03-2023", "Time=11:12:13", ""]
    for number, (name, unit) in enumerate(quantities.items()):
        lines += [
            f"[DataSet-0:{number}]", "Version=1", f"Points={xres}", f"Lines={yres}",
            "Frame=Scan forward", "SaveMode=Binary", "SaveBits=16", "SaveSign=Signed",
            "SaveOrder=Intel", "Dim0Name=X*", "Dim0Unit=m", "Dim0Min=0", "Dim0Range=1e-6",
            "Dim1Name=Y*", "Dim1Unit=m", "Dim1Min=0", "Dim1Range=5e-7",
            f"Dim2Name={name}", f"Dim2Unit={unit}", "Dim2Min=-3.2768e-8", "Dim2Range=6.5536e-8", "",
        ]  # fmt: skip
    data = counts[::-1].astype("<i2").tobytes() * len(quantities)
    path.write_bytes("\r\n".join(lines).encode() + b"#!" + data)


def jpk_hdf5(path: Path, signals: dict[str, tuple[np.ndarray, str]], **grid: Any) -> None:
    """Write a JPK movie; signals by name, shape (frames, yres, xres), a count is 0.5 of its unit.

    A name that ends with " (retrace)" is that of a retrace.
    """
    import h5py

    frames, yres, xres = next(iter(signals.values()))[0].shape
    pattern = {
        "ilength": xres, "jlength": yres, "ulength": 1.5e-7, "vlength": 1e-7, "theta": 0.0,
        "reflect": b"false", "unit.unit": b"m", **grid,
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        measurement = file.create_group("Measurement_000")
        for key, value in pattern.items():
            measurement.attrs[f"position-pattern.grid.{key}"] = value
        for number, (name, (counts, unit)) in enumerate(signals.items()):
            channel = measurement.create_group(f"Channel_{number:03}")
            channel.attrs["channel.fancy-name"] = name.removesuffix(" (retrace)").encode()
            channel.attrs["retrace"] = b"true" if name.endswith("(retrace)") else b"false"
            scaling = {"multiplier": 0.5, "offset": 10.0, "style": b"offsetmultiplier"}
            for key, value in {**scaling, "unit.unit": unit.encode()}.items():
                channel.attrs[f"net-encoder.scaling.{key}"] = value
            table = counts[:, ::-1].reshape(frames, yres * xres).T.astype("<i4")
            channel.create_dataset("Height", data=table, compression="gzip")
            channel.create_dataset("thumbnail", data=np.zeros((64, 1), "<i4"))


def iso28600(path: Path, heights: np.ndarray, unit: str = "m") -> None:
    """Write text of ISO 28600: 300 nm x 200 nm at (40, 70) nm."""
    yres, xres = heights.shape
    lines = [""] * 128
    for number, text in {
        1: "ISO/TC 201 SPM data transfer format", 2: "general information", 8: "MAP_SC",
        16: "scan information", 17: "REGULAR MAPPING", 18: "XYZ closed-loop scanner",
        19: "sample XYZ scan", 20: "X", 21: "left to right", 22: "Y", 23: "top to bottom",
        24: str(xres), 25: str(yres), 26: "nm", 27: "nm", 28: "300", 29: "200", 30: "nm", 31: "nm",
        32: "40", 33: "70", 34: "0", 35: "m/s", 36: "0.0", 37: "Hz", 38: "0.0",
        40: "sample biased", 41: "0.0", 42: "0", 48: "environment description", 49: "software",
        50: "300", 51: "1.0e5", 52: "40", 54: "probe description", 55: "software", 57: "0.0",
        58: "0.0", 59: "0.0", 60: "0", 61: "0", 62: "0", 64: "sample description", 65: "Terrace",
        68: "single-channel mapping description", 69: "Topography", 70: unit,
        72: "spectroscopy description", 74: "REGULAR", 76: "n", 77: "0.0", 78: "0.0", 79: "0.0",
        80: "0.0", 81: "0", 82: "0", 84: "n", 85: "0.0", 87: "data treatment description",
        88: "post-treated data", 93: "multi-channel mapping description", 94: "1",
        95: "Topography", 96: unit, 97: "Topography", 128: "end of header",
        **dict.fromkeys(range(9, 16), "-1"),
        **dict.fromkeys(range(99, 127, 3), "n"),
    }.items():  # fmt: skip
        lines[number - 1] = text
    lines += [repr(float(height)) for height in heights.ravel()] + ["end of experiment"]
    path.write_text("\n".join(lines) + "\n")


def createc(path: Path, counts: np.ndarray) -> None:
    """Write an STM image of Createc: 4096 / 2**20 of the range a pixel, a piezo of 10 Å/V, 20 V.

    So a pixel is 7.8125 Å wide and high, and a count 200 Å / 2**20.
    """
    yres, xres = counts.shape
    keys = {
        "Num.X / Num.X": xres, "Num.Y / Num.Y": yres, "Length x[A]": 7.8125 * xres,
        "Length y[A]": 7.8125 * yres,
        "Delta X / Delta X [Dac]": 4096, "Delta Y / Delta Y [Dac]": 4096, "GainX / GainX": 10,
        "GainY / GainY": 10, "GainZ / GainZ": 1, "DAC-Type": "20bit", "Dacto[A]z": 200 / 2**20,
        "Dacto[A]xy": 200 / 2**20, "Xpiezoconst": 10, "YPiezoconst": 10, "ZPiezoconst": 10,
        "Channels / Channels": 1, "Chan(1,2,4) / Chan(1,2,4)": 1, "Titel / Titel": "terrace",
        "Scancoarse": 0, "DSP-COMPDATE": "200101",
    }  # fmt: skip
    text = "\r\n".join(["[Paramco32]", *(f"{key}={value}" for key, value in keys.items())]) + "\r\n"
    data = b"\0" * 4 + counts.astype("<f4").tobytes() + b"\0" * 4096
    path.write_bytes(text.encode("latin-1").ljust(16384, b"\0") + zlib.compress(data))

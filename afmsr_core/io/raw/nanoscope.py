"""What the header of a Bruker, Veeco or Digital Instruments Nanoscope file says of its images.

Only what readers disagree about: the size of the scan, the stored kind of number, the unit. The
rules are those on which SurfaceTopography 1.27 and Gwyddion 2.67 agree wherever each of them
applies them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from afmsr_core.io.files import contents
from afmsr_core.io.units import from_file

__all__ = ["BEGINS", "Image", "images"]

BEGINS = (b"\\*File list", b"\\*Ec file list", b"\\*EC File list")
_HEADER = 2**20  # Bytes; the longest found have 80,000.
_IMAGES = ("ciao image list", "afm image list", "stm image list", "ncafm image list", "image list")
_SCANS = ("ciao scan list", "afm list", "stm list", "nc afm list")
_SCANNERS = ("scanner list", "microscope list")
_ALWAYS_32_BITS = 0x09200000  # From this version on, whatever "Bytes/pixel" says.


class Image(NamedTuple):
    """What the header says of one image.

    Attributes
    ----------
    xres, yres : int
        Samples in a line, and lines that were stored.
    xreal, yreal : float
        Width and height in `lateral_unit`; not checked to be positive.
    lateral_unit : str
        As a `Channel` holds it.
    unit : str or None
        Of the values without prefix, if the sensitivity tells it.
    narrow_32_bits : bool
        Whether the counts have four bytes in a version that others take for two.
    """

    xres: int
    yres: int
    xreal: float
    yreal: float
    lateral_unit: str
    unit: str | None
    narrow_32_bits: bool


def images(path: Path) -> list[Image | None]:
    """Return the images in the order of the file; None for one whose header cannot be read."""
    sections = _sections(contents(path, _HEADER))
    scan = _merged(sections, _SCANS)
    scanner = _merged(sections, _SCANNERS)
    version = _merged(sections, ("file list", "ec file list")).get("version", "0")
    found: list[Image | None] = []
    for name, image in sections:
        if name in _IMAGES:
            try:
                found.append(_image(image, scan, scanner, version))
            except (KeyError, ValueError, ZeroDivisionError):
                found.append(None)
    return found


_Section = dict[str, str]


def _sections(data: bytes) -> list[tuple[str, _Section]]:
    sections: list[tuple[str, _Section]] = []
    for line in data.split(b"\x1a", 1)[0].decode("latin-1").splitlines():
        if line.startswith("\\*"):
            name = line[2:].strip().lower()
            if name == "file list end":
                break
            sections.append((name, {}))
        elif line.startswith("\\") and sections:
            # Keys may hold colons ("@2:Z scale"); values begin behind a colon and a space.
            key, _, value = line[1:].partition(": ")
            sections[-1][1][key.strip().rstrip(":").lower()] = value.strip()
    return sections


def _merged(sections: list[tuple[str, _Section]], names: tuple[str, ...]) -> _Section:
    merged: _Section = {}
    for name, section in sections:
        if name in names:
            merged.update(section)
    return merged


def _image(image: _Section, scan: _Section, scanner: _Section, version: str) -> Image:
    xres, yres = int(image["samps/line"]), int(image["number of lines"])
    xreal, yreal, unit = _size(image["scan size"])
    if "slow axis size" in scan and "scan size" in scan:
        # Newer files: the second number of the image's own size may be wrong then.
        xreal, _, unit = _size(scan["scan size"])
        yreal, _, slow_unit = _size(scan["slow axis size"])
        if slow_unit != unit:
            raise ValueError
    lines = int(scan.get("lines", yres))
    aspect = float(image.get("aspect ratio", "1:1").partition(":")[0])
    if aspect > 0 and aspect != 1 and yres < lines:
        yreal *= yres / lines  # Captured before its end: the size is that of the whole scan.
    bits = 8 * int(image.get("bytes/pixel", "2"))
    return Image(
        xres, yres, xreal, yreal, unit, _unit(image, scan | scanner),
        bits == 32 and int(version, 16) < _ALWAYS_32_BITS,
    )  # fmt: skip


def _size(text: str) -> tuple[float, float, str]:
    """Return width and height in the unit of a `Channel`; one number stands for both."""
    numbers = []
    words = text.split()
    while words and re.match(r"[-+.\d]", words[0]):
        numbers.append(float(words.pop(0)))
    if not numbers:
        raise ValueError
    factor, unit = from_file(" ".join(words).replace("~m", "um"))
    return numbers[0] * factor, numbers[1 if len(numbers) > 1 else 0] * factor, unit


def _unit(image: _Section, sensitivities: _Section) -> str | None:
    """Return the unit of the values, of a sensitivity such as ``V 0.5 log(Pa)/V``."""
    scale = image.get("@4:z scale", image.get("@2:z scale", ""))
    named = re.match(r"V \[(.+?)\]", scale)
    sensitivity = sensitivities.get(f"@{named[1].lower()}", "") if named else ""
    unit = re.match(r"V \S+ (.+)/(.+)", sensitivity)
    return from_file(unit[1])[1] if unit and scale.split()[-1] == unit[2].strip() else None

"""Gwyddion Simple Field: one field with a readable header and 32-bit floats.

Writing is done by the gsffile library. Reading is ours and checks the header against the length
of the file first, because the library takes memory by what the header says and refuses titles
with an equals sign.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.errors import CorruptFileError, FieldError
from afmsr_core.io.atomic import writing
from afmsr_core.io.files import contents
from afmsr_core.io.history import HEADER, from_meta, to_meta
from afmsr_core.io.units import from_file, to_si
from afmsr_core.text import decimal_comma, decoded

__all__ = ["MAGIC", "read", "write"]

MAGIC = b"Gwyddion Simple Field 1.0\n"


def read(path: str | Path) -> Channel:
    """Read a Gwyddion Simple Field.

    Parameters
    ----------
    path : path
        A ``.gsf`` file.

    Returns
    -------
    Channel
        Heights and sizes in nm if the header says that they are lengths. A header without
        units means dimensionless data, one without offsets means 0.

    Raises
    ------
    UnreadableFileError
        If there is no such file or the system does not let us read it.
    CorruptFileError
        If header and length of the file contradict each other, or the header itself.
    FieldError
        If the physical size is not positive.

    References
    ----------
    Gwyddion user guide, "Gwyddion Simple Field".
    """
    path = Path(path)
    data = contents(path)
    end = data.find(b"\0")
    if not data.startswith(MAGIC) or end < 0:
        _corrupt(path, "the header has no begin or no end")
    fields = _fields(path, data[len(MAGIC) : end])
    xres, yres = (_whole(path, fields, name) for name in ("XRes", "YRes"))
    # One to four NUL bytes bring the data to a multiple of four.
    start = end + 4 - end % 4
    if data[end:start].strip(b"\0") or len(data) - start != 4 * xres * yres:
        _corrupt(path, f"{len(data) - start} bytes of data instead of 4 x {xres} x {yres}")
    factor, unit = from_file(fields.get("ZUnits", ""))
    scale, lateral_unit = from_file(fields.get("XYUnits", ""))
    values = np.frombuffer(data, "<f4", offset=start).reshape(yres, xres)
    with np.errstate(invalid="ignore"):
        heights = np.multiply(values, factor, dtype=np.float64)
    return Channel(
        heights,
        xreal=_number(path, fields, "XReal", 1.0) * scale,
        yreal=_number(path, fields, "YReal", 1.0) * scale,
        xoff=_number(path, fields, "XOffset", 0.0) * scale,
        yoff=_number(path, fields, "YOffset", 0.0) * scale,
        unit=unit,
        lateral_unit=lateral_unit,
        title=fields.get("Title", ""),
        history=from_meta(fields),
        path=path,
        number=0,
    )


def _corrupt(path: Path, found: str) -> NoReturn:
    raise CorruptFileError(f"{path.name}: damaged: {found}; take the file from its source again")


def _fields(path: Path, header: bytes) -> dict[str, str]:
    fields = {}
    for line in header.splitlines():  # of bytes: of text it would split at more than line ends
        name, equals, value = map(decoded, line.partition(b"="))
        if line.strip() and not equals:
            _corrupt(path, f"the header line {name[:60]!r} has no equals sign")
        fields[name.strip()] = value.strip()
    return fields


def _whole(path: Path, fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "nothing")
    # Nine digits: int() of thousands of digits is slow, and no file is that large.
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        _corrupt(path, f"{name} is {text[:60]!r} instead of a positive whole number")
    return int(text)


def _number(path: Path, fields: dict[str, str], name: str, default: float) -> float:
    text = fields.get(name, str(default))
    try:
        return float(text)
    except ValueError:
        _corrupt(path, f"{name} is {text[:60]!r} instead of a number{decimal_comma(text)}")


def write(path: str | Path, channel: Channel, force: bool = False) -> None:
    """Write a channel as Gwyddion Simple Field.

    The format holds 32-bit floats in SI base units: seven digits, so heights of some µm keep
    about 0.2 pm. Pixels that were not measured stay NaN, which Gwyddion turns into a mask. The
    mask itself has no place in the format; the history has a line of its own in the header, which
    Gwyddion takes into the metadata.

    Parameters
    ----------
    path : path
        Target; its name must end in ``.gsf``.
    channel : Channel
        What to write.
    force : bool
        Replace the target if it exists.

    Raises
    ------
    OutputExistsError
        If the target exists and `force` is false.
    OutputError
        If the system refuses to write.
    FieldError
        If values or sizes do not fit in 32-bit floats.
    """
    from gsffile import write_gsf

    factor, unit = to_si(channel.unit)
    scale, lateral_unit = to_si(channel.lateral_unit)
    with np.errstate(over="ignore"):
        values = (channel.heights * factor).astype(np.float32)
    if (np.isinf(values) & np.isfinite(channel.heights)).any():
        raise FieldError(f"{channel.where}: values exceed 32-bit floats; write .gwy or .npy")
    header = {
        "XReal": repr(channel.xreal * scale),
        "YReal": repr(channel.yreal * scale),
        "XOffset": repr(channel.xoff * scale),
        "YOffset": repr(channel.yoff * scale),
        "XYUnits": lateral_unit,
        "ZUnits": unit,
        # One line without the sign that the library splits at.
        "Title": " ".join(channel.title.replace("=", ":").replace("\0", "").split())
        .encode("utf-8", "replace")
        .decode("utf-8"),
    }
    for text in to_meta(channel.history).values():
        header[HEADER] = json.dumps(json.loads(text)).replace("=", "\\u003d")
    with writing(path, force) as file:
        write_gsf(file.name, values, {name: value for name, value in header.items() if value})

"""Arrays for scripts: ``NAME.npy`` with the values, ``NAME.json`` with what they mean.

The array is float64 in nm, or in the channel's own unit. The JSON file beside it tells unit, size
and origin; a mask is a third file, ``NAME.mask.npy``, marked where above 0. An array without its
JSON file is refused: numbers without a unit are not heights.
"""

from __future__ import annotations

import json
import os
import re
import tokenize
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel, Step, marked
from afmsr_core.errors import CorruptFileError, UnreadableFileError, UnsupportedContentError
from afmsr_core.io.atomic import writing_all
from afmsr_core.io.files import contents, head
from afmsr_core.io.history import UNFIT, steps_of
from afmsr_core.io.units import from_file, is_known
from afmsr_core.text import decimal_comma

__all__ = ["read", "sidecar", "write"]

MAGIC = b"\x93NUMPY"
_FORMAT = "afmsr channel"
_VERSION = 1
_EXAMPLE = '{"unit": "nm", "xreal": 1000, "yreal": 1000}'
# What NumPy raises on a header that is damaged, besides its own ValueError.
_DAMAGED = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    EOFError,
    MemoryError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
)


def sidecar(path: str | Path) -> Path:
    """Return the JSON file that belongs to an array.

    Examples
    --------
    >>> sidecar("scan.npy").name
    'scan.json'
    """
    return Path(path).with_suffix(".json")


def _beside(path: Path, companion: Path) -> Path:
    """Return a companion where the array stands; if not there, beside what a link leads to."""
    if companion.exists() or not path.is_symlink():
        return companion
    real = Path(os.path.realpath(path))
    name = sidecar(real).name if companion == sidecar(path) else companion.name
    return real.with_name(name)


def _mask_file(path: Path) -> Path:
    return path.with_suffix(".mask.npy")


def read(path: str | Path) -> Channel:
    """Read an array and its JSON file.

    Parameters
    ----------
    path : path
        A ``.npy`` file. The JSON file must hold at least ``unit``, ``xreal`` and ``yreal``
        (sizes in nm, or in ``lateral_unit`` if that is given); units may have prefixes.

    Returns
    -------
    Channel

    Raises
    ------
    UnreadableFileError
        If there is no such file or the system does not let us read it.
    UnsupportedContentError
        If the JSON file is missing or tells too little, or the array is not a field of real
        numbers.
    CorruptFileError
        If a file is damaged.
    FieldError
        If sizes or shapes contradict each other.
    """
    path = Path(path)
    head(path, 1)  # An absent file is told before its absent companion.
    notes = _notes(path)
    told = _of(str, notes, "unit", path), _of(str, notes, "lateral_unit", path, "nm")
    (factor, unit), (scale, lateral_unit) = map(from_file, told)
    mask = None
    if notes.get("mask"):
        name = Path(_of(str, notes, "mask", path)).name
        mask = marked(_array(_beside(path, path.with_name(name))))
    return Channel(
        np.multiply(_array(path), factor, dtype=np.float64),
        xreal=_of(float, notes, "xreal", path) * scale,
        yreal=_of(float, notes, "yreal", path) * scale,
        xoff=_of(float, notes, "xoff", path, 0.0) * scale,
        yoff=_of(float, notes, "yoff", path, 0.0) * scale,
        unit=unit,
        lateral_unit=lateral_unit,
        title=_of(str, notes, "title", path, ""),
        mask=mask,
        history=_history(notes, path),
        path=path,
        number=0,
        warnings=_unit("unit", told[0]) + _unit("lateral_unit", told[1]),
    )


def _notes(path: Path) -> dict[str, Any]:
    companion = _beside(path, sidecar(path))
    if not os.path.lexists(companion):
        raise UnsupportedContentError(
            f"{path.name}: an array does not tell its unit and size; put a file "
            f"{sidecar(path).name} beside it that holds, for example, {_EXAMPLE}"
        )
    text = contents(companion)
    try:
        notes = json.loads(text)
    except UnicodeDecodeError as error:
        raise CorruptFileError(
            f"{sidecar(path).name}: the text is not UTF-8 (byte {error.start} is "
            f"0x{text[error.start]:02x}); save it as UTF-8"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(
            f"{sidecar(path).name}: not JSON ({error}){_comma_in(text)}; a minimal one is "
            f"{_EXAMPLE}"
        ) from error
    if not isinstance(notes, dict):
        raise _lacking(path, "holds no names and values")
    return notes


def _comma_in(text: bytes) -> str:
    found = re.search(rb":\s*([+-]?[0-9]+,[0-9]+)", text)
    return decimal_comma(found[1].decode("ascii")) if found else ""


def _lacking(path: Path, found: str) -> UnsupportedContentError:
    return UnsupportedContentError(f"{sidecar(path).name}: {found}; a minimal one is {_EXAMPLE}")


def _of(kind: type, notes: dict[str, Any], name: str, path: Path, default: Any = None) -> Any:
    value = notes.get(name, default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            value = None
    if isinstance(value, kind):
        return value
    if value is None:
        raise _lacking(path, f"{name!r} is missing")
    hint = decimal_comma(value) if kind is float and isinstance(value, str) else ""
    raise _lacking(path, f"{name!r} is {str(value)[:60]!r}{hint}, which is not {_KINDS[kind]}")


_KINDS = {float: "a number without quotes", str: "a text in quotes", list: "a list"}


def _unit(name: str, unit: str) -> tuple[str, ...]:
    """Return what to say of a unit that we do not know: a length by another word would be none."""
    if is_known(unit):
        return ()
    return (
        f"the {name} {unit!r} is none that afmsr knows and is left as it is; write a length as nm, "
        f"µm or m",
    )


def _history(notes: dict[str, Any], path: Path) -> tuple[Step, ...]:
    try:
        return steps_of(_of(list, notes, "history", path, []))
    except UNFIT as error:
        raise _lacking(path, "'history' is not a list of steps with name and version") from error


def _array(path: Path) -> NDArray[Any]:
    if head(path, len(MAGIC)) != MAGIC:
        raise CorruptFileError(f"{path.name}: not a NumPy array; write it again with numpy.save")
    try:
        # Mapped, not read: a header that promises too much is refused before memory is taken.
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error}); check the disk") from error
    except _DAMAGED as error:
        raise CorruptFileError(
            f"{path.name}: the array is damaged or holds objects ({error}); "
            f"write it again with numpy.save as float64"
        ) from error
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise UnsupportedContentError(
            f"{path.name}: holds {values.ndim} dimensions of {values.dtype}; "
            f"save a two-dimensional array of real numbers, rows first"
        )
    return values


def write(path: str | Path, channel: Channel, force: bool = False) -> None:
    """Write a channel as array, JSON file and, if it has a mask, mask array.

    Parameters
    ----------
    path : path
        Name of the array, ending in ``.npy``.
    channel : Channel
        What to write.
    force : bool
        Replace files that exist.

    Raises
    ------
    OutputExistsError
        If one of the files exists and `force` is false; none is written.
    OutputError
        If the system refuses to write; none is written.
    """
    path = Path(path)
    notes = {
        "format": _FORMAT,
        "version": _VERSION,
        "title": channel.title,
        "unit": channel.unit,
        "lateral_unit": channel.lateral_unit,
        "xreal": channel.xreal,
        "yreal": channel.yreal,
        "xoff": channel.xoff,
        "yoff": channel.yoff,
        "shape": [channel.yres, channel.xres],
        "mask": None if channel.mask is None else _mask_file(path).name,
        "source": {
            "file": channel.path.name if channel.path else None,
            "channel": channel.number,
        },
        "history": [step.as_dict() for step in channel.history],
    }
    targets = [sidecar(path), path]
    if channel.mask is not None:
        targets.insert(0, _mask_file(path))
    with writing_all(targets, force) as files:
        if channel.mask is not None:
            np.save(files[0], channel.mask, allow_pickle=False)
        text = json.dumps(notes, indent=2, ensure_ascii=False) + "\n"
        # A file name that is not UTF-8 has halves of surrogate pairs: escapes, as JSON has them.
        files[-2].write(text.encode("utf-8", "backslashreplace"))
        np.save(files[-1], channel.heights, allow_pickle=False)

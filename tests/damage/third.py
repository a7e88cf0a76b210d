"""Files of Gwyddion 3: what is read of a damaged one is what stands in it, and all of it stays."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.units import from_file
from afmsr_core.text import decoded
from tests import gwyfiles

from . import native
from .mutations import LIES, Damaged

__all__ = ["LIMIT", "check", "generate", "prepare"]

LIMIT = native.LIMIT
HEAD = len(b"GWYQGwyFile\0") + 8
ADDED = Channel(np.arange(6.0).reshape(2, 3), 30.0, 20.0, title="added", mask=np.eye(2, 3))
LOOKS = ("palette", "color-mapping", "range/min", "range/max", "real-square", "mask-color")


def prepare(folder: Path) -> None:
    """Import what reads and upscales."""
    path = folder / "3.gwy"
    path.write_bytes(gwyfiles.version_3(native.version_3()))
    check(path)
    path.unlink()


def generate(seed: int, count: int) -> Iterator[Damaged]:
    """Yield damaged files; a third of them lie about one size or count."""
    random, parts = Random(seed), native.version_3()
    sound = gwyfiles.version_3(parts)
    others = [gwyfiles.version_2(native.version_2()), sound]
    lengths = _lengths(sound)
    for number in range(count):
        if number % 3:
            yield Damaged("3.gwy", native.gwy(parts, gwyfiles.version_3, random, others))
        else:
            yield Damaged("3.gwy", _lying(sound, random.choice(lengths), random))


def _lengths(data: bytes) -> list[int]:
    """Return where a size or a count may stand: every one does, and some other numbers."""
    found = ((at, struct.unpack_from("<Q", data, at)[0]) for at in range(len(data) - 8))
    return [at for at, number in found if 0 < number <= len(data)]


def _lying(data: bytes, at: int, random: Random) -> bytes:
    right = int.from_bytes(data[at : at + 8], "little")
    lie = random.choice((*LIES, 2 * right, right + random.choice((-9, -8, -1, 1, 8, 9))))
    return data[:at] + (lie % 2**64).to_bytes(8, "little") + data[at + 8 :]


def check(path: Path) -> str:
    """Read a file as a user would, then hold all that was read and written against its bytes."""
    file, data = GwyFile.open(path), path.read_bytes()  # readers of others: see native
    outcome = native.check(path)
    if file.version == 3:
        parts = gwyfiles.parsed(data)
        for channel in file.channels(as_stored=True):
            _hold(channel, file, parts)
            _hold_copy(file, channel.number or 0, data)
    return outcome


def _same(found: Any, expected: Any, what: str) -> None:
    equal = np.array_equal(found, expected, equal_nan=np.asarray(found).dtype.kind == "f")
    if not equal:
        raise ValueError(f"{what}: {found!r} was read, {expected!r} stands in the file")


def _hold(channel: Channel, file: GwyFile, parts: gwyfiles.Components) -> None:
    """Compare a channel with what the other parser finds."""
    name = f"/image/{channel.number}"
    _, (_, field) = parts[name]
    factor, unit = _unit(field, "z")
    scale, lateral = _unit(field, "xy")
    shape = field["yres"][1], field["xres"][1]
    values = np.asarray(field["data"][1])
    with np.errstate(over="ignore", invalid="ignore"):
        _same(channel.heights, values.reshape(shape) * factor, "heights")
    places = {"xreal": 1.0, "yreal": 1.0, "xoff": 0.0, "yoff": 0.0}
    for place, default in places.items():
        _same(getattr(channel, place), field.get(place, ("d", default))[1] * scale, place)
    _same((channel.unit, channel.lateral_unit), (unit, lateral), "units")
    code, title = parts.get(f"{name}/title", ("", b""))
    expected = {"s": lambda: decoded(title), "c": lambda: chr(title)}.get(code, str)()
    _same(channel.title, expected, "title")
    marks = parts.get(f"{name}/mask")
    if (channel.mask is None) != (marks is None):
        raise ValueError("there is a mask where there is none, or none where one is")
    if channel.mask is not None and marks is not None:
        _same(channel.mask, np.asarray(marks[1][1]["data"][1]).reshape(shape) > 0, "mask")
    _same(sorted(file.meta(channel.number or 0).items()), sorted(_notes(parts, name)), "metadata")


def _unit(field: Any, axis: str) -> tuple[float, str]:
    for name in (f"si_unit_{axis}", f"unit_{axis}"):
        if name in field:
            return from_file(decoded(field[name][1][1].get("unitstr", ("s", b""))[1]))
    return 1.0, ""


def _notes(parts: gwyfiles.Components, name: str) -> list[tuple[str, str]]:
    code, meta = parts.get(f"{name}/meta", ("", None))
    inside = meta[1] if code == "o" else {}
    return [(key, decoded(value)) for key, (kind, value) in inside.items() if kind == "s"]


def _hold_copy(file: GwyFile, like: int, data: bytes) -> None:
    """Add a channel and see that it came with its looks, and that no byte was lost."""
    grown = file.with_channel(ADDED, like=like, log=["line"], meta={"new": "note"})
    copy = io.BytesIO()
    grown.write_to(copy, "copy.gwy")
    written = copy.getvalue()
    if written[HEAD : len(data)] != data[HEAD:] or written[:12] != data[:12]:
        raise ValueError("bytes of the file were lost")
    parts, new = gwyfiles.parsed(written), grown.numbers[-1]
    _same(parts[f"/image/{new}/title"], ("s", b"added"), "title of the result")
    _same(parts[f"/image/{new}"][1][1]["data"][1], np.arange(6.0) / 1e9, "heights of the result")
    _same(parts[f"/image/{new}/mask"][1][1]["data"][1], [1, 0, 0, 0, 1, 0], "mask of the result")
    for look in LOOKS:
        found, expected = (_looked_up(parts, f"/image/{one}/{look}") for one in (new, like))
        if gwyfiles.comparable(found) != gwyfiles.comparable(expected):
            raise ValueError(f"{look}: {found!r} was written, {expected!r} stands in the file")


def _looked_up(parts: gwyfiles.Components, name: str) -> Any:
    """Return a component, or the one that it stands for."""
    code, names = parts.get("__links__", ("", []))
    listed = {decoded(one) for one in names} if code == "S" else set()
    passed = set()
    while name in parts and name in listed and parts[name][0] == "s":
        if name in passed:
            return None
        passed.add(name)
        name = decoded(parts[name][1])
    return parts.get(name)

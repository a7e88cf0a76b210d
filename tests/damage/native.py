"""The formats that are read without a reader of others: ``.gwy`` 2 and 3, ``.gsf``, ``.npy``."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from afmsr_core.errors import AfmsrError
from tests import gwyfiles

from .mutations import Damaged, mutated

__all__ = ["LIMIT", "check", "generate", "gwy", "prepare", "version_2", "version_3"]

LIMIT = 5.0
UPSCALED = 5  # of so many files, one is upscaled too, if it can be read
VALUES = np.sin(np.arange(48.0)).reshape(6, 8) * 1e-9
MARKED = np.arange(48).reshape(6, 8) % 5 == 0
HISTORY = b'[{"name": "level", "version": "1", "settings": {"degree": 1}, "effect": "none"}]'
# What may stand in a file of the right structure: type code and value.
ODD = (
    ("i", 0), ("i", -1), ("i", 2**31 - 1), ("q", 2**62), ("b", True), ("c", 200), ("d", 0.0),
    ("d", -1.0), ("d", float("nan")), ("d", float("inf")), ("d", 1e308), ("d", 5e-324), ("s", b""),
    ("s", b"\xb5m"), ("s", b"\xc3"), ("s", b"nm" * 500), ("s", b"10^300 m"), ("s", b"m^99999"),
    ("s", b"["), ("s", b"[" * 3000), ("s", b'[{"name": 1}]'), ("S", []), ("S", [b"\xff", b""]),
    ("D", []), ("D", [float("nan")] * 48), ("D", [float("inf")] * 48), ("D", [1e308] * 48),
    ("D", [-1.0] * 48), ("I", [-1] * 48), ("C", [255] * 48), ("Q", [2**62] * 48), ("O", []),
    ("o", ("GwyContainer", {})), ("o", ("GwySIUnit", {})), ("o", ("", {"x": ("S", [b"\xe9"])})),
)  # fmt: skip
NAMES = ("/0/data", "/00/data", "/9999999999/data", "/image/0/mask", "data", "xres", "")


def version_2() -> dict[str, Any]:
    channel = {
        "/0/data": gwyfiles.field_2(VALUES, (2e-6, 1.5e-6)),
        "/0/data/title": ("s", b"Height"),
        "/0/data/log": ("o", ("GwyStringList", {"strings": ("S", [b"proc::level()@now", b"x"])})),
        "/0/mask": gwyfiles.field_2(MARKED.astype(float), (2e-6, 1.5e-6)),
        "/0/base/palette": ("s", b"Gold"),
        "/0/base/range-type": ("i", 1),
        "/0/base/min": ("d", -1e-9),
        "/0/base/max": ("d", 1e-9),
        "/0/meta": (
            "o",
            ("GwyContainer", {"Angle": ("s", b"30\xb0"), "afmsr history": ("s", HISTORY)}),
        ),
    }
    others = {
        "/7/data": gwyfiles.field_2(VALUES, unit=b"V"),
        "/7/data/title": ("s", "Phase µ".encode()),
        "/filename": ("s", b"scan.gwy"),
        "/flag": ("b", True),
        "/selections": ("O", [("GwySelectionPoint", {"max": ("i", 3), "data": ("D", [0.0, 1.0])})]),
    }
    return channel | others


def version_3() -> dict[str, Any]:
    return {
        "/graph/1": gwyfiles.graph_3(),
        "/image/0": gwyfiles.placed_3(VALUES, (2e-6, 1.5e-6), (1e-7, 2e-7)),
        "/image/0/title": ("s", b"Height"),
        "/image/0/log": gwyfiles.log(b"image::level()@now", b"x"),
        "/image/0/mask": gwyfiles.mask_3(MARKED),
        "/image/0/mask-color": gwyfiles.colour(1, 0, 0, 0.5),
        "/image/0/palette": ("s", b"Gold"),
        "/image/0/color-mapping": ("i", 1),
        "/image/0/range/max": ("d", 1e-9),
        "/image/0/range/min": ("d", -1e-9),
        "/image/0/meta": gwyfiles.notes_3(**{"Angle": b"30\xb0", "afmsr history": HISTORY}),
        "/image/3": gwyfiles.field_3(VALUES, unit=b"deg"),
        "/image/3/palette": ("s", b"/image/0/palette"),
        "/later/0": ("o", ("GwyLater", {"later": ("z", b"\1\2\3")})),
        "/number": ("f", 1.0),
        "/volume/0": gwyfiles.volume_3(),
        "__links__": ("S", [b"/image/3/palette"]),
    }


def _gsf() -> bytes:
    header = (
        b"Gwyddion Simple Field 1.0\nXRes = 8\nYRes = 6\nXReal = 2e-6\nYReal = 1.5e-6\n"
        b"XYUnits = m\nZUnits = m\nTitle = Height \xb5\n"
    )
    return header + b"\0" * (4 - len(header) % 4) + VALUES.astype("<f4").tobytes()


def _npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _array() -> dict[str, bytes]:
    notes = {
        "unit": "nm", "lateral_unit": "um", "xreal": 2.0, "yreal": 1.5, "title": "Height",
        "mask": "d.mask.npy", "history": json.loads(HISTORY),
    }  # fmt: skip
    return {
        "d.npy": _npy(VALUES * 1e9),
        "d.json": json.dumps(notes).encode(),
        "d.mask.npy": _npy(MARKED),
    }


def _odd(components: dict[str, Any], random: Random) -> dict[str, Any]:
    """Return the components of a file with one or two replaced, renamed or left out."""
    found = copy.deepcopy(components)
    for _ in range(random.choice((1, 1, 2))):
        inside = found
        while inside:
            name = random.choice(list(inside))
            code, value = inside[name]
            if code not in "or" or not value[1] or random.random() < 0.1:
                break
            inside = value[1]
        if random.random() < 0.1:
            del inside[name]
        elif random.random() < 0.1:
            inside[random.choice(NAMES)] = (code, value)
        else:
            same = [one for one in ODD if one[0] == code]
            inside[name] = random.choice(same if same and random.random() < 0.7 else ODD)
    return found


def gwy(
    components: dict[str, Any],
    written: Callable[[dict[str, Any]], bytes],
    random: Random,
    others: list[bytes],
) -> bytes:
    """Return a file that is damaged in its bytes, or sound and odd in what it holds."""
    if random.random() < 0.5:
        return written(_odd(components, random))
    return mutated(written(components), random, others)


def prepare(folder: Path) -> None:
    """Import the readers of others too: they see what has lost its first bytes."""
    from afmsr_core import io

    unknown = folder / "unknown"
    unknown.write_bytes(b"?" * 64)
    with contextlib.suppress(AfmsrError):
        io.read(unknown)
    unknown.unlink()


def generate(seed: int, count: int) -> Iterator[Damaged]:
    """Yield damaged files, one format after the other."""
    random = Random(seed)
    kinds = (
        ("2.gwy", version_2(), gwyfiles.version_2),
        ("3.gwy", version_3(), gwyfiles.version_3),
    )
    array = _array()
    others = [*(written(parts) for _, parts, written in kinds), _gsf(), *array.values()]
    for number in range(count):
        kind = number % 4
        if kind < len(kinds):
            name, parts, written = kinds[kind]
            yield Damaged(name, gwy(parts, written, random, others))
        elif kind == len(kinds):
            yield Damaged("d.gsf", mutated(_gsf(), random, others))
        else:
            files = dict(array)
            victim = random.choice(list(files))
            files[victim] = mutated(files[victim], random, others)
            yield Damaged("d.npy", files.pop("d.npy"), files)


def check(path: Path) -> str:
    """Read a file; of a sample, upscale what is in it, write it beside and read that."""
    from afmsr_core import io
    from afmsr_core.io.results import write_results
    from afmsr_core.upscale import Settings, Upscaler

    channels = io.read(path)
    if not channels:
        return "read, without a channel"
    if zlib.crc32(path.read_bytes()) % UPSCALED:
        return "read"
    upscaler = Upscaler(Settings(method="bicubic"))
    file, target = io.as_gwy(path), path.with_name("result.gwy")
    chosen = [one for one in channels if one.heights.size < 1 << 16][:1]
    write_results(target, file, [upscaler(channel) for channel in chosen])
    try:
        if len(io.read(target)) < len(chosen):
            raise ValueError("the result lacks what was written")
    finally:
        target.unlink()
    return "read, upscaled and read again"

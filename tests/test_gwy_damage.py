"""A damaged Gwyddion file is refused by name, quickly, and leaves nothing behind.

The full fuzz runs with ``AFMSR_FUZZ=full``; else a seeded tenth of it.
"""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, CorruptFileError, UnsupportedContentError
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.gwystructure import Structure

SLOWEST = 2.0  # Seconds that one file may take.
FULL = os.environ.get("AFMSR_FUZZ") == "full"
TRUNCATIONS, MUTATIONS = (2000, 10_000) if FULL else (200, 1000)
REAL = ("PTO_110_Virgin0001.gwy", "file_landscape.gwy", "test.gwy")
SEED = 20261122
ADDED = Channel(np.zeros((2, 3)), 30.0, 20.0, title="added")


def gwyp(body: bytes, size: int | None = None, kind: bytes = b"GwyContainer") -> bytes:
    return b"GWYP" + kind + b"\0" + struct.pack("<I", len(body) if size is None else size) + body


def exercise(data: bytes, folder: Path) -> bool:
    """Read all channels of a file, add one, save; True if all of it went well."""
    start = time.process_time()
    fine = False
    try:
        file = GwyFile.from_bytes(data)
        for number in file.numbers:
            file.channel(number), file.log(number), file.meta(number)
        like = file.numbers[0] if file.numbers else None
        file.with_channel(ADDED, like=like, log=["x"], meta={"a": "b"}).save(folder / "out.gwy")
        fine = True
    except AfmsrError as error:
        assert type(error) is not AfmsrError
        assert str(error)
    assert time.process_time() - start < SLOWEST
    left = sorted(path.name for path in folder.iterdir())
    assert left == (["out.gwy"] if fine else [])
    (folder / "out.gwy").unlink(missing_ok=True)
    return fine


# Bytes that other readers answer with an error. A text without its end, on which gwyfile does not
# stop, is met where files are cut at every byte.
DAMAGED = {
    "nothing": b"",
    "part of the magic": b"GWY",
    "the magic alone": b"GWYP",
    "the magic of version 3 alone": b"GWYQ",
    "a root without end of its name": b"GWYP" + b"A" * 50,
    "a cut root size": b"GWYPGwyContainer\0\1\0",
    "a root size too large": gwyp(b"", size=1),
    "a root size of 4 GiB": gwyp(b"x\0b\1", size=2**32 - 1),
    "bytes behind the root": gwyp(b"x\0b\1", size=0),
    "an array of 2^31 numbers": gwyp(b"x\0D" + struct.pack("<I", 2**31) + b"\0" * 64),
    "an array of 2^32-1 bytes": gwyp(b"x\0C" + struct.pack("<I", 2**32 - 1)),
    "a list of 2^31 texts": gwyp(b"x\0S" + struct.pack("<I", 2**31) + b"\0" * 64),
    "a list of 2^31 objects": gwyp(b"x\0O" + struct.pack("<I", 2**31) + b"\0" * 64),
    "an unknown type code": gwyp(b"x\0z\1"),
    "a type code of version 3 in version 2": gwyp(b"x\0f\0\0\0\0"),
    "a name without type code": gwyp(b"x\0"),
    "a number cut short": gwyp(b"x\0d\0\0\0\0"),
    "a count cut short": gwyp(b"x\0S\1\0"),
    "an object cut in its size": gwyp(b"x\0oA\0\5\0"),
    "an object larger than what holds it": gwyp(
        b"x\0oA\0" + struct.pack("<I", 9) + b"y\0d\0\0\0\0\0"
    ),
    "an object that cuts its number": gwyp(b"x\0oA\0" + struct.pack("<I", 7) + b"y\0d" + b"\0" * 8),
    "a list with one object too few": gwyp(
        b"x\0O" + struct.pack("<I", 2) + b"A\0" + struct.pack("<I", 0)
    ),
    "a name that is not UTF-8": gwyp(b"\xff\0b\1"),
    "a type that is not UTF-8": gwyp(b"x\0o\xb5m\0\0\0\0\0"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named_with_its_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match=r"gwy data: damaged at byte \d+: .*; take the file"):
        GwyFile.from_bytes(DAMAGED[name])
    assert not exercise(DAMAGED[name], tmp_path)


def test_a_version_3_size_may_not_wrap_around() -> None:
    for size in (2**63, 2**64 - 1, 2**64 - 20):
        with pytest.raises(CorruptFileError):
            GwyFile.from_bytes(b"GWYQGwyFile\0" + struct.pack("<Q", size) + b"x\0b\1")
    for count in (2**61, 2**64 - 1):
        body = b"x\0D" + struct.pack("<Q", count) + b"\0" * 8
        with pytest.raises(CorruptFileError):
            GwyFile.from_bytes(b"GWYQGwyFile\0" + struct.pack("<Q", len(body)) + body)


def test_another_root_is_not_supported() -> None:
    with pytest.raises(UnsupportedContentError, match="'GwyBrick' instead of a 'GwyContainer'"):
        GwyFile.from_bytes(gwyp(b"", kind=b"GwyBrick"))


@pytest.mark.parametrize("depth", [64, 65, 100, 5000])
def test_nesting_has_a_limit(depth: int) -> None:
    data = b""
    head = b"x\0oA\0"
    # The innermost object is empty; each level adds its head and size.
    level = len(head) + 4
    for inside in range(depth - 1, -1, -1):
        data += head + struct.pack("<I", inside * level)
    if depth <= 64:
        Structure(gwyp(data), "deep.gwy")
    else:
        with pytest.raises(CorruptFileError, match="nested deeper than 64"):
            Structure(gwyp(data), "deep.gwy")


def seconds(data: bytes) -> float:
    start = time.process_time()
    GwyFile.from_bytes(data)
    return time.process_time() - start


@pytest.mark.parametrize(
    "item",
    [
        b"x\0b\1",
        b"x\0sA\0",
        b"x\0oA\0\0\0\0\0",
        b"x\0S\1\0\0\0A\0",
        b"x\0O\1\0\0\0A\0\0\0\0\0",
        b"x\0D\0\0\0\0",
    ],
)
def test_many_small_items_take_linear_time(item: bytes) -> None:
    few = min(seconds(gwyp(item * 20_000)) for _ in range(3))
    many = seconds(gwyp(item * 200_000))
    assert many < max(40 * few, 0.2)
    assert many < 2 * SLOWEST


def test_long_lists_take_linear_time() -> None:
    body = b"x\0S" + struct.pack("<I", 1_000_000) + b"a\0" * 1_000_000
    assert seconds(gwyp(body)) < SLOWEST


def test_a_real_file_without_its_last_byte(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "afm" / "originals" / "gwy"
    for path in (*(folder / name for name in REAL), folder / "file_square.gwy"):
        assert not exercise(path.read_bytes()[:-1], tmp_path)


@pytest.mark.parametrize(
    "name", ["v2_by_gwyddion_3.12", "v2_by_gwyddion_2.62", "v3_by_gwyddion_3.12"]
)
def test_every_truncation_of_the_fixtures(name: str, shared: Path, tmp_path: Path) -> None:
    data = (shared / "gwyddion" / "fixtures" / f"{name}.gwy").read_bytes()
    for length in range(len(data)):
        assert not exercise(data[:length], tmp_path), length
    assert exercise(data, tmp_path)


def outside_arrays(data: bytes) -> np.ndarray:
    """Return the offsets of the bytes that are structure and text, not numbers of a field."""
    keep = np.ones(len(data), bool)
    structure = Structure(data, "original")
    for component in structure.components:
        for member in structure.members(component) if component.code == "o" else ():
            if member.code == "D":
                keep[member.value + 4 : member.end] = False
    return np.flatnonzero(keep)


@pytest.mark.parametrize("name", REAL)
def test_truncations_of_real_files(name: str, shared: Path, tmp_path: Path) -> None:
    data = (shared / "data" / "afm" / "originals" / "gwy" / name).read_bytes()
    random = np.random.default_rng([SEED, REAL.index(name)])
    for length in random.integers(0, len(data), -(-TRUNCATIONS // len(REAL))):
        assert not exercise(data[:length], tmp_path), length


@pytest.mark.parametrize("name", REAL)
def test_mutations_of_real_files(name: str, shared: Path, tmp_path: Path) -> None:
    data = (shared / "data" / "afm" / "originals" / "gwy" / name).read_bytes()
    random = np.random.default_rng([SEED, 10 + REAL.index(name)])
    structural = outside_arrays(data)
    outcomes = {True: 0, False: 0}
    for _ in range(-(-MUTATIONS // len(REAL))):
        mutant = bytearray(data)
        # One byte in ten anywhere, nine where the structure is; up to four at once.
        for _ in range(random.integers(1, 5)):
            anywhere = random.random() < 0.1
            place = random.integers(len(data)) if anywhere else random.choice(structural)
            mutant[place] = random.integers(256)
        outcomes[exercise(bytes(mutant), tmp_path)] += 1
    assert min(outcomes.values()) > 0  # The mutations reach both refusal and success.

"""What happens to files on the way: flipped bits, cuts, lengths that lie, parts of other files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

__all__ = ["LIES", "Damaged", "mutated"]


class Damaged(NamedTuple):
    """A damaged file and, for formats of several files, its companions."""

    name: str
    data: bytes
    beside: Mapping[str, bytes] = {}


LIES = (0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"inf", b"1,5", b"", b"9" * 40, b"1e-320", b"\xb2")
_INSERTED = (b"\0", b"\0" * 9, b"\xff\xfe", b"\xb5m", b"\n", b"=", b'"', b"{" * 200, b"[" * 3000)


def _flip(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    for _ in range(random.randint(1, 8)):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _overwrite(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] = random.randrange(256)


def _cut(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    del data[random.randrange(len(data)) :]


def _remove(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.randint(1, 64)]


def _insert(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.choice((*_INSERTED, random.randbytes(random.randint(1, 64))))


def _lie(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    """Put another number where one may stand, as four bytes or eight."""
    size = random.choice((4, 8))
    at = random.randrange(len(data))
    number = random.choice((*LIES, len(data), len(data) - at, random.randrange(1000)))
    data[at : at + size] = (number % 256**size).to_bytes(size, "little")


def _number(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    """Put another number where one stands in digits."""
    if found := list(re.finditer(rb"[0-9][0-9.e+-]*", data)):
        one = random.choice(found)
        data[one.start() : one.end()] = random.choice(_NUMBERS)


def _splice(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    """Go on as another file does."""
    other = random.choice(others)
    data[random.randrange(len(data)) :] = other[random.randrange(len(other)) :]


def _repeat(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    """Copy a part of the file to another place, over what is there or between."""
    start = random.randrange(len(data))
    part = data[start : start + random.randint(1, 200)]
    at = random.randrange(len(data))
    data[at : at + (len(part) if random.random() < 0.5 else 0)] = part


_KINDS: tuple[Callable[[bytearray, Random, Sequence[bytes]], None], ...] = (
    _flip, _overwrite, _cut, _remove, _insert, _lie, _lie, _number, _splice, _repeat,
)  # fmt: skip


def mutated(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Return `data` after one to three kinds of damage; `others` are what it is spliced with."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if found:
            random.choice(_KINDS)(found, random, others)
    return bytes(found)

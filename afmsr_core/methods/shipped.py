"""The files that ship with afmsr, checked against the hashes that ship with them.

``data/SHA256SUMS`` is in the form of ``sha256sum``; ``python -m training export`` writes it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from afmsr_core.errors import WeightsError

__all__ = ["SUMS", "expected_hash", "path", "read"]

_DATA = Path(__file__).parent.parent / "data"
SUMS = "SHA256SUMS"


def path(name: str) -> Path:
    """Return where a file of the package is."""
    return _DATA / name


def expected_hash(name: str) -> str:
    """Return the SHA-256 that a file of the package has.

    Raises
    ------
    WeightsError
        If the list of hashes is missing or does not have it.
    """
    for line in _bytes(SUMS).decode("ascii", "replace").splitlines():
        digest, _, listed = line.partition("  ")
        if listed == name:
            return digest
    raise WeightsError(f"{path(SUMS)}: does not list {name}; install afmsr again")


def read(name: str) -> tuple[bytes, str]:
    """Return the bytes of a file of the package and their SHA-256, after checking it.

    Raises
    ------
    WeightsError
        If the file is missing, or not the one that was published.
    """
    data = _bytes(name)
    found, expected = hashlib.sha256(data).hexdigest(), expected_hash(name)
    if found != expected:
        raise WeightsError(
            f"{path(name)}: has changed: its SHA-256 is {found[:16]}…, but {expected[:16]}… was "
            f"published; install afmsr again"
        )
    return data, found


def _bytes(name: str) -> bytes:
    try:
        return path(name).read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path(name)}: cannot be read ({error.strerror}); install afmsr again"
        ) from error

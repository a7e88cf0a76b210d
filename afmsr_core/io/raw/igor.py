"""Igor waves with the labels that Asylum Research writes.

A label is a text of 32 bytes that ends at its first NUL. What stands behind is left over from a
longer label that the memory held before; igor2 0.5, on which SurfaceTopography leans, takes it for
a part of the label (``ZSensorTraceTwo``), and with the name goes the unit that follows from it.
"""

from __future__ import annotations

import struct

__all__ = ["knows", "with_clean_labels"]

_LABEL = 32
_DIMENSIONS = 4
# Version, checksum; sizes of wave, formula, note, unit, four units and four kinds of labels.
_SIZES = "hh 4i 4i 4i"
_BINARY_HEADER = 64


def _order(data: bytes) -> str | None:
    """Return the byte order; None for anything but a wave of version 5."""
    return {b"\5\0": "<", b"\0\5": ">"}.get(data[:2])


def knows(start: bytes) -> bool:
    """Return whether a file that begins like this is an Igor wave of version 5."""
    return _order(start) is not None


def with_clean_labels(data: bytes) -> bytes:
    """Return the bytes of a wave with NUL behind the first NUL of each label.

    A file that is cut short comes back as it is.
    """
    order = _order(data)
    if order is None or len(data) < _BINARY_HEADER:
        return data
    _, _, *sizes = struct.unpack_from(order + _SIZES, data)
    labels = sizes[-_DIMENSIONS:]
    start = _BINARY_HEADER + sum(sizes[:-_DIMENSIONS])
    if min(sizes) < 0 or start + sum(labels) > len(data):
        return data
    cleaned = bytearray(data)
    for at in range(start, start + sum(labels) - _LABEL + 1, _LABEL):
        label = bytes(cleaned[at : at + _LABEL]).partition(b"\0")[0]
        cleaned[at : at + _LABEL] = label.ljust(_LABEL, b"\0")
    return bytes(cleaned)

"""PNG files that tell nothing but their pixels."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["NONCE_BYTES", "plain_png"]

NONCE_BYTES = 16
NONCE = b"raNd"
"""A private ancillary chunk, which every program skips. It makes two files of the same pixels
differ, so that the truth as a catch item, or a set that is shown again, has no double."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = (8, 2, 0, 0, 0)  # bits, colour type, compression, filter, interlace


def plain_png(pixels: NDArray[np.uint8], nonce: bytes) -> bytes:
    """Return an image as a PNG without metadata and without compression.

    How well an image compresses depends on how smooth a method made it; stored as they are, all
    images of the same size in pixels have the same size in bytes.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (yres, xres, 3)
        RGB.
    nonce : bytes
        `NONCE_BYTES` random bytes.

    Examples
    --------
    >>> import numpy as np
    >>> flat, rough = np.zeros((9, 9, 3), np.uint8), np.arange(243, dtype=np.uint8)
    >>> one, other = (plain_png(p.reshape(9, 9, 3), bytes(16)) for p in (flat, rough))
    >>> len(one) == len(other)
    True
    """
    rows, columns, _ = pixels.shape
    lines = np.zeros((rows, 1 + 3 * columns), np.uint8)  # a line begins with its filter: none
    lines[:, 1:] = pixels.reshape(rows, -1)
    return _SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">2I5B", columns, rows, *_RGB)),
            _chunk(NONCE, nonce[:NONCE_BYTES].ljust(NONCE_BYTES, b"\0")),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 0)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

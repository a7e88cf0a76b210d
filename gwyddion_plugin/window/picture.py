"""Pictures that the worker made, at any size. Nothing is interpolated: every pixel is one."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

__all__ = ["Picture"]

_CHANNELS = 3  # red, green and blue


@dataclass(frozen=True)
class Picture:
    """Pixels in rows, from the top.

    Parameters
    ----------
    width, height : int
        In pixels.
    pixels : bytes
        Red, green and blue of each.
    """

    width: int
    height: int
    pixels: bytes

    @classmethod
    def read(cls, path: Path) -> Picture:
        """Return the picture in a binary PPM file."""
        _, width, height, rest = path.read_bytes().split(maxsplit=3)
        return cls(int(width), int(height), rest[rest.index(b"\n") + 1 :])

    def fitted(self, width: int, height: int) -> tuple[int, int]:
        """Return the largest size within some pixels that keeps the proportions.

        Examples
        --------
        >>> Picture(256, 128, b"").fitted(300, 300)
        (300, 150)
        """
        share = min(width / self.width, height / self.height)
        return max(1, round(share * self.width)), max(1, round(share * self.height))

    def at(self, width: int, height: int, zoom: int = 1) -> bytes:
        r"""Return the picture at some size, as PPM.

        Parameters
        ----------
        width, height : int
            In pixels.
        zoom : int
            Only the middle is shown, enlarged so many times.

        Examples
        --------
        >>> Picture(2, 1, b"RGBrgb").at(4, 2)
        b'P6 4 2 255\nRGBRGBrgbrgbRGBRGBrgbrgb'
        """
        line = itemgetter(
            *(
                _CHANNELS * column + channel
                for column in _taken(width, self.width, zoom)
                for channel in range(_CHANNELS)
            )
        )
        size, lines = _CHANNELS * self.width, dict[int, bytes]()
        rows = _taken(height, self.height, zoom)
        for row in rows:
            if row not in lines:
                lines[row] = bytes(line(self.pixels[row * size : (row + 1) * size]))
        return b"P6 %d %d 255\n" % (width, height) + b"".join(lines[row] for row in rows)


def _taken(size: int, old: int, zoom: int) -> list[int]:
    """Return which of `old` pixels lies under the centre of each of `size`, of their middle.

    Examples
    --------
    >>> _taken(4, 2, 1), _taken(4, 4, 2)
    ([0, 0, 1, 1], [1, 1, 2, 2])
    """
    first = 0.5 * old * (1 - 1 / zoom)
    return [int(first + (place + 0.5) * old / (size * zoom)) for place in range(size)]

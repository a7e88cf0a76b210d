"""How many pixels a result shall have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from afmsr_core.errors import UsageError

if TYPE_CHECKING:
    from afmsr_core.channel import Channel

__all__ = ["FINEST", "LINES_X2", "LINES_X4", "SQUARE", "Grid", "Scale"]

FINEST = 4  # pixels along each axis that every method makes of one that was measured


class Scale(NamedTuple):
    """Pixels of a result for one that was measured.

    Attributes
    ----------
    rows : int
        Across the scan lines.
    columns : int
        Along them; 1 where every point of a line was measured.
    """

    rows: int
    columns: int


SQUARE, LINES_X4, LINES_X2 = Scale(4, 4), Scale(4, 1), Scale(2, 1)


@dataclass(frozen=True)
class Grid:
    """How many pixels a result shall have.

    Parameters
    ----------
    scale : int
        Along each axis for each measured pixel, 1 to 4.
    pixels : int, optional
        Instead: along the side that has more of them, the other in proportion.

    Raises
    ------
    UsageError
        If there is no such scale, or both are given.

    Examples
    --------
    >>> import numpy as np
    >>> from afmsr_core.channel import Channel
    >>> scan = Channel(np.zeros((64, 128)), xreal=200.0, yreal=100.0)
    >>> Grid().shape(scan), Grid(scale=2).shape(scan), Grid(pixels=300).shape(scan)
    ((256, 512), (128, 256), (150, 300))
    """

    scale: int = FINEST
    pixels: int | None = None

    def __post_init__(self) -> None:
        if self.scale not in range(1, FINEST + 1):
            raise UsageError(
                f"scale {self.scale}: the methods make {FINEST}x, and more pixels would show "
                f"nothing more; choose 1, 2, 3 or {FINEST}"
            )
        if self.pixels is not None and self.scale != FINEST:
            raise UsageError(f"scale {self.scale} and {self.pixels} pixels: choose one of them")
        if self.pixels is not None and self.pixels < 1:
            raise UsageError(f"pixels {self.pixels}: give a positive number")

    @property
    def suffix(self) -> str:
        """What is put behind the name of a scan to name its result, such as ``"_x4"``."""
        return f"_x{self.scale}" if self.pixels is None else f"_{self.pixels}px"

    def shape(self, scan: Channel) -> tuple[int, int]:
        """Return rows and columns of the result of a scan.

        Raises
        ------
        UsageError
            If they are fewer than were measured, or more than the methods make.
        """
        rows, columns = scan.yres, scan.xres
        if self.pixels is None:
            return rows * self.scale, columns * self.scale
        wider = max(rows, columns)
        if self.pixels > FINEST * wider:
            raise UsageError(
                f"{scan.where}: {self.pixels} pixels are more than {FINEST} times the {wider} "
                f"that were measured, and would show nothing more; give {FINEST * wider} or fewer"
            )
        if self.pixels < wider:
            raise UsageError(
                f"{scan.where}: {self.pixels} pixels are fewer than the {wider} that were "
                f"measured; give {wider} or more"
            )
        share = self.pixels / wider
        return max(1, round(rows * share)), max(1, round(columns * share))

"""What is found: pairs, and files without a partner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["COARSE", "EXACT", "SIDES", "Pair", "Pairing", "Unpaired"]

COARSE = ("low", "lines")
"""What the coarse scan of a pair is called: with fewer lines and points, or with fewer lines only,
of one and the same truth."""

SIDES = (*COARSE, "high")

EXACT = ("Exact surface, fine scan's pixels", "Exact surface under the tip, fine scan's pixels")
"""Titles of the channels that tell what the fine scan would hold without any error of its own: the
surface, and what the tip makes of it. An evaluation knows them by these."""


@dataclass(frozen=True)
class Pair:
    """A low-resolution scan and its ground truth.

    Attributes
    ----------
    id : str
        Unique in its :class:`Pairing`; path below the folder without suffix, or from the list.
    low, high : Path
        The files.
    channel : str or None
        Which channel to read of both; None for the first with heights.
    data_set : str
        Sub-folder or column ``data set``; empty for the folder itself.
    exact : Path or None
        What the fine scan would be without any error of its own, as ``afmsr simulate`` knows it:
        ``truth/NAME.*`` beside the pair. It is no scan of it.
    """

    id: str
    low: Path
    high: Path
    channel: str | None = None
    data_set: str = ""
    exact: Path | None = None


@dataclass(frozen=True)
class Unpaired:
    """A file that takes no part, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Pairing:
    """What a folder holds.

    Attributes
    ----------
    pairs : tuple of Pair
        Sorted by data set and id, or in the order of the list.
    unpaired : tuple of Unpaired
        Every other file that may be a scan.
    """

    pairs: tuple[Pair, ...]
    unpaired: tuple[Unpaired, ...]

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Names of the data sets, each once, in order."""
        return tuple(dict.fromkeys(pair.data_set for pair in self.pairs))

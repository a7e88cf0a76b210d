"""The units of the channels in a Nanonis file's header."""

from __future__ import annotations

import itertools
from pathlib import Path

from afmsr_core.io.files import contents
from afmsr_core.text import decoded

__all__ = ["BEGINS", "units"]

BEGINS = (b":NANONIS_VERSION:",)
_HEADER = 2**20  # Bytes; those found have some 6,000.


def units(path: Path) -> dict[str, str]:
    """Return the unit of each channel as it stands in the header, by the channel's name.

    The numbers of a channel are in that unit: metre, ampere, volt as Nanonis makes them, and what
    the user typed (nm, µV) for signals with a calibration of their own.
    """
    header = contents(path, _HEADER).partition(b":SCANIT_END:")[0]
    table = header.partition(b":DATA_INFO:")[2].split(b"\n")[2:]
    rows = itertools.takewhile(lambda row: len(row) > 3, (line.split() for line in table))
    return {decoded(row[1]): decoded(row[2]) for row in rows}

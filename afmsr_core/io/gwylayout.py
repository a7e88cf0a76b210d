"""What differs between versions 2 and 3 of native Gwyddion files: widths, types, names.

Of version 3 there is no description; what stands here is what Gwyddion 3.11 and 3.12 write and
read back.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

__all__ = ["LAYOUTS", "VERSION_2", "VERSION_3", "Layout"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One version of the format. Names of components have ``{}`` for the number of the channel.

    Attributes
    ----------
    version : int
        2 or 3.
    magic : bytes
        First four bytes of a file.
    size : struct.Struct
        A size or a count.
    codes : frozenset of str
        Type codes that there are.
    root, field, mask, unit, notes : str
        Types of the objects that are the file, a field, a mask, a unit, and metadata.
    whole_masks : bool
        Whether a mask holds whole numbers and neither size nor unit.
    unit_xy, unit_z : str
        Names of the units inside a field.
    function : str
        What a line of a log begins with that tells of a function run on a channel.
    channels, numbers : re.Pattern
        Finds the number in the name of a component: of a field; of anything of a channel.
    data, title, visible, log, marked, meta, palette : str
        Names of the field, its title, whether it has a window, its log, mask, metadata, palette.
    mapping, low, high : str
        Names of how the range of colours is chosen and of its fixed ends.
    shown : tuple of str
        Names of what else tells how a channel is shown, and stays with what is made from it.
    """

    version: int
    magic: bytes
    size: struct.Struct
    codes: frozenset[str]
    root: str
    field: str
    mask: str
    unit: str
    notes: str
    whole_masks: bool
    unit_xy: str
    unit_z: str
    function: str
    channels: re.Pattern[str]
    numbers: re.Pattern[str]
    data: str
    title: str
    visible: str
    log: str
    marked: str
    meta: str
    palette: str
    mapping: str
    low: str
    high: str
    shown: tuple[str, ...]

    @property
    def largest(self) -> int:
        """Most bytes that an object may have."""
        return int(256**self.size.size) - 1

    @property
    def range(self) -> tuple[str, str, str]:
        """Names of all that makes up the range of colours."""
        return self.mapping, self.low, self.high

    @property
    def looks(self) -> tuple[str, ...]:
        """Names of all that a channel takes over from the one that it was made from.

        Gwyddion's own processing functions copy the same.
        """
        return self.palette, *self.range, *self.shown


# At most ten digits: more do not fit the 32-bit numbers that Gwyddion counts channels with.
VERSION_2 = Layout(
    version=2,
    magic=b"GWYP",
    size=struct.Struct("<I"),
    codes=frozenset("bciqdsoCIQDSO"),
    root="GwyContainer",
    field="GwyDataField",
    mask="GwyDataField",
    unit="GwySIUnit",
    notes="GwyContainer",
    whole_masks=False,
    unit_xy="si_unit_xy",
    unit_z="si_unit_z",
    function="proc",
    channels=re.compile(r"/(0|[1-9][0-9]{0,9})/data"),
    numbers=re.compile(r"/([0-9]{1,10})/"),
    data="/{}/data",
    title="/{}/data/title",
    visible="/{}/data/visible",
    log="/{}/data/log",
    marked="/{}/mask",
    meta="/{}/meta",
    palette="/{}/base/palette",
    mapping="/{}/base/range-type",
    low="/{}/base/min",
    high="/{}/base/max",
    shown=(
        "/{}/data/realsquare", "/{}/mask/red", "/{}/mask/green", "/{}/mask/blue", "/{}/mask/alpha",
    ),
)  # fmt: skip

VERSION_3 = Layout(
    version=3,
    magic=b"GWYQ",
    size=struct.Struct("<Q"),
    codes=frozenset("bchiqfdsorCHIQFDSO"),
    root="GwyFile",
    field="GwyField",
    mask="GwyNield",
    unit="GwyUnit",
    notes="GwyDict",
    whole_masks=True,
    unit_xy="unit_xy",
    unit_z="unit_z",
    function="image",
    channels=re.compile(r"/image/(0|[1-9][0-9]{0,9})"),
    numbers=re.compile(r"/image/([0-9]{1,10})(?:/|$)"),
    data="/image/{}",
    title="/image/{}/title",
    visible="/image/{}/visible",
    log="/image/{}/log",
    marked="/image/{}/mask",
    meta="/image/{}/meta",
    palette="/image/{}/palette",
    mapping="/image/{}/color-mapping",
    low="/image/{}/range/min",
    high="/image/{}/range/max",
    shown=("/image/{}/real-square", "/image/{}/mask-color"),
)

LAYOUTS = {layout.magic: layout for layout in (VERSION_2, VERSION_3)}
"""By the first four bytes of a file."""

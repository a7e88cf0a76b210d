"""How a file says that a channel is to be shown."""

from __future__ import annotations

from dataclasses import dataclass

from afmsr_core.picture.ranges import Range

__all__ = ["Look"]


@dataclass(frozen=True)
class Look:
    """What a file stores of how a channel is shown.

    Attributes
    ----------
    palette : str
        By the file's own name, such as ``"Gwyddion.net"``; empty where it names none. We may
        not know it, see `afmsr_core.picture.palettes.knows_palette`.
    shown : Range, optional
        Fixed heights at the ends of the colours; None where the file leaves them open.
    """

    palette: str = ""
    shown: Range | None = None

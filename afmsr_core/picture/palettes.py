"""Palettes: our own, and those that Gwyddion names in its files."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError, did_you_mean

__all__ = [
    "DEFAULT",
    "DIFFERENCE",
    "ERROR",
    "GWYDDION",
    "OURS",
    "knows_palette",
    "palette",
    "unmeasured_colour",
]

DEFAULT, DIFFERENCE, ERROR = "afm", "difference", "error"
"""What heights, differences of either sign, and errors and half-widths are shown in."""

OURS = {
    "afm": "000000 5a1c08 be6a18 f0be5a ffffff",
    "gray": "000000 ffffff",
    "blue-yellow": "00204c 3b496c 7a7b78 bcae6c ffea46",
    "violet-yellow": "3c0f5a 3f4a8a 2a788e 22a884 7ad151 f7e620",
    "difference": "0b3c8c 5b97d6 f5f5f5 e08a5a 8c1c0b",
    "error": "fffbe8 fcc46e e0603f 96185c 2a0840",
}
"""Evenly spaced stops from low to high. Brown and gold is the habit of AFM. The lightness of all
but ``difference`` grows or falls steadily, so that they can be told apart without colour; those
with two hues run between ones that the colour-blind tell apart: blue and yellow, blue and red."""

GWYDDION = {
    "Gray": "000000 ffffff",
    "Gray-inverted": "ffffff 000000",
    "Gwyddion.net": "000000 781c08 c86c30 f4cc78 ffffff",
    "Gold": "000000 401400 885000 d0a020 fcfc80",
    "Sky": "000000 203050 405868 806c50 d89040 fcd878 ffffff",
    "Warm": "000000 401820 783040 a83038 c84828 e08820 e0c020 e8e0c8 ffffff",
    "Cold": "000000 182848 2c4c80 306898 50a0c0 b8d4dc ffffff",
    "Caribbean": "000000 002038 006078 009070 50c810 ffffff",
    "Viridis": "440154 3b528b 21918c 5ec962 fde725",
    "Red": "000000 ff0000 ffffff",
    "Green": "000000 00ff00 ffffff",
    "Blue": "000000 0000ff ffffff",
    "Yellow": "000000 d8b828 ffffff",
    "Olive": "000000 60b078 ffffff",
    "Pink": "000000 ff18a0 ffffff",
    "RGB-Red": "000000 ff0000",
    "RGB-Green": "000000 00ff00",
    "RGB-Blue": "000000 0000ff",
    "Red-Yellow": "000000 ff0000 ffff00 ffffff",
    "Red-Violet": "000000 ff0000 ff00ff ffffff",
    "Red-Cyan": "000000 800000 ff0000 a8a8a8 00ffff 80ffff ffffff",
    "Green-Yellow": "000000 00ff00 ffff00 ffffff",
    "Green-Cyan": "000000 00ff00 00ffff ffffff",
    "Green-Violet": "000000 008000 00ff00 a8a8a8 ff00ff ff80ff ffffff",
    "Blue-Cyan": "000000 0000ff 00ffff ffffff",
    "Blue-Violet": "000000 0000ff ff00ff ffffff",
    "Blue-Yellow": "000000 000080 0000ff a8a8a8 ffff00 ffff80 ffffff",
    "Rainbow2": "000000 ff0000 00ff00 0000ff ffffff",
}
"""Palettes of Gwyddion by its names, from stops of our own that look the same; a test holds
them against an installed Gwyddion."""

# What pixels without a height may be painted in; of them the one least like the palette is.
_MARKS = ((0, 160, 220), (230, 60, 200), (60, 190, 90), (150, 150, 150))


def knows_palette(name: str) -> bool:
    """Whether `palette` has one of this name.

    Examples
    --------
    >>> knows_palette("afm"), knows_palette("Gwyddion.net"), knows_palette("mine")
    (True, True, False)
    """
    return name in OURS or name in GWYDDION


@lru_cache
def palette(name: str = DEFAULT) -> NDArray[np.uint8]:
    """Return the 256 colours of a palette, from low to high.

    Parameters
    ----------
    name : str
        One of `OURS`, or the name of a palette of Gwyddion's that is in `GWYDDION`.

    Returns
    -------
    ndarray of uint8, shape (256, 3)
        RGB; read-only.

    Raises
    ------
    UsageError
        If there is none of this name.

    Examples
    --------
    >>> palette("gray")[[0, 128, 255]].tolist()
    [[0, 0, 0], [128, 128, 128], [255, 255, 255]]
    """
    stops = OURS.get(name) or GWYDDION.get(name)
    if stops is None:
        raise UsageError(
            f"palette {name}: there is none of this name."
            f"{did_you_mean(name, [*OURS, *GWYDDION])} Choose from {', '.join((*OURS, *GWYDDION))}"
        )
    points = np.array([list(bytes.fromhex(stop)) for stop in stops.split()], dtype=float)
    at = np.linspace(0, 255, len(points))
    planes = [np.interp(np.arange(256), at, points[:, plane]) for plane in range(3)]
    colours = np.rint(np.stack(planes, axis=-1)).astype(np.uint8)
    colours.flags.writeable = False
    return colours


@lru_cache
def unmeasured_colour(name: str = DEFAULT) -> tuple[int, int, int]:
    """Return the colour for pixels without a height: one that the palette comes not near to.

    Parameters
    ----------
    name : str
        As for `palette`.

    Returns
    -------
    tuple of int
        RGB.
    """
    colours = palette(name).astype(float)

    def distance(mark: tuple[int, int, int]) -> float:
        return float(np.linalg.norm(colours - mark, axis=1).min())

    return max(_MARKS, key=distance)

"""The pixels of the scan, and the scales that they can be taken with: known without numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from afmsr_core.grid import AUTO, LINES_X2, LINES_X4, SQUARE, Scale, choose

__all__ = ["ScanPixels", "scales_for"]

_PER_METRE = 1e9  # nm


@dataclass(frozen=True)
class ScanPixels:
    """What tells the shape of the pixels, as :class:`afmsr_core.grid.Pixels`.

    Parameters
    ----------
    xres, yres : int
        Columns and rows.
    dx, dy : float
        Width and height of a pixel in `lateral_unit`.
    lateral_unit : str
        ``"nm"`` for every length.
    """

    xres: int
    yres: int
    dx: float
    dy: float
    lateral_unit: str

    @classmethod
    def of(cls, field: Mapping[str, Any]) -> ScanPixels:
        """Return those of a field; without a size, which the worker refuses, they are square."""
        xres, yres, unit = field["xres"], field["yres"], field["unit_xy"]
        dx, dy = field["xreal"] / xres, field["yreal"] / yres
        if not (dx > 0 and dy > 0):
            return cls(xres, yres, 1.0, 1.0, "")
        if unit == "m":
            return cls(xres, yres, dx * _PER_METRE, dy * _PER_METRE, "nm")
        return cls(xres, yres, dx, dy, unit)


def scales_for(scan: ScanPixels) -> dict[str, str]:
    """Return what there is to choose for a scan, by its name in the settings.

    Examples
    --------
    >>> list(scales_for(ScanPixels(512, 128, 4.0, 16.0, "nm")).values())
    ['Automatic: lines x4', '4x along both axes', 'Lines x4', 'Lines x2']
    """
    forced = {scale.option: _named(scale) for scale in (SQUARE, LINES_X4, LINES_X2)}
    shown = {option: text[0].upper() + text[1:] for option, text in forced.items()}
    return {AUTO: f"Automatic: {_named(choose(scan).scale)}", **shown}


def _named(scale: Scale) -> str:
    return f"lines x{max(scale)}" if scale.lines else f"{scale.rows}x along both axes"

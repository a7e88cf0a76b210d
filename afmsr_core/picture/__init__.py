"""Heights as pictures to look at, never a source of heights: one style for all that draws them.

Palettes, ranges, colours and the numbers beside them need numpy only; a figure with them, for the
screen or for a paper, is drawn by Matplotlib.
"""

from __future__ import annotations

from afmsr_core.picture.colours import MASK_COLOUR, colours, in_proportion, marked_in, thinned
from afmsr_core.picture.drawing import as_png, colours_of, draw
from afmsr_core.picture.palettes import (
    DEFAULT,
    DIFFERENCE,
    ERROR,
    knows_palette,
    palette,
    unmeasured_colour,
)
from afmsr_core.picture.ranges import PERCENTILES, Range
from afmsr_core.picture.scales import ScaleBar, scale_bar, ticks

__all__ = [
    "DEFAULT",
    "DIFFERENCE",
    "ERROR",
    "MASK_COLOUR",
    "PERCENTILES",
    "Range",
    "ScaleBar",
    "as_png",
    "colours",
    "colours_of",
    "draw",
    "in_proportion",
    "knows_palette",
    "marked_in",
    "palette",
    "scale_bar",
    "thinned",
    "ticks",
    "unmeasured_colour",
]

"""Heights as pictures to look at, never a source of heights: one style for all that draws them.

Palettes, ranges, colours and the numbers beside them need numpy only; a figure with them, for the
screen or for a paper, is drawn by Matplotlib.
"""

from __future__ import annotations

from afmsr_core.picture.colours import (
    MASK_COLOUR,
    as_png,
    colours,
    in_proportion,
    marked_in,
    thinned,
)
from afmsr_core.picture.figures import FORMATS, drawn, format_of
from afmsr_core.picture.looks import Look
from afmsr_core.picture.palettes import (
    DEFAULT,
    DIFFERENCE,
    ERROR,
    knows_palette,
    palette,
    unmeasured_colour,
)
from afmsr_core.picture.panels import (
    LEVELLED,
    Panel,
    compared,
    in_own_range,
    in_range,
    in_ranges_of,
)
from afmsr_core.picture.ranges import PERCENTILES, Range
from afmsr_core.picture.scales import ScaleBar, scale_bar, ticks

__all__ = [
    "DEFAULT",
    "DIFFERENCE",
    "ERROR",
    "FORMATS",
    "LEVELLED",
    "Look",
    "MASK_COLOUR",
    "PERCENTILES",
    "Panel",
    "Range",
    "ScaleBar",
    "as_png",
    "colours",
    "compared",
    "drawn",
    "format_of",
    "in_own_range",
    "in_proportion",
    "in_range",
    "in_ranges_of",
    "knows_palette",
    "marked_in",
    "palette",
    "scale_bar",
    "thinned",
    "ticks",
    "unmeasured_colour",
]

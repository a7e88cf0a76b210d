"""Where an image is drawn in a panel, and what is drawn on it: frames, scale bars, arrows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from afmsr_core.report.contents import Floats
from afmsr_core.report.drawing import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["IMAGE", "Colours", "Place", "Window", "colour_bar"]

IMAGE = 1.93
"""Side in inches."""

ARROWS = 5
"""Scars that get an arrow, the highest first."""

BAR_SHARE = 0.34
"""Of the width of an image that a scale bar may take."""

Window = tuple[int, int, int, int]
"""First row, first column, width and height, in pixels."""

Colours = Callable[[Floats], Floats]
"""Gives RGB, shape (yres, xres, 3), for values, shape (yres, xres)."""


@dataclass(frozen=True)
class Place:
    """Where a window of a field is drawn: its corner in inches, within a square of `IMAGE`."""

    window: Window
    pixel_size: tuple[float, float]
    left: float
    top: float

    @property
    def inch(self) -> tuple[float, float]:
        """Height and width of a pixel in inches."""
        _, _, width, height = self.window
        dy, dx = self.pixel_size
        longest = max(width * dx, height * dy)
        return dy * IMAGE / longest, dx * IMAGE / longest

    @property
    def size(self) -> tuple[float, float]:
        """Height and width in inches."""
        return self.window[3] * self.inch[0], self.window[2] * self.inch[1]

    def at(self, row: float, column: float) -> tuple[float, float]:
        """Return where a place in the field is drawn: across and down."""
        top, left, _, _ = self.window
        return (
            self.left + (column - left) * self.inch[1],
            self.top + (row - top) * self.inch[0],
        )

    def show(self, axes: Axes, field: Floats, colours: Colours) -> None:
        """Draw the image."""
        top, left, width, height = self.window
        seen = field[top : top + height, left : left + width]
        down, across = self.size
        axes.imshow(
            colours(seen),
            interpolation="nearest" if max(seen.shape) < 200 else "auto",
            extent=(self.left, self.left + across, self.top + down, self.top),
            aspect="auto",
        )

    def frame(self, axes: Axes, inner: Window) -> None:
        """Frame a part of it."""
        corner = self.at(*inner[:2])
        across, down = inner[2] * self.inch[1], inner[3] * self.inch[0]
        for colour, line in (("black", 1.8), ("white", 0.8)):
            rectangle(axes, corner, across, down, fill=False, edgecolor=colour, linewidth=line)

    def bar(self, axes: Axes) -> None:
        """Draw a scale bar of a round length at the lower left."""
        limit = BAR_SHARE * self.window[2] * self.pixel_size[1]
        power = 10.0 ** np.floor(np.log10(limit))
        nice = max(step * power for step in (1, 2, 5) if step * power <= limit)
        across = nice / self.pixel_size[1] * self.inch[1]
        text = f"{nice / 1000:g} µm" if nice >= 1000 else f"{nice:g} nm"
        foot = self.top + self.size[0]
        rectangle(axes, (self.left, foot - 0.23), max(across, 0.38) + 0.12, 0.23,
                   facecolor="black", alpha=0.55, linewidth=0)  # fmt: skip
        start = self.left + 0.06 + max(0.38 - across, 0) / 2
        rectangle(axes, (start, foot - 0.065), across, 0.03, facecolor="white", linewidth=0)
        axes.text(start + across / 2, foot - 0.085, text, color="white", fontsize=6.5,
                  ha="center", va="bottom")  # fmt: skip

    def arrows(self, axes: Axes, places: Sequence[tuple[float, float]]) -> None:
        """Point at the highest scars that begin within it, from their left."""
        top, left, width, height = self.window
        drawn: list[float] = []
        for row, column in places:
            inside = top < row < top + 0.84 * height and left <= column < left + 0.9 * width
            if not inside or any(abs(row - other) < 0.06 * height for other in drawn):
                continue
            drawn.append(row)
            tip, line = self.at(row, column)
            tip = max(tip, self.left + 0.16)
            axes.annotate(
                "", (tip, line), (tip - 0.17, line), annotation_clip=False,
                arrowprops={"arrowstyle": "-|>", "color": "#00e5ff", "linewidth": 1.1,
                            "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
            if len(drawn) == ARROWS:
                return


def rectangle(
    axes: Axes, corner: tuple[float, float], width: float, height: float, **style: Any
) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(corner, width, height, **style))


def colour_bar(
    figure: Figure, colours: Colours, ends: tuple[float, float], label: str, right: float
) -> None:
    """Draw a colour bar in the foot of a panel.

    Parameters
    ----------
    figure : Figure
        The panel.
    colours : callable
        Of the values.
    ends : tuple of float
        Values at its ends.
    label : str
        Quantity and unit, printed to its left.
    right : float
        Where it ends, in inches from the left.
    """
    width, height = figure.get_size_inches()
    across, thick, bottom = min(2.3, 0.28 * width), 0.09, 0.16
    left = right - across
    axes = figure.add_axes((left / width, bottom / height, across / width, thick / height))
    ramp: Any = colours(np.linspace(*ends, 256)[None, :])
    axes.imshow(ramp, aspect="auto", extent=(*ends, 0, 1))
    axes.set_yticks([])
    axes.tick_params(labelsize=6.8, length=2, pad=1.5)
    axes.locator_params(axis="x", nbins=5)
    axes.spines[:].set_linewidth(0.4)
    figure.text((left - 0.08) / width, (bottom + thick / 2) / height, label,
                fontsize=7.5, ha="right", va="center", color=INK)  # fmt: skip

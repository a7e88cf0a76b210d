"""Fields that a figure shows side by side, each with its area, its title and its colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError
from afmsr_core.picture.colours import colours, marked_in, thinned
from afmsr_core.picture.looks import Look
from afmsr_core.picture.palettes import DEFAULT, knows_palette
from afmsr_core.picture.ranges import PERCENTILES, Range
from afmsr_core.quantity import between
from afmsr_core.surfaces import fit_plane

__all__ = ["LEVELLED", "Panel", "compared", "in_own_range", "in_range", "in_ranges_of"]

LARGEST = 4096  # pixels a side that a figure holds; of larger fields it shows every so many
LEVELLED = "Less the least-squares plane"


@dataclass(frozen=True)
class Panel:
    """One field of a figure.

    Attributes
    ----------
    heights : ndarray of float64, shape (yres, xres)
        In `unit`; what is not finite was not measured.
    xreal, yreal : float
        Width and height of the area in `lateral_unit`.
    shown : Range
        Heights at the ends of the colours.
    unit, lateral_unit : str
        As a `Channel` holds them.
    title, subtitle : str
        Above the picture: what it shows, and how many pixels made by what.
    palette : str
        As for :func:`afmsr_core.picture.palettes.palette`.
    mask : ndarray of bool, shape (yres, xres), optional
        Pixels to tint.
    marks : str
        What that tint means.
    notes : tuple of str
        What must be told below, as sentences without their full stop.
    """

    heights: NDArray[np.float64]
    xreal: float
    yreal: float
    shown: Range
    unit: str = "nm"
    lateral_unit: str = "nm"
    title: str = ""
    subtitle: str = ""
    palette: str = DEFAULT
    mask: NDArray[np.bool_] | None = None
    marks: str = "mask"
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        channel: Any,
        *,
        title: str | None = None,
        subtitle: str | None = None,
        palette: str = "",
        level: bool = False,
        mask: bool = False,
    ) -> Panel:
        """Return a channel as a panel, in its own range: see `in_ranges_of` for a common one.

        Parameters
        ----------
        channel : Channel
            What to show. (Channels show themselves by this room, so it cannot import theirs.)
        title, subtitle : str, optional
            By default its name and its number of pixels.
        palette : str
            By default the one that its file names; ours if it names none or one that we lack,
            which is told.
        level : bool
            Take the least-squares plane off, which is told.
        mask : bool
            Tint the pixels of its mask.
        """
        yres, xres = channel.heights.shape
        heights = np.asarray(thinned(channel.heights, LARGEST), dtype=np.float64)
        heights = np.where(np.isfinite(heights), heights, np.nan)
        notes: tuple[str, ...] = ()
        look = channel.look or Look()
        if not palette and look.palette and not knows_palette(look.palette):
            notes += (f"Its file names the palette {look.palette}, which is not known here",)
            look = Look("", look.shown)
        if level and np.isfinite(heights).any():
            heights = fit_plane(heights, np.isfinite(heights)).subtracted_from(heights)
            notes += (LEVELLED,)
        marks = thinned(channel.mask, LARGEST) if mask and channel.mask is not None else None
        own = None if level else look.shown
        return cls(
            heights,
            channel.xreal,
            channel.yreal,
            own or Range.of([heights], noun=_noun(channel.unit)),
            channel.unit,
            channel.lateral_unit,
            channel.name if title is None else title,
            f"{xres} × {yres} px" if subtitle is None else subtitle,
            palette or look.palette or DEFAULT,
            marks,
            notes=notes,
        )

    @property
    def aspect(self) -> float:
        """Width over height of the area."""
        return self.xreal / self.yreal

    @property
    def lacks(self) -> bool:
        """Whether pixels were not measured."""
        return not bool(np.isfinite(self.heights).all())

    def pixels(self) -> NDArray[np.uint8]:
        """Return its pixels as RGB, shape (yres, xres, 3)."""
        drawn = colours(self.heights, self.shown, self.palette)
        return drawn if self.mask is None else marked_in(drawn, self.mask)

    def replace(self, **changes: Any) -> Panel:
        """Return a copy with some fields changed."""
        return replace(self, **changes)


def _noun(unit: str) -> str:
    return "heights" if unit == "nm" else "values"


def in_ranges_of(
    panels: Iterable[Panel], percentiles: tuple[float, float] | None = None
) -> list[Panel]:
    """Return panels to compare: those of the same unit in one range, and in one palette.

    Parameters
    ----------
    panels : iterable of Panel
        Heights and, say, phases do not share one.
    percentiles : tuple of float, optional
        As for :meth:`Range.of`. Without them panels that agree, as where the files of all store
        the same fixed range, keep it; others get the usual percentiles.

    Returns
    -------
    list of Panel
        In the palette that the first of that unit has.
    """
    panels = list(panels)
    shared = {}
    for unit in dict.fromkeys(one.unit for one in panels):
        alike = [one for one in panels if one.unit == unit]
        if percentiles is None and len({one.shown for one in alike}) == 1:
            shared[unit] = alike[0].shown
        else:
            fields = [one.heights for one in alike]
            shared[unit] = Range.of(fields, percentiles or PERCENTILES, _noun(unit))
    return _shown_in(shared, panels)


def _shown_in(shared: Mapping[str, Range], panels: Sequence[Panel]) -> list[Panel]:
    """Return panels in a range by unit, and in the palette of the first of that unit."""
    palettes: dict[str, str] = {}
    for one in panels:
        palettes.setdefault(one.unit, one.palette)
    return [one.replace(shown=shared[one.unit], palette=palettes[one.unit]) for one in panels]


def compared(channels: Sequence[Any], subtitles: Sequence[str]) -> list[Panel]:
    """Return a scan and what was made of it, to look at beside each other.

    Parameters
    ----------
    channels : sequence of Channel
        Of one area and unit.
    subtitles : sequence of str
        Above each, such as its number of pixels and the method.

    Returns
    -------
    list of Panel
        In one range: the one that the file of all stores; else what the percentiles of all say,
        heights less their plane, which is told.
    """
    own = {None if one.look is None else one.look.shown for one in channels}
    fixed = len(own) == 1 and None not in own
    return in_ranges_of(
        Panel.of(one, subtitle=subtitle, level=not fixed and one.unit == "nm")
        for one, subtitle in zip(channels, subtitles, strict=True)
    )


def in_range(
    panels: Sequence[Panel], low: float, high: float, unit: str, words: str = ""
) -> list[Panel]:
    """Return panels in a range that was asked for, in `unit` as a `Channel` holds it.

    Raises
    ------
    UsageError
        If one of them is of another unit.
    """
    for one in panels:
        if one.unit != unit:
            raise UsageError(
                f"{one.title}: its values are in {one.unit or 'no unit'}, the range in "
                f"{unit or 'no unit'}; give the range in that unit, or choose another channel"
            )
    told = f"{words}, {between(low, high, unit)}".removeprefix(", ")
    return _shown_in({unit: Range(low, high, told)}, panels)


def in_own_range(panels: Sequence[Panel], channels: Iterable[Any]) -> list[Panel]:
    """Return panels in the range that the file of the first such channel of that unit stores.

    Raises
    ------
    UsageError
        If for one of the units no file stores one.
    """
    own: dict[str, Range] = {}
    for channel in channels:
        if channel.look is not None and channel.look.shown is not None:
            own.setdefault(channel.unit, channel.look.shown)
    for panel in panels:
        if panel.unit not in own:
            raise UsageError(
                f"{panel.title}: its file stores no fixed range of colours; set one in Gwyddion, "
                f"or give percentiles or heights, such as 1%:99% or 0:12nm"
            )
    return _shown_in(own, panels)

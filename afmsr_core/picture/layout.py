"""Where the parts of a figure stand, in mm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from afmsr_core.errors import UsageError
from afmsr_core.picture.colours import MASK_COLOUR
from afmsr_core.picture.lettering import LINE, extent, height_of, legible, wrapped
from afmsr_core.picture.palettes import unmeasured_colour
from afmsr_core.picture.panels import Panel
from afmsr_core.picture.scales import ticks

__all__ = [
    *("BAR", "BAR_GAP", "HEAD", "MARGIN", "NOTE", "TEXT", "TICK", "TITLE"),
    *("Layout", "Place", "head_of"),
]

MARGIN = 1.5
"""Around the figure."""

BAR_GAP, BAR, TICK = 1.8, 2.6, 0.9
"""Beside a panel: the gap to its colour bar, the bar and its ticks."""

HEAD, TITLE, TEXT, NOTE = 9.0, 8.0, 7.0, 6.5
"""Points of the title of all, of a panel's title, of its other words, of what stands below."""

_GAP = 4.0  # between panels
_ABOVE = 0.6  # between its title and a panel
_FOOT = 4.6  # below a panel: scale bar and its length
_COLUMNS = 4  # panels in a row
_NARROWEST = 15.0  # mm of a panel, in which a scale bar can still be read
_TALLEST = 200.0  # mm of a panel by itself: what a page leaves
_TALL = 2.0  # widths of a column, which a panel beside others may be high
_LOWEST_BAR = 11.0  # mm of a colour bar, also beside a flat panel: room for two numbers
_LEAST = 0.5  # mm of a panel's side, of a single line too: else nothing would be seen
_OFF = 1e-6  # of the aspect, by rounding
_SQUEEZED = "Not in true proportions: the area is too narrow"
_NAMED = 40  # letters of a title that a note repeats


@dataclass(frozen=True)
class Place:
    """Where a panel stands, in mm from the top left; with or without a colour bar."""

    left: float
    top: float
    width: float
    height: float
    bar: bool
    title: tuple[str, ...]
    subtitle: tuple[str, ...]

    @property
    def low(self) -> float:
        """How far its colour bar reaches down, which may be below a flat panel."""
        return max(self.height, _LOWEST_BAR) if self.bar else self.height


@dataclass(frozen=True)
class Layout:
    """A figure in mm."""

    panels: Sequence[Panel]
    places: Sequence[Place]
    width: float
    height: float
    name: str
    head: tuple[str, ...]
    words: str
    foot: tuple[str, ...]
    legend: Sequence[tuple[tuple[int, int, int], str]]

    @classmethod
    def of(
        cls, places_of: Sequence[Panel | None], width: float, title: str, columns: int | None
    ) -> Layout:
        """Lay panels out in rows."""
        columns = columns or -(-len(places_of) // -(-len(places_of) // _COLUMNS))
        rows = [places_of[at : at + columns] for at in range(0, len(places_of), columns)]
        panels = [one for one in places_of if one is not None]
        shared = all(
            len({(one.shown, one.unit, one.palette) for one in row if one}) <= 1 for row in rows
        )
        room = max(_bar_room(one) for one in panels)
        bars = 1 if shared else columns
        wide = (width - 2 * MARGIN - (columns - 1) * _GAP - bars * room) / columns
        if wide < _NARROWEST:
            least = columns * (_NARROWEST - wide) + width
            raise UsageError(
                f"--width {width:g}: too narrow for {columns} in a row; give at least {least:.0f}"
            )
        head = wrapped(title, HEAD, width - 2 * MARGIN, bold=True)
        top = MARGIN + (height_of(head, HEAD) + 1.0 if head else 0.0)
        places: list[Place] = []
        tallest = _TALLEST if len(panels) == 1 else min(_TALLEST, _TALL * wide)
        step = wide + _GAP + (0.0 if shared else room)
        for row in rows:
            found = {column: one for column, one in enumerate(row) if one is not None}
            placed = [
                Place(
                    MARGIN + column * step, 0.0, *_fitted(wide, one.aspect, tallest),
                    bar=not shared or column == max(found),
                    title=wrapped(one.title, TITLE, wide, bold=True),
                    subtitle=wrapped(one.subtitle, TEXT, wide),
                )
                for column, one in found.items()
            ]  # fmt: skip
            top += max((head_of(one.title, one.subtitle) for one in placed), default=0.0)
            places += [replace(one, top=top) for one in placed]
            top += max((max(one.height + _FOOT, one.low) for one in placed), default=0.0) + 1.0
        legend = _legend(panels)
        top += NOTE * LINE + 0.5 if legend else 0.0
        words = " ".join(f"{note}." for note in _notes(panels, places))
        foot = wrapped(words, NOTE, width - 2 * MARGIN, lines=20)
        name = title or ", ".join(dict.fromkeys(one.title for one in panels if one.title))
        name, words = (legible(one) for one in (name, words))
        return cls(panels, places, width, top + height_of(foot, NOTE) + MARGIN - 1.0,
                   name, head, words, foot, legend)  # fmt: skip


def _bar_room(panel: Panel) -> float:
    """Return what a colour bar takes beside a panel, numbers included."""
    texts = [text for _, text in ticks(panel.shown.low, panel.shown.high, panel.unit)]
    return BAR_GAP + BAR + TICK + 0.6 + max(extent(text, TEXT) for text in texts)


def head_of(title: Sequence[str], subtitle: Sequence[str]) -> float:
    """Return the height that the words above a panel take, in mm."""
    lines = height_of(title, TITLE) + height_of(subtitle, TEXT)
    return lines + _ABOVE if lines else 0.0


def _fitted(width: float, aspect: float, tallest: float) -> tuple[float, float]:
    """Return width and height of an area that is neither wider nor taller than may be."""
    across, down = min(width, tallest * aspect), min(width / aspect, tallest)
    return max(across, _LEAST), max(down, _LEAST)


def _notes(panels: Sequence[Panel], places: Sequence[Place]) -> tuple[str, ...]:
    """Return what must be told, each once: of all, or of those that it is true of."""
    told: dict[str, list[str]] = {}
    for panel, place in zip(panels, places, strict=True):
        ends = (f"Colours span {panel.shown.words}",) if panel.shown.words else ()
        true = abs(place.width / place.height / panel.aspect - 1) < _OFF
        for note in (*ends, *panel.notes, *(() if true else (_SQUEEZED,))):
            told.setdefault(note, []).append(panel.title)
    return tuple(
        note if len(titles) == len(panels) else _of(titles, note) for note, titles in told.items()
    )


def _of(titles: Sequence[str], note: str) -> str:
    """Return a note with the names of what it is true of, if that has one."""
    half = _NAMED // 2
    short = (one if len(one) <= _NAMED else f"{one[:half]}…{one[-half:]}" for one in titles if one)
    named = ", ".join(dict.fromkeys(short))
    return f"{named}: {note[:1].lower()}{note[1:]}" if named else note


def _legend(panels: Sequence[Panel]) -> list[tuple[tuple[int, int, int], str]]:
    """Return what the colours mean that are no heights."""
    found = [(unmeasured_colour(one.palette), "not measured") for one in panels if one.lacks]
    found += [
        (MASK_COLOUR, one.marks) for one in panels if one.mask is not None and bool(one.mask.any())
    ]
    return list(dict.fromkeys(found))

"""The words of a figure: how long they are, and where their lines end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["FAMILY", "INCH", "LINE", "extent", "height_of", "legible", "wrapped"]

INCH = 25.4
POINT = INCH / 72
LINE = POINT * 1.25
"""Height of a line in mm, for each point of its font."""

FAMILY = ["DejaVu Sans"]
"""Comes with Matplotlib: the same everywhere."""

_SQUARE = 1.0  # advance of a sign that it lacks, in heights of the font: most are East Asian
_WORD = re.compile(r"\d+ × \d+ px\S*|\S+")  # what no line ends in
_THIN = "\N{THIN SPACE}"  # between digits
_LINES = 2  # of a title, after which it is cut


def extent(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a text in mm."""
    return sum(_advance(letter, bold) for letter in text) * size * POINT


@lru_cache(maxsize=4096)
def _advance(letter: str, bold: bool) -> float:
    """Return how far a letter moves the pen, in heights of the font."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=FAMILY, weight="bold" if bold else "normal")))
    font.set_size(100.0, 72)
    if not font.get_char_index(ord(letter)):
        return _SQUARE
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / 100


def legible(text: str) -> str:
    """Return a text without what steers a terminal, or turns the direction of writing around.

    In the words of an SVG, such a character would make the file none.
    """
    kept = "".join(" " if sign.isspace() and sign != _THIN else sign for sign in text)
    return "".join(sign for sign in kept if sign.isprintable() or sign == _THIN)


def wrapped(
    text: str, size: float, width: float, bold: bool = False, lines: int = _LINES
) -> tuple[str, ...]:
    """Return a text in lines that fit; what does not is cut, and seen to be."""
    found: list[str] = []
    for word in _WORD.findall(legible(text)):
        longer = f"{found[-1]} {word}" if found else word
        if found and extent(longer, size, bold) <= width:
            found[-1] = longer
        else:
            found.append(word)
    if len(found) > lines:
        found = [*found[: lines - 1], " ".join(found[lines - 1 :])]
    return tuple(_cut(line, size, width, bold) for line in found)


def _cut(line: str, size: float, width: float, bold: bool) -> str:
    """Return a line without its middle, if it is too long: names differ at their ends."""
    kept = len(line)
    shown = line
    while extent(shown, size, bold) > width and kept > 2:
        kept -= 1
        shown = f"{line[: kept - kept // 2]}…{line[len(line) - kept // 2 :]}"
    return shown


def height_of(lines: Sequence[str], size: float) -> float:
    """Return the height of lines in mm."""
    return len(lines) * size * LINE

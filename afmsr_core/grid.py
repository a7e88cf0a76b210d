"""How many pixels a method makes of one that was measured, and how many a result shall have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from afmsr_core.errors import UsageError
from afmsr_core.quantity import sides

if TYPE_CHECKING:
    from afmsr_core.channel import Channel

__all__ = [
    "AUTO",
    "FINEST",
    "LINES_X2",
    "LINES_X4",
    "SQUARE",
    "TITLED",
    "Choice",
    "Grid",
    "Pixels",
    "Scale",
    "check_scale",
    "choose",
    "from_option",
    "is_about_square",
    "is_sideways",
    "scale_of",
    "scales_of",
]

FINEST = 4  # pixels along an axis, at most, that a method makes of one that was measured
AUTO = "auto"


class Scale(NamedTuple):
    """Pixels of a result for one that was measured.

    Attributes
    ----------
    rows : int
        Down the field.
    columns : int
        Across it.

    Examples
    --------
    >>> LINES_X4.lines, LINES_X4.option, LINES_X4.titled("afm"), SQUARE.titled("afm")
    (True, '1x4', 'lines x4, afm', 'x4 afm')
    >>> LINES_X4.turned, LINES_X4.turned.recorded, SQUARE.recorded
    (Scale(rows=1, columns=4), '4x1', 4)
    >>> LINES_X4.shape(128, 512)
    (512, 512)
    """

    rows: int
    columns: int

    @property
    def lines(self) -> bool:
        """Whether it is that of a line scan: nothing is added along one axis."""
        return self.rows != self.columns

    @property
    def sideways(self) -> bool:
        """Whether the lines of a line scan run down the field, so that its slow axis is x."""
        return self.columns > self.rows

    @property
    def turned(self) -> Scale:
        """The same for the field with rows and columns exchanged."""
        return Scale(self.columns, self.rows)

    @property
    def upright(self) -> Scale:
        """The same for the field whose lines are rows."""
        return self.turned if self.sideways else self

    @property
    def cell(self) -> int:
        """How many points of a line are as long as lines are apart; 1 for square pixels."""
        return max(self) // min(self)

    @property
    def option(self) -> str:
        """How it is asked for: ``"4"``, ``"1x4"`` or ``"1x2"``, columns by rows as in 512x128."""
        rows, columns = self.upright
        return f"{columns}x{rows}" if self.lines else str(rows)

    @property
    def recorded(self) -> int | str:
        """How a history has it: 4, or columns by rows, ``"1x4"``, and ``"4x1"`` sideways."""
        return f"{self.columns}x{self.rows}" if self.lines else self.rows

    def titled(self, method: str) -> str:
        """Return what the title of a result says in brackets."""
        return f"lines x{max(self)}, {method}" if self.lines else f"x{self.rows} {method}"

    def shape(self, yres: int, xres: int) -> tuple[int, int]:
        """Return rows and columns of the result of so many."""
        return yres * self.rows, xres * self.columns


SQUARE, LINES_X4, LINES_X2 = Scale(4, 4), Scale(4, 1), Scale(2, 1)

_OPTIONS = {scale.option: scale for scale in (SQUARE, LINES_X4, LINES_X2)}
_RECORDED = {str(one.recorded): one for scale in _OPTIONS.values() for one in (scale, scale.turned)}

# --- which scale a scan is taken with ---------------------------------------------------------

ABOUT_SQUARE = 1.5
"""Longer side of a pixel over the shorter, below which it counts as square. Twice the lines would
make it worse below 1.41; above that are sizes that were rounded, drift corrections and scans of
three quarters of the lines, which have always been taken so."""

NEARER_FOUR = 2.83
"""From here on four times the lines come nearer to square pixels than twice: the geometric mean of
2 and 4, at which both are as far off."""

TOO_LONG = FINEST * ABOUT_SQUARE
"""Beyond it even four times the lines leave pixels that do not count as square. It is a strip of a
few lines, or its sizes are wrong."""


class Choice(NamedTuple):
    """The scale that a scan is taken with.

    Attributes
    ----------
    scale : Scale
        Which.
    why : str
        In a sentence; empty where a scan of square pixels becomes one four times as fine.
    """

    scale: Scale
    why: str


class Pixels(Protocol):
    """What tells the shape of the pixels of a scan: a channel, or what is known without heights."""

    @property
    def xres(self) -> int:
        """Columns."""

    @property
    def yres(self) -> int:
        """Rows."""

    @property
    def dx(self) -> float:
        """Width of a pixel in `lateral_unit`."""

    @property
    def dy(self) -> float:
        """Its height."""

    @property
    def lateral_unit(self) -> str:
        """``"nm"`` for every length."""


def is_sideways(scan: Pixels) -> bool:
    """Whether pixels are longer along x, so that x is the slow axis and lines run along y."""
    return _lengths_known(scan) and scan.dx > scan.dy and _ratio(scan) >= ABOUT_SQUARE


def is_about_square(field: Pixels) -> bool:
    """Whether pixels count as square; those of a field whose sides are no lengths do."""
    return not _lengths_known(field) or _ratio(field) <= ABOUT_SQUARE


def choose(scan: Pixels, asked: str = AUTO) -> Choice:
    """Choose the scale for a scan, by the shape of its pixels unless one is asked for.

    In a line scan every point of a line was measured, and lines were left out: its pixels are
    longer along the slow axis, whichever that is. How many pixels it has along each axis says
    nothing: 512 x 128 square ones are a strip.

    Parameters
    ----------
    scan : Channel, or other Pixels
        As measured. Sides that are no lengths say nothing about the shape of its pixels.
    asked : str
        ``"auto"``, or what is done in any case: ``"4"``, ``"1x4"`` or ``"1x2"``. Of square pixels
        the rows are the lines.

    Returns
    -------
    Choice

    Raises
    ------
    UsageError
        If there is no such scale.

    Examples
    --------
    >>> import numpy as np
    >>> from afmsr_core.channel import Channel
    >>> scan = Channel(np.zeros((128, 512)), xreal=2000.0, yreal=2000.0)
    >>> choose(scan).scale, choose(scan.replace(yreal=500.0)).scale
    (Scale(rows=4, columns=1), Scale(rows=4, columns=4))
    >>> choose(scan).why
    '512 x 128 px of 3.91 x 15.6 nm: every point of a line was measured, so lines x4'
    """
    check_scale(asked)
    pixel = sides(scan.dx, scan.dy, scan.lateral_unit, 3)
    pixels = f"{scan.xres} x {scan.yres} px of {pixel}"
    if asked != AUTO:
        upright = _OPTIONS[asked]
        if not upright.lines:
            return Choice(upright, f"{pixels}: x4 along both axes, as asked for")
        scale = upright.turned if is_sideways(scan) else upright
        return Choice(scale, f"{pixels}: lines x{max(scale)}, as asked for")
    ratio = _ratio(scan)
    if not _lengths_known(scan) or ratio < ABOUT_SQUARE:
        return Choice(SQUARE, "")
    if ratio > TOO_LONG:
        return Choice(
            SQUARE,
            f"{pixels}: pixels of more than {TOO_LONG:g} to 1 are too long for lines x4 to make "
            f"them square, so x4 along both axes",
        )
    upright = LINES_X2 if ratio < NEARER_FOUR else LINES_X4
    scale = upright.turned if is_sideways(scan) else upright
    return Choice(scale, f"{pixels}: every point of a line was measured, so lines x{max(scale)}")


def _lengths_known(scan: Pixels) -> bool:
    return scan.lateral_unit == "nm"


def _ratio(scan: Pixels) -> float:
    """Return the longer side of a pixel over the shorter, without what rounding does to it."""
    return round(max(scan.dx, scan.dy) / min(scan.dx, scan.dy), 9)


def check_scale(asked: str) -> None:
    """Refuse a scale that no method makes.

    Raises
    ------
    UsageError
        If it is none of ``"auto"``, ``"4"``, ``"1x4"`` and ``"1x2"``.
    """
    if asked not in (AUTO, *_OPTIONS):
        raise UsageError(
            f"scale {asked}: choose {AUTO}, {', '.join(_OPTIONS)}; a line scan is turned where its "
            f"slow axis is x"
        )


def from_option(option: str) -> Scale:
    """Return the scale that :attr:`Scale.option` names, of a field whose lines are rows."""
    return _OPTIONS[option]


TITLED = re.compile(
    r"\((?:x4|lines x([24]),) [a-z0-9_]+(?:@[0-9.e-]+)?(?:, averaged to \d+ x \d+ px)?\)"
)
"""What the title of a result holds, as :meth:`Scale.titled` and averaging write it; other programs
keep it where they lose the history."""


def scales_of(result: Channel) -> tuple[Scale, ...]:
    """Return the scale of each upscaling of a channel, the first of them first.

    As its history tells, else its title, which does not say whether lines run down the field.
    """
    recorded = [step.settings.get("scale") for step in result.history if step.name == "upscale"]
    if not recorded:
        titled = TITLED.finditer(result.title)
        recorded = [f"1x{one[1]}" if one[1] else SQUARE.option for one in titled]
    return tuple(_RECORDED.get(str(one), SQUARE) for one in recorded)


def scale_of(result: Channel) -> Scale:
    """Return the scale that a result was made with, before anything was averaged.

    As its history tells, else its title; :data:`SQUARE` if they tell nothing.
    """
    made = scales_of(result)
    return made[-1] if made else SQUARE


# --- how many pixels are asked for ------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """How many pixels a result shall have.

    Parameters
    ----------
    scale : int or str
        ``"auto"`` is four times the pixels along each axis, or, of a line scan, the lines that
        make its pixels square; see :func:`choose`. 1, 2 or 3: the same, averaged to at most so
        many times the measured pixels along each axis. ``"4"``, ``"1x4"``, ``"1x2"``: as asked,
        whatever the pixels are.
    pixels : int, optional
        Instead of 1, 2 or 3: along the side that has more of them, the other in proportion.

    Raises
    ------
    UsageError
        If there is no such scale, or both are given.

    Examples
    --------
    >>> import numpy as np
    >>> from afmsr_core.channel import Channel
    >>> scan = Channel(np.zeros((64, 128)), xreal=200.0, yreal=100.0)
    >>> Grid().shape(scan), Grid(scale=2).shape(scan), Grid(pixels=300).shape(scan)
    ((256, 512), (128, 256), (150, 300))
    >>> Grid().shape(scan, LINES_X2), Grid("1x2").asked, Grid(2).asked
    ((128, 128), '1x2', 'auto')
    """

    scale: int | str = AUTO
    pixels: int | None = None

    def __post_init__(self) -> None:
        if str(self.scale) not in (AUTO, *_FEWER, *_OPTIONS):
            why = f"the methods make {FINEST}x, and more pixels would show nothing more"
            if "x" in str(self.scale):
                why = "two or four lines are made of each; a scan whose lines run down is turned"
            raise UsageError(
                f"scale {self.scale}: {why}; choose {AUTO}, 1, 2, 3, {', '.join(_OPTIONS)}"
            )
        if self.pixels is None:
            return
        if str(self.scale) in _FEWER:
            raise UsageError(f"scale {self.scale} and {self.pixels} pixels: choose one of them")
        if self.pixels < 1:
            raise UsageError(f"pixels {self.pixels}: give a positive number")

    @property
    def asked(self) -> str:
        """The scale that the method is asked for, before anything is averaged."""
        return AUTO if str(self.scale) in _FEWER else str(self.scale)

    @property
    def suffix(self) -> str:
        """What is put behind the name of a scan to name its result, such as ``"_x4"``.

        Each scale that can be asked for has its own, by which a run that resumes knows its results.
        """
        if self.pixels is not None:
            return f"_{self.pixels}px"
        if self.scale == AUTO:
            return f"_x{FINEST}"
        if str(self.scale) == SQUARE.option:  # whatever the pixels are, unlike that of AUTO
            return f"_{FINEST}x{FINEST}"
        return f"_{self.scale}" if "x" in str(self.scale) else f"_x{self.scale}"

    def shape(self, scan: Channel, scale: Scale = SQUARE) -> tuple[int, int]:
        """Return rows and columns of the result of a scan that a method takes with `scale`.

        Raises
        ------
        UsageError
            If they are fewer than were measured, or more than the method makes.
        """
        if self.pixels is None:
            most = int(self.scale) if str(self.scale) in _FEWER else FINEST
            return Scale(*(min(most, one) for one in scale)).shape(scan.yres, scan.xres)
        made = scale.shape(scan.yres, scan.xres)
        wider = max(made)
        least = -(-wider // max(scale))
        if self.pixels > wider:
            measured = f"{FINEST} times the {least} that were measured"
            if scale.lines:
                measured = f"the {wider} that lines x{max(scale)} makes"
            other = f", or choose scale {SQUARE.option} as well" if scale.lines else ""
            raise UsageError(
                f"{scan.where}: {self.pixels} pixels are more than {measured}, and would show "
                f"nothing more; give {wider} or fewer{other}"
            )
        if self.pixels < least:
            fewer = f"are fewer than the {least}"
            if scale.lines:  # whose longer side may be that along the lines
                fewer = f"leave fewer lines than the {scan.xres if scale.sideways else scan.yres}"
            raise UsageError(
                f"{scan.where}: {self.pixels} pixels {fewer} that were measured; give {least} "
                f"or more"
            )
        share = self.pixels / wider
        return max(1, round(made[0] * share)), max(1, round(made[1] * share))


_FEWER = ("1", "2", "3")

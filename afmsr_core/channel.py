"""A channel: one measured field with its units, its place on the sample and its history."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from afmsr_core.errors import FieldError, MissingExtraError, UsageError
from afmsr_core.large_field import LargeField
from afmsr_core.picture.looks import Look
from afmsr_core.quantity import between, readable, shown_unit

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

__all__ = ["Channel", "Step", "called", "marked"]


def called(title: str, number: int | None) -> str:
    """Return what a channel is called: its title, or its number if it has none.

    Examples
    --------
    >>> called("Height", 3), called("", 3)
    ('Height', 'channel 3')
    """
    if title.strip():
        return title
    return "channel" if number is None else f"channel {number}"


def marked(mask: ArrayLike) -> NDArray[np.bool_]:
    """Return which pixels a mask marks: those above 0, as Gwyddion counts.

    Parameters
    ----------
    mask : array-like of bool or numbers
        Any shape, which is kept.

    Examples
    --------
    >>> marked([0.0, 1e-3, 1.0, -1.0, float("nan")]).tolist()
    [False, True, True, False, False]
    """
    values = np.asarray(mask)
    return values if values.dtype == np.bool_ else np.asarray(values > 0)


_SCREEN_DPI = 150  # of the picture of a channel: 500 pixels wide

# At the begin of a word, or of a part of it: "NapAmplitude", but not "sample".
_FEEDBACK = re.compile(r"(?<![A-Za-z])(?i:ampl|defl|error)|Ampl|Defl|Error")


def names_feedback(title: str) -> bool:
    """Whether a title is that of a signal of the feedback: some instruments give it in nm."""
    return _FEEDBACK.search(title) is not None


@dataclass(frozen=True)
class Step:
    """One thing that was done to a channel.

    Attributes
    ----------
    name : str
        What was done, such as ``"level"`` or ``"upscale"``.
    version : str
        Version of the code that did it.
    settings : mapping
        Every setting that influences the result; JSON-serialisable.
    effect : str
        What it did to the data, in a sentence with units.
    """

    name: str
    version: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    effect: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable copy."""
        return {
            "name": self.name,
            "version": self.version,
            "settings": dict(self.settings),
            "effect": self.effect,
        }


@dataclass(frozen=True, eq=False, repr=False)
class Channel:
    """One field of an SPM scan, never separated from its units and its place.

    Pixels are areas, as in Gwyddion: the field covers ``xreal`` by ``yreal`` edge to edge, and
    pixel ``(row, col)`` is centred at ``(col + 1/2) * dx`` and ``(row + 1/2) * dy`` from the
    top-left corner, which lies at ``(xoff, yoff)``.

    Parameters
    ----------
    heights : ndarray of float64, shape (yres, xres)
        Values in `unit`. NaN marks a pixel that was not measured. Results above 64 Mpx are a
        :class:`afmsr_core.large_field.LargeField`: float32 on the disk about a float64 datum,
        float64 in every part that is looked at.
    xreal, yreal : float
        Physical width and height in `lateral_unit`, both positive.
    xoff, yoff : float
        Offset of the top-left corner in `lateral_unit`.
    unit : str
        ``"nm"`` for every length; else the channel's own unit without prefix (``"V"``,
        ``"deg"``), or ``""`` for dimensionless data.
    lateral_unit : str
        ``"nm"`` for every length; else the channel's own.
    title : str
        As the instrument or the user called it; may be empty, see `name`.
    mask : ndarray of bool, shape (yres, xres), optional
        Pixels that the user marked, see `marked`.
    history : tuple of Step
        What was done since the measurement, oldest first.
    path : Path, optional
        File that the channel came from.
    number : int, optional
        Number of the channel in that file.
    warnings : tuple of str
        What whoever uses the channel must be told before trusting it: lines that were not
        measured, what its reader warned of. Whole sentences, without the file's name.
    look : Look, optional
        How its file says that it is to be shown: palette and range of colours. It is of these
        values; who makes others of them drops it.

    Raises
    ------
    FieldError
        If shape, size or mask contradict each other.

    Examples
    --------
    >>> import numpy as np
    >>> channel = Channel(np.zeros((2, 4)), xreal=400.0, yreal=200.0, title="Height")
    >>> channel.xres, channel.yres, channel.dx
    (4, 2, 100.0)
    >>> channel
    <Channel 'Height': 4 x 2 px, 400 nm x 200 nm, 0 to 0 nm>
    """

    heights: NDArray[np.float64]
    xreal: float
    yreal: float
    xoff: float = 0.0
    yoff: float = 0.0
    unit: str = "nm"
    lateral_unit: str = "nm"
    title: str = ""
    mask: NDArray[np.bool_] | None = None
    history: tuple[Step, ...] = ()
    path: Path | None = None
    number: int | None = None
    warnings: tuple[str, ...] = ()
    look: Look | None = None

    def __post_init__(self) -> None:
        heights: Any = self.heights
        if not isinstance(heights, LargeField):
            heights = np.asarray(heights, dtype=np.float64)
        if heights.ndim != 2 or heights.size == 0:
            raise FieldError(
                f"{self.where}: a channel is a two-dimensional field with at least one pixel, "
                f"found shape {heights.shape}"
            )
        object.__setattr__(self, "heights", heights)
        for name, pixels in (("xreal", heights.shape[1]), ("yreal", heights.shape[0])):
            size = float(getattr(self, name))
            if not (np.isfinite(size) and size / pixels > 0):
                raise FieldError(
                    f"{self.where}: physical size {name} must be positive, found {size}; "
                    f"set it in Gwyddion with Dimensions and Units"
                )
            object.__setattr__(self, name, size)
        for name in ("xoff", "yoff"):
            offset = float(getattr(self, name))
            if not np.isfinite(offset):
                raise FieldError(f"{self.where}: offset {name} must be finite, found {offset}")
            object.__setattr__(self, name, offset)
        if self.mask is not None:
            mask = marked(self.mask)
            if mask.shape != heights.shape:
                raise FieldError(
                    f"{self.where}: the mask has shape {mask.shape}, "
                    f"the channel has {heights.shape}"
                )
            object.__setattr__(self, "mask", mask)

    @property
    def where(self) -> str:
        """File and channel for messages, such as ``scan.gwy, channel 0 'Height'``."""
        file = self.path.name if self.path else "channel"
        number = "" if self.number is None else f", channel {self.number}"
        title = f" {self.title!r}" if self.title.strip() else ""
        return f"{file}{number}{title}"

    @property
    def name(self) -> str:
        """Its title, or its number in the file if it has none."""
        return called(self.title, self.number)

    @property
    def xres(self) -> int:
        """Number of columns."""
        return int(self.heights.shape[1])

    @property
    def yres(self) -> int:
        """Number of rows (scan lines)."""
        return int(self.heights.shape[0])

    @property
    def dx(self) -> float:
        """Pixel width in `lateral_unit`."""
        return self.xreal / self.xres

    @property
    def dy(self) -> float:
        """Pixel height in `lateral_unit`."""
        return self.yreal / self.yres

    @property
    def is_height(self) -> bool:
        """Whether the values are lengths."""
        return self.unit == "nm"

    @property
    def has_slopes(self) -> bool:
        """Whether the sides are lengths as the values are, so that there are angles and areas.

        Examples
        --------
        >>> channel = Channel(np.zeros((2, 2)), 1.0, 1.0)
        >>> channel.has_slopes, channel.replace(lateral_unit="s").has_slopes
        (True, False)
        """
        return self.is_height and self.lateral_unit == "nm"

    @property
    def shows_relief(self) -> bool:
        """Whether the values are heights of the sample, as far as unit and title tell.

        Examples
        --------
        >>> channel = Channel(np.zeros((2, 2)), 1.0, 1.0, title="Sample 3, height")
        >>> channel.shows_relief
        True
        >>> channel.replace(title="Amplitude error").shows_relief
        False
        >>> channel.replace(unit="deg").shows_relief
        False
        """
        return self.is_height and not names_feedback(self.title)

    def replace(self, **changes: Any) -> Channel:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def turned(self, since: int | None = None) -> Channel:
        """Return the field with rows and columns exchanged, and its size and place with them.

        Turned twice, it is as it was. If `since` is given, the steps of the history from that
        number on say that they were done while it was turned.

        Examples
        --------
        >>> channel = Channel(np.zeros((2, 4)), xreal=400.0, yreal=200.0, yoff=5.0).turned()
        >>> channel.heights.shape, channel.xreal, channel.xoff
        ((4, 2), 200.0, 5.0)
        """
        heights: Any = self.heights.T
        if not isinstance(heights, LargeField):
            heights = np.array(heights, order="C")
        count = len(self.history) if since is None else since
        meanwhile = (
            replace(step, effect=f"rows and columns exchanged, x is y: {step.effect}")
            for step in self.history[count:]
        )
        return replace(
            self,
            heights=heights,
            mask=None if self.mask is None else np.array(self.mask.T, order="C"),
            xreal=self.yreal,
            yreal=self.xreal,
            xoff=self.yoff,
            yoff=self.xoff,
            history=(*self.history[:count], *meanwhile),
        )

    def after(self, step: Step) -> Channel:
        """Return a copy whose history ends with `step`."""
        return replace(self, history=(*self.history, step))

    def last_step(self, name: str) -> Step | None:
        """Return the last step of that name in its history; None if there is none."""
        return next((step for step in reversed(self.history) if step.name == name), None)

    # --- to look at, and for other libraries -------------------------------------------------

    def __repr__(self) -> str:
        size = f"{self.xres} x {self.yres} px"
        area = " x ".join(readable(side, self.lateral_unit) for side in (self.xreal, self.yreal))
        title = f" {self.title!r}" if self.title else ""
        return f"<Channel{title}: {size}, {area}, {self._range()}>"

    def _range(self) -> str:
        """Return lowest and highest value in words."""
        heights = np.asarray(self.heights)
        measured = heights[np.isfinite(heights)]
        if not measured.size:
            return "not one pixel measured"
        low, high = float(measured.min()), float(measured.max())
        return between(low, high, self.unit)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the heights, in `unit`; size and unit stay behind."""
        heights = np.asarray(self.heights, dtype=dtype)
        return heights.copy() if copy and heights is self.heights else heights

    def as_png(self) -> bytes:
        """Return a picture as a PNG file, with scale bar, colour bar and title.

        Heights are shown less their plane, which is told in it, or in the colours and the fixed
        range that their file stores.
        """
        from afmsr_core.picture.figures import drawn
        from afmsr_core.picture.panels import Panel

        level = self.is_height and (self.look is None or self.look.shown is None)
        return drawn([Panel.of(self, level=level)], dpi=_SCREEN_DPI)

    def _repr_png_(self) -> bytes:
        """Return the picture that notebooks show."""
        return self.as_png()

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the field with Matplotlib, in the true proportions of the scanned area.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; the current axes by default.
        **options
            For :meth:`matplotlib.axes.Axes.imshow`, such as ``cmap``, or ``vmin`` and ``vmax``
            in `unit`. By default the colours and the range are those of `as_png`, not levelled.

        Returns
        -------
        matplotlib.axes.Axes
            With axes in the lateral unit, the first row on top, and a colour bar.
        """
        from matplotlib import pyplot
        from matplotlib.colors import ListedColormap

        from afmsr_core.picture.palettes import palette, unmeasured_colour
        from afmsr_core.picture.panels import Panel
        from afmsr_core.picture.scales import ticks

        axes: Axes = pyplot.gca() if ax is None else ax
        panel = Panel.of(self)
        red, green, blue = (part / 255 for part in unmeasured_colour(panel.palette))
        colours = ListedColormap(palette(panel.palette) / 255).with_extremes(bad=(red, green, blue))
        lateral, lateral_unit = shown_unit(max(self.xreal, self.yreal), self.lateral_unit)
        left, top = self.xoff / lateral, self.yoff / lateral
        extent = (left, left + self.xreal / lateral, top + self.yreal / lateral, top)
        shown = {"cmap": colours, "extent": extent}
        if not {"norm", "vmin", "vmax"} & set(options):
            shown |= {"vmin": panel.shown.low, "vmax": panel.shown.high}
        image = axes.imshow(panel.heights, **{**shown, **options})
        axes.set(title=self.name, xlabel=f"x ({lateral_unit})", ylabel=f"y ({lateral_unit})")
        beside = axes.inset_axes((1.03, 0.0, 0.05, 1.0))  # as high as the field
        bar = axes.figure.colorbar(image, cax=beside)
        places = ticks(*image.get_clim(), self.unit)
        bar.set_ticks([value for value, _ in places], labels=[text for _, text in places])
        return axes

    def to_xarray(self) -> xarray.DataArray:
        """Return the field as an `xarray.DataArray` with dimensions ``y`` and ``x``.

        Returns
        -------
        xarray.DataArray
            Coordinates are pixel centres, offsets included, in the lateral unit, growing with
            rows and columns; units stand in the attributes ``units``. A pixel of the mask stays
            a height; the mask itself is the coordinate ``mask``.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        """
        xarray = _module("xarray", "xarray")
        lateral = {"units": self.lateral_unit}
        coords: dict[str, Any] = {
            "y": ("y", self.yoff + (np.arange(self.yres) + 0.5) * self.dy, lateral),
            "x": ("x", self.xoff + (np.arange(self.xres) + 0.5) * self.dx, lateral),
        }
        if self.mask is not None:
            coords["mask"] = (("y", "x"), self.mask)
        attributes = {"units": self.unit}
        if self.title.strip():
            attributes["long_name"] = self.title
        name = self.title or None
        return xarray.DataArray(np.asarray(self), coords, ("y", "x"), name, attributes)

    def to_pandas(self, row: int | None = None, column: int | None = None) -> pandas.Series:
        """Return a profile, along a row or a column, as a `pandas.Series`.

        Parameters
        ----------
        row, column : int, optional
            One of the two; the row in the middle by default.

        Returns
        -------
        pandas.Series
            Heights in `unit` by distance from the edge in the lateral unit, which the name of
            its index tells.

        Raises
        ------
        UsageError
            If row and column are given, or there is no such row or column.
        MissingExtraError
            If pandas is not installed.
        """
        if row is not None and column is not None:
            raise UsageError("to_pandas: a profile runs along a row or a column; give one of them")
        along, line, lines, pixel = "x", row, self.yres, self.dx
        if column is not None:
            along, line, lines, pixel = "y", column, self.xres, self.dy
        line = lines // 2 if line is None else line
        if not -lines <= line < lines:
            raise UsageError(f"to_pandas: no line {line}; the channel has {lines} of them")
        values = np.asarray(self.heights[line] if along == "x" else self.heights[:, line])
        pandas = _module("pandas", "pandas")
        places = (np.arange(values.size) + 0.5) * pixel
        index = pandas.Index(places, name=f"{along} ({self.lateral_unit})")
        name = f"{self.name} ({self.unit})" if self.unit else self.name
        return pandas.Series(values, index=index, name=name)


def _module(name: str, package: str) -> Any:
    """Return a module of a package that afmsr can do without."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"{package} is not installed; pip install {package}") from error

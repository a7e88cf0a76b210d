"""A channel: one measured field with its units, its place on the sample and its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import FieldError
from afmsr_core.large_field import LargeField

__all__ = ["Channel", "Step"]


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


@dataclass(frozen=True, eq=False)
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
        As the instrument or the user called it.
    mask : ndarray of bool, shape (yres, xres), optional
        Pixels that the user marked.
    history : tuple of Step
        What was done since the measurement, oldest first.
    path : Path, optional
        File that the channel came from.
    number : int, optional
        Number of the channel in that file.
    warnings : tuple of str
        What whoever uses the channel must be told before trusting it: lines that were not
        measured, what its reader warned of. Whole sentences, without the file's name.

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
        for name in ("xreal", "yreal"):
            size = float(getattr(self, name))
            if not (np.isfinite(size) and size > 0):
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
            mask = np.asarray(self.mask, dtype=bool)
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
        title = f" {self.title!r}" if self.title else ""
        return f"{file}{number}{title}"

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

    def replace(self, **changes: Any) -> Channel:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def after(self, step: Step) -> Channel:
        """Return a copy whose history ends with `step`."""
        return replace(self, history=(*self.history, step))

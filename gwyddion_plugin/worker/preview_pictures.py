"""A crop before and after, as pictures or as fields, for the dialog; never a source of heights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import OutputError
from afmsr_core.gaps import measured_part
from afmsr_core.grid import Scale
from afmsr_core.picture.colours import colours, in_proportion
from afmsr_core.picture.palettes import DEFAULT, DIFFERENCE, GWYDDION
from afmsr_core.picture.ranges import Range
from afmsr_core.quantity import shown_unit
from gwyddion_plugin.worker.channels import per_base_unit, write_channel
from gwyddion_plugin.worker.protocol import PREVIEW_FIELDS, PREVIEW_MASK

__all__ = ["Crop", "palette_of", "write", "write_fields"]

SHOWN = 256  # pixels of the result a side that are shown, pixel for pixel; longer side on screen
HALO = 16  # cells around that the method sees, so that the edges look as they will
OVERVIEW = 128  # longer side of the picture of the whole field
_SLOPE = np.linspace(1.0, 0.0, 256)[:, np.newaxis]  # every colour of a palette, the highest on top
_DIGITS = 3  # of the heights at the ends of the colours


@dataclass(frozen=True)
class Crop:
    """The part of a field that is shown, in input pixels, and what is made of these."""

    left: int
    top: int
    width: int
    height: int
    scale: Scale

    @classmethod
    def around(cls, channel: Channel, scale: Scale, at: tuple[float, float] | None = None) -> Crop:
        """Return the crop around the pixel `at`, moved so that it lies where was measured.

        Of a line scan it begins at a multiple of the points that are as long as lines are apart,
        as tiles do: a network that takes these together makes of the crop what it makes of all.
        """
        rows, columns = measured_part(channel.heights)
        x, y = at if at else ((p.start + p.stop) // 2 for p in (columns, rows))
        width = min(SHOWN // scale.columns, channel.xres)
        height = min(SHOWN // scale.rows, channel.yres)
        left = max(columns.start, min(int(x) - width // 2, columns.stop - width))
        top = max(rows.start, min(int(y) - height // 2, rows.stop - height))
        left, top = min(left, channel.xres - width), min(top, channel.yres - height)
        down, across = _cell(scale)
        return cls(left - left % across, top - top % down, width, height, scale)

    def seen(self, channel: Channel) -> Channel:
        """Return what the method sees: the crop and its halo, as a channel."""
        rows, cols = self._seen(channel)
        heights = channel.heights[rows, cols]
        yres, xres = heights.shape
        size = {"xreal": channel.dx * xres, "yreal": channel.dy * yres}
        return channel.replace(heights=heights, mask=None, **size)

    def _seen(self, channel: Channel) -> tuple[slice, slice]:
        down, across = (HALO * side for side in _cell(self.scale))
        return (
            slice(max(0, self.top - down), min(channel.yres, self.top + self.height + down)),
            slice(max(0, self.left - across), min(channel.xres, self.left + self.width + across)),
        )

    def of(self, channel: Channel) -> NDArray[np.float64]:
        """Return the heights in the crop."""
        return channel.heights[self.top : self.top + self.height, self.left :][:, : self.width]

    def of_result(self, channel: Channel, result: Channel) -> NDArray[np.float64]:
        """Return the heights of the crop in `result`, made from `seen`."""
        rows, cols = self._seen(channel)
        top, left = self.scale.shape(self.top - rows.start, self.left - cols.start)
        height, width = self.scale.shape(self.height, self.width)
        return np.asarray(result.heights[top : top + height, left : left + width])


def _cell(scale: Scale) -> tuple[int, int]:
    """Return rows and columns of input pixels that together are about square."""
    return max(1, scale.columns // scale.rows), max(1, scale.rows // scale.columns)


def palette_of(name: str) -> str:
    """Return the palette of a preview: ours if none is named, grey for one that we do not know.

    Examples
    --------
    >>> palette_of(""), palette_of("Gwyddion.net"), palette_of("my own")
    ('afm', 'Gwyddion.net', 'Gray')
    """
    if not name:
        return DEFAULT
    return name if name in GWYDDION else "Gray"


def write(
    folder: Path, relief: Channel, crop: Crop, result: Channel, plain: Channel, name: str
) -> dict[str, Any]:
    """Write the crop before and after, what the method adds, and the whole field, as pictures.

    All have the proportions of the area that they show; before and after have the same colours.

    Parameters
    ----------
    folder, relief, crop, result, plain
        As for `write_fields`.
    name : str
        Palette of the heights; `afmsr_core.picture.palettes.DIFFERENCE` is that of the difference.

    Returns
    -------
    dict
        Names of the files, ``"bars"`` with those of the palettes, and ``"ends"``, the heights at
        the ends of these for people.
    """
    scan, after = crop.of(relief), crop.of_result(relief, result)
    # As many pixels as the result has, so that all pictures are of one size.
    before = scan.repeat(crop.scale.rows, axis=0).repeat(crop.scale.columns, axis=1)
    adds = after - crop.of_result(relief, plain)
    aspect = crop.width * relief.dx / (crop.height * relief.dy)
    shown = {"heights": (Range.of([scan]), name), "difference": (_around_0(adds), DIFFERENCE)}
    heights = {"before": before, "after": after, "difference": adds}
    names = {}
    for what, values in heights.items():
        picture = colours(values, *shown["difference" if what == "difference" else "heights"])
        names[what] = _write_ppm(folder, what, in_proportion(picture, aspect, SHOWN, SHOWN))
    bars = {
        what: _write_ppm(folder, f"{what}-bar", colours(_SLOPE, Range(0.0, 1.0), of))
        for what, (_, of) in shown.items()
    }
    ends = {what: _ends(found, relief.unit) for what, (found, _) in shown.items()}
    whole = _reduced(relief.heights, relief.xreal / relief.yreal)
    names["overview"] = _write_ppm(folder, "overview", colours(whole, Range.of([whole]), name))
    return {**names, "bars": bars, "ends": ends}


def _around_0(adds: NDArray[np.float64]) -> Range:
    """Return the colours of a difference: those of zero are in their middle."""
    most = float(np.nanmax(np.abs(adds), initial=0.0))
    return Range(-most, most) if most > 0 else Range(-1.0, 1.0)


def _ends(shown: Range, unit: str) -> tuple[str, str]:
    """Return the ends of a range for people, both in the unit of the larger."""
    divisor, told = shown_unit(max(abs(shown.low), abs(shown.high)), unit)
    low, high = (f"{one / divisor:.{_DIGITS}g} {told}".rstrip() for one in (shown.low, shown.high))
    return low, high


def write_fields(
    folder: Path, relief: Channel, crop: Crop, result: Channel, plain: Channel
) -> dict[str, dict[str, Any]]:
    """Write the crop before and after, what the method adds, and the whole field, as fields.

    Parameters
    ----------
    folder : Path
        Where they go.
    relief : Channel
        The levelled field.
    crop : Crop
        What is shown of it.
    result, plain : Channel
        Made of what is seen around the crop: by the method, and by bicubic interpolation.

    Returns
    -------
    dict
        ``"fields"``, ``"ranges"`` for colours in their unit, and ``"part"``, the place of the crop
        as shares of the field.
    """
    after = crop.of_result(relief, result)
    adds = after - crop.of_result(relief, plain)
    whole = _reduced(relief.heights, relief.xreal / relief.yreal)
    scan = crop.of(relief)
    shown = Range.of([scan])
    ranges = {
        "scan": shown,
        "result": shown,
        "difference": _around_0(adds),
        "overview": Range.of([whole]),
    }
    heights = {"scan": scan, "result": after, "difference": adds, "overview": whole}
    size = {"xreal": crop.width * relief.dx, "yreal": crop.height * relief.dy}
    fields = {}
    for name, values in heights.items():
        of = relief if name == "overview" else relief.replace(**size)
        made = of.replace(heights=values, mask=None)
        fields[name] = write_channel(folder, made, (PREVIEW_FIELDS[name], PREVIEW_MASK))
    per = per_base_unit(relief.unit)
    return {
        "fields": fields,
        "ranges": {
            name: {"low": found.low / per, "high": found.high / per}
            for name, found in ranges.items()
        },
        "part": {
            "left": crop.left / relief.xres,
            "top": crop.top / relief.yres,
            "width": crop.width / relief.xres,
            "height": crop.height / relief.yres,
        },
    }


def _reduced(values: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Return a field as few pixels: means, so that no line is missed."""
    import cv2

    size = (
        max(1, round(OVERVIEW * min(1.0, aspect))),
        max(1, round(OVERVIEW / max(1.0, aspect))),
    )
    how = cv2.INTER_AREA if max(values.shape) > OVERVIEW else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(values, size, interpolation=how)).reshape(size[1], size[0])


def _write_ppm(folder: Path, name: str, picture: NDArray[np.uint8]) -> str:
    """Write a picture, and return the name of its file."""
    height, width, _ = picture.shape
    path = folder / f"{name}.ppm"
    try:
        path.write_bytes(b"P6 %d %d 255\n" % (width, height) + picture.tobytes())
    except OSError as error:
        raise OutputError(
            f"{path}: not written ({error.strerror}); free some space, or set TMPDIR"
        ) from error
    return path.name

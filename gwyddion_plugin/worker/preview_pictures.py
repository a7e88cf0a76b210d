"""Pictures of a crop before and after, for the dialog; never a source of heights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import OutputError
from afmsr_core.gaps import measured_part
from afmsr_core.picture import colours_of

__all__ = ["Crop", "write"]

SIDE = 64  # input pixels that are shown: 256 of the result, pixel for pixel
SHOWN = 256  # side of the pictures of the crop on the screen
HALO = 16  # input pixels around that the method sees, so that the edges look as they will
OVERVIEW = 128  # longer side of the picture of the whole field
_RANGE = (0.5, 99.5)  # percentiles at the ends of the colours: a spike must not rule them


@dataclass(frozen=True)
class Crop:
    """The part of a field that is shown, in input pixels."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def around(cls, channel: Channel, at: tuple[float, float] | None = None) -> Crop:
        """Return the crop around the pixel `at`, moved so that it lies where was measured."""
        rows, columns = measured_part(channel.heights)
        x, y = at if at else ((p.start + p.stop) // 2 for p in (columns, rows))
        width, height = min(SIDE, channel.xres), min(SIDE, channel.yres)
        left = max(columns.start, min(int(x) - width // 2, columns.stop - width))
        top = max(rows.start, min(int(y) - height // 2, rows.stop - height))
        return cls(min(left, channel.xres - width), min(top, channel.yres - height), width, height)

    def seen(self, channel: Channel) -> Channel:
        """Return what the method sees: the crop and its halo, as a channel."""
        rows, cols = self._seen(channel)
        heights = channel.heights[rows, cols]
        yres, xres = heights.shape
        size = {"xreal": channel.dx * xres, "yreal": channel.dy * yres}
        return channel.replace(heights=heights, mask=None, **size)

    def _seen(self, channel: Channel) -> tuple[slice, slice]:
        return (
            slice(max(0, self.top - HALO), min(channel.yres, self.top + self.height + HALO)),
            slice(max(0, self.left - HALO), min(channel.xres, self.left + self.width + HALO)),
        )

    def of(self, channel: Channel) -> NDArray[np.float64]:
        """Return the heights in the crop."""
        return channel.heights[self.top : self.top + self.height, self.left :][:, : self.width]

    def of_result(self, channel: Channel, result: Channel) -> NDArray[np.float64]:
        """Return the heights of the crop in `result`, made from `seen`."""
        rows, cols = self._seen(channel)
        scale = result.xres // (cols.stop - cols.start)
        top, left = (self.top - rows.start) * scale, (self.left - cols.start) * scale
        part = result.heights[top : top + self.height * scale, left : left + self.width * scale]
        return np.asarray(part)


def write(folder: Path, relief: Channel, crop: Crop, result: Channel) -> dict[str, str]:
    """Write the crop before and after, in the same colours, and the whole field.

    Returns
    -------
    dict
        Names of the files by ``"before"``, ``"after"`` and ``"overview"``.
    """
    before, after = crop.of(relief), crop.of_result(relief, result)
    shown = before[np.isfinite(before)]
    low, high = np.percentile(shown, _RANGE) if shown.size else (0.0, 1.0)
    whole = _reduced(relief.heights)
    ends = np.nanpercentile(np.where(np.isfinite(whole), whole, np.nan), _RANGE)
    pictures = {
        "before": colours_of(_enlarged(before), low, high),
        "after": colours_of(_enlarged(after), low, high),
        "overview": colours_of(whole, *ends),
    }
    names = {}
    for name, picture in pictures.items():
        names[name] = f"{name}.ppm"
        _write_ppm(folder / names[name], picture)
    return names


def _enlarged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Repeat pixels until the longer side fills the picture: pixels stay visible as such."""
    times = max(1, SHOWN // max(values.shape))
    return values.repeat(times, axis=0).repeat(times, axis=1)


def _reduced(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import cv2

    yres, xres = values.shape
    longer = max(yres, xres)
    size = (max(1, xres * OVERVIEW // longer), max(1, yres * OVERVIEW // longer))
    how = cv2.INTER_AREA if longer > OVERVIEW else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(values, size, interpolation=how)).reshape(size[1], size[0])


def _write_ppm(path: Path, picture: NDArray[np.uint8]) -> None:
    height, width, _ = picture.shape
    try:
        path.write_bytes(b"P6 %d %d 255\n" % (width, height) + picture.tobytes())
    except OSError as error:
        raise OutputError(
            f"{path}: not written ({error.strerror}); free some space, or set TMPDIR"
        ) from error

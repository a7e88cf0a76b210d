"""A picture of a channel to look at; never a source of heights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import OutputError
from afmsr_core.io.atomic import writing
from afmsr_core.levelling import level

__all__ = ["colours_of", "write_preview"]

# Heights from low to high as RGB: dark brown over gold to white, the AFM habit.
_STOPS = np.array([[0, 0, 0], [90, 28, 8], [190, 106, 24], [240, 190, 90], [255, 255, 255]])
_SHOWN = (0.5, 99.5)  # percentiles at the ends of the colour range: a spike must not rule it
_BAR_SHARE = 0.3  # of the width that the scale bar may take
_FOOT = 28  # pixels below the image for scale bar and height range


def write_preview(path: Path, channel: Channel, force: bool = False) -> None:
    """Write a PNG of the plane-levelled channel with scale bar and height range.

    Parameters
    ----------
    path : Path
        Target, ``.png``.
    channel : Channel
        What to show.
    force : bool
        Overwrite an existing file.
    """
    import cv2

    heights = level(channel).channel.heights
    low, high = np.nanpercentile(np.where(np.isfinite(heights), heights, np.nan), _SHOWN)
    picture = np.vstack(
        [
            colours_of(heights, low, high),
            np.full((_FOOT, channel.xres, 3), 255, np.uint8),
        ]
    )
    nice, bar = _scale_bar(channel)
    top = channel.yres + 8
    cv2.rectangle(picture, (6, top), (6 + bar, top + 4), (0, 0, 0), -1)
    lateral, unit = channel.lateral_unit, channel.unit
    label = f"{nice / 1000:g} um" if lateral == "nm" and nice >= 1000 else f"{nice:g} {lateral}"
    label += f", z {high - low:.3g} {unit}"
    cv2.putText(
        picture,
        label,
        (12 + bar, top + 9),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.42,
        (0, 0, 0),
        1,
        cv2.LINE_AA,
    )
    done, data = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise OutputError(f"{path}: OpenCV cannot write PNG here; leave out --preview")
    with writing(path, force) as file:
        file.write(data.tobytes())


def colours_of(heights: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """Return heights as RGB bytes, shape (yres, xres, 3); white where not measured."""
    share = np.nan_to_num((heights - low) / ((high - low) or 1.0), nan=1.0)
    at = np.linspace(0, 1, len(_STOPS))
    planes = [np.interp(share, at, _STOPS[:, plane]) for plane in range(3)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def _scale_bar(channel: Channel) -> tuple[float, int]:
    """Return a round length below the share of the width, and how many pixels it is."""
    limit = channel.xreal * _BAR_SHARE
    power = 10.0 ** np.floor(np.log10(limit))
    nice = float(max(step * power for step in (1, 2, 5) if step * power <= limit))
    return nice, max(1, round(nice / channel.dx))

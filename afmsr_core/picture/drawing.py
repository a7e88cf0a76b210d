"""A field as a picture to look at, with scale bar and colour bar; never a source of heights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import OutputError
from afmsr_core.quantity import readable, shown_unit
from afmsr_core.surfaces import fit_plane

__all__ = ["as_png", "colours_of", "draw"]

# Heights from low to high as RGB: dark brown over gold to white, the AFM habit.
_STOPS = np.array([[0, 0, 0], [90, 28, 8], [190, 106, 24], [240, 190, 90], [255, 255, 255]])
_SHOWN = (0.5, 99.5)  # percentiles at the ends of the colour range: a spike must not rule it
_BAR_SHARE = 0.3  # of the width that the scale bar may take
_SMALLEST = 256  # pixels of the longer side, below which pixels are enlarged
_LARGEST = 1024  # pixels of the longer side, above which only some are shown
_FOOT = 28  # pixels below the field, for the scale bar
_SIDE = 112  # pixels beside the field, for the colour bar and its numbers
_INK = (0, 0, 0)


def draw(
    heights: NDArray[np.float64],
    xreal: float,
    yreal: float,
    unit: str,
    lateral_unit: str,
    level: bool = True,
) -> NDArray[np.uint8]:
    """Return a field as RGB, in the true proportions of the scanned area.

    Parameters
    ----------
    heights : ndarray of float64, shape (yres, xres)
        In `unit`; NaN, which was not measured, is white.
    xreal, yreal : float
        Width and height of the area in `lateral_unit`.
    unit, lateral_unit : str
        As a `Channel` holds them.
    level : bool
        Take the least-squares plane off first.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
        The colour range is that of the 0.5 and 99.5 percentiles; its ends stand beside the bar,
        and are relative to the plane if one was taken off.
    """
    import cv2

    field = _thinned(heights)
    measured = np.isfinite(field)
    if not measured.any():
        field, low, high = np.full(field.shape, np.nan), 0.0, 0.0
    else:
        if level:
            field = fit_plane(field, measured).subtracted_from(field)
        low, high = np.percentile(field[measured], _SHOWN)
    field = _in_proportion(field, xreal / yreal)
    rows, columns = field.shape
    picture = np.full((rows + _FOOT, columns + _SIDE, 3), 255, np.uint8)
    picture[:rows, :columns] = colours_of(field, low, high)

    length = _round_length(xreal * _BAR_SHARE)
    bar = max(1, round(length / xreal * columns))
    cv2.rectangle(picture, (6, rows + 8), (6 + bar, rows + 12), _INK, -1)
    _write(picture, readable(length, lateral_unit), (12 + bar, rows + 17))

    ramp = np.repeat(np.linspace(high, low, rows)[:, None], 14, axis=1)
    picture[:rows, columns + 8 : columns + 22] = colours_of(ramp, low, high)
    divisor, shown = shown_unit(max(abs(low), abs(high)), unit)
    for height, row in ((high, 12), (low, rows - 3)):
        _write(picture, f"{height / divisor:.3g} {shown}", (columns + 27, row))
    return picture


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """Return an RGB picture as the bytes of a PNG file.

    Raises
    ------
    OutputError
        If OpenCV was built without PNG.
    """
    import cv2

    done, data = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise OutputError("no picture: OpenCV cannot write PNG here; install opencv-python again")
    return data.tobytes()


def colours_of(heights: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """Return heights as RGB bytes, shape (yres, xres, 3); white where not measured."""
    share = np.nan_to_num((heights - low) / ((high - low) or 1.0), nan=1.0)
    at = np.linspace(0, 1, len(_STOPS))
    planes = [np.interp(share, at, _STOPS[:, plane]) for plane in range(3)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def _thinned(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return every so many pixels of a large field: a picture needs no more."""
    step = -(-max(heights.shape) // _LARGEST)
    return np.asarray(heights[::step, ::step], dtype=np.float64)


def _in_proportion(field: NDArray[np.float64], aspect: float) -> NDArray[np.float64]:
    """Return the field with pixels repeated or left out until it has the shape of its area."""
    longer = max(field.shape)
    longer *= max(1, -(-_SMALLEST // longer))
    shape = (longer / max(1.0, aspect), longer * min(1.0, aspect))
    down, across = (
        np.arange(size) * old // size
        for size, old in zip((max(1, round(side)) for side in shape), field.shape, strict=True)
    )
    return field[down][:, across]


def _round_length(limit: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is not above `limit`."""
    power = 10.0 ** np.floor(np.log10(limit))
    return float(max(step * power for step in (1, 2, 5) if step * power <= limit))


def _write(picture: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    import cv2

    # OpenCV's letters are ASCII.
    plain = text.replace("µ", "u").replace("°", "deg")
    cv2.putText(picture, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)

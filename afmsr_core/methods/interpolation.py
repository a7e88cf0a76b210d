"""The paper's three interpolations, as OpenCV does them on floats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from afmsr_core.methods.cubic import cubic
from afmsr_core.methods.registry import Interpolation

__all__ = ["METHODS", "interpolate", "interpolate_part"]

HALO = 8  # input pixels; Lanczos4, the widest interpolation, sees 4 on each side

_OPENCV = "OpenCV resize, https://docs.opencv.org (pixel centres at (i + 1/2), as Gwyddion)"

METHODS = (
    Interpolation(
        name="bilinear",
        label="bilinear",
        summary="smooth, never overshoots, flattens peaks",
        source=_OPENCV,
        licence="Apache-2.0",
        flag="INTER_LINEAR",
    ),
    Interpolation(
        name="bicubic",
        label="bicubic",
        summary="the usual choice; overshoots a little at steps",
        source=_OPENCV,
        licence="Apache-2.0",
        flag="INTER_CUBIC",
        own=cubic,
    ),
    Interpolation(
        name="lanczos4",
        label="Lanczos4",
        summary="8x8 pixels; sharpest interpolation, rings at steps",
        source=_OPENCV,
        licence="Apache-2.0",
        flag="INTER_LANCZOS4",
    ),
)


def interpolate(field: NDArray, method: Interpolation) -> NDArray:
    """Upscale a field.

    Parameters
    ----------
    field : ndarray of float64, float32 or uint8, shape (yres, xres)
        Any unit. For uint8 OpenCV rounds and clamps, as in the paper's protocol.
    method : Interpolation
        Which.

    Returns
    -------
    ndarray, shape (scale.rows * yres, scale.columns * xres)
        Of the same type; the outer edges coincide.

    Examples
    --------
    >>> import numpy as np
    >>> interpolate(np.array([[0.0, 8.0]]), METHODS[0])[0]
    array([0., 0., 1., 3., 5., 7., 8., 8.])
    """
    if field.dtype == np.float64 and method.own is not None:
        return method.own(field, method.scale)
    import cv2

    yres, xres = field.shape
    rows, columns = method.scale.shape(yres, xres)
    upscaled = cv2.resize(
        np.ascontiguousarray(field), (columns, rows), interpolation=getattr(cv2, method.flag)
    )
    return upscaled.reshape(rows, columns)


def interpolate_part(field: NDArray, method: Interpolation, rows: slice, cols: slice) -> NDArray:
    """Upscale what a part of the result needs.

    Parameters
    ----------
    field : ndarray of float64, float32 or uint8, shape (yres, xres)
        Any unit.
    method : Interpolation
        Which.
    rows, cols : slice
        Of the result, both ends given.

    Returns
    -------
    ndarray, shape (rows, cols)
        The same as if all of the field were interpolated.

    Examples
    --------
    >>> import numpy as np
    >>> interpolate_part(np.array([[0.0, 8.0]]), METHODS[0], slice(0, 4), slice(2, 4))[0]
    array([1., 3.])
    """
    parts, inner = [], []
    for part, size, scale in zip((rows, cols), field.shape, method.scale, strict=True):
        first = max(0, part.start // scale - HALO)
        parts.append(slice(first, min(size, part.stop // scale + HALO)))
        inner.append(slice(part.start - first * scale, part.stop - first * scale))
    return interpolate(field[tuple(parts)], method)[tuple(inner)]

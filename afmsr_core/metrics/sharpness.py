"""Sharpness: how much the result varies from pixel to pixel, with or without truth in it."""

from __future__ import annotations

import numpy as np

from afmsr_core.errors import FieldError
from afmsr_core.metrics.base import Context, Field, Metric, Value

__all__ = ["METRICS", "fourier_sharpness", "gradient_sharpness"]

PAPER = "Beilstein J. Nanotechnol. 2025, 16, 1129, doi 10.3762/bjnano.16.83"

NOTHING = 1e-13
"""DFT coefficients below this share of the sum of all values are rounding, not signal.

Double precision leaves some 1e-16 of the sum in a coefficient that is zero; the smallest of
those that 8-bit rounding leaves is some 1e-8 of it.
"""

MOST_ZEROS = 1e-3
"""Larger shares of zero coefficients are not chance but a field that is constant or repeats.

Of an 8-bit field with even sides, one of the few coefficients that are whole numbers is zero
once in a hundred fields.
"""


def fourier_sharpness(grey: Field) -> tuple[float, int]:
    """Return the mean of ln |DFT| over all frequencies, the zero frequency included.

    Parameters
    ----------
    grey : ndarray, shape (yres, xres)
        The DFT has no factor in front, so the value grows with the number of pixels: by
        ln(2) / 2 for twice as many, if the pixels are noise.

    Returns
    -------
    value : float
    zeros : int
        Coefficients that are zero, have no logarithm and were left out.

    Raises
    ------
    FieldError
        If more than :data:`MOST_ZEROS` of the coefficients are zero.

    Examples
    --------
    >>> import numpy as np
    >>> impulse = np.zeros((8, 8))
    >>> impulse[3, 4] = np.e
    >>> fourier_sharpness(impulse)
    (1.0, 0)
    """
    from scipy import fft

    values = grey.astype(np.float64)
    magnitude = np.abs(fft.rfft2(values))
    # The values are real: a column stands for its opposite too, but for the first and the middle.
    times = np.full(magnitude.shape[1], 2)
    times[0] = 1
    times[(values.shape[1] + 1) // 2 :] = 1
    signal = magnitude > NOTHING * np.abs(values).sum()
    count = int(signal.sum(axis=0) @ times)
    zeros = values.size - count
    if zeros > MOST_ZEROS * values.size:
        raise FieldError(
            f"{zeros} of {values.size} Fourier coefficients are zero, which have no logarithm: "
            f"the field is constant or repeats itself; take another crop"
        )
    logarithms = np.log(np.where(signal, magnitude, 1.0))
    return float(logarithms.sum(axis=0) @ times / count), zeros


def gradient_sharpness(grey: Field) -> float:
    """Return the mean magnitude of the gradient, in grey values per pixel.

    Central differences inside, one-sided ones at the border (``numpy.gradient``).

    Raises
    ------
    FieldError
        If a side has a single pixel.

    Examples
    --------
    >>> import numpy as np
    >>> gradient_sharpness(np.tile(np.arange(0, 50, 5, dtype=np.uint8), (4, 1)))
    5.0
    """
    if min(grey.shape) < 2:
        raise FieldError("a field that is one pixel wide has no gradient; crop less")
    down, across = np.gradient(grey.astype(np.float64))
    return float(np.sqrt(down**2 + across**2).mean())


def _details(grey: Field) -> dict[str, object]:
    return {"data_range": [0, 255], "crop": list(grey.shape), "values": "8 bits, rounded"}


def _fourier(result: Field, truth: Field, context: Context) -> Value:
    value, zeros = fourier_sharpness(result)
    frequencies = {"frequencies": result.size, "zero_frequencies": zeros}
    return Value(value, details={**_details(result), "logarithm": "natural", **frequencies})


def _gradient(result: Field, truth: Field, context: Context) -> Value:
    return Value(gradient_sharpness(result), details=_details(result))


METRICS = (
    Metric(
        name="gradient_sharpness",
        label="gradient sharpness",
        unit="grey/px",
        lower_is_better=False,
        range=(0.0, np.inf),
        summary="mean steepness of the grey values",
        source="afmsr, docs/metrics.md",
        kind="no-reference",
        protocol="paper",
        function=_gradient,
        rank=40,
    ),
    Metric(
        name="fourier_sharpness",
        label="Fourier sharpness",
        lower_is_better=False,
        summary="mean logarithm of the Fourier magnitudes",
        source=PAPER,
        kind="no-reference",
        protocol="paper",
        function=_fourier,
        rank=30,
    ),
)

"""Fidelity: how far a result is from the truth, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from afmsr_core.errors import FieldError
from afmsr_core.metrics.base import Context, Field, Metric, Setting, Value, finite_in, one_of

__all__ = ["METRICS", "SSIM_WINDOW", "mean_ssim", "psnr"]

GREY_PEAK = 255.0
"""Largest value of 8 bits."""

SSIM_WINDOW = 7
"""Edge of the uniform window in pixels: the default of scikit-image."""

SAMPLE = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)
"""From the mean square in a window to the sample variance, which scikit-image takes."""

K1, K2 = 0.01, 0.03
"""Of the range: what keeps both quotients finite (Wang et al., section III.B)."""

DIFFERENCE = "difference"
"""Where a context keeps that of result and truth."""

PAPER = "Beilstein J. Nanotechnol. 2025, 16, 1129, doi 10.3762/bjnano.16.83"
WANG = "Wang et al., IEEE Trans. Image Process. 2004, 13, 600, doi 10.1109/TIP.2003.819861"
OURS = "afmsr, docs/metrics.md"

EQUAL = "the result equals the truth, so that the ratio has no limit"
"""Why a PSNR has no value: it would be infinite."""

PSNR_PEAK = Setting(
    "psnr_peak",
    "255",
    one_of("255", "reference"),
    "peak of the PSNR: 255, or the largest grey value of the reference",
)


def psnr(rmse: float, peak: float) -> float:
    """Return the peak signal-to-noise ratio in dB.

    Parameters
    ----------
    rmse, peak : float
        In the same unit.

    Raises
    ------
    FieldError
        If either is zero, so that there is no such number.

    Examples
    --------
    >>> psnr(1.0, 100.0)
    40.0
    """
    if peak <= 0:
        raise FieldError(f"the truth has the peak {peak:g}, so that there is no ratio to it")
    if rmse <= 0:
        raise FieldError(EQUAL)
    return float(20.0 * np.log10(peak / rmse))


@dataclass(frozen=True, eq=False)
class Windows:
    """Mean and sample variance of a field in every window that does not leave it.

    Attributes
    ----------
    mean, variance : ndarray of float64, shape (yres - SSIM_WINDOW + 1, xres - SSIM_WINDOW + 1)
        At the first row and column of the window.
    """

    mean: Field
    variance: Field

    @classmethod
    def of(cls, field: Field) -> Windows:
        """Return those of a field that is finite everywhere."""
        values = field.astype(np.float64)
        mean = _means(values)
        return cls(mean, SAMPLE * (_means(values * values) - mean * mean))


def _means(field: Field) -> Field:
    import cv2

    kind, side = cv2.BORDER_REFLECT, SSIM_WINDOW // 2
    means = cv2.boxFilter(field, cv2.CV_64F, (SSIM_WINDOW, SSIM_WINDOW), borderType=kind)
    return np.asarray(means[side:-side, side:-side])


def mean_ssim(
    result: Field, truth: Field, data_range: float, of_truth: Windows | None = None
) -> tuple[float, int]:
    """Return the mean structural similarity and the number of windows that it is the mean of.

    It is that of scikit-image with its default uniform window and sample covariance. Windows
    that leave the field or hold a pixel that is not finite do not count.

    Parameters
    ----------
    result, truth : ndarray, shape (yres, xres)
    data_range : float
        What counts as the full range of values.
    of_truth : Windows, optional
        Of the truth, if they are known and it is finite everywhere.

    Raises
    ------
    FieldError
        If no window is complete, or the range is zero.
    """
    if min(truth.shape) < SSIM_WINDOW:
        raise FieldError(
            f"a field of {truth.shape[1]}x{truth.shape[0]} pixels is smaller than the window "
            f"of {SSIM_WINDOW} pixels; crop less"
        )
    if data_range <= 0:
        raise FieldError("the truth is constant, so that there is no range to compare with")
    used = finite_in(result, truth)
    all_used = bool(used.all())
    if not all_used:
        result, truth = np.where(used, result, 0), np.where(used, truth, 0)
    one = Windows.of(result)
    other = of_truth if of_truth is not None and all_used else Windows.of(truth)
    products = _means(np.multiply(result, truth, dtype=np.float64))
    covariance = SAMPLE * (products - one.mean * other.mean)
    small = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    above = (2 * one.mean * other.mean + small[0]) * (2 * covariance + small[1])
    below = (one.mean**2 + other.mean**2 + small[0]) * (one.variance + other.variance + small[1])
    ssim = above / below
    if all_used:
        return float(ssim.mean()), ssim.size
    from scipy.ndimage import minimum_filter

    pad = SSIM_WINDOW // 2
    complete = minimum_filter(used, SSIM_WINDOW)[pad:-pad, pad:-pad]
    if not complete.any():
        raise FieldError("no window of pixels is complete; crop where both scans were measured")
    return float(ssim[complete].mean()), int(complete.sum())


def _windows_of(truth: Field, context: Context) -> Windows | None:
    """Return the windows of a truth that is finite everywhere; None of another."""
    if min(truth.shape) < SSIM_WINDOW or not finite_in(truth).all():
        return None
    return context.once_for_pair("windows", partial(Windows.of, truth))


# --- the paper's protocol --------------------------------------------------------------------


def _grey(truth: Field) -> dict[str, Any]:
    return {"data_range": [0, 255], "crop": list(truth.shape)}


def _psnr(result: Field, truth: Field, context: Context) -> Value:
    rule = context.settings["psnr_peak"]
    peak = GREY_PEAK if rule == "255" else float(truth.max())
    difference = result.astype(np.float64) - truth
    rmse = float(np.sqrt(np.mean(difference**2)))
    details = {**_grey(truth), "peak": peak, "peak_rule": rule, "rmse": rmse}
    return Value(psnr(rmse, peak), details=details)


def _ssim(result: Field, truth: Field, context: Context) -> Value:
    value, windows = mean_ssim(result, truth, GREY_PEAK, _windows_of(truth, context))
    return Value(
        value,
        details={
            **_grey(truth),
            "window": f"uniform, {SSIM_WINDOW}x{SSIM_WINDOW} pixels (scikit-image)",
            "windows": windows,
        },
    )


# --- nanometres ------------------------------------------------------------------------------


def _common(result: Field, truth: Field, context: Context) -> tuple[Field, dict[str, Any]]:
    """Return the difference at the pixels that both have, and what it rests on."""
    difference, details = context.once(DIFFERENCE, partial(_difference, result, truth, context))
    return difference, dict(details)


def _difference(result: Field, truth: Field, context: Context) -> tuple[Field, dict[str, Any]]:
    used = finite_in(result, truth)
    if context.removed is None or not used.any():
        raise FieldError("no pixel is finite in result and truth; crop where both were measured")
    plane = context.removed
    return (result - truth)[used], {
        "unit": context.unit,
        "pixels": int(used.sum()),
        "removed": {
            "datum": plane.datum,
            "rise_across": plane.slope_x,
            "rise_down": plane.slope_y,
        },
    }


def _rmse(result: Field, truth: Field, context: Context) -> Value:
    difference, details = _common(result, truth, context)
    return Value(float(np.sqrt(np.mean(difference**2))), details=details)


def _mae(result: Field, truth: Field, context: Context) -> Value:
    difference, details = _common(result, truth, context)
    return Value(float(np.mean(np.abs(difference))), details=details)


def _bias(result: Field, truth: Field, context: Context) -> Value:
    _, details = _common(result, truth, context)
    return Value(context.offset, details=details)


def _range_of(truth: Field) -> float:
    finite = truth[np.isfinite(truth)]
    return float(finite.max() - finite.min())


def _psnr_nm(result: Field, truth: Field, context: Context) -> Value:
    difference, details = _common(result, truth, context)
    rmse, peak = float(np.sqrt(np.mean(difference**2))), _range_of(truth)
    details |= {"peak": peak, "peak_rule": "range of the truth", "rmse": rmse}
    return Value(psnr(rmse, peak), details=details)


def _ssim_nm(result: Field, truth: Field, context: Context) -> Value:
    _, details = _common(result, truth, context)
    data_range = _range_of(truth)
    value, windows = mean_ssim(result, truth, data_range, _windows_of(truth, context))
    window = f"uniform, {SSIM_WINDOW}x{SSIM_WINDOW} pixels (scikit-image)"
    return Value(
        value, details={**details, "peak": data_range, "window": window, "windows": windows}
    )


_in_nm = partial(Metric, kind="full-reference", protocol="nm")

METRICS = (
    Metric(
        name="psnr",
        label="PSNR",
        unit="dB",
        lower_is_better=False,
        summary="peak over error, 8 bits",
        source=PAPER,
        kind="full-reference",
        protocol="paper",
        function=_psnr,
        settings=(PSNR_PEAK,),
        rank=10,
    ),
    Metric(
        name="ssim",
        label="SSIM",
        lower_is_better=False,
        range=(-1.0, 1.0),
        ideal=1.0,
        summary="likeness of mean, contrast and pattern in small windows, 8 bits",
        source=WANG,
        kind="full-reference",
        protocol="paper",
        function=_ssim,
        rank=20,
    ),
    _in_nm(
        name="rmse",
        label="RMSE",
        unit="height",
        lower_is_better=True,
        range=(0.0, np.inf),
        ideal=0.0,
        summary="root of the mean squared height error",
        source=OURS,
        function=_rmse,
        rank=10,
    ),
    _in_nm(
        name="mae",
        label="MAE",
        unit="height",
        lower_is_better=True,
        range=(0.0, np.inf),
        ideal=0.0,
        summary="mean absolute height error",
        source=OURS,
        function=_mae,
        rank=20,
    ),
    _in_nm(
        name="bias",
        label="bias",
        unit="height",
        lower_is_better=None,
        ideal=0.0,
        summary="mean height difference before the plane was removed",
        source=OURS,
        function=_bias,
        rank=30,
    ),
    _in_nm(
        name="psnr_nm",
        label="PSNR (heights)",
        unit="dB",
        lower_is_better=False,
        summary="height range of the truth over the RMSE",
        source=OURS,
        function=_psnr_nm,
        rank=40,
    ),
    _in_nm(
        name="ssim_nm",
        label="SSIM (heights)",
        lower_is_better=False,
        range=(-1.0, 1.0),
        ideal=1.0,
        summary="likeness of mean, contrast and pattern in small windows, on heights",
        source=WANG,
        function=_ssim_nm,
        rank=50,
    ),
)

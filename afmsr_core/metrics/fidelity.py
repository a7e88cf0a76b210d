"""Fidelity: how far a result is from the truth, pixel by pixel."""

from __future__ import annotations

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


def mean_ssim(result: Field, truth: Field, data_range: float) -> tuple[float, int]:
    """Return the mean structural similarity and the number of windows that it is the mean of.

    It is that of scikit-image with its default uniform window and sample covariance. Windows
    that leave the field or hold a pixel that is not finite do not count.

    Parameters
    ----------
    result, truth : ndarray, shape (yres, xres)
    data_range : float
        What counts as the full range of values.

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
    from scipy.ndimage import minimum_filter
    from skimage.metrics import structural_similarity

    used = finite_in(result, truth)
    pad = SSIM_WINDOW // 2
    complete = minimum_filter(used, SSIM_WINDOW)[pad:-pad, pad:-pad]
    if not complete.any():
        raise FieldError("no window of pixels is complete; crop where both scans were measured")
    _, ssim = structural_similarity(
        np.where(used, result, 0),
        np.where(used, truth, 0),
        win_size=SSIM_WINDOW,
        data_range=data_range,
        full=True,
    )
    return float(ssim[pad:-pad, pad:-pad][complete].mean()), int(complete.sum())


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
    value, windows = mean_ssim(result, truth, GREY_PEAK)
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
    value, windows = mean_ssim(result, truth, data_range)
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

"""Score methods on real scans, each result registered to its truth first.

The coarse scan is made from the fine one as an instrument would make it, so it lies a known
half pixel off the upscaled grid. Every method's result, an interpolation's too, is moved by
that offset before it is compared: unregistered, half a pixel is worth 1 dB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.grid import SQUARE, Scale
from afmsr_core.simulation.acquisition import Acquisition, coarse_scan
from training.corpus import Scan
from training.fields import middle_rows

FACTOR = 4
BORDER = 8  # fine pixels at each edge that are not scored: half a pixel of shift has no data there
# White noise and line offsets, as fractions of the height range.
CONDITIONS = {"clean": (0.0, 0.0), "noisy": (0.01, 0.005)}

Upscaler = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Score:
    """One method on one scan.

    Attributes
    ----------
    psnr : float
        In dB; the peak is the range of the truth.
    ssim : float
        Structural similarity with the truth's range as data range.
    sharpness : float
        Spectral sharpness: mean of ln |DFT| less that of the truth; 0 is as sharp as the truth.
    sq : float
        Sq over that of the truth.
    shift : tuple of float
        (rows, columns) in fine pixels that would register the result best with the truth.
    """

    psnr: float
    ssim: float
    sharpness: float
    sq: float
    shift: tuple[float, float]


def score(
    scans: Sequence[Scan],
    methods: Mapping[str, Upscaler],
    condition: str,
    seed: int = 0,
    scale: Scale = SQUARE,
) -> dict[str, list[Score]]:
    """Score every method on every scan, the mean over both lines that may be taken.

    Parameters
    ----------
    scans : sequence of Scan
        Fine scans; levelled by their plane before they are scanned again.
    methods : mapping of str to callable
        From a coarse field to a fine one of `scale`, both in nm.
    condition : str
        Key of `CONDITIONS`.
    seed : int
        Of the noise, which is the same for every method.
    scale : Scale
        Fine pixels for each that the coarse scan takes.
    """
    results: dict[str, list[Score]] = {name: [] for name in methods}
    for index, scan in enumerate(scans):
        per_row: dict[str, list[Score]] = {name: [] for name in methods}
        fine = scan.levelled
        fine = fine[: fine.shape[0] // FACTOR * FACTOR, : fine.shape[1] // FACTOR * FACTOR]
        for row in middle_rows(scale):
            noise, line_noise = CONDITIONS[condition]
            acquisition = Acquisition(
                factor=scale,
                row=row,
                dwell=max(1, scale.columns // 2),
                noise=noise,
                line_noise=line_noise,
            )
            coarse = coarse_scan(fine, acquisition, np.random.default_rng([seed, index, row]))
            for name, upscale in methods.items():
                moved = ndimage.shift(upscale(coarse), acquisition.offset, mode="nearest")
                per_row[name].append(_compare(moved, fine))
        for name, scores in per_row.items():
            results[name].append(_mean(scores))
    return results


def interpolated(coarse: NDArray[Any], scale: Scale, method: str = "INTER_CUBIC") -> NDArray[Any]:
    """Return a coarse field interpolated as OpenCV does; `method` is its name of it."""
    import cv2

    yres, xres = coarse.shape
    size = (xres * scale.columns, yres * scale.rows)
    return np.asarray(cv2.resize(coarse, size, interpolation=getattr(cv2, method)))


def best_shift(result: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[float, float]:
    """Return the small shift that registers `result` best with `truth`, by least squares."""
    dy, dx = np.gradient(truth, axis=0), np.gradient(truth, axis=1)
    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    design = np.stack([dy[inside].ravel(), dx[inside].ravel()], axis=1)
    difference = (truth - result)[inside].ravel()
    shift, *_ = np.linalg.lstsq(design, difference, rcond=None)
    return float(shift[0]), float(shift[1])


def _compare(result: NDArray[np.float64], truth: NDArray[np.float64]) -> Score:
    from skimage.metrics import structural_similarity

    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    inner, inner_truth = result[inside], truth[inside]
    peak = float(inner_truth.max() - inner_truth.min())
    rmse = float(np.sqrt(np.mean((inner - inner_truth) ** 2)))
    return Score(
        psnr=20 * np.log10(peak / rmse),
        ssim=float(structural_similarity(inner, inner_truth, data_range=peak)),
        sharpness=_log_spectrum(inner / peak) - _log_spectrum(inner_truth / peak),
        sq=float(inner.std() / inner_truth.std()),
        shift=best_shift(result, truth),
    )


def _log_spectrum(field: NDArray[np.float64]) -> float:
    return float(np.mean(np.log(np.abs(np.fft.fft2(field)) + np.finfo(float).tiny)))


def _mean(scores: Sequence[Score]) -> Score:
    return Score(
        psnr=float(np.mean([s.psnr for s in scores])),
        ssim=float(np.mean([s.ssim for s in scores])),
        sharpness=float(np.mean([s.sharpness for s in scores])),
        sq=float(np.mean([s.sq for s in scores])),
        shift=(
            float(np.mean([s.shift[0] for s in scores])),
            float(np.mean([s.shift[1] for s in scores])),
        ),
    )

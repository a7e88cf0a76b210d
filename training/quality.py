"""What PSNR does not say: roughness, spectrum, look, streaks and detail of upscaled scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core import metrics
from afmsr_core.errors import MissingWeightsError
from afmsr_core.metrics import niqe, parameters
from afmsr_core.metrics.streaks import on_lines
from afmsr_core.normalisation import to_8bit
from afmsr_core.simulation.acquisition import Acquisition, coarse_scan, scars_of
from afmsr_core.trust.detail import compare_detail
from afmsr_core.trust.noise import noise_of
from training.corpus import Scan
from training.score import BORDER, CONDITIONS, FACTOR, Upscaler

ROW = 1
SCARS = 20.0  # per 256 coarse lines: as the worst twentieth of good scans
NM = ("rmse", "sq", "sdq", "psd_coarse", "psd_medium", "psd_fine", "psd_beyond")
RESAMPLES = 1000
SEED = 0


@dataclass(frozen=True)
class Quality:
    """One method on one scan.

    Attributes
    ----------
    rmse : float
        In nm.
    sq, sdq, psd_coarse, psd_medium, psd_fine, psd_beyond : float
        Of the result over that of the truth, both levelled by their planes.
    features : ndarray of float64, shape (patches, 36)
        NIQE's, of the result as 8-bit grey values.
    scars_left : float
        Median share of the height of injected scars that is left; 1 is all. NaN without any.
    invented, missing : int
        Small features that only the result has, or only the truth.
    invented_share, missing_share : float
        Of all features of the result, or of the truth; NaN without any.
    """

    rmse: float
    sq: float
    sdq: float
    psd_coarse: float
    psd_medium: float
    psd_fine: float
    psd_beyond: float
    features: NDArray[np.float64]
    scars_left: float
    invented: int
    invented_share: float
    missing: int
    missing_share: float


def quality(
    scans: Sequence[Scan], methods: Mapping[str, Upscaler], condition: str, seed: int = 0
) -> dict[str, list[Quality]]:
    """Judge every method, and the truth itself under ``"truth"``, on every scan.

    Parameters
    ----------
    scans, methods, condition, seed
        As :func:`training.score.score`.
    """
    results: dict[str, list[Quality]] = {name: [] for name in (*methods, "truth")}
    noise, line_noise = CONDITIONS[condition]
    for index, scan in enumerate(scans):
        fine = scan.levelled
        fine = fine[: fine.shape[0] // FACTOR * FACTOR, : fine.shape[1] // FACTOR * FACTOR]
        acquisition = Acquisition(row=ROW, noise=noise, line_noise=line_noise)
        coarse = coarse_scan(fine, acquisition, np.random.default_rng([seed, index, ROW]))
        scars = scars_of(coarse.shape, SCARS, np.random.default_rng([seed, index]))
        scars *= np.ptp(coarse)
        pixel = scan.nm_per_px or 1.0
        of_truth, of_scan = noise_of(fine).white, noise_of(coarse).pixel
        for name, upscale in methods.items():
            result = upscale(coarse)
            moved = ndimage.shift(result, acquisition.offset, mode="nearest")
            left = on_lines(upscale(coarse + scars) - result, coarse.shape)
            hit = np.abs(scars) > 0
            share = float(np.median(left[hit] / scars[hit])) if hit.any() else np.nan
            results[name].append(_judge(moved, fine, pixel, of_truth, of_scan, share))
        results["truth"].append(_judge(fine, fine, pixel, of_truth, of_scan, np.nan))
    return results


def _judge(
    result: NDArray[np.float64],
    truth: NDArray[np.float64],
    pixel: float,
    of_truth: float,
    of_scan: float,
    scars_left: float,
) -> Quality:
    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    result, truth = result[inside], truth[inside]
    detail = compare_detail(result, truth, of_truth, of_scan)
    found = metrics.evaluate(result, truth, pixel, "nm", {"scale": FACTOR}, only=NM)
    values = {name: np.nan if value.value is None else value.value for name, value in found.items()}
    low, high = result.min(), result.max()
    grey = to_8bit((result - low) / (high - low))
    return Quality(
        **values,
        features=niqe.patch_features(grey),
        scars_left=scars_left,
        invented=int(detail.invented.sum()),
        invented_share=float(detail.invented.mean()) if detail.invented.size else np.nan,
        missing=int(detail.missing.sum()),
        missing_share=float(detail.missing.mean()) if detail.missing.size else np.nan,
    )


def pooled_niqe(
    judged: Sequence[Quality], model: niqe.Model, seed: int = SEED
) -> tuple[float, float, float]:
    """Return NIQE of the patches of all scans together, and its 95 % bootstrap interval.

    One scan alone has too few patches for the covariance of 36 features.
    """
    value = niqe.distance(np.concatenate([one.features for one in judged]), model)
    rng = np.random.default_rng(seed)
    resampled = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(judged), size=len(judged))
        features = np.concatenate([judged[int(i)].features for i in drawn])
        resampled.append(niqe.distance(features, model))
    low, high = np.percentile(resampled, [2.5, 97.5])
    return value, float(low), float(high)


def quality_table(judged: Mapping[str, Sequence[Quality]], model: niqe.Model | None) -> str:
    """Return a Markdown table: one row a method.

    Parameters
    ----------
    judged : mapping of str to sequence of Quality
        From :func:`quality`, bicubic among them.
    model : Model or None
        NIQE's parameters; without them the column is empty.
    """
    lines = [
        "| method | RMSE / bicubic's | error of Sq | Sdq ratio | PSD ratio: coarse | medium | fine "
        "| beyond | NIQE [95 %] | scars left | invented | missing |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    reference = np.array([one.rmse for one in judged["bicubic"]])
    for name, rows in judged.items():
        rmse = np.median(np.array([one.rmse for one in rows]) / reference)
        sq = np.median(np.abs(np.array([one.sq for one in rows]) - 1))
        ratios = [f"{np.median([getattr(one, key) for one in rows]):.2f}" for key in NM[2:]]
        look = ""
        if model is not None:
            value, low, high = pooled_niqe(rows, model)
            look = f"{value:.2f} [{low:.2f}, {high:.2f}]"
        scars = np.nanmedian([one.scars_left for one in rows]) if name != "truth" else np.nan
        left = "" if np.isnan(scars) else f"{scars:.0%}"
        found = [
            f"{sum(getattr(one, kind) for one in rows)} "
            f"({np.nanmean([getattr(one, f'{kind}_share') for one in rows]):.1%})"
            for kind in ("invented", "missing")
        ]
        cells = [name, f"{rmse:.2f}", f"{sq:.1%}", *ratios, look, left, *found]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def niqe_model() -> niqe.Model | None:
    """Return NIQE's parameters if they are at hand."""
    try:
        return niqe.read_model(parameters.NIQE.locate())
    except MissingWeightsError:
        return None

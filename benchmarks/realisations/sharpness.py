"""Sharpness: what is given for the look of a full scan, in error and invented detail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.metrics import niqe
from afmsr_core.realisations import Realiser
from afmsr_core.upscale import Settings, Upscaler
from benchmarks.markdown import table
from training import corpus
from training.quality import NM, Quality, niqe_model, pooled_niqe, quality
from training.score import CONDITIONS, score

Field = NDArray[np.float64]

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
RIVALS = ("bilinear", "bicubic", "lanczos4")
SMALL = 256  # pixels a side, at most: large networks take minutes for more


def upscaled(name: str, weights: Path | None = None) -> Callable[[Field], Field]:
    """Return a method, such as ``"bicubic"`` or ``"afm@0.5"``, on bare heights."""
    method, _, sharpness = name.partition("@")
    settings = Settings(method=method, weights=weights, level="none")
    upscaler = Upscaler(settings)

    def run(coarse: Field) -> Field:
        low = Channel(coarse, *map(float, coarse.shape[::-1]), title="Height")
        result = upscaler(low)
        if sharpness and float(sharpness):
            result = Realiser(low, result, settings).sharpened(float(sharpness))
        return np.asarray(result.heights)

    return run


def judged(folder: Path, weights: Mapping[str, Path]) -> dict[str, dict[str, dict[str, float]]]:
    """Return, by condition and method, what is drawn and tabled; the full scan as ``"truth"``."""
    scans = [one for one in corpus.dev_scans(folder) if max(one.heights.shape) <= SMALL]
    methods = {name: upscaled(name) for name in RIVALS}
    methods |= {name: upscaled(name, path) for name, path in weights.items()}
    methods |= {f"afm@{step:g}": upscaled(f"afm@{step:g}") for step in STEPS}
    model, found = niqe_model(), {}
    for condition in CONDITIONS:
        rows = quality(scans, methods, condition)
        scores = score(scans, methods, condition)
        base = scores["bicubic"]
        found[condition] = {name: _numbers(each, model) for name, each in rows.items()}
        for name, each in scores.items():
            for key in ("psnr", "ssim"):
                gains = [
                    getattr(one, key) - getattr(plain, key)
                    for one, plain in zip(each, base, strict=True)
                ]
                found[condition][name][key] = float(np.mean(gains))
    return found


def _numbers(rows: list[Quality], model: niqe.Model | None) -> dict[str, float]:
    found = {key: float(np.median([getattr(one, key) for one in rows])) for key in NM}
    found["invented"] = float(sum(one.invented for one in rows))
    if model is not None:
        found["niqe"] = pooled_niqe(rows, model)[0]
    return found


def sharpness(folder: Path, weights: Mapping[str, Path]) -> str:
    """Return the table."""
    words = (
        f"## Sharpness\n\n"
        f"The dev scans of at most {SMALL} px. PSNR and SSIM: gain over bicubic, means; Sdq and "
        f"power beyond the Nyquist frequency of the scan: over those of the full scan, medians; "
        f"NIQE of all patches, with the parameters of its authors; invented: features above five "
        f"standard deviations of the noise that the full scan has not, in all scans together.\n\n"
    )
    rows = []
    for condition, methods in judged(folder, weights).items():
        for name, found in methods.items():
            gains = f"{found['psnr']:+.2f}", f"{found['ssim']:+.4f}"
            rows.append(
                (
                    condition,
                    name,
                    *(gains if name != "truth" else ("", "")),
                    f"{found['sdq']:.2f}",
                    f"{found['psd_beyond']:.2f}",
                    f"{found['niqe']:.2f}" if "niqe" in found else "",
                    f"{found['invented']:.0f}",
                )
            )
    columns = ("", "method", "PSNR, dB", "SSIM", "Sdq", "beyond", "NIQE", "invented")
    return words + table(columns, rows, words=2) + "\n"

"""Sharpness: what is given for the look of a full scan, in error and invented detail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.metrics import niqe
from afmsr_core.realisations import Realiser
from afmsr_core.upscale import Settings, Upscaler
from benchmarks.markdown import table
from training import corpus
from training.methods import RIVALS, Method, product
from training.quality import NM, Quality, niqe_model, pooled_niqe, quality
from training.score import CONDITIONS, score

Field = NDArray[np.float64]

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
LINES = ("--", ":", "-.", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 3)))
SHOWN = {
    "psnr": ("PSNR, dB", "+.2f"),
    "ssim": ("SSIM", "+.4f"),
    "sdq": ("Sdq", ".2f"),
    "psd_beyond": ("power beyond", ".2f"),
    "niqe": ("NIQE", ".2f"),
    "invented": ("invented", ".0f"),
}
SMALL = 256  # pixels a side, at most: large networks take minutes for more


def sharpened(sharpness: float) -> Method:
    """Return the default network with so much sharpness."""
    settings = Settings()
    upscaler = Upscaler(settings)

    def upscale(coarse: Field) -> Field:
        low = Channel(coarse, *map(float, coarse.shape[::-1]), title="Height")
        return np.asarray(Realiser(low, upscaler(low), settings).sharpened(sharpness).heights)

    return upscale


def judged(folder: Path, weights: Mapping[str, Path]) -> dict[str, dict[str, dict[str, float]]]:
    """Return, by condition and method, what is drawn and tabled; the full scan as ``"truth"``."""
    scans = [one for one in corpus.dev_scans(folder) if max(one.heights.shape) <= SMALL]
    methods = {name: product(name) for name in RIVALS}
    methods |= {name: product(name, path) for name, path in weights.items()}
    methods |= {f"afm@{step:g}": sharpened(step) for step in STEPS}
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


def sharpness(folder: Path, weights: Mapping[str, Path], picture: Path | None = None) -> str:
    """Return the table, and draw it if a picture is named."""
    found = judged(folder, weights)
    if picture is not None:
        _draw(found, picture)
    words = (
        f"## Sharpness\n\n"
        f"The dev scans of at most {SMALL} px. PSNR and SSIM: gain over bicubic, means; Sdq and "
        f"power beyond the Nyquist frequency of the scan: over those of the full scan, medians; "
        f"NIQE of all patches, with the parameters of its authors; invented: features above five "
        f"standard deviations of the noise that the full scan has not, in all scans together.\n\n"
    )
    rows = [
        (condition, name, *(_cell(one, key, form) for key, (_, form) in SHOWN.items()))
        for condition, methods in found.items()
        for name, one in methods.items()
    ]
    columns = ("", "method", *(label for label, _ in SHOWN.values()))
    return words + table(columns, rows, words=2) + "\n"


def _cell(found: Mapping[str, float], key: str, form: str) -> str:
    return format(found[key], form) if key in found else ""


def _draw(found: Mapping[str, Mapping[str, Mapping[str, float]]], target: Path) -> None:
    """Draw every number against sharpness, other methods as lines of their own."""
    from matplotlib.figure import Figure

    keys = [key for key in SHOWN if all(key in one["afm@0"] for one in found.values())]
    figure = Figure(figsize=(11, 4.6 if len(keys) < 4 else 6.4), layout="constrained")
    grid = figure.subplots(2, -(-len(keys) // 2))
    condition = next(iter(found))
    methods = found[condition]
    others = [name for name in methods if not name.startswith("afm@")]
    for axes, key in zip(grid.flat, keys, strict=False):
        ours = [methods[f"afm@{step:g}"][key] for step in STEPS]
        axes.plot(STEPS, ours, "o-", color="black", label="afm", zorder=3)
        for number, name in enumerate(others):
            if key in methods[name]:
                style = LINES[number % len(LINES)]
                colour = f"C{number}" if name != "truth" else "0.5"
                axes.axhline(methods[name][key], ls=style, color=colour, label=name)
        axes.set_title(SHOWN[key][0])
        axes.set_xlabel("sharpness")
        if key == "invented":
            axes.set_yscale("symlog", linthresh=1)
            axes.set_ylim(bottom=0)
    for axes in grid.flat[len(keys) :]:
        axes.axis("off")
    handles, labels = grid.flat[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.savefig(target, dpi=100)

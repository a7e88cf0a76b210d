"""Pictures for docs/trust.md: where the map is right, and where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from afmsr_core.trust.calibration import SHIPPED, Calibration
from afmsr_core.trust.regions import flagged
from benchmarks.trust.cases import CONDITIONS, Method, cases
from training import corpus

FOLDER = Path(__file__).parents[2] / "docs" / "images"
# Permissive scans: MIT, MIT and BSD-2-Clause.
SHOWN = {
    "trust-success.png": "SurfaceTopography__example_ps.tiff__height",
    "trust-coarse.png": "nsfopen-2.2.4__MoS2.nid__height_for",
    "trust-failure.png": "Magni__example.mi__height_bac",
}
SIDE = 224  # fine pixels that are shown


def draw(folder: Path) -> list[Path]:
    """Draw every picture and return the files."""
    import matplotlib as mpl

    mpl.use("Agg")
    method, calibration = Method("afm"), Calibration.read(SHIPPED)
    scans = {scan.id: scan for scan in corpus.dev_scans(folder)}
    made = []
    for name, scan in SHOWN.items():
        case = next(iter(cases([scans[scan]], CONDITIONS[:1])))
        made.append(_draw(case, method, calibration, FOLDER / name))
    return made


def _draw(case, method, calibration, target: Path) -> Path:  # type: ignore[no-untyped-def]
    import matplotlib.pyplot as plt

    result, evidence = case.gathered(method)
    half = calibration.scales(0.9) * calibration.scale_of(evidence)
    doubt = case.inside(flagged(half, block=4))
    moved, width = case.registered(result), case.registered_map(half)
    error = np.abs(moved - case.right)
    squares = case.registered_map(np.repeat(np.repeat(case.coarse, 4, axis=0), 4, axis=1))
    part = np.s_[:SIDE, :SIDE]
    low, high = np.percentile(case.right[part], [0.5, 99.5])
    top = float(np.quantile(error[part], 0.995))
    held = float(np.mean(error <= width))
    panels = (
        (f"scan, {case.coarse.shape[1]} x {case.coarse.shape[0]} px", squares, "afmhot", low, high),
        ("upscaled, flagged pixels outlined", moved, "afmhot", low, high),
        ("full scan", case.right, "afmhot", low, high),
        (f"half-width of the 90 % interval\nholds in {held:.0%}", width, "viridis", 0.0, top),
        ("true error", error, "viridis", 0.0, top),
    )
    figure, axes = plt.subplots(1, 5, figsize=(12, 2.9), layout="constrained")
    for ax, (title, field, palette, least, most) in zip(axes, panels, strict=True):
        shown = ax.imshow(field[part], cmap=palette, vmin=least, vmax=most, interpolation="nearest")
        ax.set_title(title, size=9)
        ax.set_axis_off()
        if palette == "viridis":
            figure.colorbar(shown, ax=ax, shrink=0.8, label="nm")
    axes[1].contour(doubt[part].astype(float), [0.5], colors="cyan", linewidths=0.4)
    target.parent.mkdir(exist_ok=True)
    figure.savefig(target, dpi=80)
    plt.close(figure)
    print(f"{target.name}: {case.scan.id}, the interval holds in {held:.1%} of the pixels")
    return target

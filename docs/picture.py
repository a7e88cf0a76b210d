"""Make the picture of the README from a real scan: ``python -m docs.picture CORPUS``.

The scan is `example_ps.tiff` of ContactEngineering/SurfaceTopography (MIT): a granular film,
1 µm, 512 x 512 px, Park. Its every fourth line, with a dwell of two pixels, is the coarse scan.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy import ndimage

from afmsr_core.channel import Channel
from afmsr_core.simulation import Acquisition, coarse_scan
from afmsr_core.upscale import upscale
from training.corpus import dev_scans

SCAN = "SurfaceTopography__example_ps.tiff__height"
DETAIL = np.s_[180:308, 200:328]  # 128 x 128 px of the truth
TARGET = Path(__file__).parent / "images" / "real_scan.png"


def main(corpus: Path) -> None:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    scan = next(scan for scan in dev_scans(corpus) if scan.id == SCAN)
    truth = scan.levelled
    acquisition = Acquisition(row=1, noise=0.01, line_noise=0.005)
    coarse = coarse_scan(truth, acquisition, np.random.default_rng(0))
    width = scan.nm_per_px * truth.shape[1]
    channel = Channel(coarse, width, width, title="Height")
    panels = {"coarse scan, 128 × 128": np.repeat(np.repeat(coarse, 4, 0), 4, 1)}
    for method, name in (("bicubic", "bicubic"), ("afm", "afm, the default")):
        moved = ndimage.shift(upscale(channel, method=method).heights, acquisition.offset)
        inside = np.s_[8:-8, 8:-8]
        error = np.sqrt(np.mean((moved[inside] - truth[inside]) ** 2))
        panels[f"{name}\nRMSE {error:.2f} nm"] = moved
    panels["real scan, 512 × 512"] = truth

    low, high = np.percentile(truth, [0.5, 99.5])
    figure, axes = plt.subplots(2, 4, figsize=(10, 5.6), layout="constrained")
    for column, (name, heights) in enumerate(panels.items()):
        for row, (field, side) in enumerate(((heights, width), (heights[DETAIL], width / 4))):
            ax = axes[row, column]
            ax.imshow(
                field, cmap="afmhot", vmin=low, vmax=high, extent=(0, side, side, 0),
                interpolation="nearest",
            )  # fmt: skip
            bar = side / 5
            ax.plot([0.05 * side, 0.05 * side + bar], [0.94 * side] * 2, color="white", lw=3)
            ax.text(
                0.05 * side, 0.91 * side, f"{bar:.0f} nm", color="white", size=9, va="bottom",
            )  # fmt: skip
            ax.set_axis_off()
        axes[0, column].set_title(name, size=10)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, dpi=100)
    print(f"{TARGET}: heights from {low:.1f} to {high:.1f} nm")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

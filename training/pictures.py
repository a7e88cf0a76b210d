"""Pictures of the model card: the best, the middle and the worst scan, whole and in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.simulation.acquisition import Acquisition, coarse_scan
from training.corpus import Scan
from training.score import FACTOR, Score, Upscaler
from training.table import REFERENCE

ROW = 1
SIDE = 64  # pixels of the truth that the detail shows
LARGEST = 512  # pixels of a scan that is drawn whole
BORDER = 8

Heights = NDArray[np.float64]


def draw(
    scans: Sequence[Scan],
    scores: Mapping[str, Sequence[Score]],
    methods: Mapping[str, Upscaler],
    folder: Path,
) -> dict[str, str]:
    """Draw the scans with the largest, the median and the smallest gain.

    Parameters
    ----------
    scans : sequence of Scan
        What was scored.
    scores : mapping of str to sequence of Score
        Without noise; ``afm`` and bicubic among them.
    methods : mapping of str to callable
        As :func:`training.score.score`.
    folder : Path
        Gets the pictures.

    Returns
    -------
    dict of str to str
        Legend by file name.
    """
    gains = [a.psnr - b.psnr for a, b in zip(scores["afm"], scores[REFERENCE], strict=True)]
    order = np.argsort(gains)
    chosen = {"best": order[-1], "middle": order[len(order) // 2], "worst": order[0]}
    legends = {}
    for word, index in chosen.items():
        scan, name = scans[int(index)], f"card-{word}.png"
        _picture(scan, methods).savefig(folder / name, dpi=80)
        gain = f"{gains[int(index)]:+.2f} dB"
        licence = scan.licence.split(" (")[0]
        legends[name] = f"The {word}, {gain} over bicubic: {scan.sample} ({scan.source}, {licence})"
    return legends


def _picture(scan: Scan, methods: Mapping[str, Upscaler]):  # type: ignore[no-untyped-def]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    truth = scan.levelled
    truth = truth[: truth.shape[0] // FACTOR * FACTOR, : truth.shape[1] // FACTOR * FACTOR]
    truth = truth[:LARGEST, :LARGEST]
    acquisition = Acquisition(row=ROW)
    coarse = coarse_scan(truth, acquisition, np.random.default_rng(0))
    panels = {"coarse scan": np.kron(coarse, np.ones((FACTOR, FACTOR)))}
    for name, upscale in methods.items():
        if name not in ("bilinear", "lanczos4"):
            panels[name] = ndimage.shift(upscale(coarse), acquisition.offset, mode="nearest")
    panels["full scan"] = truth

    detail = _worst_square(panels[REFERENCE] - truth)
    low, high = np.percentile(truth, [0.5, 99.5])
    near = np.percentile(truth[detail], [0.5, 99.5])
    figure = Figure(figsize=(2.1 * len(panels), 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(panels))
    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    for (top, bottom), (name, heights) in zip(axes.T, panels.items(), strict=True):
        top.imshow(heights, cmap="afmhot", vmin=low, vmax=high, interpolation="nearest")
        bottom.imshow(
            heights[detail], cmap="afmhot", vmin=near[0], vmax=near[1], interpolation="nearest"
        )
        error = np.sqrt(np.mean((heights[inside] - truth[inside]) ** 2))
        known = name in ("coarse scan", "full scan")
        top.set_title(name if known else f"{name}\nRMSE {error:.3g} nm", size=9)
        top.set_axis_off()
        bottom.set_axis_off()
    return figure


def _worst_square(error: Heights) -> tuple[slice, slice]:
    """Return the square in which the error is largest, away from the border."""
    side = min(SIDE, *(length - 2 * BORDER for length in error.shape))
    blurred = ndimage.uniform_filter(error**2, side, mode="constant")
    margin = side // 2 + BORDER
    middles = blurred[margin:-margin, margin:-margin]
    top, left = (int(i) + BORDER for i in np.unravel_index(middles.argmax(), middles.shape))
    return slice(top, top + side), slice(left, left + side)

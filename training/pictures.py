"""Pictures of the model card: the best, the middle and the worst scan, whole and in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.picture.figures import drawn
from afmsr_core.picture.panels import Panel
from afmsr_core.picture.ranges import Range
from afmsr_core.quantity import readable
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
        (folder / name).write_bytes(_picture(scan, methods))
        gain = f"{gains[int(index)]:+.2f} dB"
        licence = scan.licence.split(" (")[0]
        legends[name] = f"The {word}, {gain} over bicubic: {scan.sample} ({scan.source}, {licence})"
    return legends


def _picture(scan: Scan, methods: Mapping[str, Upscaler]) -> bytes:
    """Return the whole fields in a row, and below them the square where bicubic is worst."""
    truth = scan.levelled
    truth = truth[: truth.shape[0] // FACTOR * FACTOR, : truth.shape[1] // FACTOR * FACTOR]
    truth = truth[:LARGEST, :LARGEST]
    acquisition = Acquisition(row=ROW)
    coarse = coarse_scan(truth, acquisition, np.random.default_rng(0))
    fields = {"coarse scan": np.kron(coarse, np.ones((FACTOR, FACTOR)))}
    for name, upscale in methods.items():
        if name not in ("bilinear", "lanczos4"):
            fields[name] = ndimage.shift(upscale(coarse), acquisition.offset, mode="nearest")
    fields["full scan"] = truth
    detail = worst_square((fields[REFERENCE] - truth) ** 2)
    shown, near = Range.of([truth]), Range.of([truth[detail]])
    whole = [_panel(scan, heights, shown, name, truth) for name, heights in fields.items()]
    parts = [_panel(scan, heights[detail], near) for heights in fields.values()]
    count = len(fields)
    return drawn([*whole, *parts], width=12 + 44 * count, dpi=120, columns=count)


def _panel(
    scan: Scan, heights: Heights, shown: Range, name: str = "", truth: Heights | None = None
) -> Panel:
    pixel, unit = (scan.nm_per_px, "nm") if scan.nm_per_px else (1.0, "px")
    across, down = (pixel * side for side in heights.shape[::-1])
    error = ""
    if truth is not None and name not in ("coarse scan", "full scan"):
        inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
        rmse = np.sqrt(np.mean((heights[inside] - truth[inside]) ** 2))
        error = f"RMSE {readable(rmse, 'nm', 3)}"
    return Panel(heights, across, down, shown, lateral_unit=unit, title=name, subtitle=error)


def worst_square(squares: Heights, side: int = SIDE, border: int = BORDER) -> tuple[slice, slice]:
    """Return the square in which squared errors are largest in the mean, away from the border."""
    side = min(side, *(length - 2 * border for length in squares.shape))
    blurred = ndimage.uniform_filter(squares, side, mode="constant")
    before, behind = side // 2 + border, (side - 1) // 2 + border
    middles = blurred[before : blurred.shape[0] - behind, before : blurred.shape[1] - behind]
    top, left = (int(i) + border for i in np.unravel_index(middles.argmax(), middles.shape))
    return slice(top, top + side), slice(left, left + side)

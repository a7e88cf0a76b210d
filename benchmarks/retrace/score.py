"""One pair: aligned once, upscaled by every method, scored in nm."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import metrics
from afmsr_core.alignment import AlignmentSettings, align, warp
from afmsr_core.alignment.maps import largest_rectangle
from afmsr_core.channel import Channel
from afmsr_core.errors import PairError
from afmsr_core.grid import LINES_X4, SQUARE, Scale
from afmsr_core.levelling import level
from afmsr_core.simulation import Acquisition, coarse_scan
from afmsr_core.surfaces import fit_plane
from benchmarks.retrace.pairs import Pair

MAX_RESIDUAL = 0.5
"""Pixels. Half a pixel is worth 1 dB: beyond it, the score would measure the alignment."""

RULE = (
    "A pair is scored if its alignment is accepted: after the best of homography, affine map and "
    "translation, the median displacement of the blocks that have relief in both directions is "
    "at most {limit:g} px of the full resolution, and every other limit of afmsr_core.alignment "
    "holds. Where no block has relief in both directions, the displacement cannot be measured, "
    "and the pair is dropped too."
)
ROWS = (1, 2)  # of every four: the two lines next to the middle, scored one by one and averaged
BORDER = 8  # pixels at each edge of the common area: two of the low resolution see no neighbours
CEILING = "retrace"  # the full-resolution retrace, scored like a method
LINES = "lines "  # before the name of a method that sees all pixels of the lines
ACQUISITIONS = {
    SQUARE: partial(Acquisition, factor=SQUARE, dwell=2),
    LINES_X4: partial(Acquisition, factor=LINES_X4, dwell=1),
}
"""By what a method makes of it: how the retrace is scanned, given the line of every four."""
COMPUTED = ("psnr_nm", "ssim_nm", "rmse", "sq", "sdq")
METRICS = ("psnr", "ssim", "rmse", "sq", "sdq", "sharpness")

Field = NDArray[np.float64]
Upscaler = Callable[[Channel], Channel]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one pair.

    Attributes
    ----------
    pair : Pair
        Which.
    reason : str
        Why it was dropped; empty if it was scored.
    alignment : dict
        As :meth:`afmsr_core.alignment.Alignment.as_dict`; empty if there is none.
    crop : tuple of int
        Top, left, height and width of what was scored, in pixels of the truth.
    scores : dict of str to dict
        By method (`CEILING` among them) and name in `METRICS`. PSNR in dB (peak: range of the
        truth), RMSE in nm, Sq and Sdq relative to the truth's less 1, sharpness as the mean of
        ln |DFT| less that of the truth.
    fields : dict of str to ndarray
        Scored heights of the first row of `ROWS` by method, the plane of the difference taken
        off; ``"truth"``, and ``"low"`` with every coarse pixel as a square.
    """

    pair: Pair
    reason: str = ""
    alignment: dict[str, Any] = field(default_factory=dict)
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the heights, JSON-serialisable."""
        return {
            "id": self.pair.id,
            "sample": self.pair.sample,
            "licence": self.pair.licence,
            "dropped": self.reason,
            "alignment": self.alignment,
            "crop": list(self.crop),
            "scores": self.scores,
        }


def score_pair(
    pair: Pair, methods: Mapping[str, Upscaler], max_residual: float = MAX_RESIDUAL
) -> Outcome:
    """Score every method on one pair.

    The map from trace to retrace is found once, at full resolution, without any method. All
    results go through it, each moved by the known offset of the line that was taken in the same
    step, so that every result is interpolated once and by the same rule.

    Parameters
    ----------
    pair : Pair
        Trace and retrace.
    methods : mapping of str to callable
        From a levelled channel to one of four times the pixels along each axis; those called
        ``lines ...`` to one of four times the lines.
    max_residual : float
        Of the rule, in pixels.
    """
    settings = AlignmentSettings(max_residual=max_residual)
    truth, retrace = (levelled(one, pair).heights for one in (pair.trace, pair.retrace))
    try:
        found = align(retrace, truth, pixel_nm=pair.pixel_nm, settings=settings)
    except PairError as error:
        return Outcome(pair, str(error))
    if not found.accepted:
        return Outcome(pair, "; ".join(found.reasons), found.as_dict())

    warped: dict[tuple[str, int], Field] = {}
    for row in ROWS:
        scans = {scale: scan(row=row) for scale, scan in ACQUISITIONS.items()}
        low = {scale: coarse(pair, retrace, scan) for scale, scan in scans.items()}
        maps = {scale: registered(found.matrix, scan) for scale, scan in scans.items()}
        for name, upscale in methods.items():
            scale = scale_of(name)
            warped[name, row] = warp(upscale(low[scale]).heights, maps[scale], truth.shape)
        warped[CEILING, row] = warp(retrace, found.matrix, truth.shape)
        squares = np.repeat(np.repeat(low[SQUARE].heights, 4, axis=0), 4, axis=1)
        warped["low", row] = warp(squares, maps[SQUARE], truth.shape, "linear")
    valid = np.all([np.isfinite(one) for one in warped.values()], axis=0)
    top, left, height, width = largest_rectangle(valid)
    top, left, height, width = top + BORDER, left + BORDER, height - 2 * BORDER, width - 2 * BORDER
    if min(height, width) < 2 * BORDER:
        return Outcome(pair, f"common area {width} x {height} px", found.as_dict())
    inside = np.s_[top : top + height, left : left + width]

    right = truth[inside]
    pixel = pair.pixel_nm[1], pair.pixel_nm[0]
    scores, fields = {}, {"truth": right}
    for name in (*methods, CEILING):
        rows = [_compare(warped[name, row][inside], right, pixel) for row in ROWS]
        scores[name] = {metric: statistics.fmean(r[metric] for r in rows) for metric in METRICS}
    for name in (*methods, CEILING, "low"):
        fields[name] = _less_plane(warped[name, ROWS[0]][inside], right)
    crop = (top, left, height, width)
    return Outcome(pair, "", found.as_dict(), crop, scores, fields)


def scale_of(name: str) -> Scale:
    """Return what a method of this name makes of one measured pixel."""
    return LINES_X4 if name.startswith(LINES) else SQUARE


def levelled(heights: Field, pair: Pair) -> Channel:
    yres, xres = heights.shape
    return level(
        Channel(heights, xreal=xres * pair.pixel_nm[0], yreal=yres * pair.pixel_nm[1]), "plane"
    ).channel


def coarse(pair: Pair, retrace: Field, acquisition: Acquisition) -> Channel:
    """Scan the retrace with fewer lines and pixels; no noise is added, it has its own."""
    heights = np.asarray(coarse_scan(retrace, acquisition, np.random.default_rng(0)), np.float64)
    yres, xres = heights.shape
    down, across = acquisition.factor
    width, height = xres * across * pair.pixel_nm[0], yres * down * pair.pixel_nm[1]
    return Channel(heights, xreal=width, yreal=height)


def registered(matrix: Field, acquisition: Acquisition) -> Field:
    """Return the map from truth to result: `matrix` to the retrace, then its known offset.

    What the retrace has at row y, the result of a scan that took line 1 of 0..3 has half a pixel
    further down, at y - offset.
    """
    rows, columns = acquisition.offset
    move = np.array([[1.0, 0.0, -columns], [0.0, 1.0, -rows], [0.0, 0.0, 1.0]])
    return np.asarray(move @ matrix)


def _less_plane(result: Field, truth: Field) -> Field:
    return fit_plane(result - truth).subtracted_from(result)


def _compare(result: Field, truth: Field, pixel: tuple[float, float]) -> dict[str, float]:
    values = metrics.evaluate(result, truth, pixel, "nm", only=COMPUTED)
    number = {name: float("nan") if v.value is None else v.value for name, v in values.items()}
    peak = float(np.ptp(truth))
    sharpness = _log_spectrum(_less_plane(result, truth) / peak) - _log_spectrum(truth / peak)
    return {
        "psnr": number["psnr_nm"],
        "ssim": number["ssim_nm"],
        "rmse": number["rmse"],
        "sq": number["sq"] - 1,
        "sdq": number["sdq"] - 1,
        "sharpness": sharpness,
    }


def _log_spectrum(heights: Field) -> float:
    return float(np.mean(np.log(np.abs(np.fft.fft2(heights)) + np.finfo(float).tiny)))

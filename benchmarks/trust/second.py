"""What a second scan would read: the interval of the surface, and its noise added, on retraces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afmsr_core.alignment import align, warp
from afmsr_core.alignment.maps import largest_rectangle
from afmsr_core.errors import PairError
from afmsr_core.grid import SQUARE
from afmsr_core.surfaces import fit_plane
from afmsr_core.trust.assessment import second_scan
from afmsr_core.trust.calibration import SHIPPED, Calibration
from afmsr_core.trust.evidence import gather
from afmsr_core.trust.noise import noise_of
from benchmarks.markdown import table
from benchmarks.retrace.pairs import Pair, read_pairs
from benchmarks.retrace.score import ACQUISITIONS, coarse, levelled, registered
from benchmarks.trust.cases import BORDER, Method
from training import corpus

LEAST = 64  # pixels per side that trace and retrace share


@dataclass(frozen=True)
class Held:
    """How often intervals of one pair hold its other direction."""

    sample: str
    alone: float
    added: float
    wider: float


def second(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the table, of pairs whose sample neither network nor calibration has seen."""
    method, calibration = Method("afm"), Calibration.read(SHIPPED)
    known = {scan.sample for scan in corpus.training_scans(folder, corpus.SPLITS)}
    known |= corpus.SET_ASIDE
    pairs = [
        pair
        for split in ("dev", "train")
        for pair in read_pairs(folder, split)
        if pair.sample not in known
    ]
    found = [one for pair in pairs if (one := _held(pair, method, calibration)) is not None]
    rows = [
        (sample, len(of), *(f"{np.mean([getattr(one, what) for one in of]):.1%}" for what in
         ("alone", "added")), f"{np.median([one.wider for one in of]):.2f}")
        for sample in sorted({one.sample for one in found})
        if (of := [one for one in found if one.sample == sample])
    ]  # fmt: skip
    rows.append(("mean over samples", len(found), _mean(found, "alone"), _mean(found, "added"),
                 f"{np.median([one.wider for one in found]):.2f}"))  # fmt: skip
    columns = "sample", "pairs", "half-width alone", "noise of a second scan added", "wider"
    return (
        f"## A second scan\n\n{len(found)} pairs of trace and retrace, aligned. One is scanned "
        f"coarsely and upscaled, the other is what a second scan reads: at 90 %, the share of its "
        f"pixels in the interval of the surface, and in that with the noise of a second scan. "
        f"Wider: how much so, in the median.\n\n" + table(columns, rows) + "\n"
    )


def _held(pair: Pair, method: Method, calibration: Calibration) -> Held | None:
    truth, other = (levelled(one, pair).heights for one in (pair.trace, pair.retrace))
    try:
        found = align(other, truth, pixel_nm=pair.pixel_nm)
    except PairError:
        return None
    if not found.accepted:
        return None
    how = ACQUISITIONS[SQUARE](row=1)
    relief = coarse(pair, other, how).heights
    noise = noise_of(relief)
    result = method(relief)
    half = calibration.scales(0.9) * calibration.scale_of(gather(relief, result, noise))
    there = registered(found.matrix, how)
    result, half = (warp(z, there, truth.shape, "linear") for z in (result, half))
    top, left, height, width = largest_rectangle(np.isfinite(result))
    if min(height, width) < LEAST:
        return None
    inside = np.s_[top + BORDER : top + height - BORDER, left + BORDER : left + width - BORDER]
    error = result[inside] - truth[inside]
    error = np.abs(fit_plane(error).subtracted_from(error))
    wide = second_scan(half[inside], noise, 0.9)
    return Held(
        pair.sample,
        float(np.mean(error <= half[inside])),
        float(np.mean(error <= wide)),
        float(np.mean(wide) / np.mean(half[inside])),
    )


def _mean(found: Sequence[Held], what: str) -> str:
    by_sample = [
        np.mean([getattr(one, what) for one in found if one.sample == sample])
        for sample in {one.sample for one in found}
    ]
    return f"{np.mean(by_sample):.1%}"

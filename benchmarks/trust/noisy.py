"""The estimate of the noise: against noise that was added, and against trace and retrace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment import AlignmentSettings, align
from afmsr_core.errors import PairError
from afmsr_core.trust.noise import noise_between, noise_of
from afmsr_core.trust.resolution import resolved_frequency
from benchmarks.markdown import table
from benchmarks.retrace.pairs import read_pairs

MAX_RESIDUAL = 0.5  # pixels, as in benchmarks/retrace


def aligned_pairs(
    folder: Path,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], tuple[slice, slice]]]:
    """Yield every trace, its retrace moved onto it, and the area that both have."""
    settings = AlignmentSettings(max_residual=MAX_RESIDUAL)
    for split in ("dev", "train"):
        for pair in read_pairs(folder, split):
            try:
                found = align(pair.retrace, pair.trace, settings=settings)
            except PairError:
                continue
            if found.accepted:
                yield pair.trace, found.warp(pair.retrace), found.crop.slices


def noise(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the table."""
    ratios = []
    for trace, retrace, inside in aligned_pairs(folder):
        both = noise_between(trace, retrace)
        alone = noise_of(trace)
        span = float(np.subtract(*np.percentile(trace, [99.5, 0.5])))
        ratios.append(
            (
                resolved_frequency(trace[inside], retrace[inside]),
                alone.white / both.white,
                alone.lines / both.lines,
                both.white / span,
                both.lines / span,
                (both.correlated or 0.0) / span,
            )
        )
    low, middle, high = np.percentile(ratios, [25, 50, 75], axis=0)
    names = (
        ("resolved, cycles per pixel (ring correlation 0.5)", "{:.2f}"),
        ("white noise, one scan over both", "{:.2f}"),
        ("line offsets, one scan over both", "{:.2f}"),
        ("white noise over the range", "{:.2%}"),
        ("line offsets over the range", "{:.2%}"),
        ("correlated residual over the range", "{:.2%}"),
    )
    rows = [
        (name, form.format(middle[i]), f"{form.format(low[i])} to {form.format(high[i])}")
        for i, (name, form) in enumerate(names)
    ]
    return (
        f"## Noise\n\n{len(ratios)} pairs of trace and retrace at full resolution; median and "
        f"quartiles.\n\n{table(('figure', 'median', 'quartiles'), rows)}\n"
    )

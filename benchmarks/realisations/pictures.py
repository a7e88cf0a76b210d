"""A picture for docs/how-to/realisations.md: scan, best guess, two realisations, full scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from afmsr_core.grid import SQUARE
from afmsr_core.picture.figures import drawn
from afmsr_core.picture.panels import Panel
from afmsr_core.picture.ranges import Range
from benchmarks.realisations.cases import made
from benchmarks.trust.cases import CONDITIONS
from training import corpus

TARGET = Path(__file__).parents[2] / "docs" / "images" / "realisations.png"
# A permissive scan of the dev split (MIT).
SHOWN = "nsfopen-2.2.4__SBS-PMMA.nid__height_bac"
SIDE = 112  # fine pixels that are shown
SEED = 7


def draw(folder: Path) -> Path:
    """Draw the picture and return its file."""
    scan = next(one for one in corpus.dev_scans(folder) if one.id == SHOWN)
    one = next(made([scan], CONDITIONS[:1], SQUARE))
    realiser, best = one.realiser(seed=SEED), np.asarray(one.result.heights)
    squares = np.repeat(np.repeat(one.case.coarse, 4, axis=0), 4, axis=1)
    fields: dict[tuple[str, str], NDArray[np.float64]] = {
        ("Scan", f"{one.low.xres} × {one.low.yres} px in all"): squares,
        ("Best guess", "by afm"): best,
        ("Full scan", ""): one.case.truth,
        ("Realisation 1", f"seed {SEED}"): best + realiser.deviation(1),
        ("Realisation 2", f"seed {SEED}"): best + realiser.deviation(2),
        ("Sharpness 0.5", f"seed {SEED}"): np.asarray(realiser.sharpened(0.5).heights),
    }
    top, left = ((side - SIDE) // 2 for side in best.shape)
    part = np.s_[top : top + SIDE, left : left + SIDE]
    heights = Range.of([one.case.truth[part]])
    pixel, unit = (scan.nm_per_px, "nm") if scan.nm_per_px else (1.0, "px")
    panels = [
        Panel(
            field[part],
            pixel * SIDE,
            pixel * SIDE,
            heights,
            lateral_unit=unit,
            title=title,
            subtitle=subtitle,
        )
        for (title, subtitle), field in fields.items()
    ]
    TARGET.write_bytes(drawn(panels, width=180, dpi=120, columns=3))
    return TARGET

"""Pictures for docs/trust.md: where the map is right, and where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from afmsr_core.grid import SQUARE
from afmsr_core.picture.figures import drawn
from afmsr_core.picture.palettes import ERROR
from afmsr_core.picture.panels import Panel
from afmsr_core.picture.ranges import Range
from afmsr_core.trust.calibration import SHIPPED, Calibration
from afmsr_core.trust.regions import flagged
from benchmarks.trust.cases import CONDITIONS, Case, Method, cases
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
    method, calibration = Method("afm"), Calibration.read(SHIPPED)
    scans = {scan.id: scan for scan in corpus.dev_scans(folder)}
    made = []
    for name, scan in SHOWN.items():
        case = next(iter(cases([scans[scan]], CONDITIONS[:1])))
        made.append(_draw(case, method, calibration, FOLDER / name))
    return made


def _draw(case: Case, method: Method, calibration: Calibration, target: Path) -> Path:
    result, evidence = case.gathered(method)
    half = calibration.scales(0.9) * calibration.scale_of(evidence)
    doubt = case.inside(flagged(half, block=SQUARE))
    moved, width = case.registered(result), case.registered_map(half)
    error = np.abs(moved - case.right)
    squares = case.registered_map(np.repeat(np.repeat(case.coarse, 4, axis=0), 4, axis=1))
    part = np.s_[:SIDE, :SIDE]
    held = float(np.mean(error <= width))
    fields = [field[part] for field in (squares, moved, case.right, width, error)]
    pixel, unit = (case.scan.nm_per_px, "nm") if case.scan.nm_per_px else (1.0, "px")
    across, down = (pixel * side for side in fields[0].shape[::-1])
    heights = Range.of(fields[2:3])
    errors = Range(0.0, Range.of(fields[3:]).high, "0 to 99.5 % of the errors")
    words = (
        ("Scan", f"{case.coarse.shape[1]} × {case.coarse.shape[0]} px in all"),
        ("Upscaled by afm", "with what is flagged as uncertain"),
        ("Full scan", ""),
        ("Half-width of the 90 % interval", f"it holds in {held:.0%}"),
        ("Size of the true error", ""),
    )
    panels = [
        Panel(field, across, down, shown, lateral_unit=unit, title=title, subtitle=subtitle)
        for field, shown, (title, subtitle) in zip(
            fields, [heights] * 3 + [errors] * 2, words, strict=True
        )
    ]
    panels[1] = panels[1].replace(mask=doubt[part], marks="flagged as uncertain")
    panels[3:] = [one.replace(palette=ERROR) for one in panels[3:]]
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(drawn(panels, width=180, dpi=120, columns=3))
    print(f"{target.name}: {case.scan.id}, the interval holds in {held:.1%} of the pixels")
    return target

"""Planted features: a virtual AFM scans surfaces whose every particle, pit and ridge is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.grid import SQUARE
from afmsr_core.simulation import Area, Instrument, preset, specimen
from afmsr_core.trust.calibration import SHIPPED, Calibration
from afmsr_core.trust.detail import compare_detail
from afmsr_core.trust.evidence import gather
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.trust.regions import FLAGGED, flagged
from benchmarks.markdown import table
from benchmarks.trust.cases import Field, Method
from training.methods import trained

PRESETS = ("typical", "noisy")
# Specimens, and by how many fine pixels they are smoothed: what is small there is planted.
GROUNDS = {"film": 12.0, "steps": 3.0}
EACH = 5  # surfaces per ground and preset
SIDE = 384  # fine pixels of the truth
MARGIN = 16  # of the surface around it, which nothing leads to: the scanner is ideal
SCALE = SQUARE
COUNT = 40  # features per surface
SIZES = (0.8, 6.0)  # fine pixels, standard deviation: up to one and a half measured ones
HEIGHTS = (0.02, 0.4)  # of the range of the specimen
STRONG = 3.0  # standard deviations of the noise in the detail
# What a scanner does to places and what levelling is for is left out; noise is the preset's.
STILL = dict.fromkeys(
    ("hysteresis", "hysteresis_change", "backlash", "ramp", "drift", "wander", "creep", "stretch",
     "rotation", "tilt", "bow", "lag", "overshoot", "grip"), 0.0,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Surface:
    """A scan of a surface with planted features, and the surface as the tip finds it.

    Attributes
    ----------
    preset : str
        Whose noise the scan has.
    coarse, truth : ndarray of float64, shapes (n, n) and (4 n, 4 n)
        In nm.
    noise : Noise
        Which the instrument added; what is correlated along a line counts as offset of lines.
    """

    preset: str
    coarse: Field
    truth: Field
    noise: Noise


def surfaces() -> Iterator[Surface]:
    """Yield every surface under every preset; the same every time."""
    for number, name in enumerate(PRESETS):
        for kind, ground in enumerate(GROUNDS):
            for i in range(EACH):
                yield _scanned(name, ground, [number, kind, i])


def _scanned(name: str, ground: str, seed: list[int]) -> Surface:
    import cv2

    of_surface, of_session = (np.random.default_rng(s) for s in (seed[1:], [9, *seed]))
    chosen = preset(name)
    conditions = chosen.draw(of_session, **STILL)
    side = SIDE + 2 * MARGIN
    relief = specimen(ground).make(side, side, of_surface)
    relief = cv2.GaussianBlur(relief, (0, 0), GROUNDS[ground])
    features = _features(side, of_surface)
    pixel = conditions.pixel
    # The 99.9th percentile of the slope is what `Conditions.slope` says.
    steepest = float(np.quantile(np.hypot(*np.gradient(relief + features)), 0.999))
    to_nm = np.tan(np.deg2rad(conditions.slope)) * pixel / steepest
    field = Channel((relief + features) * to_nm, side * pixel, side * pixel, title=ground)
    area = Area(MARGIN * pixel, MARGIN * pixel, SIDE * pixel, SIDE * pixel)
    instrument = Instrument(field, area, conditions, of_session, tip=chosen.tip, frame_lines=SIDE)
    coarse = instrument.scan(SIDE // SCALE.rows, SIDE // SCALE.columns).trace.heights
    inside = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    span = instrument.range
    along = float(np.hypot(conditions.line_step, conditions.correlated))
    noise = Noise(conditions.white * span, along * span, None, "scan")
    return Surface(name, coarse, instrument.traced[inside], noise)


def _features(side: int, rng: np.random.Generator) -> Field:
    """Draw particles, pits and ridges, in ranges of the ground before it is smoothed."""
    y, x = np.mgrid[0:side, 0:side].astype(float)
    total = np.zeros((side, side))
    for number in range(COUNT):
        size, height = (float(np.exp(rng.uniform(*np.log(of)))) for of in (SIZES, HEIGHTS))
        row, column = rng.uniform(MARGIN + 12, side - MARGIN - 12, 2)
        angle = rng.uniform(0, np.pi)
        along = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
        across = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
        kind = ("particle", "pit", "ridge")[number % 3]
        length = 4.0 if kind == "ridge" else 1.0
        shape = np.exp(-0.5 * ((along / length) ** 2 + across**2) / size**2)
        total += (-height if kind == "pit" else height) * shape
    return total


@dataclass(frozen=True)
class Found:
    """Features on one surface, and how many of them lie where the result is least certain."""

    invented: int
    invented_flagged: int
    missing: int
    missing_flagged: int
    there: int
    there_flagged: int
    invented_low: int
    there_low: int
    flagged: float


def planted(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the table; it needs no corpus."""
    calibration = Calibration.read(SHIPPED)
    methods: dict[str, Callable[[Field], Field]] = {"afm": Method("afm")}
    for label, weights in more.items():
        if label == "carn_m":
            methods[label] = Method(label, weights)
        elif label.startswith("afm@"):
            methods[label] = trained(weights)
    rows: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for surface in surfaces():
        for name, method in methods.items():
            rows[surface.preset, name].append(_judged(surface, method, calibration))
    count = len(GROUNDS) * EACH
    words = (
        "## Planted features\n\n"
        f"A virtual AFM scanned {count} smooth surfaces with {COUNT} particles, pits and ridges "
        f"each, from a fifth of a measured pixel on, {SIDE // SCALE.columns} x "
        f"{SIDE // SCALE.rows} pixels, "
        "under two presets. A feature is what stands out of the result, or of the surface, by "
        f"more than {STRONG:g} standard deviations of the noise that the scan had. In brackets: "
        f"how many of them lie in the {FLAGGED:.0%} of the pixels that are flagged.\n\n"
    )
    told = [(name, of, *_cells(found)) for (name, of), found in rows.items()]
    for of in methods:
        both = [one for (_, method), found in rows.items() if method == of for one in found]
        told.append(("all", of, *_cells(both)))
    columns = "preset", "method", "invented (flagged)", "missing (flagged)", "right (flagged)"
    columns += "invented ones lower than the half-width", "right ones"
    largest = max(one.flagged for found in rows.values() for one in found)
    at_most = f"\n\nAt most {largest:.1%} of an image are flagged.\n"
    return words + table(columns, told, words=2) + at_most


def _judged(surface: Surface, method: Callable[[Field], Field], calibration: Calibration) -> Found:
    result = method(surface.coarse)
    evidence = gather(surface.coarse, result, noise_of(surface.coarse), SCALE)
    half = calibration.scales(0.9) * calibration.scale_of(evidence)
    doubt = flagged(half, block=SCALE)
    detail = compare_detail(
        result, surface.truth, 0.0, surface.noise.pixel, SCALE.rows, strong=STRONG
    )
    counts = []
    for features, which in (
        (detail.result, detail.invented),
        (detail.truth, detail.missing),
        (detail.result, ~detail.invented),
    ):
        at = features.rows[which], features.columns[which]
        counts += [len(at[0]), int(doubt[at].sum())]
    low = np.abs(detail.result.heights) < half[detail.result.rows, detail.result.columns]
    counts += [int((low & which).sum()) for which in (detail.invented, ~detail.invented)]
    return Found(*counts, flagged=float(doubt.mean()))


def _cells(found: Sequence[Found]) -> list[str]:
    cells = []
    for kind in ("invented", "missing", "there"):
        count = sum(getattr(one, kind) for one in found)
        held = sum(getattr(one, f"{kind}_flagged") for one in found)
        cells.append(f"{count} ({held}, {held / count:.0%})" if count else "0")
    for kind in ("invented", "there"):
        count, low = (sum(getattr(one, f"{kind}{what}") for one in found) for what in ("", "_low"))
        cells.append(f"{low / count:.0%}" if count else "–")
    return cells

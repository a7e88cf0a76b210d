"""The verdict on coarseness: fitted on the train split, checked on real scans of the dev split.

Of square pixels and of line scans.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.methods import registry
from afmsr_core.methods.interpolation import Interpolation, interpolate
from afmsr_core.simulation import coarse_scan
from afmsr_core.trust.coarseness import (
    DOUBTFUL,
    FALL,
    FINE,
    INTERCEPT,
    LINES_FALL,
    LINES_INTERCEPT,
    LINES_NEAR,
    NEAR,
    errors,
    judge,
)
from benchmarks.markdown import table
from benchmarks.trust.cases import LEAST, Case, Field, Method, acquired, finer
from training import corpus
from training.corpus import Scan

DECIMATED = (1, 2, 4)  # fine pixels for one, before every fourth line is scanned
LEEWAY = 1.5
RULE = (
    "A verdict is right if the error over Sq that the default network makes lies in its class "
    f"(fine up to {FINE:g}, too coarse beyond {DOUBTFUL:g}) or within a factor of {LEEWAY:g} of it."
)
CLASSES = {
    "fine": (0.0, FINE),
    "doubtful": (FINE, DOUBTFUL),
    "too coarse": (DOUBTFUL, np.inf),
}


@dataclass(frozen=True)
class Judged:
    """One coarse scan: what was expected and what came."""

    scan: Scan
    verdict: str
    expected: float
    error: float
    wanted: int
    side: int


def coarse(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the tables: of square pixels, and of line scans."""
    return "\n".join(_table(folder, scale) for scale in (SQUARE, LINES_X4, LINES_X2))


def _table(folder: Path, scale: Scale) -> str:
    method = Method("afm", scale=scale)
    found = [_judged(case, method) for case in decimated(corpus.dev_scans(folder), scale)]
    rows: list[Sequence[object]] = []
    for verdict, (low, high) in CLASSES.items():
        of = [one for one in found if one.verdict == verdict]
        inside = [low < one.error <= high for one in of]
        right = [_right(one) for one in of]
        rows.append((verdict, len(of), _share(right), _share(inside)))
    right = [_right(one) for one in found]
    samples = len({one.scan.sample for one in found})
    ratio = np.log([one.expected / one.error for one in found])
    rows.append(("all", f"{len(found)} of {samples} samples", _share(right), ""))
    columns = "verdict", "scans", "right", "error in the class itself"
    title = f"## Is the scan too coarse? ({scale.titled('afm')})"
    lines = [f"{title}\n\n{RULE}\n\n{table(columns, rows)}\n"]
    lines.append(
        f"Expected over true error: median {np.exp(np.median(ratio)):.2f}, two of three within a "
        f"factor of {np.exp(np.quantile(np.abs(ratio), 0.68)):.2f}.\n"
    )
    lines += [_advice(found), _fitted(folder, scale), "Wrong:\n"]
    lines += [
        f"- {one.scan.id}, {one.side} px a side: {one.verdict}, expected {one.expected:.2f}, "
        f"found {one.error:.2f}"
        for one in found
        if not _right(one)
    ]
    return "\n".join(lines) + "\n"


def _right(one: Judged) -> bool:
    low, high = CLASSES[one.verdict]
    return low / LEEWAY < one.error <= high * LEEWAY


def _share(of: Sequence[bool]) -> str:
    return f"{sum(of)} ({np.mean(of):.0%})" if of else "–"


def decimated(scans: Sequence[Scan], scale: Scale = SQUARE) -> Iterator[Case]:
    """Yield real scans with all pixels, a half and a quarter of them, each scanned coarsely."""
    for scan in scans:
        whole = scan.levelled[:640, :640]
        for factor in DECIMATED:
            truth = finer(whole, factor)
            if min(truth.shape) >= LEAST:
                yield taken(scan, truth, scale)


def taken(scan: Scan, truth: Field, scale: Scale) -> Case:
    """Return a coarse scan without noise."""
    acquisition = acquired(scale)
    made = coarse_scan(truth, acquisition, np.random.default_rng(0))
    return Case(scan, "clean", truth, made.astype(np.float64), scale, acquisition.offset)


def _judged(case: Case, method: Method) -> Judged:
    found = judge(case.coarse, case.noise, scale=method.scale)
    error = _error(case, method(case.coarse))
    side = len(case.coarse)
    return Judged(case.scan, found.verdict, found.expected_error, error, found.pixels[1], side)


def _error(case: Case, result: Field) -> float:
    off = case.registered(result) - case.right
    return float(np.sqrt(np.mean(off**2)) / np.std(case.coarse))


def _advice(found: Sequence[Judged]) -> str:
    """Tell whether the advised number of pixels was enough, where a finer scan exists."""
    enough, tried = 0, 0
    for one in found:
        if one.verdict == "fine":
            continue
        finer_ones = [
            other
            for other in found
            if other.scan is one.scan and other.side >= one.wanted * 0.8 and other.side > one.side
        ]
        if finer_ones:
            nearest = min(finer_ones, key=lambda other: other.side)
            tried += 1
            enough += nearest.error <= FINE * LEEWAY
    if not tried:
        return "No scan is there at the number of pixels that was advised.\n"
    return (
        f"Advised number of pixels, where the same scan exists with about as many: enough "
        f"(error up to {FINE * LEEWAY:g} of Sq) in {enough} of {tried}.\n"
    )


def _fitted(folder: Path, scale: Scale) -> str:
    """Fit the three numbers again, with bicubic, on samples of the train split.

    Those of line scans to both kinds of them.
    """
    aside = corpus.set_aside_scans(folder, corpus.SPLITS)
    scans = [*corpus.set_aside_scans(folder), *corpus.training_scans(folder)]
    rows, targets, samples = [], [], []
    for one in (LINES_X4, LINES_X2) if scale.lines else (SQUARE,):
        for case in decimated(scans, one):
            e1, e2 = errors(case.coarse, float(np.std(case.coarse)), one)
            rows.append([1.0, np.log(e1), np.log(e2 / e1)])
            targets.append(np.log(_error(case, _bicubic(case))))
            samples.append(case.scan.sample)
    counts = Counter(samples)
    weight = np.sqrt([1 / counts[sample] for sample in samples])
    design, target = np.array(rows) * weight[:, None], np.array(targets) * weight
    fitted = np.linalg.lstsq(design, target, rcond=None)[0]
    numbers = ", ".join(f"{value:.3f}" for value in fitted)
    known = (LINES_INTERCEPT, LINES_NEAR, LINES_FALL) if scale.lines else (INTERCEPT, NEAR, FALL)
    held = ", ".join(f"{value:.3f}" for value in known)
    return (
        f"Fitted to {len(rows)} coarse scans of {len(counts)} samples of the train split "
        f"(bicubic): {numbers}; in the product: {held}. The network's error over bicubic's on the "
        f"samples set aside: median {_gain(aside, scale):.2f}.\n"
    )


def _bicubic(case: Case) -> Field:
    method = registry.get("bicubic", case.scale)
    if not isinstance(method, Interpolation):
        raise TypeError("bicubic is no interpolation")
    return interpolate(case.coarse, method)


def _gain(scans: Sequence[Scan], scale: Scale) -> float:
    """Return the median over samples of the network's error over bicubic's."""
    method = Method("afm", scale=scale)
    ratios: dict[str, list[float]] = defaultdict(list)
    for case in decimated(scans, scale):
        error = _error(case, method(case.coarse))
        ratios[case.scan.sample].append(error / _error(case, _bicubic(case)))
    return float(np.median([np.median(of) for of in ratios.values()]))

"""The verdict on coarseness: fitted on the train split, checked on real scans of the dev split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afmsr_core.methods import registry
from afmsr_core.methods.interpolation import Interpolation, interpolate
from afmsr_core.simulation import Acquisition, coarse_scan
from afmsr_core.trust.coarseness import DOUBTFUL, FALL, FINE, INTERCEPT, NEAR, errors, judge
from benchmarks.markdown import table
from benchmarks.trust.cases import LEAST, Case, Field, Method, finer
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
    """Return the table."""
    method = Method("afm")
    found = [_judged(case, method) for case in decimated(corpus.dev_scans(folder))]
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
    lines = [f"## Is the scan too coarse?\n\n{RULE}\n\n{table(columns, rows)}\n"]
    lines.append(
        f"Expected over true error: median {np.exp(np.median(ratio)):.2f}, two of three within a "
        f"factor of {np.exp(np.quantile(np.abs(ratio), 0.68)):.2f}.\n"
    )
    lines += [_advice(found), _fitted(folder), "Wrong:\n"]
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


def decimated(scans: Sequence[Scan]) -> Iterator[Case]:
    """Yield real scans with all pixels, a half and a quarter of them, each scanned 4x coarsely."""
    for scan in scans:
        whole = scan.levelled[:640, :640]
        for factor in DECIMATED:
            truth = finer(whole, factor)
            if min(truth.shape) >= LEAST:
                made = coarse_scan(truth, Acquisition(), np.random.default_rng(0))
                yield Case(scan, "clean", truth, made.astype(np.float64), Acquisition())


def _judged(case: Case, method: Method) -> Judged:
    found = judge(case.coarse, case.noise)
    side = min(case.coarse.shape)
    return Judged(
        case.scan, found.verdict, found.expected_error, _error(case, method(case.coarse)),
        min(found.pixels), side,
    )  # fmt: skip


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


def _fitted(folder: Path) -> str:
    """Fit the three numbers again, with bicubic, on samples of the train split."""
    bicubic = registry.get("bicubic")
    if not isinstance(bicubic, Interpolation):
        raise TypeError("bicubic is no interpolation")
    scans = [*corpus.set_aside_scans(folder), *corpus.training_scans(folder)]
    rows, targets, samples = [], [], []
    for case in decimated(scans):
        e1, e2 = errors(case.coarse, float(np.std(case.coarse)))
        rows.append([1.0, np.log(e1), np.log(e2 / e1)])
        targets.append(np.log(_error(case, interpolate(case.coarse, bicubic))))
        samples.append(case.scan.sample)
    counts = Counter(samples)
    weight = np.sqrt([1 / counts[sample] for sample in samples])
    design, target = np.array(rows) * weight[:, None], np.array(targets) * weight
    fitted = np.linalg.lstsq(design, target, rcond=None)[0]
    numbers = ", ".join(f"{value:.3f}" for value in fitted)
    held = ", ".join(f"{value:.3f}" for value in (INTERCEPT, NEAR, FALL))
    return (
        f"Fitted to {len(rows)} coarse scans of {len(counts)} samples of the train split "
        f"(bicubic): {numbers}; in the product: {held}.\n"
    )

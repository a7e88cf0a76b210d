"""The map of confidence on unseen scans: does it hold as often as it says, and does it rank?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage, stats

from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.trust.calibration import COVERAGES, FILES, Calibration
from afmsr_core.trust.consistency import consistency, projected
from afmsr_core.trust.regions import FLAGGED, flagged
from benchmarks.markdown import table
from benchmarks.trust.cases import CONDITIONS, Case, Field, Method, cases, own_cases
from benchmarks.trust.detail import invented_in
from training import corpus

PIXELS = 20_000  # drawn for rank correlations: more do not change the second digit
WINDOW = 8  # fine pixels, two measured ones: the local variance that the map must beat
AREAS = (4, 16)  # fine pixels per side over which errors are pooled
KNOWN = (4, 8, 16)  # fine pixels per side within which a map that knows the truth is blurred
RESAMPLES = 2000
LEAST = 0.8  # share of the pixels of a scan below which it is named


@dataclass(frozen=True)
class Judged:
    """One coarse scan of the dev split."""

    sample: str
    category: str
    name: str
    condition: str
    coverage: dict[str, float]
    width: float
    rank: dict[str, float]
    rank_variance: dict[str, float]
    rank_known: dict[int, float]
    invented: int
    invented_flagged: int
    projection_db: float
    residual_sigma: float


def judged(case: Case, method: Method, calibration: Calibration) -> Judged:
    """Judge the map of one case."""
    result, evidence = case.gathered(method)
    if not calibration.fits(method.name, method.sha256, method.scale):
        raise UsageError(
            f"{FILES[method.scale]}: made for other weights than those that ship; run "
            f"`python -m benchmarks.trust --corpus CORPUS calibrate` first"
        )
    scale = calibration.scale_of(evidence)
    error = np.abs(case.registered(result) - case.right)
    there = case.registered_map(scale)
    variance = case.registered_map(_local_deviation(result))
    doubt = case.inside(flagged(scale, block=method.scale))
    invented = invented_in(case, case.registered(result))
    channel = Channel(result, result.shape[1], result.shape[0])
    agreement = consistency(case.coarse, channel, case.noise, method.scale)
    moved = np.abs(case.registered(projected(result, agreement)) - case.right)
    half = calibration.scales(0.9) * there
    return Judged(
        sample=case.scan.sample,
        category=case.scan.category,
        name=case.scan.id,
        condition=case.condition,
        coverage={
            f"{c:g}": float(np.mean(error <= calibration.scales(c) * there)) for c in COVERAGES
        },
        width=float(np.mean(half) / np.quantile(error, 0.9)),
        rank=_ranks(there, error),
        rank_variance=_ranks(variance, error),
        rank_known={side: _rank_known(error, side) for side in KNOWN},
        invented=len(invented[0]),
        invented_flagged=int(doubt[invented].sum()),
        projection_db=float(10 * np.log10(np.mean(error**2) / np.mean(moved**2))),
        residual_sigma=float(agreement.as_dict()["residual_rms_sigma"] or np.nan),
    )


def intervals(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the tables, for square pixels and for line scans."""
    told = []
    for scale, path in FILES.items():
        calibration, method = Calibration.read(path), Method("afm", scale=scale)
        scans = corpus.dev_scans(folder)
        moved, found = (
            [judged(case, method, calibration) for case in of]
            for of in (cases(scans, CONDITIONS, scale=scale), own_cases(scans, CONDITIONS, scale))
        )
        mean, low, high = _mean(moved, lambda one: one.coverage["0.9"])
        told.append(
            f"# {scale.titled('afm')}\n\nOn the pixels of the result itself, where the truth was "
            f"measured too. Moved by half a pixel onto full scans, {_size(moved)}, the 90 % "
            f"interval holds in {mean:.1%} [{low:.1%}, {high:.1%}].\n"
        )
        told += [_coverage(found, calibration), _ranking(found), _rest(found)]
        more_scans = own_cases(corpus.restricted_scans(folder), CONDITIONS, scale)
        others = [judged(case, method, calibration) for case in more_scans]
        told += [
            "On samples of the train split whose licence kept them out of training and "
            "calibration:\n",
            _coverage(others, calibration),
        ]
    return "\n".join(told)


def _coverage(found: Sequence[Judged], calibration: Calibration) -> str:
    held = []
    for level in calibration.quantiles:
        cells = []
        for condition in (None, *(name for name, *_ in CONDITIONS)):
            of = [one for one in found if condition in (None, one.condition)]
            mean, low, high = _mean(of, lambda one, level=level: one.coverage[level])
            cells.append(f"{mean:.1%} [{low:.1%}, {high:.1%}]")
        held.append((f"{float(level):.0%}", *cells))
    by_category = []
    for category in sorted({one.category for one in found}):
        of = [one for one in found if one.category == category]
        share = f"{_mean(of, lambda one: one.coverage['0.9'])[0]:.1%}"
        by_category.append((category, *_counts(of), share, _width(of)))
    by_category.append(("all", *_counts(found), "", _width(found)))
    worst = sorted(found, key=lambda one: one.coverage["0.9"])
    few = sum(one.coverage["0.9"] < LEAST for one in found)
    least = [
        f"- {one.name}, {one.condition}: {one.coverage['0.9']:.1%}" for one in worst[: max(5, few)]
    ]
    columns = "category", "samples", "coarse scans", "coverage", "half-width"
    return "\n".join(
        [
            "## Does the interval hold?\n",
            f"{_size(found)}; calibrated on {calibration.samples} other samples ("
            f"{calibration.scans} coarse scans). Mean over samples, 95 % by bootstrap over samples."
            "\n",
            table(("nominal", "clean and noisy", "clean", "noisy"), held, words=0),
            "\nAt 90 %, by category of sample. Half-width: mean over the best constant one, which "
            "only the truth tells.\n",
            table(columns, by_category),
            f"\n{few} of {len(found)} coarse scans below {LEAST:.0%}. Where it holds least:\n",
            *least,
            "",
        ]
    )


def _counts(of: Sequence[Judged]) -> tuple[int, int]:
    return len({one.sample for one in of}), len(of)


def _width(of: Sequence[Judged]) -> str:
    return f"{np.exp(np.mean([np.log(one.width) for one in of])):.2f}"


def _ranking(found: Sequence[Judged]) -> str:
    ranked = []
    for area in found[0].rank:
        cells = []
        for ranks in ("rank", "rank_variance"):
            mean, low, high = _mean(found, lambda one, r=ranks, a=area: getattr(one, r)[a])
            cells.append(f"{mean:.2f} [{low:.2f}, {high:.2f}]")
        better = np.mean([one.rank[area] > one.rank_variance[area] for one in found])
        ranked.append((area, *cells, f"{better:.0%}"))
    known = []
    ours = _mean(found, lambda one: one.rank["a pixel"])[0]
    for side in KNOWN:
        mean, low, high = _mean(found, lambda one, s=side: one.rank_known[s])
        known.append((f"{side} x {side}", f"{mean:.2f} [{low:.2f}, {high:.2f}]", f"{ours:.2f}"))
    return "\n".join(
        [
            "## Does the map rank the pixels?\n",
            "Spearman's correlation of the map with the true error, within each coarse scan; mean "
            "over samples, 95 % by bootstrap over samples.\n",
            table(("error of", "map", "local deviation", "map is better on"), ranked),
            "\nWhat is possible: the rank correlation, for a pixel, of a map that knows the true "
            "root mean square error of every square, but not where in the square it is.\n",
            table(("square, fine pixels", "squares of the truth", "ours"), known),
            "",
        ]
    )


def _rest(found: Sequence[Judged]) -> str:
    invented = sum(one.invented for one in found)
    caught = sum(one.invented_flagged for one in found)
    words = (
        "## Invented features in what is flagged\n\n"
        f"{caught} of {invented} invented features above 5 sigma ({caught / max(1, invented):.0%}) "
        f"lie in the {FLAGGED:.0%} of the pixels that are flagged.\n\n"
        "## Agreement with the measured pixels\n\n"
    )
    rows = []
    for condition, *_ in CONDITIONS:
        of = [one for one in found if one.condition == condition]
        mean, low, high = _mean(of, lambda one: one.projection_db)
        better = np.mean([one.projection_db > 0 for one in of])
        residual = f"{np.nanmedian([one.residual_sigma for one in of]):.2f}"
        gain = f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"
        rows.append((condition, residual, gain, f"{better:.0%}"))
    columns = "condition", "residual, sigma of the noise (median)"
    columns += "gain by soft projection, dB: mean [95 %]", "better on"
    return words + table(columns, rows) + "\n"


def _mean(found: Sequence[Judged], value: Callable[[Judged], float]) -> tuple[float, float, float]:
    """Return the mean over samples and its bootstrap interval."""
    by_sample: dict[str, list[float]] = defaultdict(list)
    for one in found:
        if np.isfinite(value(one)):
            by_sample[one.sample].append(value(one))
    means = np.array([np.mean(values) for values in by_sample.values()])
    drawn = np.random.default_rng(0).integers(0, len(means), (RESAMPLES, len(means)))
    low, high = np.quantile(means[drawn].mean(axis=1), [0.025, 0.975])
    return float(means.mean()), float(low), float(high)


def _size(found: Sequence[Judged]) -> str:
    scans, samples = len({one.name for one in found}), len({one.sample for one in found})
    return f"{len(found)} coarse scans of {scans} real scans of {samples} samples"


def _local_deviation(result: Field) -> Field:
    mean = ndimage.uniform_filter(result, WINDOW)
    return np.sqrt(np.maximum(ndimage.uniform_filter((result - mean) ** 2, WINDOW), 0.0))


def _ranks(predicted: Field, error: Field) -> dict[str, float]:
    drawn = np.random.default_rng(0).permutation(error.size)[:PIXELS]
    found = {"a pixel": _spearman(predicted.ravel()[drawn], error.ravel()[drawn])}
    for side in AREAS:
        pooled = [np.sqrt(_blocks(field**2, side)).ravel() for field in (predicted, error)]
        found[f"{side} x {side} pixels"] = _spearman(*pooled)
    return found


def _rank_known(error: Field, side: int) -> float:
    """Return how well the true root mean square error of every square ranks its pixels."""
    pooled = np.sqrt(_blocks(error**2, side))
    known = np.repeat(np.repeat(pooled, side, axis=0), side, axis=1)
    inside = error[: known.shape[0], : known.shape[1]]
    drawn = np.random.default_rng(0).permutation(inside.size)[:PIXELS]
    return _spearman(known.ravel()[drawn], inside.ravel()[drawn])


def _spearman(predicted: Field, error: Field) -> float:
    return float(stats.spearmanr(predicted, error).statistic)


def _blocks(field: Field, side: int) -> Field:
    rows, columns = (n // side for n in field.shape)
    whole = field[: rows * side, : columns * side]
    return whole.reshape(rows, side, columns, side).mean(axis=(1, 3))

"""What a scan tells of itself: does it predict the true error, and the resolution?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import stats

from afmsr_core.metrics.numbers import quality_of
from afmsr_core.trust.coarseness import judge
from afmsr_core.trust.resolution import resolved_alone, resolved_frequency
from benchmarks.markdown import table
from benchmarks.trust.cases import CONDITIONS, Method, cases
from benchmarks.trust.noisy import aligned_pairs
from training import corpus

RESAMPLES = 2000

# What is told, and +1 if more of it should mean a larger error.
PREDICTORS = {
    "expected error of the verdict": ("expected_error", 1),
    "noise floor over Sq": ("noise_over_sq", 1),
    "streak index": ("streak_index", 1),
    "resolved frequency": ("resolved_frequency", 1),
}


def quality(folder: Path, more: Mapping[str, Path]) -> str:
    """Return the tables."""
    method, samples, errors = Method("afm"), [], []
    told: dict[str, list[float]] = {name: [] for name in PREDICTORS}
    for case in cases(corpus.dev_scans(folder), CONDITIONS):
        result = case.registered(method(case.coarse))
        errors.append(float(np.sqrt(np.mean((result - case.right) ** 2)) / np.std(case.right)))
        samples.append(case.scan.sample)
        found = quality_of(case.coarse) | judge(case.coarse, case.noise).as_dict()
        for name, (key, sign) in PREDICTORS.items():
            told[name].append(sign * (np.nan if found[key] is None else found[key]))
    words = (
        "## What predicts the error\n\n"
        f"{len(errors)} coarse scans of {len(set(samples))} samples of the dev split. Spearman's "
        "correlation, across scans, with the root mean square error of the default network over "
        "Sq; 95 % by bootstrap over samples.\n\n"
    )
    rows = []
    for name, values in told.items():
        rank, (low, high) = _correlation(np.array(values), np.array(errors), samples)
        rows.append((name, f"{rank:+.2f} [{low:+.2f}, {high:+.2f}]"))
    return words + table(("told by the scan", "correlation"), rows) + "\n\n" + _resolution(folder)


def _correlation(
    told: np.ndarray, errors: np.ndarray, samples: list[str]
) -> tuple[float, tuple[float, float]]:
    names = sorted(set(samples))
    places = {name: [i for i, one in enumerate(samples) if one == name] for name in names}

    def rank(chosen: list[int]) -> float:
        known = [i for i in chosen if np.isfinite(told[i])]
        return float(stats.spearmanr(told[known], errors[known]).statistic)

    rng = np.random.default_rng(0)
    drawn = [
        rank([i for k in rng.integers(len(names), size=len(names)) for i in places[names[k]]])
        for _ in range(RESAMPLES)
    ]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return rank(list(range(len(samples)))), (float(low), float(high))


def _resolution(folder: Path) -> str:
    both, alone = [], []
    for trace, retrace, inside in aligned_pairs(folder):
        both.append(resolved_frequency(trace[inside], retrace[inside]))
        alone.append(resolved_alone(trace[inside]))
    rank = stats.spearmanr(both, alone).statistic
    low, middle, high = np.quantile(np.array(alone) / np.array(both), [0.25, 0.5, 0.75])
    return (
        f"Resolved frequency of one scan over that of trace and retrace, {len(both)} pairs: "
        f"median {middle:.2f} ({low:.2f} to {high:.2f}), Spearman's correlation {rank:+.2f}.\n"
    )

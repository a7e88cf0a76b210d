"""Two methods on the same images: how much they differ, how surely, and how often."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.errors import UsageError
from afmsr_core.statistics.bootstrap import FEWEST_UNITS, bca_intervals
from afmsr_core.statistics.distributions import ranks, t_sf
from afmsr_core.statistics.effects import cliffs_delta, rank_biserial
from afmsr_core.statistics.equivalence import MARGINS, Equivalence, margin_for, tost
from afmsr_core.statistics.result import Floats, Result, library
from afmsr_core.statistics.scores import Scores, rounded, vanishes

__all__ = ["PairedComparison", "compare", "holm", "signed_rank_p"]

EXACT = 50
"""Up to so many differences Wilcoxon's p is exact, as in SciPy; beyond it is as good as normal."""

UNVARIED = "the differences do not vary: no t test, interval or effect size"


@dataclass(frozen=True, kw_only=True)
class PairedComparison(Result):
    """A method against a reference on the same images.

    Signs are those of method less reference in the metric's own direction; only `wins`, `losses`
    and `is_better` know whether higher or lower is better. What describes (`difference`, `sd`,
    effect sizes, wins) is of images; what infers (p, interval, equivalence) is of independent
    units: images, or samples where images are clustered.

    Attributes
    ----------
    method, reference : str
        The two.
    n, units : int
        Number of images and of independent units.
    difference, sd : float
        Mean and SD of the differences, in the unit of the metric.
    ci_low, ci_high : float
        BCa bootstrap interval of `difference`.
    p_t, p_t_holm : float
        Paired t test, as it is and corrected for the family of comparisons by Holm.
    p_wilcoxon, p_wilcoxon_holm : float
        Wilcoxon's signed-rank test, likewise.
    d_z : float
        Cohen's: `difference` over `sd`.
    rank_biserial : float
        Of the signed ranks: 1 if the method is higher in every image, -1 if lower in every one.
    cliffs_delta : float
        The same over all pairs of different images too: what is left without the pairing.
    wins, ties, losses : float
        Share of images in which the method is better, equal, worse.
    is_better : bool
        Whether the mean difference is in the better direction, by how little ever.
    equivalence : Equivalence
        Whether the difference is shown to be too small to matter.
    reason : str
        Why some numbers are missing; empty if none are.
    """

    method: str
    reference: str
    n: int
    units: int
    difference: float
    sd: float
    ci_low: float
    ci_high: float
    p_t: float
    p_wilcoxon: float
    d_z: float
    rank_biserial: float
    cliffs_delta: float
    wins: float
    ties: float
    losses: float
    is_better: bool
    equivalence: Equivalence
    reason: str
    p_t_holm: float = math.nan
    p_wilcoxon_holm: float = math.nan


def compare(
    scores: Scores,
    pairs: Sequence[tuple[str, str]],
    *,
    alpha: float = 0.05,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    margins: Mapping[str, float] = MARGINS,
) -> tuple[PairedComparison, ...]:
    """Compare pairs of methods image by image; the pairs are one family for Holm's correction.

    Parameters
    ----------
    scores : Scores
        One metric on one data set; an image counts if all compared methods have a score.
    pairs : sequence of (str, str)
        Method and reference. Both must have scores.
    alpha : float
        Level of the tests of equivalence.
    confidence, resamples, seed
        Of the bootstrap, see `bca_intervals`.
    margins : mapping of str to float
        Margin of equivalence by metric; `MARGIN_FRACTION` for metrics that it lacks.

    Returns
    -------
    tuple of PairedComparison
        In the order of `pairs`.

    Raises
    ------
    UsageError
        If a method is not among the compared ones.

    Examples
    --------
    >>> s = Scores(np.array([[20.0, 20.3], [30.0, 30.2], [40.0, 40.4]]),
    ...            ["bicubic", "afm"], ["interpolation", "network"], higher_is_better=True)
    >>> result, = compare(s, [("afm", "bicubic")])
    >>> round(result.difference, 3), round(result.p_t, 4), result.wins, result.reason
    (0.3, 0.0351, 1.0, 'no interval: needs 5 images or samples')
    """
    if not pairs:
        return ()
    blocks = scores.blocks
    column = {method: j for j, method in enumerate(blocks.methods)}
    if unknown := [name for pair in pairs for name in pair if name not in column]:
        raise UsageError(
            f"{unknown[0]!r} has no scores to compare; there are: {', '.join(blocks.methods)}"
        )
    of_methods = [column[method] for method, _ in pairs]
    of_references = [column[reference] for _, reference in pairs]
    images = blocks.images[:, of_methods] - blocks.images[:, of_references]
    units = blocks.units[:, of_methods] - blocks.units[:, of_references]
    intervals = bca_intervals(
        units, blocks.sizes, confidence=confidence, resamples=resamples, seed=seed
    )
    single = []
    for index, (method, reference) in enumerate(pairs):
        before = blocks.images[:, column[reference]]
        described = _describe(images[:, index], before, blocks.magnitude, scores.higher_is_better)
        inferred = _infer(units[:, index], intervals[:, index], blocks.magnitude)
        margin = margin_for(
            scores.metric, float(before.mean()) if len(before) else math.nan, margins
        )
        mean = float(units[:, index].mean()) if len(units) else math.nan
        single.append(
            PairedComparison(
                method=method,
                reference=reference,
                n=len(images),
                units=len(units),
                is_better=mean > 0 if scores.higher_is_better else mean < 0,
                equivalence=tost(units[:, index], margin, alpha, blocks.magnitude),
                **described,
                **inferred,
            )
        )
    corrected_t = holm([one.p_t for one in single])
    corrected_w = holm([one.p_wilcoxon for one in single])
    return tuple(
        replace(one, p_t_holm=float(t), p_wilcoxon_holm=float(w))
        for one, t, w in zip(single, corrected_t, corrected_w, strict=True)
    )


def holm(p: ArrayLike) -> Floats:
    """Return p-values corrected for their number by Holm's step-down rule.

    Those that are NaN were not tested: they stay NaN and do not count.

    References
    ----------
    S. Holm, Scand. J. Stat. 6 (1979) 65, jstor 4615733.

    Examples
    --------
    >>> holm([0.01, 0.04, np.nan, 0.03])
    array([0.03, 0.06,  nan, 0.06])
    """
    raw = np.asarray(p, dtype=np.float64)
    corrected = np.full(raw.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(raw))
    order = tested[np.argsort(raw[tested], kind="stable")]
    steps = raw[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def signed_rank_p(differences: ArrayLike) -> float:
    """Return the two-sided p-value of Wilcoxon's signed-rank test; NaN if no difference is left.

    Exact up to `EXACT` differences, with ties too, which SciPy enumerates in seconds or takes
    for normal (5 equal differences would be significant); beyond that SciPy's normal
    approximation. Differences of zero are left out.

    References
    ----------
    F. Wilcoxon, Biom. Bull. 1 (1945) 80, doi 10.2307/3001968.

    Examples
    --------
    >>> signed_rank_p([1.0, 1.0, 1.0, 1.0, 1.0])  # 2 of 2**5 signs
    0.0625
    """
    d = np.asarray(differences, dtype=np.float64)
    d = d[d != 0]
    if not len(d):
        return math.nan
    if len(d) > EXACT:
        return float(library("scipy.stats").wilcoxon(d).pvalue)
    doubled = np.rint(2 * ranks(np.abs(d))).astype(int)  # ties have half ranks
    chance = np.zeros(int(doubled.sum()) + 1)  # of every doubled sum of positive ranks
    chance[0] = 1.0
    for rank in doubled:
        chance /= 2
        chance[rank:] += chance[:-rank].copy()
    total = int(doubled[d > 0].sum())
    return min(1.0, 2 * float(min(chance[: total + 1].sum(), chance[total:].sum())))


def _describe(
    d: Floats, before: Floats, magnitude: float, higher_is_better: bool
) -> dict[str, Any]:
    """Return what the differences of images look like."""
    signs = np.sign(rounded(d, magnitude)) * (1 if higher_is_better else -1)
    mean = float(d.mean()) if len(d) else math.nan
    sd = float(d.std(ddof=1)) if len(d) > 1 else math.nan
    after = rounded(before + d, magnitude)
    return {
        "difference": mean,
        "sd": sd,
        "d_z": math.nan if vanishes(sd, magnitude) else mean / sd,
        "rank_biserial": rank_biserial(rounded(d, magnitude)),
        "cliffs_delta": cliffs_delta(after, rounded(before, magnitude)),
        "wins": float((signs > 0).mean()) if len(d) else math.nan,
        "ties": float((signs == 0).mean()) if len(d) else math.nan,
        "losses": float((signs < 0).mean()) if len(d) else math.nan,
    }


def _infer(d: Floats, interval: Floats, magnitude: float) -> dict[str, Any]:
    """Return what the differences of independent units allow to conclude."""
    found: dict[str, Any] = dict.fromkeys(("ci_low", "ci_high", "p_t", "p_wilcoxon"), math.nan)
    if len(d) < 2:
        return found | {"reason": f"a test needs 2 images or samples; there is {len(d)}"}
    found["p_wilcoxon"] = signed_rank_p(rounded(d, magnitude))
    if vanishes(float(d.std(ddof=1)), magnitude):
        return found | {"reason": UNVARIED}
    error = float(d.std(ddof=1)) / math.sqrt(len(d))
    found["p_t"] = 2.0 * t_sf(abs(float(d.mean())) / error, len(d) - 1)
    found["ci_low"], found["ci_high"] = map(float, interval)
    short = len(d) < FEWEST_UNITS
    return found | {
        "reason": f"no interval: needs {FEWEST_UNITS} images or samples" if short else ""
    }

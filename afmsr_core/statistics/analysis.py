"""Every test on one metric and data set, in one result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from afmsr_core.errors import UsageError
from afmsr_core.statistics import bootstrap
from afmsr_core.statistics.equivalence import MARGINS
from afmsr_core.statistics.paired import PairedComparison, compare
from afmsr_core.statistics.ranks import Friedman, friedman
from afmsr_core.statistics.result import PairMatrix, Result
from afmsr_core.statistics.scores import Kind, Scores
from afmsr_core.statistics.tukey import blocked_tukey, one_way_tukey
from afmsr_core.statistics.verdicts import Verdict, bold, no_difference

__all__ = ["Analysis", "MethodSummary", "Settings", "analyse", "summarise"]

REFERENCE = "bicubic"
"""What others are compared with unless told otherwise, if it has scores."""

FEW_UNITS = 10
"""Below this the p-values of Friedman and Nemenyi, which hold for many images, are rough."""

UNEQUAL_SPREAD = 0.75
"""Sphericity below which a reader is warned of the pooled SD: the line that E. R. Girden draws
for correcting (ANOVA: Repeated Measures, Sage 1992).
"""


@dataclass(frozen=True, kw_only=True)
class Settings(bootstrap.Settings):
    """Choices that the paper leaves open.

    Parameters
    ----------
    alpha, confidence, resamples, seed
        As in :class:`afmsr_core.statistics.bootstrap.Settings`.
    reference : str or None
        Method that all others are compared with. None for `REFERENCE`, or where that has no
        scores the first interpolation, or else the first method.
    margins : mapping of str to float
        Margin of equivalence by name of metric; `MARGIN_FRACTION` of the reference for others.

    Raises
    ------
    UsageError
        If a number makes no sense.
    """

    reference: str | None = None
    margins: Mapping[str, float] = field(default_factory=lambda: dict(MARGINS))

    def __post_init__(self) -> None:
        super().__post_init__()
        for metric, margin in self.margins.items():
            if not 0 < margin < math.inf:
                raise UsageError(f"the margin of {metric} is {margin!r}; give a number above 0")


@dataclass(frozen=True, kw_only=True)
class MethodSummary(Result):
    """The scores of a method over its images; SD with ddof = 1, NaN for a single image."""

    method: str
    kind: Kind
    n: int
    mean: float
    sd: float
    minimum: float
    median: float
    maximum: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis(Result):
    """What can be said of one metric on one data set.

    Attributes
    ----------
    metric, data_set, unit, higher_is_better
        As in the scores.
    settings : Settings
        With which it was computed; `reference` names the method that was taken.
    summaries : tuple of MethodSummary
        One for each method, from all of its images.
    sd_range : tuple of (float, float)
        Smallest and largest SD of the methods, for the head of the paper's tables.
    images, used, units : int
        Number of images; of those with a score from every compared method, which the tests on
        blocks use; and of independent units among these.
    dropped : tuple of str
        The other images.
    not_compared : tuple of str
        Methods without one score.
    one_way, blocked : PairMatrix
        Tukey's tests.
    friedman : Friedman
        With Nemenyi's test.
    against_reference, networks_against_interpolations : tuple of PairedComparison
        Each a family of its own for Holm's correction.
    bold : tuple of Verdict
        The paper's rule for bold print, under each test.
    no_difference : Verdict
        Whether every network is shown to be equivalent to every interpolation.
    notes : tuple of str
        What a reader should know before the numbers.
    """

    metric: str
    data_set: str
    unit: str
    higher_is_better: bool
    settings: Settings
    summaries: tuple[MethodSummary, ...]
    sd_range: tuple[float, float]
    images: int
    used: int
    units: int
    dropped: tuple[str, ...]
    not_compared: tuple[str, ...]
    one_way: PairMatrix
    blocked: PairMatrix
    friedman: Friedman
    against_reference: tuple[PairedComparison, ...]
    networks_against_interpolations: tuple[PairedComparison, ...]
    bold: tuple[Verdict, ...]
    no_difference: Verdict
    notes: tuple[str, ...]


def analyse(scores: Scores, settings: Settings | None = None) -> Analysis:
    """Run every test on the scores.

    Parameters
    ----------
    scores : Scores
        One metric on one data set.
    settings : Settings, optional
        The choices; the defaults if not given.

    Raises
    ------
    UsageError
        If the reference is not among the methods.
    MissingExtraError
        If SciPy or statsmodels is not installed.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> image = random.normal(29.0, 4.5, (52, 1))
    >>> psnr = image + [0.0, 0.35] + random.normal(0.0, 0.2, (52, 2))
    >>> scores = Scores(psnr, ["bicubic", "afm"], ["interpolation", "network"], True, "psnr")
    >>> result = analyse(scores, Settings(resamples=1000))
    >>> [(verdict.test, verdict.holds) for verdict in result.bold][:2]
    [('one-way Tukey', False), ('blocked Tukey', True)]
    """
    asked = settings or Settings()
    blocks = scores.blocks
    reference = _reference(scores, asked.reference)
    chosen = Settings(**{**asdict(asked), "reference": reference or asked.reference})
    summaries = summarise(scores)
    spreads = [one.sd for one in summaries if math.isfinite(one.sd)]
    bootstrap = {name: getattr(chosen, name) for name in ("confidence", "resamples", "seed")}
    families = [
        compare(scores, pairs, alpha=chosen.alpha, margins=chosen.margins, **bootstrap)
        for pairs in (
            [(m, reference) for m in blocks.methods if m != reference] if reference else [],
            [(a, b) for a in scores.named("network") for b in scores.named("interpolation")],
        )
    ]
    one_way, blocked = one_way_tukey(scores, chosen.alpha), blocked_tukey(scores, chosen.alpha)
    ranks = friedman(scores, chosen.alpha)
    return Analysis(
        metric=scores.metric,
        data_set=scores.data_set,
        unit=scores.unit,
        higher_is_better=scores.higher_is_better,
        settings=chosen,
        summaries=summaries,
        sd_range=(min(spreads), max(spreads)) if spreads else (math.nan, math.nan),
        images=len(scores.values),
        used=len(blocks.used),
        units=len(blocks.units),
        dropped=blocks.dropped,
        not_compared=tuple(m for m in scores.methods if m not in blocks.methods),
        one_way=one_way,
        blocked=blocked,
        friedman=ranks,
        against_reference=families[0],
        networks_against_interpolations=families[1],
        bold=bold(one_way, blocked, ranks, families[1], chosen.alpha),
        no_difference=no_difference(families[1], chosen.alpha),
        notes=tuple(_notes(scores, blocked)),
    )


def summarise(scores: Scores) -> tuple[MethodSummary, ...]:
    """Return mean, SD and range of every method, over all images that it has a score of.

    Examples
    --------
    >>> s = Scores(np.array([[1.0], [3.0], [np.nan]]), ["bicubic"], ["interpolation"], True)
    >>> one, = summarise(s)
    >>> one.n, one.mean, round(one.sd, 3)
    (2, 2.0, 1.414)
    """
    summaries = []
    for method, kind, column in zip(scores.methods, scores.kinds, scores.values.T, strict=True):
        values = column[np.isfinite(column)]
        some = len(values) > 0
        summaries.append(
            MethodSummary(
                method=method,
                kind=kind,
                n=len(values),
                mean=float(values.mean()) if some else math.nan,
                sd=float(values.std(ddof=1)) if len(values) > 1 else math.nan,
                minimum=float(values.min()) if some else math.nan,
                median=float(np.median(values)) if some else math.nan,
                maximum=float(values.max()) if some else math.nan,
            )
        )
    return tuple(summaries)


def _reference(scores: Scores, asked: str | None) -> str | None:
    """Return the method to compare with; None if it has no scores."""
    if asked is not None and asked not in scores.methods:
        raise UsageError(
            f"the reference {asked!r} is not among the methods: {', '.join(scores.methods)}"
        )
    compared = scores.blocks.methods
    candidates = (asked,) if asked else (REFERENCE, *scores.named("interpolation"), *compared)
    return next((name for name in candidates if name in compared), None)


def _notes(scores: Scores, blocked: PairMatrix) -> list[str]:
    """Return what a reader should know before the numbers."""
    blocks, images = scores.blocks, len(scores.values)
    absent = [method for method in scores.methods if method not in blocks.methods]
    missing = {
        m: images - int(np.isfinite(scores.values[:, scores.methods.index(m)]).sum())
        for m in blocks.methods
    }
    worst = max(missing, key=lambda method: missing[method], default="")
    notes = []
    if absent:
        notes.append(f"without one score, so not compared: {', '.join(absent)}")
    if blocks.methods and blocks.dropped:
        notes.append(
            f"{len(blocks.dropped)} of {images} images lack a score and are left out of the tests "
            f"on blocks; means and one-way Tukey use what there is ({worst} lacks most: "
            f"{missing[worst]})"
        )
    if scores.infinite:
        notes.append(f"{scores.infinite} infinite scores (equal images) count as not computed")
    if scores.clusters:
        notes.append(
            f"the {len(blocks.used)} images belong to {len(blocks.units)} samples, which are "
            "the independent units; one-way Tukey, as the paper's, ignores this"
        )
    if 2 <= len(blocks.units) < FEW_UNITS:
        notes.append(
            f"with {len(blocks.units)} independent units the p-values of Friedman and Nemenyi "
            "are rough, and intervals tend to be too short"
        )
    if blocked.sphericity < UNEQUAL_SPREAD:
        notes.append(
            f"differences do not vary alike (sphericity {blocked.sphericity:.2f}): blocked Tukey "
            "pools them; prefer the paired tests for single pairs"
        )
    return notes

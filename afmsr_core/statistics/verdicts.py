"""What may be claimed of all networks against all interpolations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from afmsr_core.statistics.paired import PairedComparison
from afmsr_core.statistics.ranks import Friedman
from afmsr_core.statistics.result import PairMatrix, Result

__all__ = ["Verdict", "bold", "no_difference"]

Outcome = tuple[str, str, float, bool]
"""Network, interpolation, p-value, and whether the network is the better one."""


@dataclass(frozen=True, kw_only=True)
class Verdict(Result):
    """Whether a claim holds for every network against every interpolation.

    Attributes
    ----------
    test : str
        The test that it is judged by.
    holds : bool or None
        None if there is nothing to judge it by.
    holding, pairs : int
        Number of pairs for which it holds, and of all pairs.
    weakest : tuple of (str, str) or None
        Network and interpolation that speak against it most.
    p : float
        p-value of that pair.
    reason : str
        Why there is no verdict; empty if there is one.
    """

    test: str
    holds: bool | None
    holding: int
    pairs: int
    weakest: tuple[str, str] | None
    p: float
    reason: str


def bold(
    tukey: PairMatrix,
    blocked: PairMatrix,
    ranks: Friedman,
    comparisons: Sequence[PairedComparison],
    alpha: float = 0.05,
) -> tuple[Verdict, ...]:
    """Judge the paper's rule for bold print under every test.

    A metric is printed bold where every network is significantly better than every interpolation.

    Parameters
    ----------
    tukey, blocked : PairMatrix
        Of `one_way_tukey` (the paper's) and `blocked_tukey`.
    ranks : Friedman
        Of `friedman`; judged by Nemenyi's test.
    comparisons : sequence of PairedComparison
        Every network against every interpolation, corrected as one family.
    alpha : float
        Level of each test.
    """
    pairs = [(one.method, one.reference) for one in comparisons]
    verdicts = []
    for matrix in (tukey, blocked, ranks.nemenyi):
        outcomes = [(a, b, matrix.pair(a, b), matrix.is_better(a, b)) for a, b in pairs]
        verdicts.append(_judge(matrix.test, outcomes, alpha, matrix.reason))
    for test, p in (
        ("paired t, Holm", [one.p_t_holm for one in comparisons]),
        ("Wilcoxon, Holm", [one.p_wilcoxon_holm for one in comparisons]),
    ):
        outcomes = [
            (one.method, one.reference, q, one.is_better)
            for one, q in zip(comparisons, p, strict=True)
        ]
        verdicts.append(_judge(test, outcomes, alpha, ""))
    return tuple(verdicts)


def no_difference(comparisons: Sequence[PairedComparison], alpha: float = 0.05) -> Verdict:
    """Judge the claim that no network differs from any interpolation by more than the margin.

    The claim is that of all pairs together, so it needs no correction for their number: its
    p-value is the largest of theirs (intersection-union test).

    References
    ----------
    R. L. Berger, Technometrics 24 (1982) 295, doi 10.1080/00401706.1982.10487790.
    """
    outcomes = [(one.method, one.reference, one.equivalence.p, True) for one in comparisons]
    reasons = [one.equivalence.reason for one in comparisons if one.equivalence.reason]
    return _judge("equivalence (TOST)", outcomes, alpha, reasons[0] if reasons else "")


def _judge(test: str, outcomes: Iterable[Outcome], alpha: float, reason: str) -> Verdict:
    """Return the verdict on pairs of which each must be significant in the right direction."""
    told = list(outcomes)
    tested = [outcome for outcome in told if not math.isnan(outcome[2])]
    holding = sum(better and p < alpha for _, _, p, better in tested)
    verdict: bool | None = None
    if not told:
        reason = "there is no network or no interpolation with scores"
    elif holding < len(tested):
        verdict, reason = False, ""
    elif len(tested) < len(told):
        reason = reason or f"{len(told) - len(tested)} of {len(told)} pairs could not be tested"
    else:
        verdict, reason = True, ""
    # Wrong directions speak against it before right ones, and the surer the more.
    against = max(
        tested, key=lambda outcome: outcome[2] if outcome[3] else 2 - outcome[2], default=None
    )
    return Verdict(
        test=test,
        holds=verdict,
        holding=holding,
        pairs=len(told),
        weakest=against[:2] if against else None,
        p=against[2] if against else math.nan,
        reason=reason,
    )

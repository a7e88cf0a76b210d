"""What the tests say of networks against interpolations, counted from an analysis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from afmsr_core.report.contents import Record
from afmsr_core.report.table import number

__all__ = ["TESTS", "Count", "counts", "equivalence", "holds", "margin_of", "matrices", "p_text"]

TESTS = ("one-way Tukey", "blocked Tukey", "Nemenyi", "paired t, Holm", "Wilcoxon, Holm")
"""Tests by which the rule for bold print is judged; the first is the paper's."""

SMALLEST = 0.001
"""p-values below are printed as being below."""


@dataclass(frozen=True)
class Count:
    """Of all pairs of a network and an interpolation: how many differ significantly.

    Attributes
    ----------
    better, worse, pairs : int
        In which the network is significantly better, or worse, and all that were tested.
    """

    better: int
    worse: int
    pairs: int

    @property
    def words(self) -> str:
        """The count in words short enough for a cell."""
        if not self.pairs:
            return "–"
        if self.better == self.pairs:
            return "all better"
        if self.worse == self.pairs:
            return "all worse"
        parts = [f"{n} {what}" for n, what in ((self.better, "better"), (self.worse, "worse")) if n]
        return f"{', '.join(parts) or 'none'} of {self.pairs}"


def counts(analysis: Record) -> dict[str, Count]:
    """Return the count of every test of `TESTS` that the analysis holds."""
    told = analysis.get("networks_against_interpolations") or []
    alpha = (analysis.get("settings") or {}).get("alpha") or 0.05
    found = {}
    for test, matrix in matrices(analysis):
        signs = []
        for one in told:
            signs.append(_sign_in(matrix, one.get("method"), one.get("reference"), alpha))
        found[test] = _count(signs)
    for test, key in zip(TESTS[3:], ("p_t_holm", "p_wilcoxon_holm"), strict=True):
        found[test] = _count([_sign(one.get(key), one.get("is_better"), alpha) for one in told])
    return found


def matrices(analysis: Record) -> Iterator[tuple[str, Record]]:
    """Return the matrices of p-values by name of their test."""
    ranks = (analysis.get("friedman") or {}).get("nemenyi")
    for test, matrix in zip(
        TESTS, (analysis.get("one_way"), analysis.get("blocked"), ranks), strict=False
    ):
        if matrix:
            yield test, matrix


def holds(analysis: Record | None, test: str) -> bool:
    """Return whether all networks are significantly better than all interpolations by a test."""
    verdicts = (analysis or {}).get("bold") or []
    return any(one.get("test") == test and one.get("holds") is True for one in verdicts)


def equivalence(analysis: Record, unit: str) -> str:
    """Return whether all networks are shown to be as good as all interpolations, in words."""
    verdict = analysis.get("no_difference") or {}
    if verdict.get("holds") is None:
        return "–"
    pairs, holding = verdict.get("pairs") or 0, verdict.get("holding") or 0
    shown = "all" if verdict["holds"] else f"{holding} of {pairs}"
    return f"{shown} within {margin_of(analysis, unit)}"


def margin_of(analysis: Record, unit: str) -> str:
    """Return the margin of equivalence with its unit, or its range over the references."""
    told = analysis.get("networks_against_interpolations") or []
    margins = [((one.get("equivalence") or {}).get("margin") or {}).get("value") for one in told]
    given = sorted(value for value in margins if value is not None)
    if not given:
        return "no margin"
    low, high = f"{given[0]:.2g}", f"{given[-1]:.2g}"
    size = low if low == high else f"{low}–{high}"
    return f"±{size} {unit}".rstrip()


def p_text(p: float | None) -> str:
    """Return a p-value for tables.

    Examples
    --------
    >>> p_text(0.98), p_text(0.0123), p_text(1e-9), p_text(None)
    ('0.98', '0.012', '<0.001', '–')
    """
    if p is None:
        return "–"
    if p < SMALLEST:
        return f"<{SMALLEST:g}"
    return number(p, 2 if p >= 0.095 else 3)


def _sign_in(matrix: Record, method: object, reference: object, alpha: float) -> int | None:
    names = list(matrix.get("methods") or [])
    if method not in names or reference not in names:
        return None
    first, second = names.index(method), names.index(reference)
    levels = matrix.get("levels") or []
    if None in (levels[first], levels[second]):
        return None
    gain = levels[first] - levels[second]
    better = gain > 0 if matrix.get("higher_is_better") else gain < 0
    return _sign(matrix["p"][first][second], better, alpha)


def _sign(p: float | None, better: bool | None, alpha: float) -> int | None:
    """Return 1 for significantly better, -1 for worse, 0 for neither, None if not tested."""
    if p is None:
        return None
    return 0 if p >= alpha else (1 if better else -1)


def _count(signs: list[int | None]) -> Count:
    tested = [sign for sign in signs if sign is not None]
    return Count(tested.count(1), tested.count(-1), len(tested))

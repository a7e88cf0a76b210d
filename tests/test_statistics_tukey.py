"""Tukey's test is statsmodels', and its studentized range SciPy's, at a fraction of their cost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from afmsr_core.statistics.scores import Scores
from afmsr_core.statistics.tukey import one_way_tukey, studentized_p, studentized_q

pytest.importorskip("statsmodels")


@pytest.mark.parametrize("groups", [2, 3, 6, 12, 20])
@pytest.mark.parametrize("dof", [1, 2, 5, 30, 400, 20_000, math.inf])
def test_the_studentized_range_is_that_of_scipy(groups: int, dof: float) -> None:
    from scipy.stats import studentized_range

    q = np.array([0.01, 1.5, 3.5, 7.0, 30.0])
    wanted = np.clip(studentized_range.sf(q, groups, dof), 1e-10, 1.0)
    np.testing.assert_allclose(studentized_p(q, groups, dof), wanted, rtol=0, atol=2e-10)
    for alpha in (0.5, 0.05, 0.001):
        critical = np.array([studentized_q(alpha, groups, dof)])
        assert studentized_p(critical, groups, dof)[0] == pytest.approx(alpha, abs=1e-11)


@pytest.mark.parametrize("missing", [False, True])
def test_one_way_tukey_is_that_of_statsmodels(missing: bool) -> None:
    from statsmodels.stats.multicomp import pairwise_tukeyhsd

    rng = np.random.default_rng(3)
    values = rng.normal(size=(9, 4)) + np.array([0.0, 0.4, 1.1, 1.2])
    if missing:
        values[:3, 1] = values[8, 3] = np.nan
    kinds = ["interpolation", "interpolation", "network", "network"]
    found = one_way_tukey(Scores(values, list("abcd"), kinds, higher_is_better=True))
    rows, columns = np.nonzero(np.isfinite(values))
    wanted = pairwise_tukeyhsd(values[rows, columns], columns)
    np.testing.assert_allclose(found.p[np.triu_indices(4, 1)], wanted.pvalues, atol=1e-10)
    assert found.dof == wanted.df_total
    assert studentized_q(0.05, 4, found.dof) == pytest.approx(float(wanted.q_crit), rel=1e-9)

"""A cumulative logit model of scores: methods and raters fixed, images random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.statistics.result import Floats, Result, library, symmetric

__all__ = ["CumulativeModel", "cumulative_logit", "fit", "unfitted"]

Integers = NDArray[np.intp]

NODES = 9
"""Of the adaptive quadrature over an image's effect: 9 and 25 agree to six digits in the tests."""

LARGEST = 12.0
"""Log odds beyond which an effect has no finite estimate: odds of 160000 to 1."""

STEEPEST = 1e-3
"""Slope of the log-likelihood that is still the top: its rounding alone makes 1e-5."""

LEAST_START = 0.3
"""SD of images to start from, in log odds: at 0 the slope is 0, top or not."""

FLAT = 1e-8
"""Curvature of the log-likelihood below which an effect is not determined."""

TINY = 1e-300
"""Smallest chance of a score, so that its logarithm is finite."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CumulativeModel(Result):
    """What the model says of the methods.

    The log odds that a score is above any of the limits between scores are the method's effect
    plus the rater's plus the image's; the image's is normally distributed.

    Attributes
    ----------
    methods : tuple of str
        All methods in the order of the scores.
    effects : ndarray, shape (methods,)
        Log odds against the first method with scores; higher is better; NaN without scores.
    errors : ndarray, shape (methods, methods)
        Standard errors of the differences of effects.
    p : ndarray, shape (methods, methods)
        Wald's test of every pair, not corrected; NaN on the diagonal.
    statistic, dof, p_any : float
        Likelihood-ratio test of any difference between methods.
    image_sd : float
        SD of the effects of images, in log odds; NaN where there is only one image.
    log_likelihood : float
        At its maximum.
    n : int
        Number of scores.
    converged : bool
        Whether these numbers may be used.
    reason : str
        Why not; empty if they may.
    """

    methods: tuple[str, ...]
    effects: Floats
    errors: Floats
    p: Floats
    statistic: float
    dof: int
    p_any: float
    image_sd: float
    log_likelihood: float
    n: int
    converged: bool
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted model: thresholds, effects, the SD of the groups, and how sure they are.

    `at` holds all parameters as the likelihood takes them.
    """

    thresholds: Floats
    effects: Floats
    covariance: Floats
    group_sd: float
    log_likelihood: float
    slope: float
    at: Floats


def cumulative_logit(values: Floats, methods: tuple[str, ...]) -> CumulativeModel:
    """Fit the model to the scores of one question.

    Parameters
    ----------
    values : ndarray, shape (raters, images, methods)
        Whole scores; NaN where there is none. Every score counts. A rater who gave one and the
        same score to everything should not be among them: such a rater has no finite effect.
    methods : tuple of str
        Names of the last axis.

    References
    ----------
    P. McCullagh, J. R. Stat. Soc. B 42 (1980) 109, doi 10.1111/j.2517-6161.1980.tb01109.x;
    R. H. B. Christensen, ordinal: Regression Models for Ordinal Data (R package);
    J. C. Pinheiro, D. M. Bates, J. Comput. Graph. Stat. 4 (1995) 12, doi 10.2307/1390625.
    """
    rater, image, method = np.nonzero(np.isfinite(values))
    scores = values[rater, image, method]
    compared = np.unique(method)
    reason = ""
    if len(compared) < 2:
        reason = f"a comparison needs 2 methods with scores; there is {len(compared)}"
    elif len(np.unique(scores)) < 2:
        reason = "all scores are the same: nothing to model"
    if reason:
        return unfitted(methods, len(scores), reason)
    of_methods, of_raters = _dummies(method), _dummies(rater)
    count = of_methods.shape[1]
    rest = fit(scores, of_raters, image, sure=False)
    start = np.insert(rest.at, len(rest.thresholds), np.zeros(count))
    if math.isfinite(rest.group_sd):
        start[-1] = max(rest.group_sd, LEAST_START)
    whole = fit(scores, np.hstack([of_methods, of_raters]), image, start=start)
    statistic = 2 * max(whole.log_likelihood - rest.log_likelihood, 0.0)
    effects, errors, p = _contrasts(whole, compared, len(methods))
    reason = _doubt(whole, rest, effects, methods)
    return CumulativeModel(
        methods=methods,
        effects=effects,
        errors=errors,
        p=p,
        statistic=statistic,
        dof=count,
        p_any=float(library("scipy.stats").chi2.sf(statistic, count)),
        image_sd=whole.group_sd,
        log_likelihood=whole.log_likelihood,
        n=len(scores),
        converged=not reason,
        reason=reason,
    )


def fit(
    scores: Floats,
    design: Floats,
    groups: Integers,
    *,
    nodes: int = NODES,
    sure: bool = True,
    start: Floats | None = None,
) -> Fit:
    """Maximise the likelihood of a cumulative logit model with a random intercept of groups.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        At least two different ones. Scores that nobody gave have no threshold.
    design : ndarray, shape (n, effects)
        Fixed effects, without a constant.
    groups : ndarray of int, shape (n,)
        Group of every score; a single group has no random intercept.
    nodes : int
        Of the adaptive Gauss-Hermite quadrature.
    sure : bool
        Whether to compute the covariance of the effects; else it is NaN.
    start : ndarray, optional
        Parameters to start from, as `Fit.at`.
    """
    likelihood = _Likelihood(scores, design, groups, nodes)
    found = library("scipy.optimize").minimize(
        likelihood,
        likelihood.start() if start is None else start,
        jac=True,
        method="BFGS",
        options={"gtol": STEEPEST / 10, "maxiter": 500},
    )
    at = found.x
    slope = float(np.abs(likelihood(at)[1]).max())
    cuts = likelihood.cuts
    last = cuts + design.shape[1]
    covariance = np.full((len(at),) * 2, np.nan)
    hessian = _hessian(likelihood, at) if sure else covariance
    if np.isfinite(hessian).all() and np.linalg.eigvalsh(hessian).min() > FLAT:
        covariance = np.linalg.inv(hessian)
    return Fit(
        thresholds=likelihood.thresholds(at),
        effects=at[cuts:last],
        covariance=covariance[cuts:last, cuts:last],
        group_sd=abs(float(at[last])) if likelihood.random else math.nan,
        log_likelihood=-float(found.fun),
        slope=slope,
        at=at,
    )


class _Likelihood:
    """Minus the log-likelihood and its gradient.

    Parameters are the first threshold, the logarithms of the steps to the next ones, the fixed
    effects, and the SD of the groups, whose sign does not matter.
    """

    def __init__(self, scores: Floats, design: Floats, groups: Integers, nodes: int) -> None:
        order = np.argsort(groups, kind="stable")
        kinds, level = np.unique(scores[order], return_inverse=True)
        self.level = level
        self.design = design[order]
        _, self.first, self.group = np.unique(groups[order], return_index=True, return_inverse=True)
        self.cuts = len(kinds) - 1
        self.random = len(self.first) > 1
        x, weights = np.polynomial.hermite.hermgauss(nodes if self.random else 1)
        self.nodes = math.sqrt(2) * x
        self.log_weights = np.log(weights) + x**2 + 0.5 * math.log(2)
        self.modes = np.zeros(len(self.first))
        self.expit = library("scipy.special").expit

    def start(self) -> Floats:
        """Return thresholds that fit the shares of the scores, no effects, and an SD of 1."""
        shares = np.cumsum(np.bincount(self.level))[:-1] / len(self.level)
        thresholds = np.log(shares / (1 - shares))
        steps = np.log(np.maximum(np.diff(thresholds), 1e-3))
        effects = np.zeros(self.design.shape[1])
        return np.concatenate([thresholds[:1], steps, effects, [1.0] * self.random])

    def thresholds(self, at: Floats) -> Floats:
        return at[0] + np.concatenate([[0.0], np.cumsum(np.exp(at[1 : self.cuts]))])

    def __call__(self, at: Floats) -> tuple[float, Floats]:
        limits = np.concatenate([[-np.inf], self.thresholds(at), [np.inf]])
        upper, lower = limits[self.level + 1], limits[self.level]
        eta = self.design @ at[self.cuts : self.cuts + self.design.shape[1]]
        sd = at[-1] if self.random else 0.0
        spread = self._find_modes(upper - eta, lower - eta, sd)
        z = self.modes[:, None] + spread[:, None] * self.nodes  # (groups, nodes)
        above, below, chance = self._shares(
            (upper - eta)[:, None] - sd * z[self.group],
            (lower - eta)[:, None] - sd * z[self.group],
        )
        log_joint = np.add.reduceat(np.log(chance), self.first, axis=0)
        log_joint += self.log_weights - 0.5 * z**2 + np.log(spread)[:, None]
        log_joint -= 0.5 * math.log(2 * math.pi)
        top = log_joint.max(axis=1, keepdims=True)
        joint = np.exp(log_joint - top)
        total = joint.sum(axis=1, keepdims=True)
        value = float((np.log(total) + top).sum())
        weights = (joint / total)[self.group]  # of the nodes, given the scores of the group
        slopes = weights * (above + below - 1)  # of the log chance on eta
        by_eta = slopes.sum(axis=1)
        by_upper = (weights * above * (1 - above) / chance).sum(axis=1)
        by_lower = -(weights * below * (1 - below) / chance).sum(axis=1)
        by_limit = np.bincount(self.level + 1, by_upper, self.cuts + 2)
        by_limit += np.bincount(self.level, by_lower, self.cuts + 2)
        by_threshold = by_limit[1:-1]
        tails = np.cumsum(by_threshold[::-1])[::-1]  # a step moves all thresholds behind it
        by_steps = tails[1:] * np.exp(at[1 : self.cuts])
        parts = [tails[:1], by_steps, self.design.T @ by_eta]
        if self.random:
            parts.append(np.array([(slopes * z[self.group]).sum()]))
        return -value, -np.concatenate(parts)

    def _find_modes(self, upper: Floats, lower: Floats, sd: float) -> Floats:
        """Move to the most probable effect of every group; return how far it may be off."""
        if not self.random:
            return np.ones(1)
        z = self.modes
        for _ in range(30):
            above, below, _ = self._shares(upper - sd * z[self.group], lower - sd * z[self.group])
            slope = sd * np.add.reduceat(above + below - 1, self.first) - z
            bend = above * (1 - above) + below * (1 - below)
            curvature = 1 + sd**2 * np.add.reduceat(bend, self.first)
            step = np.clip(slope / curvature, -2.0, 2.0)
            z = z + step
            if np.abs(step).max() < 1e-8:
                break
        self.modes = z
        return 1 / np.sqrt(curvature)

    def _shares(self, upper: Floats, lower: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the logistic shares below two limits, and what lies between them."""
        above, below = self.expit(upper), self.expit(lower)
        between = above - below
        flip = lower > 3  # where both are near 1, their difference is that of the tails
        if flip.any():
            between[flip] = self.expit(-lower[flip]) - self.expit(-upper[flip])
        return above, below, np.maximum(between, TINY)


def _hessian(function: Any, at: Floats) -> Floats:
    """Return second derivatives from differences of the gradient."""
    rows = []
    for place in range(len(at)):
        step = np.zeros(len(at))
        step[place] = 1e-4 * max(1.0, abs(at[place]))
        rows.append((function(at + step)[1] - function(at - step)[1]) / (2 * step[place]))
    matrix = np.array(rows)
    return (matrix + matrix.T) / 2


def _dummies(labels: Integers) -> Floats:
    """Return a column for every label but the first."""
    return (labels[:, None] == np.unique(labels)[1:]).astype(np.float64)


def _contrasts(whole: Fit, compared: Integers, size: int) -> tuple[Floats, Floats, Floats]:
    count = len(compared) - 1
    effects = np.full(size, np.nan)
    effects[compared] = np.concatenate([[0.0], whole.effects[:count]])
    covariance = np.zeros((count + 1, count + 1))
    covariance[1:, 1:] = whole.covariance[:count, :count]
    first, second = np.triu_indices(count + 1, 1)
    variance = covariance[first, first] + covariance[second, second]
    variance -= 2 * covariance[first, second]
    error = np.sqrt(np.where(variance > 0, variance, np.nan))
    z = (effects[compared][first] - effects[compared][second]) / error
    p = 2 * library("scipy.stats").norm.sf(np.abs(z))
    return effects, symmetric(size, compared, error), symmetric(size, compared, p)


def _doubt(whole: Fit, rest: Fit, effects: Floats, methods: tuple[str, ...]) -> str:
    """Return why the fit may not be used; empty if it may."""
    far = np.nanmax(effects) - np.nanmin(effects)
    if far > LARGEST:
        best, worst = methods[int(np.nanargmax(effects))], methods[int(np.nanargmin(effects))]
        return f"{best} and {worst} are scored so far apart that their odds have no finite estimate"
    if np.abs(whole.effects).max(initial=0.0) > LARGEST:
        return (
            "a rater's scores are so far from the others' that their odds have no finite estimate"
        )
    if max(whole.slope, rest.slope) > STEEPEST:
        return "the likelihood has not reached its maximum"
    if not np.isfinite(whole.covariance).all():
        return "the likelihood is flat at its maximum: too few scores for so many effects"
    return ""


def unfitted(methods: tuple[str, ...], n: int, reason: str) -> CumulativeModel:
    """Return a model of `n` scores that says nothing but why."""
    size = len(methods)
    nothing = np.full((size, size), np.nan)
    return CumulativeModel(
        methods=methods,
        effects=np.full(size, np.nan),
        errors=nothing,
        p=nothing,
        statistic=math.nan,
        dof=0,
        p_any=math.nan,
        image_sd=math.nan,
        log_likelihood=math.nan,
        n=n,
        converged=False,
        reason=reason,
    )

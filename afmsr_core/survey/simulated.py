"""Scores of raters who do not exist, with preferences that are known: to try an analysis on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afmsr_core.statistics.result import Floats

__all__ = ["THRESHOLDS", "simulated_scores"]

THRESHOLDS = (-3.0, -1.5, 0.0, 1.5, 3.0)
"""Log odds that separate the scores 1 to 6: with no effects most scores are 3 and 4."""


def simulated_scores(
    random: np.random.Generator,
    effects: Sequence[float],
    *,
    raters: int = 3,
    images: int = 20,
    rater_sd: float = 1.0,
    image_sd: float = 1.0,
    block_sd: float = 0.0,
    interaction_sd: float = 0.0,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Floats:
    """Return whole scores drawn from a cumulative logit model.

    Parameters
    ----------
    random : numpy.random.Generator
        Where chance comes from.
    effects : sequence of float
        Of each method, in log odds; equal ones for methods that do not differ.
    raters, images : int
        Numbers.
    rater_sd, image_sd : float
        SD of the raters' leniency and of the images' ease, in log odds.
    block_sd : float
        SD of what a rater thinks of one image, whatever the method.
    interaction_sd : float
        SD of what a method happens to be on one image, for all raters: it averages out over
        images only.
    thresholds : sequence of float
        Between the scores, rising.

    Returns
    -------
    ndarray, shape (raters, images, methods)
        From 1 to one more than there are thresholds.

    Examples
    --------
    >>> simulated_scores(np.random.default_rng(1), [-9.0, 9.0], raters=1, images=2)
    array([[[1., 6.],
            [1., 6.]]])
    """
    methods = len(effects)
    latent = (
        np.asarray(effects, dtype=np.float64)
        + random.normal(0.0, rater_sd, (raters, 1, 1))
        + random.normal(0.0, image_sd, (1, images, 1))
        + random.normal(0.0, block_sd, (raters, images, 1))
        + random.normal(0.0, interaction_sd, (1, images, methods))
        + random.logistic(0.0, 1.0, (raters, images, methods))
    )
    return 1.0 + (latent[..., None] > np.asarray(thresholds)).sum(axis=-1)

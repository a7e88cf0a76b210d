"""Numbers that are reported: of scan, results and truth, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import metrics
from afmsr_core.errors import FieldError
from afmsr_core.evaluation.scene import Scene
from afmsr_core.metrics.numbers import OF_PAIR, OF_RESULT, RULE, numbers_of, quality_of
from afmsr_core.metrics.streaks import LOW, SCARS, TRUTH
from afmsr_core.trust.bias import levelling_bias
from afmsr_core.trust.noise import Noise

__all__ = ["numbers_in", "quality_in"]

Field = NDArray[np.float64]


def numbers_in(
    scene: Scene,
    level: str,
    reference: metrics.Reference,
    shared: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return roughness, grains and pores of a pair, as its metrics found them.

    Parameters
    ----------
    scene : Scene
        With the coarse scan, all of it, not only where the truth is.
    level : str
        How both were levelled.
    reference : metrics.Reference
        The truth, after its results were scored.
    shared : mapping of str to mapping
        By method, what its metrics shared.

    Returns
    -------
    dict
        JSON-serialisable: ``rule``; ``low``, ``truth`` and, in ``methods``, every method, as from
        :func:`afmsr_core.metrics.numbers.numbers_of`; ``sq_bias_of_levelling``; or ``reason``.
    """
    found = reference.context.of_pair
    if OF_PAIR not in found:
        return {"reason": "no method was scored in heights"}
    rule = found[RULE]
    low, relief = scene.low, scene.relief
    aspect = low.dx / low.dy if scene.scale.sideways else low.dy / low.dx
    try:
        of_low = numbers_of(relief, (low.dy, low.dx), rule, low.unit == "nm")
    except FieldError as error:
        return {"reason": str(error)}
    return {
        "reason": "",
        "rule": {"least": rule.least, "cutoff": rule.cutoff},
        "low": of_low,
        "methods": {name: one[OF_RESULT] for name, one in shared.items() if OF_RESULT in one},
        "truth": found[OF_PAIR],
        "sq_bias_of_levelling": levelling_bias(scene.upright(relief), level, aspect),
    }


def quality_in(
    scene: Scene, reference: metrics.Reference, noise: Noise | None = None
) -> dict[str, Any]:
    """Return what coarse scan and truth, cropped, tell of their own quality.

    `reference` is the truth, after its results were scored: the scars are those of its metrics.
    `noise` is its own, if it is known already.
    """
    scars = reference.context.of_pair.get
    return {
        "low": quality_of(scene.upright(scene.relief), scene.scale.cell, scars=scars(SCARS[LOW])),
        "truth": quality_of(scene.upright(reference.truth), 1, noise, scars(SCARS[TRUTH])),
    }

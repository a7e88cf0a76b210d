"""Whether the numbers hold that a full scan would give, beside those that the truth gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment import Alignment, Crop
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.evaluation.made import Made
from afmsr_core.metrics.grains import Rule
from afmsr_core.realisations.numbers import DRAWS, intervals, logarithms_of
from afmsr_core.upscale import Upscaler

__all__ = ["full_scan_in"]

Field = NDArray[np.float64]

ALIKE = 0.1
"""Of a pixel's side: a truth whose pixels differ by more from those of the result is another full
scan than the one that is told. Over such a step the Sdq of a self-affine surface with the Hurst
exponent 0.5, which grows with the root of the pixels per length, changes by 5 %."""


def full_scan_in(
    made: Made, upscaler: Upscaler, spec: str, found: Alignment, crop: Crop
) -> dict[str, Any]:
    """Return the numbers that a full scan would give, and what the truth gives.

    Parameters
    ----------
    made : Made
        Of the pair.
    upscaler : Upscaler
        Of the method that they are learnt for.
    spec : str
        How both scans are levelled.
    found : Alignment
        Where results lie on the truth.
    crop : Crop
        What of it is scored.

    Returns
    -------
    dict
        JSON-serialisable: ``method``, ``draws``, ``seed``, and in ``numbers`` by name ``median``,
        ``low``, ``high`` and ``truth``; a number that the truth or a realisation does not have is
        left out. Or the ``reason`` why there are none.

    Notes
    -----
    As :func:`afmsr_core.realisations.numbers.full_scan`, but of the part that is scored, and on
    the pixels of the truth.
    """
    scene = made.scene
    low, high = scene.low, scene.high
    try:
        realiser = made.realiser(upscaler)
    except (UsageError, FieldError) as error:
        return {"reason": str(error).removeprefix(f"{low.where}: ").partition(";")[0]}
    result, sizes = realiser.result, (high.dx, high.dy)
    ratios = [one / size for one, size in zip((result.dx, result.dy), sizes, strict=True)]
    if max(abs(ratio - 1) for ratio in ratios) > ALIKE:
        return {
            "reason": f"the truth has {ratios[0]:.2g} x {ratios[1]:.2g} pixels for one of the "
            f"result, and so is not the full scan that is told"
        }
    coarse = low.dy, low.dx
    rule = Rule.of(scene.relief, coarse, max(coarse))
    nyquist = 0.5 / max(coarse)  # of the lines
    pixel = sizes if scene.scale.sideways else sizes[::-1]

    def numbers(heights: Field) -> dict[str, float]:
        relief = scene.levelled(high.replace(heights=crop.of(heights), mask=None), spec)
        return logarithms_of(scene.upright(relief), pixel, rule, nyquist, high.has_slopes)

    surfaces = (realiser.surface(number, DRAWS) for number in range(1, DRAWS + 1))
    each = [numbers(found.warp(one.heights)) for one in surfaces]
    truth = numbers(scene.truth)
    return {
        "reason": "",
        "method": upscaler.method.name,
        "draws": DRAWS,
        "seed": realiser.seed,
        "numbers": {
            name: one | {"truth": math.exp(truth[name])}
            for name, one in intervals(realiser.texture, each).items()
            if name in truth
        },
    }

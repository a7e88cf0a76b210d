"""PI: the perceptual index, half the sum of NIQE and what Ma lacks to 10."""

from __future__ import annotations

import numpy as np

from afmsr_core.metrics.base import Context, Field, Metric, Value
from afmsr_core.metrics.ma import MA
from afmsr_core.metrics.niqe import NIQE

__all__ = ["METRICS", "perceptual_index"]


def perceptual_index(ma: float, niqe: float) -> float:
    """Return 0.5 ((10 - Ma) + NIQE).

    Of the same field, without cropping and without conversion of colours: pyiqa's own ``pi``
    crops 4 px and converts to YCbCr first, so that it differs.

    Examples
    --------
    >>> perceptual_index(ma=2.0, niqe=12.0)
    10.0
    """
    return 0.5 * ((10.0 - ma) + niqe)


def _pi(result: Field, truth: Field, context: Context) -> Value:
    parts = {part.name: part.compute(result, truth, context) for part in (MA, NIQE)}
    ma, niqe = parts["ma"].value, parts["niqe"].value
    if ma is None or niqe is None:
        why = "; ".join(f"{name}: {v.reason}" for name, v in parts.items() if v.value is None)
        return Value(None, f"PI needs Ma and NIQE. {why}")
    details = {name: {"value": v.value, **v.details} for name, v in parts.items()}
    return Value(perceptual_index(ma, niqe), details={"formula": "0.5((10-Ma)+NIQE)", **details})


METRICS = (
    Metric(
        name="pi",
        label="PI",
        unit="",
        lower_is_better=True,
        range=(-np.inf, np.inf),
        summary="perceptual index: NIQE and Ma in one",
        source="Blau et al., ECCV Workshops 2018, doi 10.1007/978-3-030-11021-5_21",
        kind="no-reference",
        protocol="paper",
        function=_pi,
        settings=(*MA.settings, *NIQE.settings),
        rank=50,
    ),
)

"""Metrics of quality that need no truth: NIQE, Ma, and PI, which is of both."""

from __future__ import annotations

import numpy as np

from afmsr_core.metrics import ma, niqe, parameters
from afmsr_core.metrics.base import Context, Field, Metric, Value

__all__ = ["METRICS", "perceptual_index"]

COLOUR = "grey plane as it is (equal to the luma of three equal channels)"


def _niqe(result: Field, truth: Field, context: Context) -> Value:
    model = niqe.read_model(parameters.NIQE.locate(context.settings["niqe_parameters"]))
    score = niqe.niqe(result, model)
    return Value(
        score.value,
        details={
            "data_range": [0, 255],
            "crop": list(result.shape),
            "colour": COLOUR,
            "patches": score.patches,
            "complete_patches": score.complete,
            "patch": niqe.PATCH,
            "features": niqe.FEATURES,
            "implementation": "afmsr",
            "parameters_sha256": model.sha256,
            "parameters_published": model.sha256 in parameters.NIQE.sha256,
        },
    )


NIQE = Metric(
    name="niqe",
    label="NIQE",
    lower_is_better=True,
    range=(0.0, np.inf),
    ideal=0.0,
    summary="distance of local statistics from those of pristine photographs",
    source="Mittal et al., IEEE Signal Process. Lett. 2013, 20, 209, doi 10.1109/LSP.2012.2227726",
    kind="no-reference",
    protocol="paper",
    function=_niqe,
    settings=(parameters.NIQE.setting,),
    rank=70,
)


def _ma(result: Field, truth: Field, context: Context) -> Value:
    model = ma.believed(parameters.MA.locate(context.settings["ma_parameters"]))
    return Value(
        ma.raw_score(result, model),
        details={
            "data_range": [0, 255],
            "crop": list(result.shape),
            "colour": COLOUR,
            "implementation": "afmsr",
            "parameters_sha256": model.sha256,
        },
    )


MA = Metric(
    name="ma",
    label="Ma",
    lower_is_better=False,
    range=(0.0, 10.0),
    ideal=10.0,
    summary="quality of super-resolution, learned from scores by people",
    source="Ma et al., Comput. Vis. Image Underst. 2017, 158, 1, doi 10.1016/j.cviu.2016.12.009",
    kind="no-reference",
    protocol="paper",
    function=_ma,
    settings=(parameters.MA.setting,),
    rank=60,
)


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
        why = "; ".join(str(part.reason) for part in parts.values() if part.value is None)
        return Value(None, f"PI is made of Ma and NIQE; {why}")
    details = {name: {"value": v.value, **v.details} for name, v in parts.items()}
    return Value(perceptual_index(ma, niqe), details={"formula": "0.5((10-Ma)+NIQE)", **details})


PI = Metric(
    name="pi",
    label="PI",
    lower_is_better=True,
    summary="perceptual index: NIQE and Ma in one",
    source="Blau et al., ECCV Workshops 2018, doi 10.1007/978-3-030-11021-5_21",
    kind="no-reference",
    protocol="paper",
    function=_pi,
    settings=(*MA.settings, *NIQE.settings),
    rank=50,
)

METRICS = (NIQE, MA, PI)

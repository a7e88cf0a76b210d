"""Ma: a score of super-resolution, learned from what people said of photographs (NRQM).

Written from the paper (C. Ma, C.-Y. Yang, X. Yang, M.-H. Yang, Comput. Vis. Image Underst. 2017,
158, 1, doi 10.1016/j.cviu.2016.12.009), with numpy, scipy and OpenCV. It reads the parameter
file of pyiqa, and where the paper is silent the choices are those of pyiqa 0.1.16, so that the
values agree; pyiqa itself is not needed.
"""

from __future__ import annotations

from afmsr_core.metrics import parameters
from afmsr_core.metrics.base import Context, Field, Metric, Value
from afmsr_core.metrics.ma.calibration import believed
from afmsr_core.metrics.ma.forest import Model, read_model
from afmsr_core.metrics.ma.score import raw_score

__all__ = ["MA", "METRICS", "Model", "believed", "raw_score", "read_model"]


def _ma(result: Field, truth: Field, context: Context) -> Value:
    model = believed(parameters.MA.locate(context.settings["ma_parameters"]))
    return Value(
        raw_score(result, model),
        details={
            "data_range": [0, 255],
            "crop": list(result.shape),
            "colour": "grey plane as it is (equal to the luma of three equal channels)",
            "implementation": "afmsr",
            "parameters_sha256": model.sha256,
        },
    )


MA = Metric(
    name="ma",
    label="Ma",
    unit="",
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

METRICS = (MA,)

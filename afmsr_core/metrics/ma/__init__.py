"""Ma: a score of super-resolution, learned from what people said of photographs (NRQM).

Written from the paper (C. Ma, C.-Y. Yang, X. Yang, M.-H. Yang, Comput. Vis. Image Underst. 2017,
158, 1, doi 10.1016/j.cviu.2016.12.009), with numpy, scipy and OpenCV. It reads the parameter
file of pyiqa, and where the paper is silent the choices are those of pyiqa 0.1.16, so that the
values agree; pyiqa itself is not needed.
"""

from __future__ import annotations

from afmsr_core.metrics.ma.calibration import believed
from afmsr_core.metrics.ma.forest import Model, read_model
from afmsr_core.metrics.ma.score import raw_score

__all__ = ["Model", "believed", "raw_score", "read_model"]

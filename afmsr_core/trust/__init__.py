"""Trust: how far a result is to be believed, and where to look again.

Noise from the scan itself, agreement with the measured pixels, a calibrated interval around each
height, a verdict on the size of the pixels, and the regions that a zoom scan should check.
"""

from __future__ import annotations

from afmsr_core.trust.assessment import Assessment, assess
from afmsr_core.trust.calibration import Calibration, calibrate
from afmsr_core.trust.coarseness import Coarseness, judge
from afmsr_core.trust.detail import Detail, compare_detail
from afmsr_core.trust.noise import Noise, noise_between, noise_of

__all__ = [
    "Assessment",
    "Calibration",
    "Coarseness",
    "Detail",
    "Noise",
    "assess",
    "calibrate",
    "compare_detail",
    "judge",
    "noise_between",
    "noise_of",
]

"""Alignment: which pixel of a result shows what a pixel of its ground truth shows.

After the paper (doi 10.3762/bjnano.16.83, pipeline step 4): features, homography, warp, crop.
What it leaves open is a named setting, what fails has a fallback, and what cannot be aligned is
rejected with its reasons.
"""

from __future__ import annotations

from afmsr_core.alignment.cascade import align
from afmsr_core.alignment.ground import Ground
from afmsr_core.alignment.result import Alignment, Attempt, Crop, warp
from afmsr_core.alignment.settings import KINDS, AlignmentSettings

__all__ = [
    "KINDS",
    "Alignment",
    "AlignmentSettings",
    "Attempt",
    "Crop",
    "Ground",
    "align",
    "warp",
]

"""The corridor: a channel in, the same channel with more pixels out.

The command line, the plug-in, the evaluation and the benchmark all go through here.
"""

from afmsr_core.upscale.scan import upscale
from afmsr_core.upscale.settings import PROTOCOLS, EngineName, MaskRule, Protocol, Settings
from afmsr_core.upscale.upscaler import Progress, Upscaler, method_for, warnings_for

__all__ = [
    "PROTOCOLS",
    "EngineName",
    "MaskRule",
    "Progress",
    "Protocol",
    "Settings",
    "Upscaler",
    "method_for",
    "upscale",
    "warnings_for",
]

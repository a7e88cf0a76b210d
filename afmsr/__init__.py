"""afmsr for Python: a coarse AFM scan in, a 4x scan out, in nanometres.

>>> import afmsr
>>> coarse, _ = afmsr.example_pair()
>>> (scan,) = afmsr.read(coarse)
>>> fine = afmsr.upscale(scan)
>>> fine
<Channel 'Height (simulated) (x4 afm)': 512 x 512 px, 2 µm x 2 µm, 92.62 to 160.3 nm>

This package is the front door: it holds nothing of its own. What it names lives in
`afmsr_core`, where the rest of the library is.
"""

from afmsr_core import __version__
from afmsr_core.batch.many import Upscaled, upscale_many
from afmsr_core.channel import Channel, Step
from afmsr_core.data import example_pair
from afmsr_core.errors import AfmsrError
from afmsr_core.io import read, write
from afmsr_core.joining import join
from afmsr_core.methods import methods
from afmsr_core.planning import Plan, plan
from afmsr_core.realisations import realisations
from afmsr_core.scan_page import report
from afmsr_core.upscale import Settings, Upscaler, upscale

__all__ = [
    "AfmsrError",
    "Channel",
    "Plan",
    "Settings",
    "Step",
    "Upscaled",
    "Upscaler",
    "__version__",
    "example_pair",
    "join",
    "methods",
    "plan",
    "read",
    "realisations",
    "report",
    "upscale",
    "upscale_many",
    "write",
]

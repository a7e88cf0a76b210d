"""afmsr: a low-resolution AFM scan in, a 4x scan out, in nanometres.

The corridor is :func:`afmsr_core.upscale.upscale`; everything else serves it.
Importing this package is cheap: no image library and no engine is loaded.
"""

__version__ = "0.1.0"

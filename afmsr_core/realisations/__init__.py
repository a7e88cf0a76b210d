"""Realisations: surfaces drawn at random among those that a scan allows.

The best guess of every height is smoother than the surface. A realisation adds what the scan left
open, drawn at random: scanned again it gives the measured pixels, and it is as rough as a full scan
of the place. One of them is no better a guess at single features; many of them tell what a number
such as Sdq may be.
"""

from afmsr_core.realisations.realiser import PERIOD, Realiser, check_drawable
from afmsr_core.realisations.scan import realisations
from afmsr_core.realisations.texture import FILES, Texture, shipped

__all__ = [
    "FILES",
    "PERIOD",
    "Realiser",
    "Texture",
    "check_drawable",
    "realisations",
    "shipped",
]

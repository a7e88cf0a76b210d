"""What an instrument does to a surface: the virtual AFM, and the coarse scan alone."""

from afmsr_core.simulation.acquisition import Acquisition, coarse_scan
from afmsr_core.simulation.conditions import Conditions, Spread
from afmsr_core.simulation.instrument import Area, Instrument, Pass, Scan
from afmsr_core.simulation.pair import SimulatedPair, simulate_pair
from afmsr_core.simulation.presets import PRESETS, Preset, preset
from afmsr_core.simulation.specimens import SPECIMENS, Specimen, specimen
from afmsr_core.simulation.tip import Tip, dilate

__all__ = [
    "PRESETS",
    "SPECIMENS",
    "Acquisition",
    "Area",
    "Conditions",
    "Instrument",
    "Pass",
    "Preset",
    "Scan",
    "SimulatedPair",
    "Specimen",
    "Spread",
    "Tip",
    "coarse_scan",
    "dilate",
    "preset",
    "simulate_pair",
    "specimen",
]

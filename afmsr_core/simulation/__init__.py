"""What an instrument does to a surface."""

from afmsr_core.simulation.acquisition import Acquisition, coarse_scan

__all__ = ["Acquisition", "coarse_scan"]

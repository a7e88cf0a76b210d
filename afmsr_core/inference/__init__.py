"""How a network runs: engines and tiles. Which network it is, is not known here."""

from afmsr_core.inference.engine import Engine, open_engine, prepare
from afmsr_core.inference.tiling import Tiles, run_tiled

__all__ = ["Engine", "Tiles", "open_engine", "prepare", "run_tiled"]

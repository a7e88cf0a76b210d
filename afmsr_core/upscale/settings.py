"""Everything that a user may choose of how a scan is upscaled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from afmsr_core.grid import AUTO
from afmsr_core.methods import registry

__all__ = ["PROTOCOLS", "EngineName", "MaskRule", "Protocol", "Settings"]

PROTOCOLS = ("nm", "paper")

MaskRule = Literal["ignore", "exclude", "include"]
Protocol = Literal["nm", "paper"]
EngineName = Literal["auto", "onnx", "torch"]


@dataclass(frozen=True)
class Settings:
    """Everything that a user may choose; all of it is written into the result.

    Parameters
    ----------
    method : str
        Name in the registry of methods.
    level : str
        Levelling before the method, such as ``"plane"`` or ``"plane+rows-median"``.
    mask : {"ignore", "exclude", "include"}
        How levelling treats marked pixels.
    restore_background : bool
        Put back what levelling took off, and make mean and tilt those of the input. Otherwise
        the result is the levelled field.
    protocol : {"nm", "paper"}
        ``"nm"`` keeps floats and clamps nothing. ``"paper"`` is the 8-bit, clamped path of
        doi 10.3762/bjnano.16.83, for comparing with its figures: it loses heights.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    engine : {"auto", "onnx", "torch"}
        What runs a network.
    weights : Path, optional
        File with other weights for the network. Only networks take weights, tiles, an engine
        and other devices than the processor.
    tile : int, optional
        Side of tiles in input pixels, of a line scan in lines; chosen to fit the memory by default.
    threads : int, optional
        Processor threads of the engine; all that the process may use by default.
    scale : str
        ``"auto"`` makes 4x along both axes, and of a line scan as many lines as make its pixels
        square; ``"4"``, ``"1x4"`` and ``"1x2"`` (columns by rows) do so whatever the pixels are.
        See :func:`afmsr_core.grid.choose`.
    """

    method: str = registry.DEFAULT
    level: str = "plane"
    mask: str = "ignore"
    restore_background: bool = True
    protocol: str = "nm"
    device: str = "auto"
    engine: str = "auto"
    weights: Path | None = None
    tile: int | None = None
    threads: int | None = None
    scale: str = AUTO

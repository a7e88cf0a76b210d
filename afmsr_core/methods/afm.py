"""Our own networks, trained on AFM scans; the default, and shipped with afmsr."""

from __future__ import annotations

from functools import partial
from typing import Any

from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.methods.registry import Network, WeightsFile

__all__ = ["METHODS"]


def _build(scale: Scale, blocks: int, head: tuple[int, int]) -> Any:
    from afmsr_core.methods.afm_network import AfmNetwork

    return AfmNetwork(blocks, scale=scale, head=head)


def _network(file: str, scale: Scale, blocks: int, head: tuple[int, int], count: int) -> Network:
    return Network(
        name="afm",
        label="AFM (ours)",
        summary="trained on AFM scans as instruments take them; small, no download",
        source="afmsr; residual blocks as EDSR's, Lim 2017, doi 10.1109/CVPRW.2017.151",
        licence="MIT",
        scale=scale,
        count=count,
        colours=1,
        base="bicubic",
        weights=WeightsFile(f"{file}.safetensors"),
        build=partial(_build, scale, blocks, head),
        onnx=f"{file}.onnx",
        halo=max(head) // 2 + 2 * blocks + 1,  # of all filters one after the other
        align=1,
        working_bytes=2048 // scale.cell,  # the same for a square of the field
        trained_on="heights",
    )


METHODS = (
    _network("afm", SQUARE, 14, (3, 3), 262_944),
    _network("afm_lines4", LINES_X4, 14, (3, 3), 263_808),
    _network("afm_lines2", LINES_X2, 14, (3, 3), 259_776),
)

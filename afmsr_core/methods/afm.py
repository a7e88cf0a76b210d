"""Our own network, trained on AFM scans; the default, and shipped with afmsr."""

from __future__ import annotations

from typing import Any

from afmsr_core.methods.registry import Network, WeightsFile

__all__ = ["METHODS"]


def _build() -> Any:
    from afmsr_core.methods.afm_network import AfmNetwork

    return AfmNetwork()


METHODS = (
    Network(
        name="afm",
        label="AFM (ours)",
        summary="trained on AFM scans as instruments take them; small, no download",
        source="afmsr; residual blocks as EDSR's, Lim 2017, doi 10.1109/CVPRW.2017.151",
        licence="MIT",
        count=262_944,
        colours=1,
        base="bicubic",
        weights=WeightsFile("afm.safetensors"),
        build=_build,
        onnx="afm.onnx",
        halo=30,
        align=1,
        working_bytes=2048,
        trained_on="heights",
    ),
)

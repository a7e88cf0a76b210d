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
        source="afmsr; body of NinaSR-B0, Gouvine 2021, doi 10.5281/zenodo.4868308",
        licence="MIT",
        count=100_480,
        colours=1,
        base="bicubic",
        weights=WeightsFile("afm.safetensors"),
        build=_build,
        onnx="afm.onnx",
        halo=96,
        align=16,
        working_bytes=2048,
    ),
)

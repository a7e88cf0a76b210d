"""The paper's networks, and two relatives, as torchSR publishes them at 4x.

torchSR: Gouvine, G. "Super-Resolution Networks for Pytorch" (2021), doi 10.5281/zenodo.4868308;
the addresses below are those of its release 1.0.3, which torchSR 1.0.4 still uses. Its files
come without a published hash, so the hash is recorded when a file arrives and checked from then
on (see :mod:`afmsr_core.methods.weights`).

`halo`, in input pixels, is the formal radius where nothing smaller was measured: a 3x3
convolution adds one pixel at the input's resolution, 1/2 after the first doubling and 1/4 after
the second, a 1x1 convolution nothing. `working_bytes` is the growth of the process's peak memory
per input pixel, measured on fields of 64x64 to 128x128 with torch 2.14 on x86, rounded up.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from afmsr_core.methods.registry import Network, WeightsFile

__all__ = ["METHODS"]

_RELEASE = "https://github.com/Coloquinte/torchSR/releases/download/v1.0.3/"


def _build(name: str) -> Any:
    """Return torchSR's untrained module `name`, whose ``forward(x)`` upscales 4x.

    The CARN family holds upsamplers for 2x, 3x and 4x; built with ``scale=4`` it uses the last.
    """
    from torchsr import models

    return getattr(models, name)(scale=4, pretrained=False)


def _network(name: str, *, file: str, **facts: Any) -> Network:
    return Network(
        name=name,
        weights=WeightsFile(file, url=_RELEASE + file),
        build=partial(_build, name),
        licence="MIT",
        extra="torch",
        **facts,
    )


_NINASR = "Gouvine 2021, doi 10.5281/zenodo.4868308"
_CARN = "Ahn, Kang, Sohn, ECCV 2018, arXiv 1803.08664"
_EDSR = "Lim, Son, Kim, Nah, Lee, CVPR Workshops 2017, arXiv 1707.02921"

METHODS = (
    # NinaSR: every block weighs its features by averages over 31x31 pixels on a grid of 16 (hence
    # `align`), so a block reaches up to 32 pixels and the networks formally 322, 834 and 2690.
    # Measured on real scans of 256x256 pixels, the influence is gone much earlier: beyond 32 / 48
    # / 64 pixels it is at most 1.3e-4 / 1.1e-6 / 3.6e-7 of the range for all three as initialised,
    # and 3e-5 / 5e-7 / 3e-8 for the body of B0 as trained by us. torchSR's own weights were not at
    # hand for it.
    _network(
        "ninasr_b0",
        label="NinaSR-B0",
        summary="smallest of the paper's networks; quick on any computer",
        source=_NINASR,
        file="ninasr_b0_x4.pt",
        count=105_392,
        halo=64,
        align=16,
        working_bytes=3_072,
    ),
    _network(
        "ninasr_b1",
        label="NinaSR-B1",
        summary="middle size; a good first network from the paper",
        source=_NINASR,
        file="ninasr_b1_x4.pt",
        count=1_030_192,
        halo=64,
        align=16,
        working_bytes=3_584,
    ),
    _network(
        "ninasr_b2",
        label="NinaSR-B2",
        summary="large; about eight times slower than NinaSR-B1",
        source=_NINASR,
        file="ninasr_b2_x4.pt",
        count=10_057_032,
        halo=64,
        align=16,
        working_bytes=4_096,
    ),
    # Formal: entry 1, nine residual blocks of 2, upsampling 1 + 1/2, exit 1/4.
    _network(
        "carn",
        label="CARN",
        summary="middle size, convolutions only: tiles are exact",
        source=_CARN,
        file="carn.pt",
        count=1_591_939,
        halo=21,
        working_bytes=16_384,
    ),
    # Its channel attention averages over the whole field: every pixel depends on all others.
    _network(
        "rcan",
        label="RCAN",
        summary="large; looks at the whole field at once, so tiles are approximate",
        source="Zhang et al., ECCV 2018, arXiv 1807.02758",
        file="rcan_x4.pt",
        count=15_592_355,
        halo=None,
        working_bytes=10_240,
    ),
    # Formal: 2 before, 16 blocks of 8, fusion 1, upsampling 1 + 1/2, output 1/4.
    _network(
        "rdn",
        label="RDN",
        summary="large and dense; slow on a processor",
        source="Zhang et al., CVPR 2018, arXiv 1802.08797",
        file="rdn_x4.pt",
        count=22_271_107,
        halo=133,
        working_bytes=20_480,
    ),
    # Formal 68: head 1, 32 blocks of 2, body 1, upsampling 1 + 1/2, tail 1/4. Measured with
    # OpenCV's EDSR weights on a real scan of 128x128 pixels, the influence beyond 12 / 16 / 24
    # pixels is 6e-5 / 1.1e-5 / 6e-7 of the range.
    _network(
        "edsr",
        label="EDSR",
        summary="the largest; half a minute for 128x128 without a graphics card",
        source=_EDSR,
        file="edsr_x4.pt",
        count=43_089_923,
        halo=24,
        working_bytes=45_056,
    ),
    # Formal, as CARN: its third convolution in each block is 1x1.
    _network(
        "carn_m",
        label="CARN-M",
        summary="CARN made small for mobile devices: quick, tiles are exact",
        source=_CARN,
        file="carn_m.pt",
        count=414_787,
        halo=21,
        working_bytes=16_384,
    ),
    # Formal: head 1, 16 blocks of 2, body 1, upsampling 1 + 1/2, tail 1/4.
    _network(
        "edsr_baseline",
        label="EDSR-baseline",
        summary="EDSR at a thirtieth of its size: quick, tiles are exact",
        source=_EDSR,
        file="edsr64_x4.pt",
        count=1_517_571,
        halo=36,
        working_bytes=10_240,
    ),
)

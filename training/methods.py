"""Ways from a coarse field to a fine one, which are scored beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.upscale import Settings, Upscaler
from training.score import interpolated

if TYPE_CHECKING:
    from afmsr_core.methods.afm_network import AfmNetwork

Method = Callable[[NDArray[Any]], NDArray[Any]]
"""From a levelled coarse field to a fine one, both in nm."""

RIVALS = ("bilinear", "bicubic", "lanczos4")


def named(weights: Sequence[str]) -> dict[str, Method]:
    """Return the interpolations, our network, and others by their weights.

    Parameters
    ----------
    weights : sequence of str
        Each ``METHOD=FILE`` or ``METHOD@NAME=FILE``.
    """
    found = {name: product(name) for name in (*RIVALS, "afm")}
    for item in weights:
        name, _, file = item.partition("=")
        if not file:
            raise UsageError(f"--weights {item}: give it as METHOD=FILE")
        method, _, label = name.partition("@")
        made = trained(Path(file)) if method == "afm" else product(method, Path(file))
        found[label or method] = made
    return found


def product(name: str, weights: Path | None = None) -> Method:
    """Return the product's own path."""
    upscaler = Upscaler(Settings(method=name, weights=weights))

    def upscale(coarse: NDArray[Any]) -> NDArray[Any]:
        yres, xres = coarse.shape
        return upscaler(Channel(coarse, float(xres), float(yres))).heights

    return upscale


def trained(weights: Path) -> Method:
    """Return what a network of ours makes of a field, however many blocks it has."""
    from safetensors.torch import load_file

    from afmsr_core.methods.afm_network import AfmNetwork

    return by(AfmNetwork.of(load_file(weights)).eval())


def by(network: AfmNetwork) -> Method:
    """Return the path through a network in training."""
    import torch

    like = network.head.weight

    def upscale(coarse: NDArray[Any]) -> NDArray[Any]:
        low, high = coarse.min(), coarse.max()
        grey = torch.from_numpy((coarse - low) / (high - low)).to(like)
        with torch.inference_mode():
            residual = network(grey[None, None])[0, 0].cpu().numpy()
        return interpolated(coarse, network.scale) + residual * (high - low)

    return upscale


def mean_of(*methods: Method) -> Method:
    """Return the mean of what several make."""

    def upscale(coarse: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.mean([method(coarse) for method in methods], axis=0))

    return upscale

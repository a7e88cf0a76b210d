"""What a method is, and which there are."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from afmsr_core.errors import UnknownMethodError, did_you_mean

__all__ = [
    "DEFAULT",
    "Interpolation",
    "Method",
    "Network",
    "WeightsFile",
    "get",
    "methods",
    "names",
]

DEFAULT = "afm"

Kind = Literal["interpolation", "network"]

_HELPERS = ("cubic", "download", "orphans", "registry", "shipped", "store", "weights")
"""Modules beside this one without methods; to import them all takes 20 ms."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to upscale a field.

    Attributes
    ----------
    name : str
        As on the command line: lower case.
    label : str
        As the paper prints it.
    summary : str
        One line for a user who must choose.
    source : str
        Who invented it; paper or DOI.
    licence : str
        Of the code or the weights, whichever is stricter.
    scale : int
        Output pixels per input pixel along each axis.
    extra : str or None
        Optional part of afmsr that it needs (``pip install 'afmsr[EXTRA]'``).
    """

    name: str
    label: str
    summary: str
    source: str
    licence: str
    scale: int = 4
    extra: str | None = None

    kind: ClassVar[Kind]
    """What it is: arithmetic on the measured pixels, or trained on examples."""

    @property
    def parameters(self) -> int:
        """Number of trained parameters; 0 for an interpolation."""
        return 0


@dataclass(frozen=True, kw_only=True)
class Interpolation(Method):
    """An interpolation as OpenCV does it, on floats.

    Attributes
    ----------
    flag : str
        Name of OpenCV's constant.
    own : callable or None
        Does the same to a field of float64, given the scale, without OpenCV's import.
    """

    flag: str
    own: Callable[[Any, int], Any] | None = None

    kind: ClassVar[Kind] = "interpolation"


@dataclass(frozen=True)
class WeightsFile:
    """Where the weights of a network come from.

    Attributes
    ----------
    name : str
        File name in the cache or in the package.
    url : str or None
        Where its authors publish it; None if it ships with afmsr.
    sha256 : str or None
        Hex digest where it is known; else it is recorded at first use and checked from then on.
        That of a file that ships with afmsr is in :mod:`afmsr_core.methods.shipped`.
    """

    name: str
    url: str | None = None
    sha256: str | None = None

    @property
    def packaged(self) -> bool:
        """Whether the file ships with afmsr."""
        return self.url is None


@dataclass(frozen=True, kw_only=True)
class Network(Method):
    """A trained network.

    Attributes
    ----------
    count : int
        Number of trained parameters.
    colours : int
        Planes that it takes and gives: 1 (grey) or 3 (grey copied to RGB, as in the paper).
    base : str or None
        Name of the interpolation that its output is added to; None if it predicts the heights.
    weights : WeightsFile
        Its weights, read by the torch engine.
    build : callable
        Returns the untrained ``torch.nn.Module``; imports torch when called, not before.
    onnx : str or None
        File name in the package of the same network as ONNX, which needs no torch.
    halo : int or None
        Input pixels around a tile that influence it noticeably (below 1e-4 of the range beyond
        them); None if every pixel may depend on all others, so that tiles cannot be exact.
    align : int
        Tiles start at multiples of this many input pixels.
    working_bytes : int
        Peak working memory per input pixel, for choosing the size of tiles.
    trained_on : str
        What its weights were trained on, in words.
    """

    count: int
    weights: WeightsFile
    build: Callable[[], Any]
    colours: int = 3
    base: str | None = None
    onnx: str | None = None
    halo: int | None
    align: int = 1
    working_bytes: int
    trained_on: str = "photographs"

    kind: ClassVar[Kind] = "network"

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return self.count


@cache
def methods() -> Mapping[str, Method]:
    """Return every method by name, in the order of the paper's tables, ours last."""
    found: dict[str, Method] = {}
    folder = importlib.import_module(__name__.rpartition(".")[0])
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        short = module.name.rpartition(".")[2]
        if short in _HELPERS or short.endswith("_network"):  # architectures: they import torch
            continue
        for method in getattr(importlib.import_module(module.name), "METHODS", ()):
            if method.name in found:
                raise ValueError(f"two methods are called {method.name!r}")
            found[method.name] = method
    order = {"interpolation": 0, "network": 1}
    ranked = sorted(found.values(), key=lambda m: (m.name == DEFAULT, order[m.kind]))
    return MappingProxyType({method.name: method for method in ranked})


def names() -> tuple[str, ...]:
    """Return the names of all methods."""
    return tuple(methods())


def get(name: str) -> Method:
    """Return the method called `name`.

    Raises
    ------
    UnknownMethodError
        If there is none; the message lists those there are.

    Examples
    --------
    >>> get("bicubic").kind
    'interpolation'
    """
    try:
        return methods()[name.lower().replace("-", "_")]
    except KeyError:
        raise UnknownMethodError(
            f"no method is called {name!r}.{did_you_mean(name, names())} "
            f"There are: {', '.join(names())}"
        ) from None

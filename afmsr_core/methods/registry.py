"""What a method is, and which there are."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from afmsr_core.errors import UnknownMethodError, UsageError, did_you_mean
from afmsr_core.grid import SQUARE, Scale

__all__ = [
    "DEFAULT",
    "Interpolation",
    "Kind",
    "Method",
    "Network",
    "WeightsFile",
    "get",
    "methods",
    "names",
    "networks",
    "scales",
]

DEFAULT = "afm"

Kind = Literal["interpolation", "network"]

_HELPERS = ("choice", "cubic", "download", "orphans", "registry", "shipped", "store", "weights")
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
    scale : Scale
        Output pixels per input pixel.
    extra : str or None
        Optional part of afmsr that it needs (``pip install 'afmsr[EXTRA]'``).
    """

    name: str
    label: str
    summary: str
    source: str
    licence: str
    scale: Scale = SQUARE
    extra: str | None = None

    kind: ClassVar[Kind]
    """What it is: arithmetic on the measured pixels, or trained on examples."""

    @property
    def parameters(self) -> int:
        """Number of trained parameters; 0 for an interpolation."""
        return 0

    @property
    def called(self) -> str:
        """Its name, with what it is for if that is not 4x along both axes."""
        return f"{self.name} for lines x{max(self.scale)}" if self.scale.lines else self.name


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
    own: Callable[[Any, Scale], Any] | None = None

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
        Tiles start at multiples of this many input pixels; of a line scan, of so many lines and
        ``scale.cell`` times as many points of a line. The same holds for `halo`.
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


def methods() -> Mapping[str, Method]:
    """Return every method by name, in the order of the paper's tables, ours last.

    Each as it makes 4x along both axes; :func:`get` has them at other scales.
    """
    return MappingProxyType(
        {name: method for (name, scale), method in _found().items() if scale == SQUARE}
    )


@cache
def _found() -> Mapping[tuple[str, Scale], Method]:
    """Return every descriptor by name and scale."""
    found: dict[tuple[str, Scale], Method] = {}
    folder = importlib.import_module(__name__.rpartition(".")[0])
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        short = module.name.rpartition(".")[2]
        if short in _HELPERS or short.endswith("_network"):  # architectures: they import torch
            continue
        for method in getattr(importlib.import_module(module.name), "METHODS", ()):
            if (key := (method.name, method.scale)) in found:
                raise ValueError(f"two methods are called {method.name!r}")
            found[key] = method
    order = {"interpolation": 0, "network": 1}
    ranked = sorted(found.values(), key=lambda m: (m.name == DEFAULT, order[m.kind]))
    return {(method.name, method.scale): method for method in ranked}


def names() -> tuple[str, ...]:
    """Return the names of all methods."""
    return tuple(methods())


def networks() -> tuple[Network, ...]:
    """Return every network; one that also takes line scans, with its other weights, too."""
    return tuple(method for method in _found().values() if isinstance(method, Network))


def scales(name: str) -> tuple[Scale, ...]:
    """Return the scales at which the method called `name` is trained; none if it needs no training.

    Raises as :func:`get` does.
    """
    method = get(name)
    return tuple(one.scale for one in networks() if one.name == method.name)


def get(name: str, scale: Scale = SQUARE) -> Method:
    """Return the method called `name`.

    Parameters
    ----------
    name : str
        As on the command line.
    scale : Scale
        At which it is wanted. An interpolation does any, a network those it was trained for. That
        of a scan whose lines run down it, ``(1, 4)``, is that of the scan turned.

    Raises
    ------
    UnknownMethodError
        If there is none; the message lists those there are.
    UsageError
        If it was not trained for this scale.

    Examples
    --------
    >>> get("bicubic").kind
    'interpolation'
    >>> get("bicubic", Scale(4, 1)).scale
    Scale(rows=4, columns=1)
    """
    try:
        method = methods()[name.lower().replace("-", "_")]
    except KeyError:
        plain, sign, amount = name.partition("@")
        also = f" Here give --method {plain} --sharpness {amount}." if sign else ""
        raise UnknownMethodError(
            f"no method is called {name!r}.{also or did_you_mean(name, names())} "
            f"There are: {', '.join(names())}"
        ) from None
    upright = scale.upright
    if isinstance(method, Interpolation):
        return method if upright == SQUARE else replace(method, scale=upright)
    try:
        return _found()[method.name, upright]
    except KeyError:
        raise UsageError(
            f"{method.name} makes 4x along both axes, for which it was trained, and not "
            f"{max(scale)}x along one; --scale 4 takes the scan so, or choose --method {DEFAULT}"
        ) from None

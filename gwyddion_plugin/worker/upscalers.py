"""What upscales a scan: loaded once and kept, and how long it takes."""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import replace
from functools import lru_cache

from afmsr_core.channel import Channel
from afmsr_core.errors import AfmsrError, MissingExtraError, UsageError, pip_install
from afmsr_core.grid import Scale, choose
from afmsr_core.inference.onnx_engine import usable_threads
from afmsr_core.methods import Method, Network, registry
from afmsr_core.upscale import Progress, Settings, Upscaler

__all__ = ["estimate", "lack_of", "method_for", "timed", "upscaler_for"]

# A convolution spends two operations per parameter and pixel; a thread of a laptop does about
# this many a second in ONNX Runtime or torch. Only for estimates before anything was measured.
_SPEED = 8e9
_INTERPOLATION = 2e-7  # seconds per input pixel, levelling included; measured
_FEWEST = 4096  # pixels; a run of fewer measures the overhead, not the speed

_rates: dict[tuple[str, Scale], float] = {}


def upscaler_for(settings: Settings, channel: Channel) -> Upscaler:
    """Return what upscales a channel, its network loaded: no run is measured with the loading.

    Raises
    ------
    AfmsrError
        If the method lacks something for it.
    """
    scale = choose(channel, settings.scale).scale
    _require(method_for(settings.method, scale))
    return _loaded(replace(settings, scale=scale.option))


@lru_cache(maxsize=3)
def _loaded(settings: Settings) -> Upscaler:
    """Return what is loaded; the last ones are kept, for the run after the preview."""
    return Upscaler(settings)


def method_for(name: str, scale: Scale) -> Method:
    """Return a method for a scale; if it does not make that, say what to choose in the dialog."""
    method = registry.get(name)
    try:
        return registry.get(name, scale)
    except UsageError as error:
        raise UsageError(
            f"{method.name} makes 4x along both axes only; choose that as the scale, or another "
            f"method, such as {registry.DEFAULT}"
        ) from error


def lack_of(method: Method) -> tuple[str, str]:
    """Say what a method lacks on this machine, in a word, and how to get it; empty if ready."""
    try:
        _require(method)
    except MissingExtraError as error:
        return "PyTorch", str(error)
    except AfmsrError as error:
        return "weights", str(error)
    return "", ""


def _require(method: Method) -> None:
    """Raise if a method lacks something, before anything slow is imported to find that out."""
    if not isinstance(method, Network) or method.onnx is not None:
        return
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError(
            f"{method.name} needs PyTorch: {sys.executable} -m {pip_install('torch')}"
        )
    from afmsr_core.methods import weights

    weights.locate(method)


def estimate(method: Method) -> float:
    """Return the seconds that an input pixel takes: as measured here, else a guess."""
    measured = _rates.get((method.name, method.scale))
    if measured is not None:
        return measured
    # Of a line scan, a network takes as many points together as are as long as lines are apart.
    work = 2.0 * method.parameters / method.scale.cell / (_SPEED * usable_threads())
    return work + _INTERPOLATION


def timed(upscaler: Upscaler, channel: Channel, progress: Progress) -> tuple[Channel, float]:
    """Return what a channel becomes, and the seconds that it took; later estimates know them."""
    began = time.monotonic()
    result = upscaler(channel, progress)
    seconds = time.monotonic() - began
    if channel.heights.size >= _FEWEST:
        method = method_for(upscaler.method.name, upscaler.scale(channel))
        _rates[method.name, method.scale] = seconds / channel.heights.size
    return result, seconds

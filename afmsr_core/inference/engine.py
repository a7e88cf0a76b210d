"""What runs a network: one small interface, one file per engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import AfmsrError, MissingWeightsError, UsageError, WeightsError
from afmsr_core.inference.choices import CHOICES
from afmsr_core.methods.registry import Network

__all__ = ["ENGINES", "Engine", "open_engine", "prepare"]

ENGINES = ("auto", "onnx", "torch")
_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]+)?|mps|directml|coreml")


class Engine(Protocol):
    """A network that is loaded and ready.

    Attributes
    ----------
    name : str
        ``"onnx"`` or ``"torch"``, with its version.
    device : str
        Where it runs, such as ``"cpu"`` or ``"cuda:0"``.
    weights_sha256 : str
        Hex digest of the file that the weights came from.
    """

    name: str
    device: str
    weights_sha256: str

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale grey planes, (n, 1, height, width), by the scale of the network.

        A network for RGB gives what it would give on grey in each colour, weighed to grey.

        Raises
        ------
        MemoryError
            If the device has not enough memory for this size.
        """
        ...

    def rest(self) -> None:
        """Give memory that runs keep for the next back to the system."""
        ...

    def on_cpu(self) -> Engine:
        """Return the same network on the processor, for when a device runs out of memory."""
        ...


def open_engine(
    network: Network,
    *,
    engine: str = "auto",
    device: str = "auto",
    weights: Path | None = None,
    threads: int | None = None,
) -> Engine:
    """Load a network.

    Parameters
    ----------
    network : Network
        Which.
    engine : {"auto", "onnx", "torch"}
        ``"auto"`` is ONNX Runtime for networks that ship as ONNX, and what was measured to be
        faster for the others (:mod:`afmsr_core.inference.choices`), which ONNX Runtime needs an
        export for. Other weights run in torch unless ``"onnx"`` is asked for.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"mps"`` (torch), ``"directml"`` or
        ``"coreml"`` (ONNX Runtime).
    weights : Path, optional
        A file to use in place of the network's own weights.
    threads : int, optional
        Processor threads; by default as many as the process may use.

    Raises
    ------
    UsageError
        If engine and network or engine and device do not go together.
    MissingExtraError, MissingWeightsError, WeightsError
        If something is not installed, not there or not right.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: choose one of {', '.join(ENGINES)}")
    if not _DEVICE.fullmatch(device):
        raise UsageError(
            f"--device {device}: choose auto, cpu, cuda, cuda:0 and so on, mps, directml or coreml"
        )
    if engine == "onnx" or (engine == "auto" and _prefers_onnx(network, device, weights)):
        try:
            return _onnx(network, device, weights, threads)
        except (MissingWeightsError, WeightsError, UsageError):
            raise
        except AfmsrError as error:
            if engine == "onnx":
                raise
            import logging

            logging.getLogger(__name__).warning("%s; torch is used", error)
    if device in ("directml", "coreml"):
        raise UsageError(f"--device {device}: torch does not run there; try --engine onnx")
    from afmsr_core.inference.torch_engine import TorchEngine

    return TorchEngine(network, device=device, weights=weights, threads=threads)


def prepare(network: Network) -> None:
    """Do for a network that ships as ONNX what need not wait until it is opened.

    Raises
    ------
    WeightsError
        If its file is missing or not the one that was published.
    """
    from afmsr_core.inference import onnx_engine
    from afmsr_core.methods import shipped

    if network.onnx is not None:
        shipped.read(network.onnx)
    onnx_engine.runtime()


def _prefers_onnx(network: Network, device: str, weights: Path | None) -> bool:
    if device in ("directml", "coreml"):
        return True
    if weights is not None or device not in ("auto", "cpu"):
        return False
    if network.onnx is not None:
        return True
    if CHOICES.get(network.name) != "onnx" or (device == "auto" and _torch_has_a_card()):
        return False
    from importlib.util import find_spec

    from afmsr_core.inference.exported import exports_of

    # Without torch nothing can be exported, and the torch engine says what to install.
    return find_spec("torch") is not None or bool(exports_of(network))


def _torch_has_a_card() -> bool:
    """Whether torch would find a graphics card, which no processor comes near.

    Looks at the machine, not into torch, whose import takes seconds.
    """
    import sys
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return False
    if sys.platform == "darwin":
        import platform

        return platform.machine() == "arm64"
    return any(Path(where).exists() for where in _CARDS) if sys.platform == "linux" else True


# Drivers of NVIDIA and AMD, as Linux shows them.
_CARDS = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def _onnx(network: Network, device: str, weights: Path | None, threads: int | None) -> Engine:
    if device == "mps":
        raise UsageError("--device mps: the ONNX engine has cpu and coreml; try --engine torch")
    if network.onnx is not None and weights is None:
        from afmsr_core.inference.onnx_engine import OnnxEngine

        return OnnxEngine(network, device, threads)
    if network.colours == 1:
        raise UsageError(f"{network.name}: --weights needs the torch engine; leave out --engine")
    from afmsr_core.inference.exported import ExportedEngine

    return ExportedEngine(network, device, threads, weights)

"""What runs a network: one small interface, one file per engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError
from afmsr_core.methods.registry import Network

__all__ = ["ENGINES", "Engine", "open_engine"]

ENGINES = ("auto", "onnx", "torch")
_DEVICE = re.compile(r"auto|cpu|cuda(:[0-9]+)?|mps")


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
        """Upscale (n, colours, height, width) to (n, colours, 4 height, 4 width).

        Raises
        ------
        MemoryError
            If the device has not enough memory for this size.
        """
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
        ``"auto"`` is ONNX Runtime for networks that ship as ONNX, unless other weights or
        another device than the processor were asked for; else torch.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    weights : Path, optional
        A file to use in place of the network's own weights; torch only.
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
        raise UsageError(f"--device {device}: choose auto, cpu, cuda, cuda:0 and so on, or mps")
    if engine == "auto":
        onnx = network.onnx is not None and weights is None and device in ("auto", "cpu")
        engine = "onnx" if onnx else "torch"
    if engine == "onnx":
        from afmsr_core.inference.onnx_engine import OnnxEngine

        if weights is not None:
            raise UsageError("--weights needs the torch engine; leave out --engine onnx")
        if device not in ("auto", "cpu"):
            raise UsageError(f"--device {device}: the ONNX engine runs on cpu; try --engine torch")
        return OnnxEngine(network, threads=threads)
    from afmsr_core.inference.torch_engine import TorchEngine

    return TorchEngine(network, device=device, weights=weights, threads=threads)

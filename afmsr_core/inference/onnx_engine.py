"""ONNX Runtime: starts fast, needs no torch; what the default network runs on."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError, WeightsError
from afmsr_core.methods import shipped
from afmsr_core.methods.registry import Network

__all__ = [
    "PROVIDERS",
    "THINNEST",
    "OnnxEngine",
    "provider",
    "runtime",
    "session",
    "usable_threads",
]

# What it says when an allocation fails; the second is C++'s own word.
_NO_MEMORY = re.compile(r"failed to allocate memory|bad_alloc|bad allocation", re.IGNORECASE)

PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    # TF32, its default, keeps 10 bits of a height.
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0"}),
    "directml": ("DmlExecutionProvider", {}),
    "coreml": ("CoreMLExecutionProvider", {}),
    "cpu": ("CPUExecutionProvider", {}),
}
"""Devices by name, with ONNX Runtime's name for them and their options."""

# CoreML may compute in half precision, so it is used where it is asked for only.
_BY_ITSELF = ("cuda", "directml", "cpu")
THINNEST = 3  # pixels; folded tails need a row between two edges, and a graph has no other way
TOLERANCE = 1e-3  # of the range: what another device may be off the processor


class OnnxEngine:
    """A network that ships as ONNX; :mod:`afmsr_core.inference.exported` is for the others.

    Parameters
    ----------
    network : Network
        One with an ``onnx`` file in the package.
    device : str
        ``"auto"`` is the first of CUDA and DirectML that the installed ONNX Runtime has, else
        the processor; or ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"directml"``, ``"coreml"``.
    threads : int, optional
        By default as many as the process may use.

    Raises
    ------
    UsageError
        If the device is not there, or its results are not those of the processor.
    WeightsError
        If the model is missing, has changed or cannot be read.
    """

    cure = "install afmsr again"  # where its file is not taken

    def __init__(self, network: Network, device: str = "auto", threads: int | None = None) -> None:
        self._network = network
        self._threads = threads
        model, file, self.weights_sha256 = self._found()
        onnxruntime = runtime()
        self.name = f"onnxruntime {onnxruntime.__version__}"
        self.device = provider(device, onnxruntime.get_available_providers())
        try:
            self._session = session(model, threads, self.device)
        except Exception as error:  # ONNX Runtime's errors have no base
            raise WeightsError(
                f"{file}: ONNX Runtime does not take it on {self.device} "
                f"({str(error).strip().partition(chr(10))[0]}); {self.cure}"
            ) from error
        kind = self.device.partition(":")[0]
        if PROVIDERS[kind][0] not in self._session.get_providers():
            # It goes on without a device whose libraries are not there.
            if device != "auto":
                raise UsageError(
                    f"--device {device}: ONNX Runtime cannot use it here; check the driver, or "
                    f"try --device cpu"
                )
            self.device = "cpu"
        self._input = self._session.get_inputs()[0].name
        if self.device != "cpu" and not (off := self._error()) <= TOLERANCE:
            if device != "auto":
                raise UsageError(
                    f"--device {self.device}: its results are {off:.1e} of the range off those "
                    f"of the processor; try --device cpu"
                )
            self.device, self._session = "cpu", session(model, threads)

    def _found(self) -> tuple[bytes, Path, str]:
        """Return the model, its file, and the SHA-256 of the weights."""
        if self._network.onnx is None:
            raise UsageError(f"{self._network.name} does not ship as ONNX; try --engine torch")
        model, digest = shipped.read(self._network.onnx)
        return model, shipped.path(self._network.onnx), digest

    def _with_device(self, device: str) -> OnnxEngine:
        return OnnxEngine(self._network, device, self._threads)

    def _error(self) -> float:
        """Return how far this device is off the processor, of the range of a result."""
        planes = np.random.default_rng(0).random((1, 1, 37, 45), dtype=np.float32)
        expected, found = self.on_cpu().run(planes), self.run(planes)
        return float(np.abs(found - expected).max()) / (float(np.ptp(expected)) or 1.0)

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale grey planes, (n, 1, height, width), by the scale of the network."""
        try:
            result: NDArray[np.float32] = self._session.run(None, {self._input: planes})[0]
            return result
        except Exception as error:  # ONNX Runtime's errors have no base, this one has no type
            if _NO_MEMORY.search(str(error)):
                raise MemoryError(str(error)) from error
            raise

    def rest(self) -> None:
        """Give memory that runs keep for the next back to the system."""
        if self.device == "cpu":
            options = runtime().RunOptions()
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
            # Only a run does it, when it ends.
            smallest = np.zeros((1, 1, THINNEST, THINNEST), np.float32)
            self._session.run(None, {self._input: smallest}, options)

    def on_cpu(self) -> OnnxEngine:
        """Return the same network on the processor."""
        if self.device == "cpu":
            return self
        return self._with_device("cpu")


def runtime() -> Any:
    """Return the module onnxruntime, whose import takes a third of a second."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it writes into the home folder
    import onnxruntime

    return onnxruntime


def session(model: bytes, threads: int | None, device: str = "cpu") -> Any:
    """Return ONNX Runtime's session of a model.

    Parameters
    ----------
    model : bytes
        ONNX.
    threads : int or None
        By default as many as the process may use.
    device : str
        One of :data:`PROVIDERS`, or such as ``"cuda:1"``.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_threads()
    # Between two layers threads spin, which saves a tenth to a fifth of a small scan; after the
    # last they stop, so that what else there is to do has the processors.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Memory of a layer is taken from the arena by the next. Without it the system maps and clears
    # every large layer anew, a third of the time at 1024 x 1024. OnnxEngine.rest gives it back.
    # A plan for one size of tiles would be kept beside those for all others.
    options.enable_mem_pattern = False
    options.log_severity_level = 4  # a failed allocation is not the end
    kind, _, index = device.partition(":")
    name, settings = PROVIDERS[kind]
    if index:
        settings = {**settings, "device_id": index}
    if kind == "directml":  # which demands it, and that there is no plan
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    wanted = [(name, settings)] if kind == "cpu" else [(name, settings), "CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model, options, providers=wanted)


def provider(device: str, available: Sequence[str]) -> str:
    """Return a device that ONNX Runtime was built with.

    Parameters
    ----------
    device : str
        As on the command line.
    available : sequence of str
        ONNX Runtime's names of its providers.

    Raises
    ------
    UsageError
        If it has no such device.

    Examples
    --------
    >>> provider("auto", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    'cuda'
    >>> provider("auto", ["CoreMLExecutionProvider", "CPUExecutionProvider"])
    'cpu'
    """
    there = [name for name, (theirs, _) in PROVIDERS.items() if theirs in available]
    if device == "auto":
        return next(name for name in _BY_ITSELF if name in there)
    if device.partition(":")[0] not in there:
        raise UsageError(
            f"--device {device}: the installed ONNX Runtime has {', '.join(there)}; choose one of "
            f"them, try --engine torch, or install another (onnxruntime-gpu, onnxruntime-directml)"
        )
    return device


def usable_threads() -> int:
    """Return how many processors this process may use, which in a container is not all."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1

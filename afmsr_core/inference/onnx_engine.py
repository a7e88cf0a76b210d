"""ONNX Runtime: starts fast, needs no torch; what the default network runs on."""

from __future__ import annotations

import hashlib
import os
import re
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError, WeightsError
from afmsr_core.methods.registry import Network

__all__ = ["OnnxEngine", "usable_threads"]

# What it says when an allocation fails; the second is C++'s own word.
_NO_MEMORY = re.compile(r"failed to allocate memory|bad_alloc|bad allocation", re.IGNORECASE)


class OnnxEngine:
    """A network that ships as ONNX, on the processor.

    Parameters
    ----------
    network : Network
        With an ``onnx`` file in the package.
    threads : int, optional
        By default as many as the process may use.
    """

    device = "cpu"

    def __init__(self, network: Network, threads: int | None = None) -> None:
        if network.onnx is None:
            raise UsageError(f"{network.name} does not ship as ONNX; try --engine torch")
        file = resources.files("afmsr_core.data") / network.onnx
        try:
            model = file.read_bytes()
        except OSError as error:
            raise WeightsError(
                f"{network.onnx} is missing from the installed package ({error}); "
                f"install afmsr again"
            ) from error
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it writes into the home folder
        import onnxruntime

        self.name = f"onnxruntime {onnxruntime.__version__}"
        self.weights_sha256 = hashlib.sha256(model).hexdigest()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_threads()
        # Waiting threads would spin, which takes the time of other processes and of --jobs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # tiles differ in size; an arena keeps the largest
        options.log_severity_level = 4  # a failed allocation is not the end
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale (n, colours, height, width) to (n, colours, 4 height, 4 width)."""
        try:
            return self._session.run(None, {self._input: planes})[0]
        except Exception as error:  # ONNX Runtime's errors have no base, this one has no type
            if _NO_MEMORY.search(str(error)):
                raise MemoryError(str(error)) from error
            raise

    def on_cpu(self) -> OnnxEngine:
        """Return itself: it runs nowhere else."""
        return self


def usable_threads() -> int:
    """Return how many processors this process may use, which in a container is not all."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1

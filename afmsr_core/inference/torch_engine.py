"""torch: runs every network, on the processor or a graphics card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import MissingExtraError, UsageError, pip_install
from afmsr_core.inference.onnx_engine import usable_threads
from afmsr_core.methods.registry import Network
from afmsr_core.methods.weights import cached, fill, locate, parse, read, record

if TYPE_CHECKING:
    import torch

__all__ = ["TorchEngine"]

# What torch's allocators say on the processor (Linux, Windows) and on Apple's chips; those of
# graphics cards raise torch.OutOfMemoryError.
_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)


class TorchEngine:
    """A network with its weights, never without.

    Parameters
    ----------
    network : Network
        Which.
    device : str
        ``"auto"`` is the first graphics card if there is one, else the processor; or ``"cpu"``,
        ``"cuda"``, ``"cuda:N"``, ``"mps"``.
    weights : Path, optional
        A file to use in place of the network's own weights; its hash is reported, but there is
        nothing to check it against.
    threads : int, optional
        Processor threads, for all of torch in this process; by default as many as the process
        may use.

    Raises
    ------
    MissingExtraError
        If torch or torchSR are not installed.
    UsageError
        If the device is not there.
    MissingWeightsError
        If the weights are not on this machine.
    WeightsError
        If they are damaged, hold numbers that are not finite, have changed or are those of
        another network.

    Notes
    -----
    Runs under ``inference_mode`` in channels_last, which is 1.1 to 1.8 times faster on
    processors, and on grey planes with less arithmetic (:mod:`afmsr_core.inference.folding`).
    Graphics cards compute in full float32 and reproducibly.
    """

    def __init__(
        self,
        network: Network,
        device: str = "auto",
        weights: Path | None = None,
        threads: int | None = None,
    ) -> None:
        try:
            import safetensors.torch  # noqa: F401 - for the weights
            import torch

            module = network.build()
        except ImportError as error:
            raise MissingExtraError(
                f"{network.label} needs torch and torchSR, and {error.name} is not installed: "
                f"{pip_install('torch')}"
            ) from error
        self._network = network
        self._weights = weights
        self._threads = threads
        self._device = _device(device)
        self.device = str(self._device)
        self.name = f"torch {torch.__version__.partition('+')[0]}"

        path = locate(network, weights)
        data, self.weights_sha256 = read(network, path)
        fill(module, parse(data, str(path)), network, str(path))
        if path == cached(network):
            record(network, self.weights_sha256)
        torch.set_num_threads(threads or usable_threads())
        self._module = module.eval().to(self._device, memory_format=torch.channels_last)
        self._grey: torch.nn.Module | None = None

    def module(self, colours: int) -> torch.nn.Module:
        """Return the network for planes of so many colours; what is linear is folded for grey."""
        import torch

        if colours == self._network.colours:
            return self._module
        if self._grey is None:
            from afmsr_core.inference.folding import fold

            folded = fold(self._module)
            self._grey = folded.to(self._device, memory_format=torch.channels_last)
        return self._grey

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale grey planes, (n, 1, height, width), by the scale of the network.

        A network for RGB also takes (n, 3, height, width), and gives RGB.

        Raises
        ------
        MemoryError
            If the device has not enough memory for this size.
        """
        import torch

        try:
            writable = np.require(planes, np.float32, "W")  # torch wants no other
            with _exact():
                module = self.module(planes.shape[1])
            with torch.inference_mode(), _exact():
                given = torch.from_numpy(writable).to(
                    self._device, memory_format=torch.channels_last
                )
                result: NDArray[np.float32] = module(given).cpu().numpy()
                return result
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or _NO_MEMORY.search(str(error)):
                raise MemoryError(
                    f"{self._network.name}: {planes.shape[2]}x{planes.shape[3]} pixels need more "
                    f"memory than {self.device} has free"
                ) from error
            raise

    def rest(self) -> None:
        """Keep nothing back: torch has no memory of its own on the processor."""

    def on_cpu(self) -> TorchEngine:
        """Return the same network on the processor."""
        if self.device == "cpu":
            return self
        return TorchEngine(self._network, "cpu", self._weights, self._threads)


def _exact() -> Any:
    """Return a context without TF32, which keeps 10 bits of a height: torch's default on cards."""
    import torch

    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)


def _device(name: str) -> torch.device:
    """Return a device that is there.

    Raises
    ------
    UsageError
        If it is not, or there is no such kind.
    """
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    apple = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda:0" if cards else "mps" if apple else "cpu")
    there = ["auto", "cpu", *(f"cuda:{index}" for index in range(cards)), *(["mps"] * apple)]
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in there:
        raise UsageError(f"--device {name}: not on this machine; choose one of {', '.join(there)}")
    return torch.device(wanted)

"""torchSR's networks as ONNX in the cache: exported once, compared with torch, then used.

An export is named after its own SHA-256, and never used if its bytes have another.

ONNX Runtime starts in a tenth of a second where torch and torchSR take several, and is at least
as fast on most networks (see :mod:`afmsr_core.inference.choices`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import (
    AfmsrError,
    MissingExtraError,
    WeightsError,
    pip_install,
)
from afmsr_core.inference.onnx_engine import THINNEST, OnnxEngine, session
from afmsr_core.io.atomic import make_folder, temporaries, writing
from afmsr_core.methods import orphans, shipped
from afmsr_core.methods.registry import Network
from afmsr_core.methods.store import contents
from afmsr_core.methods.weights import locate, model_dir, verify

if TYPE_CHECKING:
    from afmsr_core.inference.torch_engine import TorchEngine

__all__ = [
    "Export",
    "ExportedEngine",
    "exported",
    "exports_of",
    "onnx_files",
    "start_of",
    "verify_onnx",
]

TOLERANCE = 2e-5  # of the range, of ONNX Runtime to torch: twice ROUNDING of folding.py
REVISION = 2  # of what is exported; another makes a new file
OPSET = 17
TEST_SHAPE = (1, 1, 37, 45)  # pixels; no multiple of anything, so that all edges take part
_VERSIONS = ("torch", "torchsr", "onnxruntime")


@dataclass(frozen=True)
class Export:
    """A network as ONNX.

    Attributes
    ----------
    model : bytes
        ONNX.
    file : Path
        In the cache.
    weights_sha256 : str
        Hex digest of the weights that it was made from.
    """

    model: bytes
    file: Path
    weights_sha256: str


class ExportedEngine(OnnxEngine):
    """A network that does not ship as ONNX, exported.

    Parameters
    ----------
    network, device, threads
        As for :class:`afmsr_core.inference.onnx_engine.OnnxEngine`.
    weights : Path, optional
        A file to use in place of the network's own weights.

    Raises
    ------
    UsageError
        If the device is not there, or its results are not those of the processor.
    AfmsrError
        What :func:`exported` raises.
    """

    cure = "remove the file"

    def __init__(
        self,
        network: Network,
        device: str = "auto",
        threads: int | None = None,
        weights: Path | None = None,
    ) -> None:
        self._weights = weights
        super().__init__(network, device, threads)

    def run(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upscale (n, 1, height, width) to (n, 1, 4 height, 4 width)."""
        if min(planes.shape[2:]) >= THINNEST:
            return super().run(planes)
        from afmsr_core.inference.torch_engine import TorchEngine

        # Rare and small, so that torch may take its time.
        return TorchEngine(self._network, "cpu", self._weights, self._threads).run(planes)

    def _found(self) -> tuple[bytes, Path, str]:
        export = exported(self._network, self._weights)
        return export.model, export.file, export.weights_sha256

    def _with_device(self, device: str) -> ExportedEngine:
        return ExportedEngine(self._network, device, self._threads, self._weights)


def exported(network: Network, weights: Path | None = None) -> Export:
    """Return a network as ONNX, which is made first if need be.

    Parameters
    ----------
    network : Network
        Which; it does not ship as ONNX.
    weights : Path, optional
        A file to use in place of the network's own weights.

    Raises
    ------
    MissingExtraError
        If it must be made, and torch, torchSR or onnx are not installed.
    MissingWeightsError, WeightsError
        If the weights are not there or not right.
    OutputError
        If the cache cannot be written to.
    AfmsrError
        If torch cannot export it, or ONNX Runtime does not give what torch gives.

    Notes
    -----
    An export that has changed since it was made is made anew, with a notice in the log.
    """
    digest = verify(network, locate(network, weights))
    for file in sorted(_folder().glob(f"{start_of(network, digest)}-*.onnx")):
        try:
            return Export(_checked(file), file, digest)
        except WeightsError as error:
            logging.getLogger(__name__).warning("%s: now", error)
            with contextlib.suppress(OSError):
                file.unlink()
    return _export(network, weights)


def exports_of(network: Network) -> list[Path]:
    """Return the exports of a network in the cache, of whatever weights and versions."""
    return sorted(_folder().glob(f"{network.name}-*.onnx"))


def onnx_files(network: Network) -> list[Path]:
    """Return what ONNX Runtime runs of a network: the file that ships, or every export."""
    return exports_of(network) if network.onnx is None else [shipped.path(network.onnx)]


def verify_onnx(file: Path) -> str:
    """Return the SHA-256 of one of :func:`onnx_files`, after checking it and loading it.

    Raises
    ------
    WeightsError
        If it has changed since it was made, cannot be read, or ONNX Runtime does not take it.
    """
    ships = file == shipped.path(file.name)
    model = shipped.read(file.name)[0] if ships else _checked(file)
    try:
        session(model, threads=1)
    except Exception as error:  # ONNX Runtime's errors have no base
        reason = str(error).strip().partition("\n")[0]
        cure = "install afmsr again" if ships else "remove it"
        raise WeightsError(f"{file}: ONNX Runtime does not take it ({reason}); {cure}") from error
    return hashlib.sha256(model).hexdigest()


def start_of(network: Network, digest: str) -> str:
    """Return how the name of an export begins: network, weights, all versions that matter."""
    versions = []
    for package in _VERSIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found = importlib.metadata.version(package).partition("+")[0]
            versions.append(f"{package}{found}")
    return f"{network.name}-{digest[:16]}-r{REVISION}-{'-'.join(versions)}"


def _folder() -> Path:
    return model_dir() / "exported"


def _checked(file: Path) -> bytes:
    """Return the bytes of an export.

    Raises
    ------
    WeightsError
        If it has changed since it was made, or cannot be read.
    """
    model, found = contents(file)
    if found != file.stem.rpartition("-")[2]:
        raise WeightsError(
            f"{file}: has changed since it was made, its SHA-256 is {found[:16]}… now; remove it, "
            f"and it is made again when it is needed"
        )
    return model


def _export(network: Network, weights: Path | None) -> Export:
    from afmsr_core.inference.torch_engine import TorchEngine

    engine = TorchEngine(network, "cpu", weights)
    try:
        model = _graph(engine)
    except ImportError as error:
        raise MissingExtraError(
            f"{network.label} as ONNX needs {error.name}: {pip_install('torch')}"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # torch's exporter raises whatever it stumbles over
        reason = str(error).strip().partition("\n")[0]
        raise AfmsrError(
            f"{network.name}: torch cannot export it ({reason}); use --engine torch"
        ) from error
    _compare(model, engine, network)
    start = start_of(network, engine.weights_sha256)
    file = _folder() / f"{start}-{hashlib.sha256(model).hexdigest()}.onnx"
    make_folder(file.parent, "choose another folder with AFMSR_MODEL_DIR, or use --engine torch")
    with writing(file, force=True) as opened:
        orphans.hold(opened)
        opened.write(model)
    orphans.sweep(temporaries(file))
    # What other versions made of the same weights is of no more use.
    for old in file.parent.glob(f"{start.partition('-r')[0]}-r*.onnx"):
        if old != file:
            with contextlib.suppress(OSError):
                old.unlink()
    return Export(model, file, engine.weights_sha256)


def _graph(engine: TorchEngine) -> bytes:
    import onnx  # noqa: F401 - torch's exporter wants it and says so late
    import torch

    target = io.BytesIO()
    speaking = logging.getLogger("torch.onnx")
    before = speaking.level
    speaking.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a tracer that sees sizes as constants
            torch.onnx.export(
                engine.module(1),
                (torch.rand(TEST_SHAPE),),
                target,
                dynamo=False,  # the other exporter fixes sizes, and needs onnxscript
                opset_version=OPSET,
                input_names=["grey"],
                output_names=["fine"],
                dynamic_axes={
                    "grey": {0: "n", 2: "height", 3: "width"},
                    "fine": {0: "n", 2: "4*height", 3: "4*width"},
                },
            )
    finally:
        speaking.setLevel(before)
    return target.getvalue()


def _compare(model: bytes, engine: TorchEngine, network: Network) -> None:
    """Run both on noise, the hardest field, of another shape than it was traced with.

    Raises
    ------
    AfmsrError
        If they differ.
    """
    runner = session(model, threads=None)
    for shape in (TEST_SHAPE, (2, 1, 20, THINNEST)):
        planes = np.random.default_rng(0).random(shape, dtype=np.float32)
        (found,) = runner.run(None, {runner.get_inputs()[0].name: planes})
        expected = engine.run(planes)
        error = float(np.abs(found - expected).max()) / (float(np.ptp(expected)) or 1.0)
        if not error <= TOLERANCE:
            raise AfmsrError(
                f"{network.name}: ONNX Runtime is {error:.1e} of the range off torch, more than "
                f"{TOLERANCE:.0e}; use --engine torch"
            )

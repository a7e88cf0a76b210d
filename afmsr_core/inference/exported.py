"""torchSR's networks as ONNX in the cache: exported once, compared with torch, then used.

ONNX Runtime starts in a tenth of a second where torch and torchSR take several, and is at least
as fast on most networks (see :mod:`afmsr_core.inference.choices`).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from afmsr_core.errors import AfmsrError, MissingExtraError, OutputError, pip_install
from afmsr_core.io.atomic import writing
from afmsr_core.methods.registry import Network
from afmsr_core.methods.weights import locate, model_dir, verify

if TYPE_CHECKING:
    from afmsr_core.inference.torch_engine import TorchEngine

__all__ = ["THINNEST", "exported", "name_of", "was_exported"]

THINNEST = 3  # pixels; folded tails need a row between two edges, and a graph has no other way
TOLERANCE = 2e-5  # of the range, of ONNX Runtime to torch: float32 sums in another order
REVISION = 1  # of what is exported; another makes a new file
OPSET = 17
TEST_SHAPE = (1, 1, 37, 45)  # pixels; no multiple of anything, so that all edges take part
_VERSIONS = ("torch", "torchsr", "onnxruntime")


def exported(network: Network, weights: Path | None = None) -> tuple[Path, str]:
    """Return the ONNX file of a network, which is made first if need be.

    Parameters
    ----------
    network : Network
        Which; it does not ship as ONNX.
    weights : Path, optional
        A file to use in place of the network's own weights.

    Returns
    -------
    Path
        In the cache. Its name has the hash of the weights and the versions that made it.
    str
        Hex digest of the weights.

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
    """
    digest = verify(network, locate(network, weights))
    file = model_dir() / "exported" / name_of(network, digest)
    if not file.is_file():
        _export(network, weights, file)
    return file, digest


def was_exported(network: Network) -> bool:
    """Whether the cache holds an export of the network, of whatever weights and versions."""
    return any((model_dir() / "exported").glob(f"{network.name}-*.onnx"))


def name_of(network: Network, digest: str) -> str:
    """Return the file name of an export: network, weights and all versions that matter."""
    versions = []
    for package in _VERSIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found = importlib.metadata.version(package).partition("+")[0]
            versions.append(f"{package}{found}")
    return f"{network.name}-{digest[:16]}-r{REVISION}-{'-'.join(versions)}.onnx"


def _export(network: Network, weights: Path | None, file: Path) -> None:
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
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{file.parent}: cannot be made ({error.strerror}); choose another folder with "
            f"AFMSR_MODEL_DIR, or use --engine torch"
        ) from error
    with writing(file, force=True) as opened:
        opened.write(model)
    # What other versions made of the same weights is of no more use.
    start = file.name.partition("-r")[0]
    for old in file.parent.glob(f"{start}-r*.onnx"):
        if old != file:
            with contextlib.suppress(OSError):
                old.unlink()


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
    from afmsr_core.inference.onnx_engine import session

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

"""The weights of the networks on this machine: where they are, whether they are right.

Weights that ship with afmsr are in the package. Those that others publish are in the folder of
fetched files (:mod:`afmsr_core.methods.store`).

Weights are data, never code: safetensors, or ``torch.load`` with ``weights_only=True``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from afmsr_core.errors import MissingWeightsError, WeightsError
from afmsr_core.methods import store
from afmsr_core.methods.registry import Network, methods
from afmsr_core.methods.store import FetchedFile, model_dir

if TYPE_CHECKING:
    import torch

__all__ = [
    "cached",
    "expected_hash",
    "fetched",
    "file_of",
    "kind_of",
    "load_state",
    "locate",
    "model_dir",
    "networks",
    "record",
    "verify",
]


def networks() -> tuple[Network, ...]:
    """Return every method that has weights."""
    return tuple(method for method in methods().values() if isinstance(method, Network))


def fetched() -> tuple[FetchedFile, ...]:
    """Return the weights of every network that does not ship with afmsr."""
    return tuple(file_of(network) for network in networks() if not network.weights.packaged)


def file_of(network: Network) -> FetchedFile:
    """Return how the weights of `network`, which does not ship with afmsr, are fetched."""
    return FetchedFile(
        key=network.name,
        name=network.weights.name,
        url=str(network.weights.url),
        licence=network.licence,
        noun="weights",
        accepts=_holds_weights,
        sha256=network.weights.sha256,
    )


def cached(network: Network) -> Path:
    """Return where the weights of `network` are, or would be, on this machine."""
    if network.weights.packaged:
        return Path(str(resources.files("afmsr_core") / "data" / network.weights.name))
    return store.cached(file_of(network))


def locate(network: Network, file: str | Path | None = None) -> Path:
    """Return the file with the weights of `network`.

    Parameters
    ----------
    network : Network
        Which.
    file : path, optional
        A file of the user's to take instead.

    Raises
    ------
    MissingWeightsError
        If the file is not there; the message says how to get it.
    """
    if file is not None:
        path = Path(file).expanduser()
        if not path.is_file():
            found = "is a folder" if path.is_dir() else "does not exist"
            raise MissingWeightsError(f"{path}: {found}; give the file with the weights")
        return path
    path = cached(network)
    if path.is_file():
        return path
    if network.weights.packaged:
        raise MissingWeightsError(
            f"{network.name}: {network.weights.name} is missing from the installed package; "
            f"install afmsr again"
        )
    raise MissingWeightsError(
        f"{network.name}: its weights are not on this machine ({path} is missing). "
        f"With internet: `afmsr models fetch {network.name}` (AFMSR_MODEL_URL names a mirror). "
        f"Without: get {network.weights.url} elsewhere and run `afmsr models import FILE`"
    )


def expected_hash(network: Network) -> str | None:
    """Return the SHA-256 that the weights must have; None if nothing is known yet."""
    if network.weights.packaged:
        return network.weights.sha256
    return store.expected_hash(file_of(network))


def verify(network: Network, path: Path | None = None) -> str:
    """Return the SHA-256 of the weights of `network` after checking it.

    Parameters
    ----------
    network : Network
        Which.
    path : Path, optional
        The file, from :func:`locate`, which is also the default. A file of the user's own, not
        that of the cache or the package, has nothing to be checked against.

    Raises
    ------
    MissingWeightsError
        If the file is not there.
    WeightsError
        If it is not the file that it was when it arrived, or cannot be read.
    """
    path = locate(network) if path is None else path
    if path != cached(network):
        return store.sha256_of(path)
    if not network.weights.packaged:
        return store.verify(file_of(network))
    found = store.sha256_of(path)
    if network.weights.sha256 not in (None, found):
        raise WeightsError(
            f"{path}: has changed: its SHA-256 is {found[:16]}…, but "
            f"{str(network.weights.sha256)[:16]}… was published; install afmsr again"
        )
    return found


def record(network: Network, digest: str) -> None:
    """Write down the SHA-256 of fetched weights, for :func:`verify`."""
    if not network.weights.packaged:
        store.record(file_of(network), digest)


# --- reading ---------------------------------------------------------------------------------


def kind_of(path: Path) -> Literal["safetensors", "torch"] | None:
    """Return in which format the weights in a file are, by its first bytes; None if in neither.

    Source: safetensors' format (a 64-bit length, then JSON); torch's are a zip archive or,
    before torch 1.6, a pickle of protocol 2.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(9)
    except OSError:
        return None
    if head.startswith((b"PK\x03\x04", b"\x80\x02")):
        return "torch"
    if len(head) == 9 and head.endswith(b"{") and struct.unpack("<Q", head[:8])[0] <= size - 8:
        return "safetensors"
    return None


def _holds_weights(path: Path) -> bool:
    return kind_of(path) is not None


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """Read weights, as data only.

    Parameters
    ----------
    path : Path
        safetensors or torch's own format.

    Returns
    -------
    dict of str to Tensor
        On the processor, float32.

    Raises
    ------
    WeightsError
        If the file is damaged, holds code, or holds something else than named tensors.
    """
    import torch
    from safetensors.torch import load_file

    kind = kind_of(path)
    if kind is None:
        raise WeightsError(f"{path}: holds no weights (neither safetensors nor torch's format)")
    try:
        state = (
            load_file(path)
            if kind == "safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes raise whatever they hit first
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise WeightsError(
            f"{path}: cannot be read as weights ({reason}); nothing of it was run. "
            f"Get the file again from its publisher"
        ) from error
    if not isinstance(state, Mapping) or not state or not all(map(_plain, state.values())):
        raise WeightsError(
            f"{path}: holds {type(state).__name__}, not a plain table of named tensors; "
            f"save the network's state_dict() alone"
        )
    return {str(key): value.float() for key, value in state.items()}


def _plain(value: object) -> bool:
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.is_floating_point()
    )

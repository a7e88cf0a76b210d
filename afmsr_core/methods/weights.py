"""The weights of the networks on this machine: where they are, whether they are right.

Weights that ship with afmsr are in the package. Those that others publish are in the folder of
fetched files (:mod:`afmsr_core.methods.store`).

Weights are data, never code: safetensors, or ``torch.load`` with ``weights_only=True``.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from afmsr_core.errors import MissingWeightsError, WeightsError
from afmsr_core.methods import shipped, store
from afmsr_core.methods.registry import Network, networks
from afmsr_core.methods.store import FetchedFile, model_dir

if TYPE_CHECKING:
    import torch

__all__ = [
    "cached",
    "check",
    "expected_hash",
    "fetched",
    "file_of",
    "fill",
    "kind_of",
    "load_state",
    "locate",
    "model_dir",
    "networks",
    "parse",
    "read",
    "record",
    "verify",
]


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
        check=partial(check, network),
        sha256=network.weights.sha256,
    )


def cached(network: Network) -> Path:
    """Return where the weights of `network` are, or would be, on this machine."""
    if network.weights.packaged:
        return shipped.path(network.weights.name)
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
            found = "does not exist" if not path.exists() else "is no file"
            found = "is a folder" if path.is_dir() else found
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
        return shipped.expected_hash(network.weights.name)
    return store.expected_hash(file_of(network))


def verify(network: Network, path: Path | None = None, load: bool = False) -> str:
    """Return the SHA-256 of the weights of `network` after checking it.

    Parameters
    ----------
    network : Network
        Which.
    path : Path, optional
        The file, from :func:`locate`, which is also the default. A file of the user's own, not
        that of the cache or the package, has nothing to be checked against.
    load : bool
        Check that they load into the network, too.

    Raises
    ------
    MissingWeightsError
        If the file is not there.
    WeightsError
        If it is not the file that it was when it arrived, does not load, or cannot be read.
    """
    path = locate(network) if path is None else path
    data, digest = read(network, path)
    if load:
        check(network, data, str(path))
    return digest


def read(network: Network, path: Path) -> tuple[bytes, str]:
    """Return the bytes of weights and their SHA-256. Raises as `verify` does.

    Load these bytes: a file may change between two looks at it.
    """
    if path != cached(network):
        return store.contents(path)
    if network.weights.packaged:
        return shipped.read(network.weights.name)
    return store.read(file_of(network))


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
        with path.open("rb") as file:
            return _kind(file.read(_HEAD), path.stat().st_size)
    except OSError:
        return None


_HEAD = 9  # bytes
_NOTES = "__metadata__"  # the only key of a header that is no tensor's
_ZIP = b"PK\x03\x04"


def _kind(head: bytes, size: int) -> Literal["safetensors", "torch"] | None:
    if head.startswith((_ZIP, b"\x80\x02")):
        return "torch"
    if len(head) == _HEAD and head.endswith(b"{") and struct.unpack("<Q", head[:8])[0] <= size - 8:
        return "safetensors"
    return None


def _holds_weights(path: Path) -> bool:
    return kind_of(path) is not None


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """Read weights from a file. Raises as `parse` does, and if the file cannot be read."""
    return parse(store.contents(path)[0], str(path))


def parse(data: bytes, where: str) -> dict[str, torch.Tensor]:
    """Return the weights in some bytes, read as data only.

    Parameters
    ----------
    data : bytes
        safetensors or torch's own format.
    where : str
        How messages call them.

    Returns
    -------
    dict of str to Tensor
        On the processor, float32, every number finite.

    Raises
    ------
    WeightsError
        If they are damaged, hold code, or something else than named tensors of finite numbers.
    """
    import torch
    from safetensors.torch import load

    kind = _kind(data[:_HEAD], len(data))
    if kind is None:
        raise WeightsError(
            f"{where}: holds no weights (neither safetensors nor torch's format); get the file "
            f"again from its publisher"
        )
    try:
        state = (
            load(data)
            if kind == "safetensors"
            else torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        )
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes raise whatever they hit first
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise _unreadable(where, reason) from error
    if not isinstance(state, Mapping) or not state or not all(map(_plain, state.values())):
        raise WeightsError(
            f"{where}: holds {type(state).__name__}, not a plain table of named tensors; "
            f"save the network's state_dict() alone"
        )
    found = {str(key): value.float() for key, value in state.items()}
    for name, tensor in found.items():
        if wrong := int(tensor.numel() - torch.isfinite(tensor).sum()):
            raise WeightsError(
                f"{where}: {wrong} of the {tensor.numel()} numbers of {name} are NaN or infinite: "
                f"the file is damaged, or training went wrong; get it again from its publisher, "
                f"or take weights from an earlier step"
            )
    return found


def _unreadable(where: str, reason: str) -> WeightsError:
    return WeightsError(
        f"{where}: cannot be read as weights ({reason}); nothing of it was run. "
        f"Get the file again from its publisher"
    )


def _plain(value: object) -> bool:
    import torch

    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.is_floating_point()
    )


# --- networks --------------------------------------------------------------------------------


def fill(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor], network: Network, where: str
) -> None:
    """Put weights into a module, all of them and no others.

    Raises
    ------
    WeightsError
        If names or shapes differ; the message has the first difference.
    """
    difference = _first_difference(module.state_dict(), state)
    if difference:
        raise WeightsError(
            f"{where}: not the weights of {network.called}: {difference}; choose the --method and "
            f"--scale that they belong to, or other weights"
        )
    module.load_state_dict(state, strict=True, assign=True)


def _first_difference(
    needed: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]
) -> str | None:
    for name, tensor in needed.items():
        if name not in found:
            return f"{name} is missing"
        if found[name].shape != tensor.shape:
            return f"{name} has the shape {tuple(found[name].shape)}, not {tuple(tensor.shape)}"
    extra = next((name for name in found if name not in needed), None)
    return None if extra is None else f"{extra} has no place in it"


def check(network: Network, data: bytes, where: str) -> None:
    """Refuse bytes that do not load into a network.

    Without torch, which not every machine has that weights are put on, only what tells a whole
    file from a part of it is looked at; the rest is when they are used.

    Raises
    ------
    WeightsError
        As by :func:`parse` and :func:`fill`.
    """
    try:
        import safetensors.torch  # noqa: F401
        import torch  # noqa: F401

        module = network.build()
    except ImportError:
        _check_whole(data, where)
        return
    fill(module, parse(data, where), network, where)


def _check_whole(data: bytes, where: str) -> None:
    if _kind(data[:_HEAD], len(data)) == "safetensors":
        _check_length(data, where)
        return
    if not data.startswith(_ZIP):
        return  # an old pickle does not tell
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _unreadable(where, str(error)) from error
    if damaged is not None:
        raise _unreadable(where, f"{damaged} in it is damaged")


def _check_length(data: bytes, where: str) -> None:
    """Compare the length of safetensors with what their header says."""
    (header,) = struct.unpack("<Q", data[:8])
    try:
        tensors = json.loads(data[8 : 8 + header])
        last = max(one["data_offsets"][1] for key, one in tensors.items() if key != _NOTES)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise _unreadable(where, f"its header is damaged: {error!r}") from error
    if 8 + header + last != len(data):
        raise _unreadable(where, f"it has {len(data)} bytes instead of {8 + header + last}")

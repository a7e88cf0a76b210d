"""The weights of the networks on this machine: where they are, whether they are right.

Weights that ship with afmsr are in the package. Those that others publish are in a cache folder
of the user, put there by :func:`afmsr_core.methods.download.fetch` or :func:`import_weights`,
each with its SHA-256 in a file beside it. That hash is recorded when the file arrives (or when
it is first used, if somebody put it there by hand) and checked at every use from then on.

Weights are data, never code: safetensors, or ``torch.load`` with ``weights_only=True``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import struct
import zipfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Literal

from afmsr_core.errors import MissingWeightsError, OutputError, UsageError, WeightsError
from afmsr_core.io.atomic import writing
from afmsr_core.methods.registry import Network, methods

if TYPE_CHECKING:
    import torch

__all__ = [
    "LARGEST",
    "cached",
    "expected_hash",
    "forget",
    "import_weights",
    "kind_of",
    "load_state",
    "locate",
    "model_dir",
    "networks",
    "record",
    "verify",
]

LARGEST = 1 << 30
"""No weights file is larger, in bytes; the largest, EDSR's, has 172 MB."""


def networks() -> tuple[Network, ...]:
    """Return every method that has weights."""
    return tuple(method for method in methods().values() if isinstance(method, Network))


def model_dir() -> Path:
    """Return the folder of downloaded weights, which need not exist.

    It is ``AFMSR_MODEL_DIR``, or ``models`` in the user's cache folder for afmsr as the
    operating system has it (``~/.cache/afmsr`` on Linux).
    """
    named = os.environ.get("AFMSR_MODEL_DIR")
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("afmsr")).expanduser() / "models"


def cached(network: Network) -> Path:
    """Return where the weights of `network` are, or would be, on this machine."""
    if network.weights.packaged:
        return Path(str(resources.files("afmsr_core") / "data" / network.weights.name))
    return model_dir() / network.weights.name


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


# --- hashes ----------------------------------------------------------------------------------


def expected_hash(network: Network) -> str | None:
    """Return the SHA-256 that the file in the cache must have; None if nothing is known yet."""
    if network.weights.sha256 or network.weights.packaged:
        return network.weights.sha256
    try:
        text = _record_of(network).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    match = re.match(r"[0-9a-f]{64}\b", text)
    if match is None:
        raise WeightsError(
            f"{_record_of(network)}: holds no SHA-256; "
            f"run `afmsr models fetch --force {network.name}`, or import the weights again"
        )
    return match[0]


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
    try:
        found = _sha256(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check its mode") from error
    expected = expected_hash(network) if path == cached(network) else None
    if expected is not None and found != expected:
        since = "published" if network.weights.sha256 else "recorded when it arrived"
        cure = (
            "install afmsr again"
            if network.weights.packaged
            else f"if you did not change it, run `afmsr models fetch --force {network.name}`; "
            f"if you did, run `afmsr models import` on your file"
        )
        raise WeightsError(
            f"{path}: has changed: its SHA-256 is {found[:16]}…, but {expected[:16]}… was {since}; "
            f"{cure}"
        )
    return found


def record(network: Network, digest: str) -> None:
    """Write down the SHA-256 of the weights in the cache, for :func:`verify`.

    In the form of ``sha256sum``. A cache that cannot be written to, such as one that a
    laboratory shares, is left as it is.
    """
    if network.weights.packaged:
        return
    line = f"{digest}  {network.weights.name}\n"
    with contextlib.suppress(OutputError), writing(_record_of(network), force=True) as file:
        file.write(line.encode("ascii"))


def forget(network: Network) -> None:
    """Remove the weights of `network` and their recorded hash from the cache.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    if network.weights.packaged:
        return
    for path in (cached(network), _record_of(network)):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: not removed ({error.strerror}); check the folder's mode, or choose "
                f"another with AFMSR_MODEL_DIR"
            ) from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _record_of(network: Network) -> Path:
    return model_dir() / f"{network.weights.name}.sha256"


# --- importing -------------------------------------------------------------------------------


def import_weights(source: str | Path) -> tuple[Network, ...]:
    """Copy weights into the cache, for machines without internet.

    Parameters
    ----------
    source : path
        A weights file, a folder or a zip archive; files are known by their names, such as
        ``carn.pt``, wherever they are in it.

    Returns
    -------
    tuple of Network
        Whose weights were found; their hashes are recorded anew.

    Raises
    ------
    UsageError
        If there is nothing of that name, or no file with the name of any weights.
    WeightsError
        If a file of such a name holds no weights or is too large, or the archive is damaged.
        Files before it have been imported.
    OutputError
        If the cache cannot be written to.
    """
    source = Path(source).expanduser()
    wanted = {net.weights.name: net for net in networks() if not net.weights.packaged}
    if not source.exists():
        raise UsageError(f"{source}: does not exist; give a weights file, a folder or a zip")
    found: dict[str, Network] = {}
    for name, size, stream in _candidates(source, wanted):
        with stream:
            if size > LARGEST:
                raise WeightsError(
                    f"{source}: {name} has {size} bytes, more than any weights; "
                    f"get it again from {wanted[name].weights.url}"
                )
            _put(wanted[name], stream, source)
        found[name] = wanted[name]
    if not found:
        raise UsageError(
            f"{source}: holds none of {', '.join(wanted)}; name the files so, or use "
            f"`afmsr upscale --weights FILE` for other weights of the same network"
        )
    return tuple(found.values())


def _candidates(
    source: Path, wanted: Mapping[str, Network]
) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield name, size and content of each file of a wanted name; nothing is unpacked."""
    try:
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                if path.name in wanted and path.is_file():
                    yield path.name, path.stat().st_size, path.open("rb")
        elif source.name in wanted:
            yield source.name, source.stat().st_size, source.open("rb")
        elif zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                for entry in archive.infolist():
                    # Only the last part of a name counts, and only if it is one of ours:
                    # whatever path an archive claims, it cannot leave the cache.
                    name = PurePosixPath(entry.filename.replace("\\", "/")).name
                    if name in wanted and not entry.is_dir():
                        yield name, entry.file_size, archive.open(entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise WeightsError(f"{source}: cannot be read ({error}); copy it again") from error


def _put(network: Network, stream: IO[bytes], source: Path) -> None:
    """Copy one file into the cache and record its hash."""
    target = cached(network)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{target.parent}: cannot be made ({error.strerror}); "
            f"choose another folder with AFMSR_MODEL_DIR"
        ) from error
    with writing(target, force=True) as file:
        try:
            shutil.copyfileobj(stream, file, 1 << 20)
        except (zipfile.BadZipFile, EOFError) as error:
            raise WeightsError(
                f"{source}: {network.weights.name} in it is damaged ({error}); copy it again"
            ) from error
        file.flush()
        if kind_of(Path(file.name)) is None:
            raise WeightsError(
                f"{source}: {network.weights.name} in it holds no weights; "
                f"get it again from {network.weights.url}"
            )
        digest = _sha256(Path(file.name))
        if network.weights.sha256 not in (None, digest):
            raise WeightsError(
                f"{source}: {network.weights.name} in it has the SHA-256 {digest[:16]}…, but "
                f"{str(network.weights.sha256)[:16]}… was published; get it again from "
                f"{network.weights.url}"
            )
        # Before the file takes its name: a file with an old record would count as changed.
        record(network, digest)


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

"""The folder of fetched files: weights of networks, parameters of metrics.

Others publish them, afmsr does not ship them. Each is put here by
:func:`afmsr_core.methods.download.fetch` or :func:`import_files`, with its SHA-256 in a file
beside it. That hash is recorded when the file arrives and was found to load (or when it is first
used, if somebody put it there by hand) and checked from then on. Where the publisher's hash is
known, it must be that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from afmsr_core.errors import OutputError, UsageError, WeightsError
from afmsr_core.io.atomic import make_folder, temporaries, writing
from afmsr_core.methods import orphans

__all__ = [
    "LARGEST",
    "FetchedFile",
    "cached",
    "contents",
    "expected_hash",
    "forget",
    "import_files",
    "model_dir",
    "read",
    "record",
    "recorded_hash",
    "sha256_of",
    "sweep",
    "verify",
]

LARGEST = 1 << 30
"""No file is larger, in bytes; the largest, EDSR's weights, has 172 MB."""


@dataclass(frozen=True, kw_only=True)
class FetchedFile:
    """A file that others publish, and what is known about it.

    Attributes
    ----------
    key : str
        As ``afmsr models fetch`` calls it.
    name : str
        File name in the folder, and on a mirror.
    url : str
        Where it is published.
    licence : str
        What its publisher allows.
    noun : str
        What it holds, as messages call it: ``"weights"``, ``"parameters"``.
    accepts : callable
        Whether a file looks like one of its kind, by its first bytes; a log-in page does not.
    check : callable
        Gets bytes, and how messages shall call them; raises :class:`WeightsError` unless they
        are whole and load. Where the publisher's hash is known, that says as much.
    sha256 : str or None
        Hex digest where the publisher's is known; else it is recorded when the file arrives.
    size : int or None
        Bytes, where they are known.
    """

    key: str
    name: str
    url: str
    licence: str
    noun: str
    accepts: Callable[[Path], bool]
    check: Callable[[bytes, str], None] = field(compare=False)
    sha256: str | None = None
    size: int | None = None

    @property
    def largest(self) -> int:
        """Bytes beyond which it is another file."""
        return LARGEST if self.size is None else self.size


def model_dir() -> Path:
    """Return the folder, which need not exist.

    It is ``AFMSR_MODEL_DIR``, or ``models`` in the user's cache folder for afmsr as the
    operating system has it (``~/.cache/afmsr`` on Linux).
    """
    named = os.environ.get("AFMSR_MODEL_DIR")
    if named:
        return Path(named).expanduser()
    import platformdirs  # by which pooch, that takes ten times as long to import, finds it too

    return Path(platformdirs.user_cache_dir("afmsr")).expanduser() / "models"


def cached(file: FetchedFile) -> Path:
    """Return where a file is, or would be, on this machine."""
    return model_dir() / file.name


# --- hashes ----------------------------------------------------------------------------------


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    with _readable(path), path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def contents(path: Path) -> tuple[bytes, str]:
    """Return the bytes of a file and their SHA-256: what is loaded is what was hashed.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    with _readable(path):
        data = path.read_bytes()
    return data, hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); check its mode") from error


def expected_hash(file: FetchedFile) -> str | None:
    """Return the SHA-256 that a file must have: published or recorded; None if neither is."""
    return file.sha256 or recorded_hash(file)


def recorded_hash(file: FetchedFile) -> str | None:
    """Return the SHA-256 that a file had when it arrived, None if nothing was recorded.

    Raises
    ------
    WeightsError
        If the record is damaged.
    """
    try:
        text = _record_of(file).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    match = re.match(r"[0-9a-f]{64}\b", text)
    if match is None:
        raise WeightsError(
            f"{_record_of(file)}: holds no SHA-256; "
            f"run `afmsr models fetch --force {file.key}`, or import the {file.noun} again"
        )
    return match[0]


def read(file: FetchedFile) -> tuple[bytes, str]:
    """Return the bytes of a file in the folder and their SHA-256. Raises as `verify` does."""
    data, found = contents(cached(file))
    _unchanged(file, found)
    return data, found


def verify(file: FetchedFile, load: bool = False) -> str:
    """Return the SHA-256 of a file in the folder after checking it.

    Parameters
    ----------
    file : FetchedFile
        Which.
    load : bool
        Check that it loads, too.

    Raises
    ------
    WeightsError
        If it is not what it was when it arrived, does not load, or cannot be read.
    """
    if load:
        data, found = read(file)
        file.check(data, str(cached(file)))
        return found
    found = sha256_of(cached(file))
    _unchanged(file, found)
    return found


def _unchanged(file: FetchedFile, found: str) -> None:
    expected, path = expected_hash(file), cached(file)
    if expected is not None and found != expected:
        since = "published" if file.sha256 else "recorded when it arrived"
        raise WeightsError(
            f"{path}: has changed: its SHA-256 is {found[:16]}…, but {expected[:16]}… was {since}; "
            f"if you did not change it, run `afmsr models fetch --force {file.key}`; "
            f"if you did, run `afmsr models import` on your file"
        )


def record(file: FetchedFile, digest: str) -> None:
    """Write down the SHA-256 of a file in the folder, for :func:`verify`.

    In the form of ``sha256sum``. A folder that cannot be written to, such as one that a
    laboratory shares, is left as it is.
    """
    line = f"{digest}  {file.name}\n"
    with contextlib.suppress(OutputError), writing(_record_of(file), force=True) as stream:
        orphans.hold(stream)
        stream.write(line.encode("ascii"))


def forget(file: FetchedFile) -> None:
    """Remove a file and its recorded hash from the folder.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    for path in (cached(file), _record_of(file)):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: not removed ({error.strerror}); check the folder's mode, or choose "
                f"another with AFMSR_MODEL_DIR"
            ) from error


def sweep(file: FetchedFile) -> None:
    """Remove what killed processes left that were writing a file or its hash."""
    orphans.sweep([*temporaries(cached(file)), *temporaries(_record_of(file))])


def _record_of(file: FetchedFile) -> Path:
    return model_dir() / f"{file.name}.sha256"


# --- importing -------------------------------------------------------------------------------


def import_files(source: str | Path, files: Iterable[FetchedFile]) -> tuple[FetchedFile, ...]:
    """Copy files into the folder, for machines without internet.

    Parameters
    ----------
    source : path
        One of the files, a folder or a zip archive; files are known by their names, such as
        ``carn.pt``, wherever they are in it.
    files : iterable of FetchedFile
        Those that are wanted.

    Returns
    -------
    tuple of FetchedFile
        Those that were found; their hashes are recorded anew.

    Raises
    ------
    UsageError
        If there is nothing of that name, or no file with a wanted name.
    WeightsError
        If a file of such a name is too large, damaged or does not load, or the archive is
        damaged. Files before it have been imported.
    OutputError
        If the folder cannot be written to.
    """
    source = Path(source).expanduser()
    wanted = {file.name: file for file in files}
    if not source.exists():
        raise UsageError(f"{source}: does not exist; give a file, a folder or a zip")
    if not source.is_dir() and not source.is_file():  # a pipe would be waited for
        raise UsageError(f"{source}: neither a file nor a folder; give a file, a folder or a zip")
    found: dict[str, FetchedFile] = {}
    for name, size, stream in _candidates(source, wanted):
        with stream:
            if size > LARGEST:
                raise WeightsError(
                    f"{source}: {name} has {size} bytes, more than any {wanted[name].noun}; "
                    f"get it again from {wanted[name].url}"
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
    source: Path, wanted: Mapping[str, FetchedFile]
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
                    # whatever path an archive claims, it cannot leave the folder.
                    name = PurePosixPath(entry.filename.replace("\\", "/")).name
                    if name in wanted and not entry.is_dir():
                        yield name, entry.file_size, archive.open(entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise WeightsError(f"{source}: cannot be read ({error}); copy it again") from error


def _put(file: FetchedFile, stream: IO[bytes], source: Path) -> None:
    """Copy one file into the folder and record its hash."""
    target = cached(file)
    make_folder(target.parent, "choose another folder with AFMSR_MODEL_DIR")
    sweep(file)
    with writing(target, force=True) as copy:
        orphans.hold(copy)
        try:
            shutil.copyfileobj(stream, copy, 1 << 20)
        except (zipfile.BadZipFile, EOFError) as error:
            raise WeightsError(
                f"{source}: {file.name} in it is damaged ({error}); copy it again"
            ) from error
        copy.flush()
        arrived = Path(copy.name)
        if not file.accepts(arrived):
            raise WeightsError(
                f"{source}: {file.name} in it holds no {file.noun}; get it again from {file.url}"
            )
        data, digest = contents(arrived)
        if file.sha256 not in (None, digest):
            raise WeightsError(
                f"{source}: {file.name} in it has the SHA-256 {digest[:16]}…, but "
                f"{str(file.sha256)[:16]}… was published; get it again from {file.url}"
            )
        if file.sha256 is None:
            file.check(data, str(source) if source.name == file.name else f"{source}: {file.name}")
        # Before the file takes its name: a file with an old record would count as changed.
        record(file, digest)

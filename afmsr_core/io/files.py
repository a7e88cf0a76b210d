"""Files and folders that were named to us: their bytes, and which files a folder stands for."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from afmsr_core.errors import UnreadableFileError

__all__ = ["contents", "find_files", "head", "is_folder", "mapped", "special"]

# Files that accompany others: the mask and the description of an array.
_COMPANIONS = (".mask.npy", ".json")
# What lies beside scans and is none: notes, settings, pictures of them, results.
_NOT_SCANS = (
    ".csv", ".txt", ".md", ".toml", ".html", ".htm", ".pdf", ".png", ".jpg", ".jpeg", ".svg",
    ".log", ".npz",
)  # fmt: skip


_TAGS = 4096  # bytes at the end of a TIFF in which its tags say what wrote it

# What a path may be besides a file and a folder. Opening it waits for somebody, or does something.
_SPECIAL = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def special(path: str | Path) -> str:
    """Return what a path is that is neither a file nor a folder; empty if it is, or is not there.

    Examples
    --------
    >>> special("absent"), special(".")
    ('', '')
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return ""
    return next((words for fits, words in _SPECIAL if fits(mode)), "")


def is_folder(path: str | Path) -> bool:
    """Whether a path leads to a folder; what the system cannot look at is none."""
    try:
        return Path(path).is_dir()
    except OSError:  # such as a name that is too long
        return False


def contents(path: str | Path, size: int = -1) -> bytes:
    """Return the bytes of a file, or the first `size` of them.

    Raises
    ------
    UnreadableFileError
        If it is absent, a folder, a pipe, socket or device, or the system does not let us read it.
    """
    path = Path(path)
    if what := special(path):
        raise UnreadableFileError(f"{path}: this is {what}, no file; save what it holds to a file")
    try:
        with path.open("rb") as file:
            return file.read(size)
    except FileNotFoundError as error:
        raise UnreadableFileError(f"{path}: there is no such file; check the name") from error
    except IsADirectoryError as error:
        raise UnreadableFileError(f"{path}: this is a folder; name a file in it") from error
    except PermissionError as error:
        cure = "name a file in it" if is_folder(path) else "change its permissions or copy it"
        raise UnreadableFileError(f"{path}: no permission to read it; {cure}") from error
    except (OSError, ValueError, MemoryError) as error:
        raise UnreadableFileError(
            f"{path}: cannot be read ({str(error) or 'not enough memory'}); check the disk or copy "
            f"the file"
        ) from error


def head(path: str | Path, size: int = 4096) -> bytes:
    """Return the first bytes of a file, which tell its format. Raises as `contents` does."""
    return contents(path, size)


@contextmanager
def mapped(path: str | Path) -> Iterator[bytes]:
    """Give the bytes of a file, of which only those that are looked at are read.

    For slices alone: a view into them keeps the file open. Raises as `contents` does.
    """
    if not head(path, 1):  # nothing to map
        yield b""
        return
    with (
        Path(path).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        yield cast("bytes", data)


def find_files(paths: Iterable[str | Path], also: Collection[str] = ()) -> list[Path]:
    """Return the files that these files and folders stand for.

    Parameters
    ----------
    paths : iterable of path
        Files are taken as they are, whether they exist or not. Folders stand for the files in
        them and in their subfolders, sorted, without hidden ones (a leading dot), without
        the companions of arrays (``NAME.json`` and ``NAME.mask.npy``) and without what is no
        scan by its suffix, such as notes and pictures.
    also : collection of str
        Names, in lower case, that are taken from folders nevertheless.

    Returns
    -------
    list of Path
        Each file once, in the order of `paths`.

    Raises
    ------
    UnreadableFileError
        If the system does not let us list a folder.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        for file in _walk(path, also) if is_folder(path) else (path,):
            found.setdefault(file)
    return list(found)


def _walk(folder: Path, also: Collection[str]) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise UnreadableFileError(
            f"{error.filename}: the folder cannot be listed ({error.strerror}); "
            f"change its permissions"
        ) from error

    passed_over = (*_COMPANIONS, *_NOT_SCANS)
    files = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [
            Path(parent, name)
            for name in names
            if not name.startswith(".")
            and (name.lower() in also or not name.lower().endswith(passed_over))
            and not _is_figure(Path(parent, name))
        ]
    return sorted(files)


def _is_figure(path: Path) -> bool:
    """Whether a TIFF is a figure of ``afmsr picture``: some instruments write scans as TIFF."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAGS))
            return b"\0afmsr\0" in file.read()
    except OSError:  # who reads it will tell
        return False

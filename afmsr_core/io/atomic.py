"""Writing files that are complete or absent.

The bytes go to a temporary file in the same folder, are flushed to the disk, and only then take
the name of the target. Whatever fails before that leaves the target as it was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from afmsr_core.errors import OutputError, OutputExistsError
from afmsr_core.io.files import special
from afmsr_core.leftovers import leftover, settling

__all__ = [
    "check_target",
    "make_folder",
    "remove_temporaries",
    "temporaries",
    "writing",
    "writing_all",
]

_CURES = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "your quota is used up: free some space or choose another folder",
    errno.EACCES: "no permission to write there: choose another folder",
    errno.EPERM: "no permission to write there: choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOENT: "the folder does not exist: create it first",
    errno.ENOTDIR: "what should be the folder is a file: choose another folder",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.EFBIG: "the file system does not hold files this large: choose another one",
}
_DRAWN = 6  # bytes that are drawn for the temporary name
_NAME_KEPT = 50  # bytes of the target's stem and suffix in the temporary name
_NAME_MAX = 255  # of a name on nearly all file systems; asked for where that can be


def make_folder(folder: Path, cure: str = "choose another folder") -> None:
    """Make a folder, and those that it lies in, unless it is there.

    Raises
    ------
    OutputError
        If the system refuses; the message ends with the cure.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); {cure}") from error


def _failure(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    cure = _CURES.get(error.errno or 0, "check the folder and the disk")
    return OutputError(f"{path}: not written ({reason}); {cure}")


def check_target(path: Path, force: bool = False) -> None:
    """Refuse what cannot be written to by its very name, before anything is computed for it.

    Parameters
    ----------
    path : Path
        Target; its folder need not be there yet.
    force : bool
        Whether it may exist.

    Raises
    ------
    OutputExistsError
        If it exists and `force` is false.
    OutputError
        If it is a folder, a pipe, socket or device, or its name is too long.
    """
    try:
        longest = _longest_name(path.parent)
        size, counted = _size_of(path.name)
        if size > longest:
            raise OutputError(
                f"{path}: not written (the name has {size} {counted}, of {longest} that a name may "
                f"have); give a shorter one with -o"
            )
        if path.is_dir():
            raise OutputError(f"{path}: not written (it is a folder); give the name of a file")
        if what := special(path):
            raise OutputError(
                f"{path}: not written (it is {what}, which would be replaced); give the name of "
                f"a file"
            )
        if path.exists() and not force:
            raise OutputExistsError(f"{path}: exists already; use --force to replace it")
    except OSError as error:
        raise _failure(path, error) from error


def _size_of(name: str) -> tuple[int, str]:
    """Return how long a name is for the system, and in what."""
    if sys.platform in ("win32", "darwin"):
        return len(name.encode("utf-16-le", "surrogatepass")) // 2, "letters"
    return len(os.fsencode(name)), "bytes"


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows; not there yet
        return _NAME_MAX


def _temporary(path: Path) -> tuple[Path, IO[bytes]]:
    """Create a new file beside `path`, hidden, with its suffix, and with the mode of the umask."""
    temporary = path.with_name(_hidden(path, os.urandom(_DRAWN).hex()))
    # Not by the tempfile module, which makes files that only their owner can read.
    return temporary, temporary.open("xb")


def _hidden(path: Path, drawn: str) -> str:
    return f".{_shortened(path.stem)}.{drawn}{_shortened(path.suffix)}"


def temporaries(path: Path) -> list[Path]:
    """Return the temporary files beside `path`: of processes that write it, or were killed."""
    before, after = map(re.escape, _hidden(path, "\0").split("\0"))
    name = re.compile(f"{before}[0-9a-f]{{{2 * _DRAWN}}}{after}")
    with contextlib.suppress(OSError):
        return [one for one in path.parent.iterdir() if name.fullmatch(one.name)]
    return []


def remove_temporaries(path: Path) -> None:
    """Remove what a process left beside `path` that was killed while it wrote it."""
    for one in temporaries(path):
        with contextlib.suppress(OSError):
            one.unlink()


def _shortened(name: str) -> str:
    # What the system could not encode again (half of a character) is left out.
    return os.fsencode(name)[:_NAME_KEPT].decode(sys.getfilesystemencoding(), "ignore")


def _be_like(temporary: Path, target: Path) -> None:
    """Give a new file the owner, where the system lets us, and the mode of what it replaces."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    if hasattr(os, "chown"):
        for owner, group in ((-1, old.st_gid), (old.st_uid, -1)):
            with contextlib.suppress(PermissionError):
                os.chown(temporary, owner, group)
    temporary.chmod(stat.S_IMODE(old.st_mode))  # after it, for a new owner takes off some bits


@contextlib.contextmanager
def writing_all(paths: Sequence[str | Path], force: bool = False) -> Iterator[list[IO[bytes]]]:
    """Open several files for writing that come into being together or not at all.

    Parameters
    ----------
    paths : sequence of path
        Targets. They get their names in this order, after all were written and flushed to the
        disk, so put the one that makes the others meaningful last.
    force : bool
        Replace targets that exist. They keep their mode, and their owner where we may give it.

    Yields
    ------
    list of binary files
        Open temporary files beside the targets; ``file.name`` is their path.

    Raises
    ------
    OutputExistsError
        If a target exists and `force` is false. Nothing is written.
    OutputError
        If the system refuses to write. Other exceptions of the body pass through unchanged. In
        every case the temporary files are gone and the targets are as they were.
    """
    # A link keeps pointing to its file: that file is replaced, not the link.
    targets = [Path(os.path.realpath(path)) for path in paths]
    for target in targets:
        check_target(target, force)
    opened: list[tuple[Path, IO[bytes]]] = []
    current = targets[0] if targets else Path()
    with leftover(lambda: _unlink(opened)):
        try:
            for target in targets:
                current = target
                with settling():
                    opened.append(_temporary(target))
            yield [file for _, file in opened]
            for target, (_, file) in zip(targets, opened, strict=True):
                current = target
                file.flush()
                os.fsync(file.fileno())
                file.close()
            with settling():
                for target, (temporary, _) in zip(targets, opened, strict=True):
                    current = target
                    check_target(target, force)
                    _be_like(temporary, target)
                    temporary.replace(target)
        except OSError as error:
            raise _failure(current, error) from error
        finally:
            for _, file in opened:
                with contextlib.suppress(OSError):
                    file.close()
            _unlink(opened)


def _unlink(opened: Sequence[tuple[Path, IO[bytes]]]) -> None:
    for temporary, _ in opened:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: str | Path, force: bool = False) -> Iterator[IO[bytes]]:
    """Open a file for writing that is complete or absent afterwards.

    Parameters
    ----------
    path : path
        Target. Its folder must exist.
    force : bool
        Replace the target if it exists.

    Yields
    ------
    binary file
        Open temporary file beside the target; ``file.name`` is its path.

    Raises
    ------
    OutputExistsError
        If the target exists and `force` is false. Nothing is written.
    OutputError
        If the system refuses to write: full disk, no permission, no such folder. Other
        exceptions of the body pass through unchanged. In every case the temporary file is gone
        and the target is as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(Path(folder, "scan.txt")) as file:
    ...         _ = file.write(b"complete")
    ...     Path(folder, "scan.txt").read_bytes()
    b'complete'
    """
    with writing_all([path], force) as (file,):
        yield file

"""Writing files that are complete or absent.

The bytes go to a temporary file in the same folder, are flushed to the disk, and only then take
the name of the target. Whatever fails before that leaves the target as it was.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from afmsr_core.errors import OutputError, OutputExistsError
from afmsr_core.leftovers import leftover, settling

__all__ = ["writing", "writing_all"]

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
_NAME_KEPT = 100  # Characters of the target's name in the temporary one: names end at 255 bytes.


def _failure(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    cure = _CURES.get(error.errno or 0, "check the folder and the disk")
    return OutputError(f"{path}: not written ({reason}); {cure}")


def _check(path: Path, force: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{path}: not written (it is a folder); give the name of a file")
    if path.exists() and not force:
        raise OutputExistsError(f"{path}: exists already; use --force to replace it")


def _temporary(path: Path) -> tuple[Path, IO[bytes]]:
    """Create a new file beside `path`, hidden, with its suffix, and with the mode of the umask."""
    name = f".{path.stem[:_NAME_KEPT]}.{os.urandom(6).hex()}{path.suffix[:_NAME_KEPT]}"
    temporary = path.with_name(name)
    # Not by the tempfile module, which makes files that only their owner can read.
    return temporary, temporary.open("xb")


@contextlib.contextmanager
def writing_all(paths: Sequence[str | Path], force: bool = False) -> Iterator[list[IO[bytes]]]:
    """Open several files for writing that come into being together or not at all.

    Parameters
    ----------
    paths : sequence of path
        Targets. They get their names in this order, after all were written and flushed to the
        disk, so put the one that makes the others meaningful last.
    force : bool
        Replace targets that exist.

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
        _check(target, force)
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
                    _check(target, force)
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

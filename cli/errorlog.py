"""The log of a run: tracebacks of what nobody foresaw, for whoever mends it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from afmsr_core.errors import AfmsrError, Cancelled, described, naming, traceback_of
from afmsr_core.stopping import asked

__all__ = ["kept", "tell"]

LOGS = 20  # that are kept; of more runs with faults, the oldest go
_STARTED = time.strftime("%Y-%m-%dT%H%M%S")


def tell(error: Exception, what: str, source: Path | None = None) -> int:
    """Say on stderr what went wrong, and where its traceback is if nobody foresaw it.

    Parameters
    ----------
    error : exception
        Any.
    what : str
        What was being done.
    source : Path, optional
        The file that it happened to.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    Cancelled
        If the process is about to stop, for which it may have gone wrong.
    """
    if asked() or isinstance(error, Cancelled):
        raise Cancelled("told to stop") from error
    told = described(error) if source is None else naming(source, described(error))
    print(f"afmsr: {told}", file=sys.stderr)
    if log := kept(what, traceback_of(error)):
        print(f"afmsr: the traceback is in {log}", file=sys.stderr)
    return error.exit_status if isinstance(error, AfmsrError) else AfmsrError.exit_status


def kept(what: str, told: str | None) -> Path | None:
    """Append a traceback to the log of this run, which is made for the first; return its path.

    Parameters
    ----------
    what : str
        What was being done, such as the name of a file.
    told : str or None
        From :func:`afmsr_core.errors.traceback_of`. None is not worth a log.

    Returns
    -------
    Path or None
        In ``logs`` of the user's cache folder for afmsr, or where the system keeps temporary
        files. None if there is nothing to tell, or nowhere to write.
    """
    if told is None:
        return None
    if os.environ.get("AFMSR_TRACEBACK"):
        sys.stderr.write(told)
    entry = f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {what}\n{told}\n"
    for folder in _folders():
        path = folder / f"afmsr-{_STARTED}-{os.getpid()}.log"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            # It names files and folders, which are nobody else's business.
            number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(number, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(entry)
            _prune(folder)
            return path
    return None


def _folders() -> Iterator[Path]:
    with suppress(Exception):  # what tells the folders of the system may be what is broken
        import platformdirs

        yield Path(platformdirs.user_cache_dir("afmsr")).expanduser() / "logs"
    import tempfile

    with suppress(OSError):
        yield Path(tempfile.gettempdir())


def _prune(folder: Path) -> None:
    """Remove the oldest logs; their names sort by time."""
    for path in sorted(folder.glob("afmsr-*.log"))[:-LOGS]:
        with suppress(OSError):
            path.unlink()

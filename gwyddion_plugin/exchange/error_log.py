"""What becomes of an error: a log file, a line on stderr, a window."""

from __future__ import annotations

import contextlib
import platform
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path

from afmsr_core import __version__
from gwyddion_plugin.exchange.settings import user_folder

__all__ = ["log_path", "report", "write_log"]


def log_path() -> Path:
    """Return where the last failure is described."""
    return user_folder("XDG_STATE_HOME", ".local/state", "LOCALAPPDATA") / "gwyddion.log"


def write_log(error: BaseException, context: str) -> Path | None:
    """Describe a failure in the log file, in place of the one before.

    Parameters
    ----------
    error : exception
        What happened.
    context : str
        What was asked for.

    Returns
    -------
    Path or None
        The file; None if it cannot be written.
    """
    lines = [
        f"afmsr {__version__}, Python {platform.python_version()} ({sys.executable}), "
        f"{platform.platform()}",
        f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC",
        context,
        "",
        *(line.rstrip("\n") for line in traceback.format_exception(error)),
    ]
    path = log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError:
        return None
    return path


def report(error: BaseException, log: Path | None) -> None:
    """Tell a failure on stderr, which Gwyddion shows on its terminal."""
    told = f"afmsr: {error}\n" + (f"afmsr: details are in {log}\n" if log else "")
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(told)

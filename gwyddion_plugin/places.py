"""Where the plug-in keeps things on this machine: settings, the log, the warm worker's address."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

__all__ = ["config_dir", "private", "runtime_dir", "state_dir"]

_NAME = "afmsr"


def config_dir() -> Path:
    """Return the user's folder for settings, which need not exist."""
    return _user_dir("XDG_CONFIG_HOME", ".config", "APPDATA")


def state_dir() -> Path:
    """Return the user's folder for logs, which need not exist."""
    return _user_dir("XDG_STATE_HOME", ".local/state", "LOCALAPPDATA")


def _user_dir(variable: str, below_home: str, on_windows: str) -> Path:
    if sys.platform == "win32":
        variable, below_home = on_windows, "AppData/Roaming"
    elif sys.platform == "darwin":
        below_home = "Library/Application Support"
    named = os.environ.get(variable, "")
    # A relative path is to be ignored, says the XDG specification.
    base = Path(named) if Path(named).is_absolute() else Path.home() / below_home
    return base / _NAME


def runtime_dir() -> Path:
    """Return the folder for sockets, which nobody else may enter; it need not exist.

    Not below the home folder, which may be on a network disk that holds no sockets.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if Path(named).is_absolute() and Path(named).is_dir():
        return Path(named) / _NAME
    who = str(os.getuid()) if hasattr(os, "getuid") else ""
    return Path(tempfile.gettempdir()) / f"{_NAME}-{who}".rstrip("-")


def private(folder: Path) -> bool:
    """Tell whether a folder is the user's own and closed to everybody else."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if not hasattr(os, "geteuid"):
        return True  # Windows: the user's temporary folder is closed by its access list
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077

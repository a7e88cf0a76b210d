"""Where the plug-in keeps things on this machine: settings and the log."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["config_dir", "state_dir"]

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

"""Gwyddion's own folder of the user: where it is, and what of its settings we can read there.

Gwyddion 2 tells a plug-in neither the palette of a channel nor the name of its file. What it wrote
into this folder when it ended last is the nearest that can be known.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["default_palette", "last_folder", "spellings"]

PALETTE = "Gray"
"""Gwyddion's default palette, unless the user chose another."""
_CHOSEN = re.compile(r'^"/app/gradients/default" string "([^"\\]+)"$', re.MULTILINE)


def spellings(generation: int) -> tuple[Path, ...]:
    """Return the spellings of the folder, the usual one of this system first.

    Parameters
    ----------
    generation : int
        Of Gwyddion: 2 or 3.
    """
    suffix = "3" if generation == 3 else ""
    dotted, plain = Path.home() / f".gwyddion{suffix}", Path.home() / f"gwyddion{suffix}"
    return (plain, dotted) if sys.platform == "win32" else (dotted,)


def default_palette() -> str:
    """Return the palette of channels that have none of their own in Gwyddion 2."""
    chosen = _CHOSEN.search(_text("settings"))
    return chosen[1] if chosen else PALETTE


def last_folder() -> Path | None:
    """Return the folder of the file that was opened last in Gwyddion 2; None if that is gone."""
    for line in _text("recent-files").splitlines():  # the newest first
        folder = Path(line).parent
        if line and folder.is_absolute() and folder.is_dir():
            return folder
    return None


def _text(name: str) -> str:
    for folder in spellings(2):
        try:
            return (folder / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return ""

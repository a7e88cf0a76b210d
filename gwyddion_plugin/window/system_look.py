"""Font and colours of the desktop, as GTK 2 takes them and with it Gwyddion 2.

Tk takes the font that the system names for text in general, and no colours. On Windows and macOS
ttk has the system's own look, and nothing of this is needed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Look", "read"]

_SYSTEM = ("/etc/gtk-2.0/gtkrc",)
_THEMES = ("~/.themes", "~/.local/share/themes", "/usr/share/themes")
_SETTING = r"""^\s*{}\s*=\s*["']?([^"'\n]+)["']?\s*$"""
_COLOUR = re.compile(r"\b(\w+_color)\s*:\s*(#[0-9a-fA-F]{6}(?:[0-9a-fA-F]{6})?)\b")
_STYLES = {"bold", "italic", "oblique", "light", "regular", "medium", "semi-bold", "book"}
COLOURS = {"bg": "#dcdad5", "fg": "#000000", "base": "#ffffff", "text": "#000000",
           "selected_bg": "#4a6984", "selected_fg": "#ffffff"}  # fmt: skip
"""Those of GTK 2 without a theme, by the names of themes, which append ``_color``: behind windows
and their text, behind what is typed or listed and its text, and the same where it is selected."""


@dataclass(frozen=True)
class Look:
    """What the user's desktop looks like.

    Parameters
    ----------
    family : str
        Of the font; empty if the desktop names none.
    size : int
        Of the font, in points; 0 if the desktop names none.
    colours : dict
        As `COLOURS`.
    """

    family: str = ""
    size: int = 0
    colours: dict[str, str] = field(default_factory=lambda: dict(COLOURS))


def read() -> Look:
    """Return the look that the files of GTK 2 give, or those of GTK 3 where these say nothing."""
    texts = [_text(Path(path)) for path in _files()]
    family, size = _font(_last("gtk-font-name", texts))
    theme = _last("gtk-theme-name", texts)
    if theme and "/" not in theme:
        texts[:0] = [
            _text(Path(folder).expanduser() / theme / "gtk-2.0/gtkrc") for folder in _THEMES
        ]
    colours = dict(COLOURS)
    for text in texts:
        for name, value in _COLOUR.findall(text):
            if (short := name.removesuffix("_color")) in colours:
                colours[short] = value if len(value) == 7 else value[0:3] + value[5:7] + value[9:11]
    return Look(family, size, colours)


def _files() -> list[str]:
    """Return the files, each before those that overrule it."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    named = os.environ.get("GTK2_RC_FILES")
    own = named.split(os.pathsep) if named else [*_SYSTEM, str(Path("~/.gtkrc-2.0").expanduser())]
    return [str(Path(config, "gtk-3.0", "settings.ini")), *own]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").replace("\\n", "\n")
    except OSError:
        return ""


def _last(name: str, texts: list[str]) -> str:
    found = [one for text in texts for one in re.findall(_SETTING.format(name), text, re.MULTILINE)]
    return found[-1].strip() if found else ""


def _font(told: str) -> tuple[str, int]:
    """Return family and size of a font as Pango writes it.

    Examples
    --------
    >>> _font("Cantarell Bold 11"), _font("DejaVu Sans"), _font("")
    (('Cantarell', 11), ('DejaVu Sans', 0), ('', 0))
    """
    words = told.replace(",", " ").split()
    size = 0
    if words and re.fullmatch(r"\d+(\.\d+)?", words[-1]):
        size = round(float(words.pop()))
    while words and words[-1].lower() in _STYLES:
        words.pop()
    return " ".join(words), size

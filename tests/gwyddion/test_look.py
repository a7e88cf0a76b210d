"""The windows of Gwyddion 2 have font and colours of the desktop, read from the files of GTK."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from screen import LATE, missing_tools

from gwyddion_plugin.window import system_look
from gwyddion_plugin.window.system_look import COLOURS

SCHEME = r'gtk-color-scheme = "bg_color:#2d2d2d\nfg_color:#eee0ee;base_color: #1e1e1e"'


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without any settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("GTK2_RC_FILES", raising=False)
    monkeypatch.setattr(system_look, "_SYSTEM", ())
    return tmp_path


def test_without_settings_it_is_that_of_gtk_without_a_theme(own: Path) -> None:
    assert system_look.read() == system_look.Look("", 0, COLOURS)


def test_the_files_of_gtk_2_overrule_those_of_gtk_3(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = own / ".config" / "gtk-3.0" / "settings.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text("[Settings]\ngtk-font-name=Cantarell 11\ngtk-theme-name=Mine\n")
    assert (system_look.read().family, system_look.read().size) == ("Cantarell", 11)
    (own / ".gtkrc-2.0").write_text(f'gtk-font-name="Noto Sans Bold 9"\n{SCHEME}\n')
    found = system_look.read()
    assert (found.family, found.size) == ("Noto Sans", 9)
    own_colours = {"bg": "#2d2d2d", "fg": "#eee0ee", "base": "#1e1e1e"}
    assert found.colours == COLOURS | own_colours
    other = own / "other"
    other.write_text('gtk-font-name = "Serif 20"')
    monkeypatch.setenv("GTK2_RC_FILES", str(other))  # instead of the usual ones
    assert system_look.read() == system_look.Look("Serif", 20, COLOURS)


def test_a_theme_gives_what_the_user_does_not(own: Path) -> None:
    theme = own / ".themes" / "Mine" / "gtk-2.0" / "gtkrc"
    theme.parent.mkdir(parents=True)
    theme.write_text('gtk_color_scheme = "bg_color:#111122223333\\ntext_color:#010203"\n')
    (own / ".gtkrc-2.0").write_text(
        'gtk-theme-name = "Mine"\ngtk-color-scheme = "text_color:#ffffff"\n'
    )
    assert system_look.read().colours == COLOURS | {"bg": "#112233", "text": "#ffffff"}


TELL = """
from tkinter import font, ttk
from gwyddion_plugin.window import widgets
root = widgets.open_root()
style = ttk.Style(root)
told = [font.nametofont("TkDefaultFont").actual("family"),
        font.nametofont("TkTextFont").cget("size"),
        root["background"], style.lookup("TLabel", "foreground"),
        style.lookup("Treeview", "background"), style.lookup("TEntry", "fieldbackground")]
print(*told, sep="|")
"""


@pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")
def test_the_windows_take_it(home, screen) -> None:
    home.variables["DISPLAY"] = screen.display
    (home.folder / ".gtkrc-2.0").write_text(f'gtk-font-name = "DejaVu Sans Mono 13"\n{SCHEME}\n')
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        env=home.environment, capture_output=True, text=True, check=False, timeout=LATE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    family, *rest = done.stdout.strip().split("|")
    assert rest == ["13", "#2d2d2d", "#eee0ee", "#1e1e1e", "#1e1e1e"]
    assert family == "DejaVu Sans Mono"

"""Small parts of the dialog."""

from __future__ import annotations

from collections.abc import Callable
from tkinter import ttk

from gwyddion_plugin.desktop import PAD

__all__ = ["choice_box", "choose", "chosen_of", "section"]


def section(parent: ttk.Frame, row: int, title: str) -> ttk.Frame:
    """Return a frame under a bold heading, as Gwyddion groups parameters."""
    heading = ttk.Label(parent, text=title, font="TkHeadingFont")
    heading.grid(row=2 * row + 1, sticky="w", pady=(2 * PAD, 2))
    frame = ttk.Frame(parent, padding=(2 * PAD, 0, 0, 0))
    frame.grid(row=2 * row + 2, sticky="ew")
    return frame


def choice_box(
    parent: ttk.Frame, row: int, label: str, values: dict[str, str], changed: Callable[[], None]
) -> ttk.Combobox:
    """Return a list to choose from, with its label; an underscore is before the key for it."""
    ttk.Label(parent, text=label.replace("_", ""), underline=label.index("_")).grid(
        row=row, column=0, sticky="w", padx=(0, PAD)
    )
    combo = ttk.Combobox(parent, values=list(values.values()), state="readonly", width=30)
    combo.grid(row=row, column=1, sticky="ew", pady=1)
    combo.bind("<<ComboboxSelected>>", lambda event: changed())
    letter = label[label.index("_") + 1].lower()
    parent.winfo_toplevel().bind(f"<Alt-{letter}>", lambda event: combo.focus_set())
    return combo


def choose(combo: ttk.Combobox, values: dict[str, str], key: str) -> None:
    """Show the text of a value."""
    combo.set(values.get(key, key))


def chosen_of(combo: ttk.Combobox, values: dict[str, str]) -> str:
    """Return the value behind what a combo box shows; a file may hold more than it offers."""
    return next((key for key, shown in values.items() if shown == combo.get()), combo.get())

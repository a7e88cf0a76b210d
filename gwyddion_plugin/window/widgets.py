"""The first window, the one that tells of errors, and the small parts of the dialog."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk

from gwyddion_plugin.exchange import menu

__all__ = [
    "PAD",
    "choice_box",
    "choose",
    "chosen_of",
    "open_root",
    "place",
    "section",
    "show_error",
]

PAD = 6  # pixels between things, as Gwyddion has it
_WRAP = 460  # pixels; width of the text of a message


def open_root() -> tk.Tk:
    """Return the root window, hidden, in Gwyddion's manner.

    Raises
    ------
    tkinter.TclError
        If there is no display.
    """
    root = tk.Tk(className="Afmsr")
    root.withdraw()
    root.title(menu.TITLE)
    style = ttk.Style(root)
    if sys.platform not in ("win32", "darwin"):
        style.theme_use("clam")  # nearest to GTK 2
        style.configure("Treeview", background="white", fieldbackground="white")
        style.map("Treeview", background=[("selected", "#4a6984")])
        style.map("TCombobox", fieldbackground=[("readonly", "white"), ("disabled", "#dcdad5")])
        style.map("TCombobox", selectbackground=[("readonly", "white")])
        style.map("TCombobox", selectforeground=[("readonly", "black"), ("disabled", "#999")])
    root.configure(background=style.lookup("TFrame", "background") or "#dcdad5")
    return root


def place(window: tk.Tk | tk.Toplevel) -> None:
    """Show a window in the middle of the screen, above Gwyddion's, with the keyboard.

    Gwyddion waits for its plug-in and cannot paint its windows; ours must not get behind them.
    """
    window.update_idletasks()
    x = (window.winfo_screenwidth() - window.winfo_reqwidth()) // 2
    y = (window.winfo_screenheight() - window.winfo_reqheight()) // 3
    window.geometry(f"+{max(0, x)}+{max(0, y)}")
    window.attributes("-topmost", True)
    window.deiconify()
    window.lift()
    window.focus_force()


def show_error(root: tk.Tk, error: BaseException, log: Path | None) -> None:
    """Show an error until the user closes it."""
    window = tk.Toplevel(root, background=root["background"], padx=2 * PAD, pady=2 * PAD)
    window.withdraw()
    window.title(menu.TITLE)
    window.resizable(False, False)
    ttk.Label(window, image="::tk::icons::error").grid(row=0, column=0, sticky="n", padx=PAD)
    head = ttk.Label(window, text="No channel was added.", font="TkHeadingFont")
    head.grid(row=0, column=1, sticky="w")
    text = str(error) + (f"\n\nDetails: {log}" if log else "")
    message = tk.Message(window, text=text, width=_WRAP, background=root["background"])
    message.grid(row=1, column=1, sticky="w")

    def copy() -> None:
        window.clipboard_clear()
        window.clipboard_append(text)
        window.update()  # the clipboard is gone with the process; managers take it now

    buttons = ttk.Frame(window)
    buttons.grid(row=2, column=0, columnspan=2, sticky="e", pady=(PAD, 0))
    ttk.Button(buttons, text="Copy", underline=0, command=copy).pack(side="left", padx=PAD)
    close = ttk.Button(buttons, text="Close", underline=1, command=window.destroy, default="active")
    close.pack(side="left")
    for key in ("<Return>", "<Escape>"):
        window.bind(key, lambda event: window.destroy())
    place(window)
    close.focus_set()
    root.wait_window(window)


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

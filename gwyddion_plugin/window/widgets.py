"""The first window, the one that tells of errors, and the small parts of the dialog."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tkinter import font, ttk
from typing import Any

from gwyddion_plugin.exchange import menu
from gwyddion_plugin.window import system_look
from gwyddion_plugin.window.system_look import COLOURS

__all__ = [
    "EDGE",
    "PAD",
    "Slider",
    "choice_box",
    "choose",
    "chosen_of",
    "ink",
    "open_root",
    "place",
    "section",
    "show_error",
    "switch",
]

PAD = 6  # pixels between things, as Gwyddion has it
EDGE = "#808080"  # of pictures
_MARGIN = 80  # pixels that a screen has besides a window: its frame and a panel
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
        _dress(style)
    root.configure(background=style.lookup("TFrame", "background") or COLOURS["bg"])
    return root


def _dress(style: ttk.Style) -> None:
    """Give the windows font and colours of the desktop."""
    look = system_look.read()
    for name in ("TkDefaultFont", "TkTextFont", "TkMenuFont", "TkHeadingFont"):
        named = font.nametofont(name, style.master)
        if look.family:
            named.configure(family=look.family)
        if look.size:
            named.configure(size=look.size)
    style.theme_use("clam")  # nearest to GTK 2
    paint = look.colours
    edge = _between(paint["bg"], paint["fg"], 0.3)
    style.configure(
        ".", background=paint["bg"], foreground=paint["fg"], fieldbackground=paint["base"],
        selectbackground=paint["selected_bg"], selectforeground=paint["selected_fg"],
        insertcolor=paint["text"], troughcolor=_between(paint["bg"], paint["fg"]),
        bordercolor=edge, lightcolor=paint["bg"], darkcolor=edge, arrowcolor=paint["fg"],
    )  # fmt: skip
    style.map(".", foreground=[("disabled", _between(paint["bg"], paint["fg"], 0.4))])
    style.map("TButton", background=[("active", paint["base"])])
    style.configure("Treeview", background=paint["base"], foreground=paint["text"])
    style.map("Treeview", background=[("selected", paint["selected_bg"])])
    style.map("Treeview", foreground=[("selected", paint["selected_fg"])])
    for entry in ("TEntry", "TSpinbox", "TCombobox"):
        style.configure(entry, foreground=paint["text"])
        style.map(entry, fieldbackground=[("disabled", paint["bg"])])
    style.map("TCombobox", fieldbackground=[("disabled", paint["bg"]), ("readonly", paint["base"])])
    style.map("TCombobox", selectbackground=[("readonly", paint["base"])])
    style.map("TCombobox", selectforeground=[("readonly", paint["text"])])
    listed = {"background": "base", "foreground": "text",
              "selectBackground": "selected_bg", "selectForeground": "selected_fg"}  # fmt: skip
    for what, name in listed.items():
        style.master.option_add(f"*TCombobox*Listbox.{what}", paint[name])


def _between(one: str, other: str, share: float = 0.15) -> str:
    """Return a colour between two.

    Examples
    --------
    >>> _between("#000000", "#ffffff", 0.5)
    '#808080'
    """
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(low + share * (high - low)):02x}" for low, high in pairs)


def ink(widget: tk.Misc) -> str:
    """Return the colour of text in windows, for what ttk does not paint."""
    return str(ttk.Style(widget).lookup("TLabel", "foreground") or "black")


def place(window: tk.Tk | tk.Toplevel) -> None:
    """Show a window in the middle of the screen, above Gwyddion's, with the keyboard.

    Gwyddion waits for its plug-in and cannot paint its windows; ours must not get behind them.
    """
    window.update_idletasks()
    wanted = window.winfo_reqwidth(), window.winfo_reqheight()
    screen = window.winfo_screenwidth(), window.winfo_screenheight()
    width, height = (min(one, whole - _MARGIN) for one, whole in zip(wanted, screen, strict=True))
    window.minsize(width, height)
    at = f"+{max(0, (screen[0] - width) // 2)}+{max(0, (screen[1] - height) // 3)}"
    # Without a size the window goes on to be as large as what is in it.
    window.geometry(at if (width, height) == wanted else f"{width}x{height}{at}")
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
    message = tk.Message(
        window, text=text, width=_WRAP, background=root["background"], foreground=ink(window)
    )
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


class Slider:
    """A number from 0 to 1, in steps that show, with its label; an underscore is before its key.

    Parameters
    ----------
    parent : ttk.Frame
        Where it goes.
    label : str
        What stands before it.
    changed : callable
        Called when the user chooses another number.
    """

    STEP = 0.05

    def __init__(self, parent: ttk.Frame, label: str, changed: Callable[[], None]) -> None:
        self._changed, self._value = changed, 0.0
        self.frame = ttk.Frame(parent)
        letter = label.index("_")
        ttk.Label(self.frame, text=label.replace("_", ""), underline=letter).pack(side="left")
        self._scale = ttk.Scale(self.frame, length=130, command=self._moved, takefocus=True)
        self._scale.pack(side="left", fill="x", expand=True, padx=PAD)
        self._shown = ttk.Label(self.frame, width=4)
        self._shown.pack(side="left")
        for keys, step in ((("<Left>", "<Down>"), -self.STEP), (("<Right>", "<Up>"), self.STEP)):
            for key in keys:
                self._scale.bind(key, partial(self._step, step))
        self._scale.bind("<Button-1>", self._pressed)
        key = f"<Alt-{label[letter + 1].lower()}>"
        parent.winfo_toplevel().bind(key, lambda event: self._scale.focus_set())
        self.value = 0.0

    @property
    def value(self) -> float:
        """What is chosen."""
        return self._value

    @value.setter
    def value(self, value: float) -> None:
        self._value, self._shown["text"] = value, f"{value:.2f}"
        self._scale.set(value)

    def enable(self, enabled: bool) -> None:
        """Let the user move it or not."""
        self._scale.state(["!disabled" if enabled else "disabled"])
        self._shown.state(["!disabled" if enabled else "disabled"])

    def _moved(self, told: str) -> None:
        value = round(round(float(told) / self.STEP) * self.STEP, 2)
        if value != self._value:
            self.value = value
            self._changed()

    def _pressed(self, event: tk.Event[ttk.Scale]) -> str | None:
        if not self._scale.identify(event.x, event.y).endswith("trough"):
            return None  # Tk moves the slider with the mouse
        slider, _ = self._scale.coords()
        return self._step(self.STEP if event.x > slider else -self.STEP)

    def _step(self, step: float, event: object = None) -> str:
        if not self._scale.instate(["disabled"]):
            self._scale.set(min(1.0, max(0.0, self._value + step)))
        return "break"  # Tk's own steps are of 1


def section(parent: ttk.Frame, row: int, title: str) -> ttk.Frame:
    """Return a frame under a bold heading, as Gwyddion groups parameters."""
    heading = ttk.Label(parent, text=title, font="TkHeadingFont")
    heading.grid(row=2 * row + 1, sticky="w", pady=(2 * PAD, 2))
    frame = ttk.Frame(parent, padding=(2 * PAD, 0, 0, 0))
    frame.grid(row=2 * row + 2, sticky="ew")
    return frame


def switch(
    parent: ttk.Frame,
    label: str,
    values: Mapping[Any, str],
    chosen: tk.Variable,
    changed: Callable[[], None],
) -> ttk.Frame:
    """Return buttons of which one is pressed, behind a label.

    Parameters
    ----------
    parent : ttk.Frame
        What they are made in.
    label : str
        What stands before them.
    values : mapping
        What each stands for, and what it shows; an underscore is before its key.
    chosen : tkinter.Variable
        Has the value of the one that is pressed.
    changed : callable
        Called when another is pressed.
    """
    frame = ttk.Frame(parent)
    ttk.Label(frame, text=label).pack(side="left", padx=(0, PAD))
    for value, text in values.items():
        button = ttk.Radiobutton(
            frame, text=text.replace("_", ""), underline=text.index("_"),
            value=value, variable=chosen, command=changed,
        )  # fmt: skip
        button.pack(side="left", padx=(0, PAD))
        key = f"<Alt-Key-{text[text.index('_') + 1].lower()}>"
        parent.winfo_toplevel().bind(key, partial(_press, button))
    return frame


def _press(button: ttk.Radiobutton, event: object) -> None:
    button.invoke()


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

"""The window that shows how far a run is and lets the user cancel it."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from gwyddion_plugin.exchange import menu
from gwyddion_plugin.window.widgets import PAD, place
from gwyddion_plugin.worker.upscaling import Outcome, Upscaling

__all__ = ["ProgressWindow"]

TICK = 20  # ms between two looks at the worker
HIDDEN = 250  # ms in which a run may end before a window flashes up
_LENGTH = 320  # pixels of the bar


class ProgressWindow:
    """Follows a run to its end.

    Parameters
    ----------
    root : tkinter.Tk
        Hidden root window.
    run : Upscaling
        What is being done.
    label : str
        What to call it.
    """

    def __init__(self, root: tk.Tk, run: Upscaling, label: str) -> None:
        self._root, self._run = root, run
        self._outcome: Outcome | None = None
        self._error: Exception | None = None
        self._over = tk.BooleanVar(root, False)
        self._window = window = tk.Toplevel(
            root, background=root["background"], padx=2 * PAD, pady=2 * PAD
        )
        window.withdraw()
        window.title(menu.TITLE)
        window.resizable(False, False)
        self._text = ttk.Label(window, text=label)
        self._text.pack(anchor="w")
        self._bar = ttk.Progressbar(window, length=_LENGTH, maximum=1.0)
        self._bar.pack(pady=PAD, fill="x")
        self._button = ttk.Button(window, text="Cancel", underline=0, command=self._cancel)
        self._button.pack(anchor="e")
        for key in ("<Escape>", "<Return>", "<Alt-c>"):
            window.bind(key, lambda event: self._cancel())
        window.protocol("WM_DELETE_WINDOW", self._cancel)

    def wait(self) -> Outcome:
        """Return the outcome when it is there. Raises as `Upscaling.step` does."""
        self._root.after(HIDDEN, self._show)
        self._look()
        if not self._over.get():
            self._root.wait_variable(self._over)
        self._window.destroy()
        self._root.update()
        if self._error is not None:
            raise self._error
        if self._outcome is None:
            raise RuntimeError("the run ended without an outcome; please report this")
        return self._outcome

    def _show(self) -> None:
        if not self._over.get():
            place(self._window)
            self._button.focus_set()

    def _cancel(self) -> None:
        self._text["text"] = "Cancelling…"
        self._button.state(["disabled"])
        self._run.cancel()

    def _look(self) -> None:
        try:
            self._outcome = self._run.step(0.0)
        except Exception as error:  # Tk would print it and go on; `wait` raises it
            self._error = error
        if self._outcome is not None or self._error is not None:
            self._over.set(True)
            return
        self._bar["value"] = self._run.fraction
        self._root.after(TICK, self._look)

"""The bar beside the preview that says which colour is which height."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from gwyddion_plugin.window.picture import Picture
from gwyddion_plugin.window.widgets import EDGE, PAD, ink

__all__ = ["HeightScale"]

_BAR = 16  # pixels wide
_WIDTH = 92  # with the heights at its ends
_ROOM = 2 * PAD  # above and below the bar, half a line of text


class HeightScale:
    """A bar of the palette, and the heights at its ends.

    Parameters
    ----------
    parent : ttk.Frame
        Where it goes.
    """

    def __init__(self, parent: ttk.Frame) -> None:
        self._bar: Picture | None = None
        self._ends = ("", "")
        self._shown: tk.PhotoImage | None = None  # Tk does not keep it alive
        self.canvas = tk.Canvas(
            parent, width=_WIDTH, height=1, highlightthickness=0,
            background=parent.winfo_toplevel()["background"],
        )  # fmt: skip
        self.canvas.bind("<Configure>", lambda event: self._draw())

    def show(self, bar: Picture, ends: tuple[str, str]) -> None:
        """Show a palette, and the heights of its first and its last colour."""
        self._bar, self._ends = bar, ends
        self._draw()

    @property
    def ends(self) -> tuple[str, str]:
        """The heights that are shown."""
        return self._ends

    def _draw(self) -> None:
        canvas, height = self.canvas, self.canvas.winfo_height()
        canvas.delete("all")
        length = height - 2 * _ROOM
        if self._bar is None or length < 1:
            return
        data = self._bar.at(_BAR, length)
        self._shown = tk.PhotoImage(master=canvas, data=data, format="ppm")
        canvas.create_image(0, _ROOM, image=self._shown, anchor="nw")
        canvas.create_rectangle(0, _ROOM, _BAR, _ROOM + length, outline=EDGE)
        low, high = self._ends
        for text, y in ((high, _ROOM), (low, height - _ROOM)):
            canvas.create_text(
                _BAR + PAD, y, text=text, anchor="w", font="TkDefaultFont", fill=ink(canvas)
            )

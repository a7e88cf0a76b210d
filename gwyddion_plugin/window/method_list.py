"""The list of methods: which are ready, what the others lack and how to get it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from gwyddion_plugin.window.widgets import PAD, ink

__all__ = ["MethodList"]

_ROWS = 6
_LINES = 4  # of the text below, at least


class MethodList:
    """A list with a text below it.

    Parameters
    ----------
    parent : ttk.Frame
        Where it goes.
    width : int
        In pixels.
    changed : callable
        Called when another method is chosen.
    """

    def __init__(self, parent: ttk.Frame, width: int, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._methods: dict[str, dict[str, Any]] = {}
        self._chosen = ""
        self.frame = ttk.Frame(parent)
        heading = ttk.Label(self.frame, text="Method", font="TkHeadingFont")
        heading.grid(row=0, sticky="w", pady=(0, 2))
        self._tree = tree = ttk.Treeview(
            self.frame, columns=("state",), show="tree", height=_ROWS, selectmode="browse"
        )
        tree.column("#0", width=width - 120, stretch=True)
        tree.column("state", width=110, stretch=False)
        tree.tag_configure("missing", foreground="#888")
        tree.grid(row=1, column=0, sticky="ew", padx=(2 * PAD, 0))
        bar = ttk.Scrollbar(self.frame, command=tree.yview)
        tree.configure(yscrollcommand=bar.set)
        bar.grid(row=1, column=1, sticky="ns")
        # A text, not a label: the user copies the command from it.
        self._text = tk.Text(
            self.frame,
            height=_LINES,
            width=1,
            wrap="word",
            relief="flat",
            borderwidth=0,
            highlightthickness=0,
            background=parent.winfo_toplevel()["background"],
            foreground=ink(parent),
            font="TkDefaultFont",
            state="disabled",
            takefocus=False,
        )
        self._text.grid(row=2, columnspan=2, sticky="ew", padx=(2 * PAD, 0), pady=(2, 0))
        self.frame.columnconfigure(0, weight=1)
        tree.bind("<<TreeviewSelect>>", lambda event: self._selected())

    def focus(self) -> None:
        """Give the list the keyboard."""
        self._tree.focus_set()

    @property
    def chosen(self) -> str:
        """Name of the method."""
        return self._chosen

    @chosen.setter
    def chosen(self, name: str) -> None:
        self._chosen = name
        if self._tree.exists(name):
            self._tree.selection_set(name)
            self._tree.focus(name)
            self._tree.see(name)
        self._show_text()

    @property
    def available(self) -> bool:
        """Whether the method can run, as far as we know yet."""
        return not self._methods or bool(self._methods.get(self._chosen, {}).get("available"))

    @property
    def not_drawn(self) -> str:
        """Why nothing can be drawn at random of what it makes; empty if it can, as far as known."""
        return str(self._methods.get(self._chosen, {}).get("not_drawn", ""))

    @property
    def seconds_per_pixel(self) -> float | None:
        """How long an input pixel takes; None while the worker is still starting."""
        rate = self._methods.get(self._chosen, {}).get("seconds_per_pixel")
        return None if rate is None else float(rate)

    def measured(self, rate: float) -> None:
        """Take the speed that the preview showed."""
        self._methods[self._chosen]["seconds_per_pixel"] = rate

    def fill(self, methods: list[dict[str, Any]], default: str) -> None:
        """Show the methods: the default first, then what is ready, then the rest."""
        ranked = sorted(methods, key=lambda m: (m["name"] != default, not m["available"]))
        self._methods = {method["name"]: method for method in ranked}
        self._tree.delete(*self._tree.get_children())
        for name, method in self._methods.items():
            lacks = f"needs {method['missing']}" if method["missing"] else "not for lines"
            state = "ready" if method["available"] else lacks
            label = f"{method['label']}{'  (default)' if name == default else ''}"
            tags = () if method["available"] else ("missing",)
            self._tree.insert("", "end", iid=name, text=label, values=(state,), tags=tags)
        self.chosen = self._chosen if self._chosen in self._methods else default

    def _selected(self) -> None:
        selection = self._tree.selection()
        if selection and selection[0] != self._chosen:
            self._chosen = selection[0]
            self._show_text()
            self._changed()

    def _show_text(self) -> None:
        method = self._methods.get(self._chosen)
        if method is None:
            shown = "Starting the worker…"
        else:
            shown = method["problem"] or f"{method['name']}: {method['summary']}"
        self._text.configure(state="normal")
        self._text.delete("1.0", "end")
        self._text.insert("1.0", shown)
        self._text.configure(height=max(_LINES, self._lines()))
        self._text.configure(state="disabled")

    def _lines(self) -> int:
        """Return how many lines the text takes, for a cure is to be read to its end."""
        if not self._text.winfo_ismapped():
            return _LINES
        asked = ("count", "-update", "-displaylines", "1.0", "end")
        return int(self._text.tk.call(self._text, *asked))

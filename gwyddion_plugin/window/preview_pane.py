"""The left half of the dialog: a crop of scan, result or difference, and where it lies."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Any

from afmsr_core.grid import Scale
from afmsr_core.quantity import readable, sides
from gwyddion_plugin.exchange import gwyddion_folder
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.window.height_scale import HeightScale
from gwyddion_plugin.window.picture import Picture
from gwyddion_plugin.window.widgets import EDGE, PAD, switch

__all__ = ["PreviewPane"]

_SIDE = 290  # pixels of the large picture at first; it grows with the window
_LEAST = 160  # pixels of it, below which the window does not shrink it
_OVERVIEW = 128  # pixels of the picture of the whole image
_WIDTH = 500  # pixels of the texts below the picture at first
SHOWN = {"scan": "Sc_an", "result": "R_esult", "difference": "_Difference"}
"""What there is to see, and how it is called."""
_PICTURES = {"scan": "before", "result": "after", "difference": "difference"}
ZOOMS = {1: "_1x", 2: "_2x", 4: "_4x"}
"""How many times it is enlarged."""


class PreviewPane:
    """A picture with its height scale, a small one of the whole image, and a few facts.

    Parameters
    ----------
    parent : ttk.Frame
        Where it goes.
    field : dict
        Description of the field.
    folder : Path
        Where the worker puts the pictures.
    update : callable
        Called when the user wants a new preview.
    changed : callable
        Called when the pictures should have other colours.
    """

    def __init__(
        self,
        parent: ttk.Frame,
        field: dict[str, Any],
        folder: Path,
        update: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._field, self._folder = field, folder
        self._update, self._changed = update, changed
        self._pictures: dict[str, Picture] = {}
        self._bars: dict[str, tuple[Picture, tuple[str, str]]] = {}
        self._painted: dict[str, tk.PhotoImage] = {}  # Tk does not keep them alive
        self._drawing: str | None = None  # what Tk will do when it has time
        self._about: dict[str, str] = {}  # what is said of each picture
        self._default = gwyddion_folder.default_palette()
        self.at: list[int] | None = None
        """Pixel in the middle of the crop; None: that of the image."""
        self.frame = frame = ttk.Frame(parent)
        self.instant = tk.BooleanVar(frame, True)
        self._shown, self._zoom = tk.StringVar(frame, "result"), tk.IntVar(frame, 1)
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(1, weight=1, minsize=_LEAST)
        self._build_switches().grid(row=0, column=0, columnspan=2, sticky="ew", pady=(0, PAD))
        self._large = self._canvas(frame, _SIDE)
        self._large.grid(row=1, column=0, sticky="nsew")
        self._large.bind("<Configure>", lambda event: self._draw_soon())
        self._scale = HeightScale(frame)
        self._scale.canvas.grid(row=1, column=1, sticky="ns", padx=(PAD, 0))
        self._note = ttk.Label(frame, wraplength=_WIDTH, justify="left")
        self._note.grid(row=2, column=0, columnspan=2, sticky="w", pady=(PAD, 0))
        # A line from the beginning, so that nothing moves when the verdict comes.
        self._sampling = ttk.Label(frame, text=" ", wraplength=_WIDTH, justify="left")
        self._sampling.grid(row=3, column=0, columnspan=2, sticky="w", pady=(PAD, 0))
        self._build_whole().grid(row=4, column=0, columnspan=2, sticky="ew", pady=(PAD, 0))

    # --- building --------------------------------------------------------------------------

    def _build_switches(self) -> ttk.Frame:
        rows = ttk.Frame(self.frame)
        shown = switch(rows, "Preview:", SHOWN, self._shown, self._draw)
        shown.grid(row=0, column=0, sticky="w")
        zoom = switch(rows, "Zoom:", ZOOMS, self._zoom, self._draw)
        zoom.grid(row=0, column=1, sticky="e", padx=(3 * PAD, 0))
        rows.columnconfigure(1, weight=1)
        return rows

    def _build_whole(self) -> ttk.Frame:
        whole = ttk.Frame(self.frame)
        self._overview = self._canvas(whole, _OVERVIEW)
        self._overview.grid(row=0, column=0, sticky="nw")
        self._overview.bind("<Button-1>", self._move)
        self._overview.configure(cursor="crosshair")
        facts = ttk.Frame(whole)
        facts.grid(row=0, column=1, sticky="nw", padx=(2 * PAD, 0))
        wrap = _WIDTH - _OVERVIEW - 2 * PAD
        self._facts = ttk.Label(facts, wraplength=wrap, justify="left")
        self._facts.grid(row=0, columnspan=2, sticky="w")
        hint = ttk.Label(facts, text="Click the small image to move the preview.")
        hint.grid(row=1, columnspan=2, sticky="w", pady=PAD)
        self._palette = ttk.Combobox(facts, state="readonly", width=26)
        self._palette.bind("<<ComboboxSelected>>", lambda event: self._changed())
        ttk.Label(facts, text="Palette:").grid(row=2, column=0, sticky="w", padx=(0, PAD))
        self._palette.grid(row=2, column=1, sticky="w")
        self.offer_palettes([])
        buttons = ttk.Frame(facts)
        buttons.grid(row=3, columnspan=2, sticky="w", pady=(PAD, 0))
        ttk.Checkbutton(buttons, text="Instant updates", variable=self.instant).pack(side="left")
        update = ttk.Button(buttons, text="Update", underline=0, command=self._update)
        update.pack(side="left", padx=PAD)
        return whole

    def _canvas(self, parent: ttk.Frame, side: int) -> tk.Canvas:
        return tk.Canvas(
            parent,
            width=side,
            height=side,
            background=ttk.Style(parent).lookup(".", "troughcolor") or EDGE,
            highlightthickness=1,
            highlightbackground=EDGE,
        )

    # --- choices ---------------------------------------------------------------------------

    def fill(self, choices: Choices) -> None:
        """Show what was chosen."""
        self.instant.set(choices.instant)
        self._shown.set(choices.shown if choices.shown in SHOWN else "result")
        self._zoom.set(choices.zoom if choices.zoom in ZOOMS else 1)
        self._palette.set(choices.palette or self._as_gwyddion)
        self._draw()

    @property
    def chosen(self) -> dict[str, Any]:
        """What is chosen here, by its name among the `Choices`."""
        palette = self._palette.get()
        return {
            "instant": self.instant.get(),
            "shown": self._shown.get(),
            "zoom": self._zoom.get(),
            "palette": "" if palette == self._as_gwyddion else palette,
        }

    @property
    def palette(self) -> str:
        """Name of the palette that the pictures should have."""
        return str(self.chosen["palette"]) or self._default

    @property
    def _as_gwyddion(self) -> str:
        return f"Gwyddion's default ({self._default})"

    def offer_palettes(self, names: list[str]) -> None:
        """Let the user choose from some palettes, besides Gwyddion's default."""
        self._palette["values"] = [self._as_gwyddion, *names]
        if not self._palette.get():
            self._palette.set(self._as_gwyddion)

    # --- what is told ----------------------------------------------------------------------

    def wrap(self, width: int) -> None:
        """Let the texts be so many pixels wide."""
        self._note["wraplength"] = self._sampling["wraplength"] = width
        self._facts["wraplength"] = width - _OVERVIEW - 2 * PAD

    def say(self, text: str) -> None:
        """Show a text below the picture, which is no longer that of the settings."""
        self._about = {}
        self._note["text"] = text

    def tell_sampling(self, text: str) -> None:
        """Say whether the pixels of the scan are small enough."""
        self._sampling["text"] = text

    def tell_scale(self, scale: Scale, why: str) -> None:
        """Say what comes in and what will come out, and why."""
        because = why.partition(": ")[2]
        lines = [*_facts(self._field, scale), because[:1].upper() + because[1:]]
        self._facts["text"] = "\n".join(line for line in lines if line)

    # --- what is shown ---------------------------------------------------------------------

    def busy(self) -> None:
        """Show that a preview is on its way."""
        if not self._pictures:
            self.say("Preview…")

    def show(self, answer: dict[str, Any], method: str) -> None:
        """Show what the worker made."""
        for name in ("before", "after", "difference", "overview"):
            self._pictures[name] = Picture.read(self._folder / answer[name])
        for name, file in answer["bars"].items():
            low, high = answer["ends"][name]
            self._bars[name] = Picture.read(self._folder / file), (low, high)
        self._draw_overview(*answer["crop"])
        _, _, width, height = answer["crop"]
        made = " × ".join(map(str, answer["made"]))
        levelled = f"Levelled, {width} × {height} px"
        same = f"{levelled}; upscaled by {method}, {made} px; same colours"
        adds = f"{levelled}; {method} minus bicubic, {made} px"
        self._about = {"scan": same, "result": same, "difference": adds}
        self._draw()

    def _draw_soon(self) -> None:
        """Draw once the window has its new size, not at every step there."""
        if self._drawing is not None:
            self.frame.after_cancel(self._drawing)
        self._drawing = self.frame.after_idle(self._draw)

    def _draw(self) -> None:
        self._drawing = None
        shown = self._shown.get()
        picture = self._pictures.get(_PICTURES[shown])
        if picture is None:
            return
        across, down = self._large.winfo_width() - 2, self._large.winfo_height() - 2
        if min(across, down) < 1:
            return
        size = picture.fitted(across, down)
        self._paint(self._large, "large", picture.at(*size, self._zoom.get()), across, down)
        bar, ends = self._bars["difference" if shown == "difference" else "heights"]
        self._scale.show(bar, ends)
        if self._about:
            self._note["text"] = self._about[shown]

    def _paint(self, canvas: tk.Canvas, name: str, data: bytes, across: int, down: int) -> None:
        picture = tk.PhotoImage(master=self.frame, data=data, format="ppm")
        canvas.delete("all")
        canvas.create_image(across // 2 + 1, down // 2 + 1, image=picture)
        self._painted[name] = picture

    def _draw_overview(self, left: int, top: int, width: int, height: int) -> None:
        whole = self._pictures["overview"]
        data = whole.at(whole.width, whole.height)
        self._paint(self._overview, "overview", data, _OVERVIEW, _OVERVIEW)
        across, down, x, y = self._place()
        corners = [x + left * across, y + top * down]
        corners += [x + (left + width) * across - 1, y + (top + height) * down - 1]
        self._overview.create_rectangle(*corners, outline="black", width=3)
        self._overview.create_rectangle(*corners, outline="white", width=1)

    def _place(self) -> tuple[float, float, int, int]:
        """Return screen pixels per pixel each way, and the top-left corner of the small image."""
        picture = self._pictures["overview"]
        across = picture.width / self._field["xres"]
        down = picture.height / self._field["yres"]
        left = (_OVERVIEW - picture.width) // 2 + 1
        return across, down, left, (_OVERVIEW - picture.height) // 2 + 1

    def _move(self, event: tk.Event[tk.Canvas]) -> None:
        if "overview" in self._pictures:
            across, down, x, y = self._place()
            self.at = [int((event.x - x) / across), int((event.y - y) / down)]
            self._update()


def _facts(field: dict[str, Any], scale: Scale) -> list[str]:
    """Say what comes in and what will come out."""
    xres, yres = field["xres"], field["yres"]
    rows, columns = scale.shape(yres, xres)
    width, height, unit = field["xreal"], field["yreal"], field["unit_xy"]
    if unit == "m":  # as Gwyddion has lengths, and the library in nm
        width, height, unit = 1e9 * width, 1e9 * height, "nm"
    before = _pixel(width / xres, height / yres, unit)
    after = _pixel(width / columns, height / rows, unit)
    return [
        f"{sides(width, height, unit, by=' × ')}, {xres} × {yres} px  →  {columns} × {rows} px",
        f"Pixels of {before}  →  {after}",
    ]


def _pixel(across: float, down: float, unit: str) -> str:
    """Return the size of a pixel, once if it is square."""
    once = readable(across, unit)
    return once if once == readable(down, unit) else sides(across, down, unit, by=" × ")

"""The left half of the dialog: a crop before and after, and where it lies."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Any

from afmsr_core.grid import Scale
from afmsr_core.quantity import readable, sides
from gwyddion_plugin.window.widgets import PAD

__all__ = ["PreviewPane"]

_SIDE = 256  # pixels of a picture of the crop
_OVERVIEW = 128  # pixels of the picture of the whole image
_EDGE = "#808080"


class PreviewPane:
    """Pictures and a few facts.

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
    """

    def __init__(
        self, parent: ttk.Frame, field: dict[str, Any], folder: Path, update: Callable[[], None]
    ) -> None:
        self._field, self._folder, self._update = field, folder, update
        self._pictures: dict[str, tk.PhotoImage] = {}  # Tk does not keep them alive
        self.at: list[int] | None = None
        """Pixel in the middle of the crop; None: that of the image."""
        self.frame = ttk.Frame(parent)
        self.instant = tk.BooleanVar(self.frame, True)
        self._canvases = {
            "before": self._picture(0, "Before"),
            "after": self._picture(1, "After"),
        }
        self._note = ttk.Label(self.frame, wraplength=2 * _SIDE, justify="left")
        self._note.grid(row=2, column=0, columnspan=2, sticky="w", pady=(PAD, 0))
        # A line from the beginning, so that nothing moves when the verdict comes.
        self._sampling = ttk.Label(self.frame, text=" ", wraplength=2 * _SIDE, justify="left")
        self._sampling.grid(row=3, column=0, columnspan=2, sticky="w", pady=(PAD, 0))
        self._overview = self._canvas(self.frame, _OVERVIEW)
        self._overview.grid(row=4, column=0, sticky="nw", pady=(PAD, 0))
        self._overview.bind("<Button-1>", self._move)
        self._overview.configure(cursor="crosshair")
        facts = ttk.Frame(self.frame)
        facts.grid(row=4, column=0, columnspan=2, sticky="nw", padx=(_OVERVIEW + 2 * PAD, 0))
        wrap = 2 * _SIDE - _OVERVIEW - 2 * PAD
        self._facts = ttk.Label(facts, wraplength=wrap, justify="left")
        self._facts.pack(anchor="w", pady=(PAD, 0))
        ttk.Label(facts, text="Click the small image to move the preview.").pack(
            anchor="w", pady=(PAD, 0)
        )
        buttons = ttk.Frame(facts)
        buttons.pack(anchor="w", pady=(PAD, 0))
        ttk.Checkbutton(buttons, text="Instant updates", variable=self.instant).pack(side="left")
        ttk.Button(buttons, text="Update", underline=0, command=update).pack(side="left", padx=PAD)

    def _picture(self, column: int, title: str) -> tk.Canvas:
        gap = (0, PAD) if column == 0 else 0
        ttk.Label(self.frame, text=title, font="TkHeadingFont").grid(
            row=0, column=column, sticky="w"
        )
        canvas = self._canvas(self.frame, _SIDE)
        canvas.grid(row=1, column=column, padx=gap)
        return canvas

    def _canvas(self, parent: ttk.Frame, side: int) -> tk.Canvas:
        return tk.Canvas(
            parent,
            width=side,
            height=side,
            background="#c8c6c2",
            highlightthickness=1,
            highlightbackground=_EDGE,
        )

    def say(self, text: str) -> None:
        """Show a text below the pictures, which are no longer those of the settings."""
        self._note["text"] = text

    def tell_sampling(self, text: str) -> None:
        """Say whether the pixels of the scan are small enough."""
        self._sampling["text"] = text

    def tell_scale(self, scale: Scale, why: str) -> None:
        """Say what comes in and what will come out, and why."""
        because = why.partition(": ")[2]
        lines = [*_facts(self._field, scale), because[:1].upper() + because[1:]]
        self._facts["text"] = "\n".join(line for line in lines if line)

    def busy(self) -> None:
        """Show that a preview is on its way."""
        if not self._pictures:
            self.say("Preview…")

    def show(self, answer: dict[str, Any], method: str) -> None:
        """Show what the worker made."""
        for name in ("before", "after", "overview"):
            picture = tk.PhotoImage(
                master=self.frame, file=str(self._folder / answer[name]), format="ppm"
            )
            canvas = self._overview if name == "overview" else self._canvases[name]
            side = _OVERVIEW if name == "overview" else _SIDE
            canvas.delete("all")
            canvas.create_image(side // 2 + 1, side // 2 + 1, image=picture)
            self._pictures[name] = picture
        left, top, width, height = answer["crop"]
        made = " × ".join(map(str, answer["made"]))
        self._frame_crop(left, top, width, height)
        self.say(f"Levelled, {width} × {height} px; upscaled by {method}, {made} px; same colours")

    def _place(self) -> tuple[float, float, int, int]:
        """Return screen pixels per pixel each way, and the top-left corner of the small image."""
        picture = self._pictures["overview"]
        across = picture.width() / self._field["xres"]
        down = picture.height() / self._field["yres"]
        left = (_OVERVIEW - picture.width()) // 2 + 1
        return across, down, left, (_OVERVIEW - picture.height()) // 2 + 1

    def _frame_crop(self, left: int, top: int, width: int, height: int) -> None:
        across, down, x, y = self._place()
        corners = [x + left * across, y + top * down]
        corners += [x + (left + width) * across - 1, y + (top + height) * down - 1]
        self._overview.create_rectangle(*corners, outline="black", width=3)
        self._overview.create_rectangle(*corners, outline="white", width=1)

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

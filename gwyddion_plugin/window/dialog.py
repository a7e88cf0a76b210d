"""The dialog, in the manner of Gwyddion's own: preview at the left, parameters at the right."""

from __future__ import annotations

import contextlib
import re
import tkinter as tk
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tkinter import font, ttk
from typing import Any

from afmsr_core.errors import Cancelled
from afmsr_core.grid import AUTO, Choice
from afmsr_core.grid import choose as choose_scale
from gwyddion_plugin.exchange import gwyddion_folder
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.window import help_page
from gwyddion_plugin.window.method_list import MethodList
from gwyddion_plugin.window.preview_pane import PreviewPane
from gwyddion_plugin.window.scan_pixels import ScanPixels, scales_for
from gwyddion_plugin.window.widgets import (
    PAD,
    Slider,
    choice_box,
    choose,
    chosen_of,
    place,
    section,
)
from gwyddion_plugin.worker import protocol, scan_notes
from gwyddion_plugin.worker.client import ENDED, Client

__all__ = ["Dialog"]

TICK = 30  # ms between two looks at the worker
QUICK = 3.0  # seconds; previews that take longer come only when they are asked for
_PREVIEW_PIXELS = 96 * 96  # of a crop of square pixels with its halo; of others so many cells
_WRAP = 380  # pixels; width of the texts at the right
_LEFT_WRAP = 500  # pixels; the same below the preview
_HOME = "~"  # as shown
MOST_SEED = (1 << 31) - 1  # as the worker takes it
SHARPNESS = """\
Detail is drawn at random: sharper to look at, further from the truth. Not for single features."""

BACKGROUNDS = {
    "none": "None",
    "plane": "Plane",
    "poly2": "Polynomial, degree 2",
    "poly3": "Polynomial, degree 3",
    "poly4": "Polynomial, degree 4",
    "poly5": "Polynomial, degree 5",
}
ROWS = {
    "none": "As they are",
    "rows-median": "Align by median",
    "rows-median-diff": "Align by median of differences",
}
MASKS = {
    "exclude": "Exclude masked region",
    "include": "Include only masked region",
    "ignore": "Use entire image (ignore mask)",
}


class Dialog:
    """Asks what to do with a field.

    Parameters
    ----------
    root : tkinter.Tk
        Hidden root window.
    client : Client
        The worker, which knows the methods and makes the previews.
    folder : Path
        Private folder with the field's files.
    field : dict
        Description of the field.
    choices : Choices
        What was chosen last time.
    """

    def __init__(
        self, root: tk.Tk, client: Client, folder: Path, field: dict[str, Any], choices: Choices
    ) -> None:
        self._root, self._client, self._folder, self._field = root, client, folder, field
        self._choices = choices
        self._scan = ScanPixels.of(field)
        self._scales = scales_for(self._scan)
        self._result: Choices | None = None
        self._over = tk.BooleanVar(root, False)
        self._dirty = False
        self.pending: int | None = None
        """Number of the preview that the worker is busy with."""
        self._shown_drawn = 0.0  # sharpness of that preview
        self._judging: int | None = None  # number of the request; short, never called off
        self._judged: dict[str, Any] = {}  # settings that the verdict is about
        self._build()
        self._fill(choices)

    def ask(self) -> Choices:
        """Show the dialog and return the choices.

        Raises
        ------
        Cancelled
            If the user chose nothing.
        """
        place(self._root)
        self._methods.focus()
        self._look()
        self._root.wait_variable(self._over)
        self._root.withdraw()
        if self._result is None:
            raise Cancelled("cancelled")
        return self._result

    # --- building --------------------------------------------------------------------------

    def _build(self) -> None:
        root = self._root
        for key, action in {
            "<Return>": self._ok,
            "<KP_Enter>": self._ok,
            "<Escape>": self._cancel,
            "<Alt-o>": self._ok,
            "<Alt-c>": self._cancel,
            "<Alt-r>": self._reset,
            "<Alt-u>": self._update,
            "<Alt-p>": self._help,
            "<F1>": self._help,
        }.items():
            root.bind(key, _without_event(action))
        root.protocol("WM_DELETE_WINDOW", self._cancel)
        whole = ttk.Frame(root, padding=2 * PAD)
        whole.pack(fill="both", expand=True)
        whole.columnconfigure(0, weight=1)
        whole.rowconfigure(0, weight=1)
        left = ttk.Frame(whole)
        left.grid(row=0, column=0, sticky="nsew", padx=(0, 2 * PAD))
        left.columnconfigure(0, weight=1)
        left.rowconfigure(0, weight=1)
        self._preview = PreviewPane(left, self._field, self._folder, self._update, self._changed)
        self._preview.frame.grid(row=0, sticky="nsew")
        self._build_scan_time(left)
        left.bind("<Configure>", lambda event: self._wrap(event.width))
        right = ttk.Frame(whole)
        right.grid(row=0, column=1, sticky="ns")
        right.columnconfigure(0, weight=1)
        self._build_parameters(right)
        self._build_buttons(whole)

    def _build_parameters(self, right: ttk.Frame) -> None:
        self._methods = MethodList(right, _WRAP, self._changed)
        self._methods.frame.grid(row=0, sticky="ew")
        levelling = section(right, 1, "Levelling before upscaling")
        self._background = choice_box(levelling, 0, "_Background:", BACKGROUNDS, self._changed)
        self._rows = choice_box(levelling, 1, "_Scan lines:", ROWS, self._changed)
        self._mask = choice_box(levelling, 2, "_Masking:", MASKS, self._changed)
        if not self._field.get("mask"):
            self._mask.state(["disabled"])
        returned = section(right, 2, "Result")
        which = ttk.Frame(returned)
        which.grid(row=0, columnspan=2, sticky="ew")
        which.columnconfigure(1, weight=1)
        self._scale = choice_box(which, 0, "Sca_le:", self._scales, self._scale_changed)
        self._restore = tk.BooleanVar(returned)
        self._full = tk.BooleanVar(returned)
        self._confidence = tk.BooleanVar(returned)
        self._name, self._target = tk.StringVar(returned), tk.StringVar(returned)
        restore = ttk.Checkbutton(
            returned, text="Restore background: same tilt, datum and mean", variable=self._restore
        )
        restore.grid(row=1, columnspan=2, sticky="w")
        confidence = ttk.Checkbutton(
            returned,
            text="Mark the least certain regions",
            variable=self._confidence,
            command=self._changed,
        )
        confidence.grid(row=2, columnspan=2, sticky="w")
        self._build_sharpness(returned, 3)
        self._build_full(returned, 5)
        returned.columnconfigure(0, weight=1)

    def _build_full(self, returned: ttk.Frame, row: int) -> None:
        full = ttk.Checkbutton(
            returned,
            text="Open full result in a new file (title, steps, log)",
            variable=self._full,
            command=self._show_target,
        )
        full.grid(row=row, columnspan=2, sticky="w")
        frame = ttk.Frame(returned, padding=(20, 0, 0, 0))
        frame.grid(row=row + 1, columnspan=2, sticky="ew")
        frame.columnconfigure(1, weight=1)
        entries = []
        for line, (text, told) in enumerate((("Sample:", self._name), ("Folder:", self._target))):
            ttk.Label(frame, text=text).grid(row=line, column=0, sticky="w", padx=(0, PAD))
            entries.append(ttk.Entry(frame, textvariable=told))
            entries[-1].grid(row=line, column=1, columnspan=2 - line, sticky="ew", pady=1)
        browse = ttk.Button(frame, text="Browse…", command=self._choose_folder, width=9)
        browse.grid(row=1, column=2, padx=(PAD, 0))
        self._of_full = (*entries, browse)

    def _build_sharpness(self, returned: ttk.Frame, row: int) -> None:
        line = ttk.Frame(returned)
        line.grid(row=row, columnspan=2, sticky="ew")
        self._sharpness = Slider(line, "S_harpness:", self._changed)
        self._sharpness.frame.pack(side="left", fill="x", expand=True)
        self._seed = tk.StringVar(line)
        self._seed.trace_add("write", lambda *event: self._changed())
        self._seed_box = ttk.Spinbox(line, from_=0, to=MOST_SEED, textvariable=self._seed, width=6)
        self._seed_box.pack(side="right")
        ttk.Label(line, text="Seed:").pack(side="right", padx=PAD)
        # Two lines from the beginning, so that nothing moves when the warning comes.
        self._drawn = ttk.Label(returned, text="\n", wraplength=_WRAP, justify="left")
        self._drawn.grid(row=row + 1, columnspan=2, sticky="w")

    def _build_scan_time(self, left: ttk.Frame) -> None:
        time = section(left, 1, "Scan time")
        self._saved = ttk.Label(time, wraplength=_LEFT_WRAP, justify="left")
        # Lines from the beginning, so that nothing moves when the plan comes.
        self._planned = ttk.Label(time, text="\n", wraplength=_LEFT_WRAP, justify="left")
        self._saved.grid(sticky="w")
        self._planned.grid(sticky="w", pady=(PAD, 0))

    def _wrap(self, width: int) -> None:
        """Let the texts at the left be as wide as the window lets them."""
        for label in (self._saved, self._planned):
            label["wraplength"] = width - 4 * PAD
        self._preview.wrap(width)

    def _build_buttons(self, whole: ttk.Frame) -> None:
        self._estimate = ttk.Label(whole)
        self._estimate.grid(row=1, column=0, sticky="w", pady=(2 * PAD, 0))
        bar = ttk.Frame(whole)
        bar.grid(row=1, column=1, sticky="e", pady=(2 * PAD, 0))
        for text, underline, command in (
            ("Help", 3, self._help),
            ("Reset", 0, self._reset),
            ("Cancel", 0, self._cancel),
        ):
            button = ttk.Button(bar, text=text, underline=underline, command=command)
            button.pack(side="left", padx=(0, PAD))
        self._ok_button = ttk.Button(
            bar, text="OK", underline=0, command=self._ok, default="active"
        )
        self._ok_button.pack(side="left")

    # --- choices ---------------------------------------------------------------------------

    def _fill(self, choices: Choices) -> None:
        self._methods.chosen = choices.method
        choose(self._scale, self._scales, choices.scale if choices.scale in self._scales else AUTO)
        choose(self._background, BACKGROUNDS, choices.background)
        choose(self._rows, ROWS, choices.rows)
        masked = bool(self._field.get("mask"))
        choose(self._mask, MASKS, choices.mask if masked else "ignore")
        self._restore.set(choices.restore_background)
        self._full.set(choices.open_full)
        self._confidence.set(choices.confidence)
        self._sharpness.value = choices.sharpness
        self._seed.set(str(choices.seed))
        self._name.set(choices.name)
        self._target.set(choices.folder or _shown(gwyddion_folder.last_folder()))
        self._preview.fill(choices)
        self._show_target()
        self._scale_changed()
        self._changed()

    @property
    def _taken(self) -> Choice:
        """The scale that the scan will be taken with, and why."""
        return choose_scale(self._scan, chosen_of(self._scale, self._scales))

    def _chosen(self) -> Choices:
        folder = self._target.get().strip()
        masked = bool(self._field.get("mask"))
        return replace(
            self._choices,
            method=self._methods.chosen,
            scale=chosen_of(self._scale, self._scales),
            background=chosen_of(self._background, BACKGROUNDS),
            rows=chosen_of(self._rows, ROWS),
            mask=chosen_of(self._mask, MASKS) if masked else self._choices.mask,
            restore_background=self._restore.get(),
            open_full=self._full.get(),
            confidence=self._confidence.get(),
            sharpness=0.0 if self._not_drawn else self._sharpness.value,
            seed=self._chosen_seed,
            name=self._name.get().strip(),
            folder="" if folder == _shown(gwyddion_folder.last_folder()) else folder,
            **self._preview.chosen,
        )

    @property
    def _chosen_seed(self) -> int:
        """The seed; that of last time while what is typed is none."""
        text = self._seed.get().strip()
        number = int(text) if text.isascii() and text.isdigit() else -1
        return number if 0 <= number <= MOST_SEED else self._choices.seed

    @property
    def _not_drawn(self) -> str:
        """Why the result cannot be made sharper than the best guess; empty if it can."""
        if self._confidence.get():
            return "least certain regions are those of the best guess; choose one of the two"
        return self._methods.not_drawn

    def _show_drawn(self) -> None:
        """Warn of what is drawn at random, or say why nothing can be."""
        why = self._not_drawn
        self._sharpness.enable(not why)
        self._seed_box.state(["disabled" if why else "!disabled"])
        text = f"No sharpness: {why}" if why else SHARPNESS * (self._sharpness.value > 0)
        one_line = font.nametofont("TkDefaultFont").measure(text) <= _WRAP
        self._drawn["text"] = text + "\n" * one_line

    def _show_target(self) -> None:
        state = "!disabled" if self._full.get() else "disabled"
        for widget in self._of_full:
            widget.state([state])

    def _choose_folder(self) -> None:
        from tkinter import filedialog

        there = str(Path(self._target.get()).expanduser())
        chosen = filedialog.askdirectory(parent=self._root, initialdir=there)
        if chosen:
            self._target.set(chosen)

    def _reset(self) -> None:
        choices = self._choices
        self._fill(Choices(warm_minutes=choices.warm_minutes, time_limit=choices.time_limit))

    def _ok(self) -> None:
        if not self._ok_button.instate(["disabled"]):
            self._result = self._chosen()
            self._over.set(True)

    def _help(self) -> None:
        """Show what the dialog asks, in the browser."""
        self._root.attributes("-topmost", False)  # or the browser would be behind the dialog
        help_page.show()

    def _cancel(self) -> None:
        self._over.set(True)

    # --- the worker ------------------------------------------------------------------------

    def _scale_changed(self) -> None:
        """Tell what the scale means, and ask anew what the methods make of it."""
        scale, why = self._taken
        self._preview.tell_scale(scale, why)
        told = scan_notes.time_saved(self._scan.xres, self._scan.yres, scale)
        self._saved["text"] = _unbroken(told)
        self._client.request("methods", field=self._field, settings=self._settings())

    def _settings(self) -> dict[str, Any]:
        return self._chosen().upscaling(bool(self._field.get("mask")))

    def _changed(self) -> None:
        """Something that shows in the preview was changed."""
        self._ok_button.state(["!disabled" if self._methods.available else "disabled"])
        self._show_drawn()
        self._show_estimate()
        rate = self._methods.seconds_per_pixel
        if not self._methods.available:
            self._preview.say("This method cannot be used here: see at the right")
        elif rate is None:
            self._preview.say("Starting…")
        elif not self._preview.instant.get():
            self._preview.say("Press Update for a preview")
        elif (seconds := rate * _PREVIEW_PIXELS * self._taken.scale.cell) > QUICK:
            took = _about(seconds)
            self._preview.say(f"Press Update for a preview ({took})")
        else:
            self._update()
        self._judge()

    def _update(self) -> None:
        if self._methods.seconds_per_pixel is None or not self._methods.available:
            return
        if self.pending is not None:
            self._dirty = True
            return
        self._preview.busy()
        self._shown_drawn = self._chosen().sharpness
        self.pending = self._client.request(
            "preview",
            folder=str(self._folder),
            field=self._field,
            settings=self._settings(),
            at=self._preview.at,
            palette=self._preview.palette,
            **self._chosen().drawn,
        )

    def _judge(self) -> None:
        """Ask whether the scan is fine enough, after the preview and once for each levelling."""
        busy = self.pending is not None or self._judging is not None
        if busy or self._methods.seconds_per_pixel is None:
            return
        chosen = self._settings()
        settings = {name: chosen[name] for name in ("level", "mask", "scale")}
        if settings != self._judged:
            self._judged = settings
            self._judging = self._client.request(
                "judge", folder=str(self._folder), field=self._field, settings=settings
            )

    def _look(self) -> None:
        # The last look is still to come when the user has pressed OK. It must not take the answer
        # to the run that has begun meanwhile.
        if self._over.get():
            return
        while (message := self._client.poll()) is not None:
            self._take(message)
        self._root.after(TICK, self._look)

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "methods":
            self._preview.offer_palettes(message.get("palettes", []))
            self._methods.fill(message["methods"], message["default"])
            self._changed()
        elif kind == ENDED:
            self.pending = None
            self._preview.say(f"No preview: {self._client.died()}")
        elif self._judging is not None and message.get("id") == self._judging:
            self._judging = None
            if kind == "verdict":
                self._preview.tell_sampling(str(message["told"]))
                self._planned["text"] = _unbroken(str(message.get("plan", ""))) or "\n"
            elif kind == "error":
                self._preview.tell_sampling(f"Pixels not judged; {message['message']}")
                self._planned["text"] = "\n"
            self._judge()
        elif message.get("id") == self.pending:
            self.pending = None
            if kind == "preview":
                drawn = self._shown_drawn
                self._preview.show(message, self._methods.chosen + (f"@{drawn:g}" if drawn else ""))
                self._methods.measured(message["seconds_per_pixel"])
                self._show_estimate()
            elif kind == "error":
                self._preview.say(str(message["message"]))
            if self._dirty:
                self._dirty = False
                self._update()
            self._judge()
        elif kind == "error":
            self._preview.say(str(message["message"]))

    def _show_estimate(self) -> None:
        rate = self._methods.seconds_per_pixel
        pixels = self._scan.xres * self._scan.yres
        chosen = self._chosen()
        more = protocol.CONFIDENCE_SECONDS * chosen.confidence
        more += protocol.drawing_seconds(int(chosen.sharpness > 0))
        told = "…" if rate is None else _about((rate + more) * pixels)
        self._estimate["text"] = f"Time for the whole image: {told}"


# --- small parts ---------------------------------------------------------------------------------


def _without_event(action: Callable[[], None]) -> Callable[[Any], str]:
    def handle(event: Any) -> str:
        action()
        return "break"

    return handle


def _shown(folder: Path | None) -> str:
    """Return a folder as people write it; the home folder if there is none."""
    if folder is None:
        return _HOME
    with contextlib.suppress(ValueError):
        return str(Path(_HOME, folder.relative_to(Path.home())))
    return str(folder)


def _unbroken(text: str) -> str:
    """Keep numbers and what they count on one line."""
    return re.sub(r"(?<=\d) (?=\w|%)|(?<=min) (?=\d)", "\u00a0", text)


def _about(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min"

"""A run with windows: dialog, progress, outcome."""

from __future__ import annotations

import re
import tkinter as tk
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gwyddion_plugin.exchange import gwyddion_folder, settings
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.window.dialog import Dialog
from gwyddion_plugin.window.progress import ProgressWindow
from gwyddion_plugin.worker import field_files
from gwyddion_plugin.worker.client import Client
from gwyddion_plugin.worker.upscaling import CANCEL_GRACE, Outcome, Upscaling

__all__ = ["perform"]

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')  # on Windows, which takes least
_LONGEST = 200  # bytes; file systems take 255


def perform(
    root: tk.Tk, command: Sequence[str], folder: Path, field: RawField, choices: Choices
) -> Outcome:
    """Ask the user, do it, and return the outcome.

    The worker starts with the dialog, not with OK: what it imports and loads, the user does not
    wait for.

    Raises
    ------
    Cancelled
        If the user did.
    AfmsrError
        If the run failed.
    """
    client = Client(command)
    try:
        described = field_files.write(folder, field)
        dialog = Dialog(root, client, folder, described, choices)
        choices = dialog.ask()
        settings.store(choices)
        if not client.settle(dialog.pending, CANCEL_GRACE):
            client.kill()
            client = Client(command)
        run = Upscaling(client, folder, described, choices, _target(choices))
        label = f"{choices.method}: {field.xres} × {field.yres} px…"
        outcome = ProgressWindow(root, run, label).wait()
    except BaseException:
        client.kill()
        raise
    client.close()
    return outcome


def _target(choices: Choices) -> Path | None:
    """Return where the full result goes, if it is wanted."""
    if not choices.open_full:
        return None
    folder = Path(choices.folder or gwyddion_folder.last_folder() or "~").expanduser()
    return folder / f"{_file_name(choices.name)} {datetime.now():%Y-%m-%d %H.%M.%S}.gwy"


def _file_name(sample: str) -> str:
    """Return what every system takes as the beginning of a file's name.

    Examples
    --------
    >>> _file_name("PS/PMMA: 2nd?"), _file_name(" .. ")
    ('PS_PMMA_ 2nd_', 'afmsr')
    """
    name = _NOT_IN_NAMES.sub("_", sample).strip(" .")
    while len(name.encode("utf-8", "replace")) > _LONGEST:
        name = name[:-1]
    return name or "afmsr"

"""A run with windows: dialog, progress, outcome."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gwyddion_plugin.exchange import settings
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.window.dialog import Dialog
from gwyddion_plugin.window.progress import ProgressWindow
from gwyddion_plugin.worker import field_files
from gwyddion_plugin.worker.client import Client
from gwyddion_plugin.worker.upscaling import CANCEL_GRACE, Outcome, Upscaling

__all__ = ["perform"]


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
    folder = Path(choices.folder).expanduser() if choices.folder else Path.home()
    return folder / f"afmsr {datetime.now():%Y-%m-%d %H.%M.%S}.gwy"

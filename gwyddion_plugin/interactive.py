"""A run with windows: dialog, progress, outcome."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gwyddion_plugin import settings
from gwyddion_plugin.client import Client
from gwyddion_plugin.dialog import Dialog
from gwyddion_plugin.progress_window import ProgressWindow
from gwyddion_plugin.rawfield import RawField
from gwyddion_plugin.run import CANCEL_GRACE, Outcome, Run
from gwyddion_plugin.settings import Choices

__all__ = ["hold"]


def hold(
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
        described = field.write_to(folder)
        dialog = Dialog(root, client, folder, described, choices)
        choices = dialog.ask()
        settings.store(choices)
        if not client.settle(dialog.pending, CANCEL_GRACE):
            client.kill()
            client = Client(command)
        run = Run(client, folder, described, choices, _target(choices))
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

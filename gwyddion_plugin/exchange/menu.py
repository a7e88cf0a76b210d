"""What Gwyddion is told about the plug-in: its name, its place in the menu, its run modes.

A module of its own, since the plug-in, its windows and the installer all say the same.
"""

from __future__ import annotations

__all__ = ["FUNCTION", "INTERACTIVE", "MENU", "MODES", "REGISTRATION", "TITLE"]

FUNCTION = "afmsr_super_resolution"
TITLE = "AFM Super-Resolution"
# Three dots, not an ellipsis, as in Gwyddion's own items: the menu path is also the key of the
# user's keyboard shortcuts.
MENU = f"/_{TITLE}..."
REGISTRATION = f"{FUNCTION}\n{MENU}\ninteractive noninteractive\n"
"""Answer to ``register``, and content of the ``.rgi`` file that saves Gwyddion the question."""

INTERACTIVE = ("modal", "interactive")
MODES = (*INTERACTIVE, "noninteractive", "immediate", "with_defaults")
"""Run modes that a call may name; Gwyddion 2.62 says ``modal`` or ``noninteractive``."""

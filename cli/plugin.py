"""``afmsr plugin``: put the menu item into Gwyddion, check it, take it out."""

from __future__ import annotations

import argparse
from typing import Any

from .actions import add_action, add_actions

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr plugin install               then in Gwyddion: Data Process
  afmsr plugin check                 try what is installed
  afmsr plugin uninstall --dry-run   say what would be removed
"""
_ACTIONS = {  # what they do, and examples
    "install": (
        "write the menu item into Gwyddion's user folder",
        "  afmsr plugin install\n  afmsr plugin install --gwyddion-dir ~/.gwyddion --dry-run",
    ),
    "check": ("try what is installed", "  afmsr plugin check"),
    "uninstall": (
        "remove exactly what install wrote",
        "  afmsr plugin uninstall --dry-run\n  afmsr plugin uninstall",
    ),
}


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "plugin",
        help="install the menu item of Gwyddion",
        description="The menu item AFM Super-Resolution in Gwyddion: Data Process > Plug-Ins in "
        "Gwyddion 2, Data Process > Basic Operations in Gwyddion 3, which compiles a module.",
        epilog=_EPILOG,
    )
    from gwyddion_plugin.installing.__main__ import add_arguments

    actions = add_actions(parser)
    for name, (summary, examples) in _ACTIONS.items():
        add_arguments(add_action(actions, name, run, summary, examples))


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    from gwyddion_plugin.installing.__main__ import perform

    return perform(args.action, args.gwyddion_dir, args.dry_run)

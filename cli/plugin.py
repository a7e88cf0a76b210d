"""``afmsr plugin``: put the menu item into Gwyddion, check it, take it out."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr plugin install               then in Gwyddion: Data Process > Plug-Ins
  afmsr plugin check                 try what is installed
  afmsr plugin uninstall --dry-run   say what would be removed
"""
_ACTIONS = {
    "install": "write the menu item into Gwyddion's user folder",
    "check": "try what is installed",
    "uninstall": "remove exactly what install wrote",
}


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "plugin",
        help="install the menu item of Gwyddion",
        description="The menu item Data Process > Plug-Ins > AFM Super-Resolution of Gwyddion.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    from gwyddion_plugin.installer import add_arguments

    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in _ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=summary.capitalize() + ".")
        add_arguments(action)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for."""
    from gwyddion_plugin.installer import perform

    return perform(args.action, args.gwyddion_dir, args.dry_run)

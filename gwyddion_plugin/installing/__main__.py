"""The command line: ``python -m gwyddion_plugin.installing``, or ``install_plugin.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from afmsr_core.errors import AfmsrError
from gwyddion_plugin.installing.installer import install, uninstall

__all__ = ["add_arguments", "main", "perform"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every action has."""
    parser.add_argument(
        "--gwyddion-dir", type=Path, metavar="DIR", help="Gwyddion's user folder (~/.gwyddion)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")


def perform(action: str, folder: Path | None, dry_run: bool) -> int:
    """Do ``"install"``, ``"uninstall"`` or ``"check"``, and return the exit status."""
    if action == "check":
        from gwyddion_plugin.installing.check import check

        return 0 if check(folder) else 1
    (install if action == "install" else uninstall)(folder, dry_run)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line of ``install_plugin.py``.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(
        prog="install_plugin.py", description="Put AFM super-resolution into Gwyddion's menu."
    )
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--check", action="store_true", help="try what is installed")
    actions.add_argument("--uninstall", action="store_true", help="remove what was written")
    add_arguments(parser)
    args = parser.parse_args(argv)
    action = "check" if args.check else "uninstall" if args.uninstall else "install"
    try:
        return perform(action, args.gwyddion_dir, args.dry_run)
    except AfmsrError as error:
        sys.stderr.write(f"afmsr: {error}\n")
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())

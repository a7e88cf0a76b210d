"""Actions of a command that has several: ``afmsr models fetch``, ``afmsr survey serve``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from afmsr_core.errors import UsageError

__all__ = ["add_action", "add_actions"]


def add_actions(parser: argparse.ArgumentParser, dest: str = "action", **more: Any) -> Any:
    """Let a parser have actions, and show its help where none is given.

    The exit status is then that of a wrong usage: a script that leaves the action out has done
    nothing.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command, or of all commands.
    dest : str
        What an action is called.
    **more
        For ``add_subparsers``.
    """

    def show(args: argparse.Namespace) -> int:
        parser.print_help()
        return UsageError.exit_status

    parser.set_defaults(run=show)
    return parser.add_subparsers(dest=dest, metavar=dest.upper(), **more)


def add_action(
    actions: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str, examples: str
) -> argparse.ArgumentParser:
    """Add an action with its help.

    Parameters
    ----------
    actions : subparsers
        Of the command.
    name, summary : str
        What it is called, and what it does.
    run : callable
        From the arguments to the exit status.
    examples : str
        Indented lines that stand below its help.

    Returns
    -------
    ArgumentParser
        To add its arguments to.
    """
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
    )
    parser.set_defaults(run=run)
    return parser

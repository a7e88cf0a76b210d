"""Actions of a command that has several: ``afmsr models fetch``, ``afmsr survey serve``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

__all__ = ["add_action"]


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
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser

"""The options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_channel_options", "add_cluster_options", "add_file_options", "scheduler"]


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add the options on files, output and talkativeness."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="scans, or folders of them"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file, for one input; or a folder, in which inputs keep their names: a name without "
        "suffix, or with / at its end (default: beside each input)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite existing outputs")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--json", action="store_true", help="results as JSON on stdout")
    parser.add_argument(
        "--quiet", action="store_true", help="no progress, only warnings and errors"
    )


def add_channel_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that choose channels."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--channel",
        action="append",
        metavar="WHICH",
        help="number, title or pattern such as 'Height*'; may be repeated "
        "(default: the first height channel)",
    )
    which.add_argument("--all-channels", action="store_true", help="every channel of the file")


def add_cluster_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that name a Dask scheduler."""
    cluster = parser.add_mutually_exclusive_group()
    cluster.add_argument(
        "--dask", metavar="ADDRESS", help="compute on the Dask scheduler at this address"
    )
    cluster.add_argument(
        "--scheduler-file", type=Path, metavar="FILE", help="the same, from the scheduler's file"
    )


def scheduler(args: argparse.Namespace) -> str | Path | None:
    """Return the scheduler that these options name."""
    address: str | None = args.dask
    file: Path | None = args.scheduler_file
    return address if file is None else file

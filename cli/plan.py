"""``afmsr plan``: which settings of the next scan reach an error in the least time."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr plan quick.gwy
      lines and points that reach 10 % of Sq in the least time, with errors and times
  afmsr plan quick.gwy --error 0.3nm --lines-per-second 1
  afmsr plan map.gwy --mode force-map --json
      where every point costs time; all settings as JSON

Errors are expected ones, from the scan's own spectrum: "likely" holds the true one in 8 of 10
scans. They are those of the whole surface, between the pixels too.
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "plan",
        description="From one quick scan, say which settings reach an error in the least time.",
        epilog=_EPILOG,
    )
    parser.add_argument("scan", type=Path, metavar="SCAN", help="the quick scan")
    parser.add_argument(
        "--channel",
        metavar="WHICH",
        help="number, title or pattern (default: the first with heights)",
    )
    parser.add_argument(
        "--error",
        default="10%",
        metavar="ERROR",
        help="rms error that is wanted: in %% of Sq, or a height such as 0.3nm (default: 10%%)",
    )
    parser.add_argument(
        "--mode",
        default="tapping",
        help="contact, tapping, non-contact or stm: points along a line cost no time; force-map: "
        "every point does (default: %(default)s)",
    )
    parser.add_argument(
        "--lines-per-second",
        type=float,
        metavar="R",
        help="of the quick scan and the next (default: as a .gwy says, if it does)",
    )
    parser.add_argument(
        "--level",
        default="plane",
        metavar="STEPS",
        help="what is taken off first, as for afmsr upscale (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="all settings as JSON on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plan from one scan."""
    from afmsr_core.planning import plan

    found = plan(
        args.scan,
        error=args.error,
        mode=args.mode,
        lines_per_second=args.lines_per_second,
        channel=args.channel,
        level=args.level,
    )
    print(json.dumps(found.as_dict(), indent=1) if args.json else found)
    return 0

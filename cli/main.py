"""``afmsr``: the entry point that the other commands hang on."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from afmsr_core import __version__
from afmsr_core.errors import AfmsrError, Cancelled

__all__ = ["main"]

_EPILOG = """\
examples:
  afmsr demo                          try it on the simulated scan that ships with afmsr
  afmsr upscale scan.gwy              -> scan_x4.gwy, a copy with one more channel
  afmsr upscale scans/ -o results/ --level plane+rows-median --jobs 4
  afmsr convert scans/ --to npy --level plane

exit status: 0 done, 1 some inputs failed (each is named, the rest is done), 2 usage,
3 nothing to do, 4 weights or an optional part missing, 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every command."""
    from afmsr_cli import convert, demo, doctor, models, upscale

    parser = argparse.ArgumentParser(
        prog="afmsr",
        description="Upscale AFM scans 4x, in nanometres.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"afmsr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (upscale, convert, models, doctor, demo):
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status.
    """
    if hasattr(signal, "SIGPIPE") and not sys.stdout.isatty():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `afmsr ... | head` ends quietly
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except (KeyboardInterrupt, Cancelled):
        print("afmsr: interrupted; nothing half written is left", file=sys.stderr)
        return Cancelled.exit_status
    except AfmsrError as error:
        print(f"afmsr: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())

"""``afmsr``: the entry point that the other commands hang on."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from afmsr_core import __version__
from afmsr_core.errors import AfmsrError, Cancelled
from afmsr_core.starting import start
from afmsr_core.stopping import INTERRUPTED, stoppable

from .actions import add_actions
from .parser import Parser
from .streams import Stream, say, streams

__all__ = ["COMMANDS", "GROUPS", "build_parser", "main"]

GROUPS = {
    "start here": {
        "demo": "upscale the simulated example scan",
        "doctor": "check the installation",
    },
    "scans": {
        "plan": "say from a quick scan how many lines are enough",
        "upscale": "upscale scans 4x",
        "report": "show a scan and its result on one page, and say what to trust",
        "picture": "draw scans as a figure for a paper",
        "verify": "compare a result with a zoom scan",
        "convert": "convert scans to npy, gsf, gwy or csv",
    },
    "methods on pairs of scans": {
        "eval": "compare methods on pairs of scans, in nm and as the paper did",
        "calibrate": "learn intervals for the heights from your own pairs",
        "simulate": "scan known surfaces with a virtual AFM: pairs for afmsr eval",
        "survey": "let experts score results without knowing the method",
        "fit-niqe": "fit NIQE's parameters to good scans",
    },
    "this installation": {
        "models": "list the methods; fetch, import and check their weights",
        "plugin": "install the menu item of Gwyddion",
        "completion": "have the Tab key complete commands, options and names",
    },
}
"""Commands and what they do, in the order in which somebody new meets them."""

COMMANDS = {name: summary for group in GROUPS.values() for name, summary in group.items()}
"""Every command; the module of the same name has its ``add_parser``."""

_ANSWERS = ("models", "verify", "plan", "doctor", "completion")  # commands that answer on stdout,
_ASKS = ("json", "dry_run")  # and the options that ask for one; other words there are courtesy

_COMPLETING = "_ARGCOMPLETE"  # is in the environment when a shell asks for completions

_EPILOG = """\
examples:
  afmsr demo                     try it on the simulated scan that ships with afmsr
  afmsr upscale scan.gwy         -> scan_x4.gwy, a copy with one more channel
  afmsr upscale scans/ -o results/ --summary results.csv --jobs 4
  afmsr upscale --help           what else it can do; so for every command

exit status: 0 done, 1 some inputs failed (each is named, the rest is done), 2 usage,
3 nothing to do, 4 weights or an optional part missing, 130 interrupted
"""


def module_of(command: str) -> str:
    """Return the name of a command's module: what a file cannot be called, `-`, is `_`."""
    return command.replace("-", "_")


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser; of the commands only `command` is imported and has its options."""
    parser = Parser(
        prog="afmsr",
        usage="afmsr COMMAND ...",
        description="Upscale AFM scans 4x, in nanometres.",
        epilog=_EPILOG,
    )
    width = max(map(len, COMMANDS)) + 2
    for title, group in GROUPS.items():
        listed = "\n".join(f"{name:<{width}}{does}" for name, does in group.items())
        parser.add_argument_group(title, listed)
    options = parser._action_groups.pop(1)
    parser._action_groups.append(options)  # below the commands
    parser.add_argument("--version", action="version", version=f"afmsr {__version__}")
    commands = add_actions(parser, "command", prog=parser.prog, help=argparse.SUPPRESS)
    for name, summary in COMMANDS.items():
        if name == command:
            importlib.import_module(f"afmsr_cli.{module_of(name)}").add_parser(commands)
        else:
            commands.add_parser(name, help=summary)
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
    argv = sys.argv[1:] if argv is None else list(argv)
    if _COMPLETING in os.environ:
        from .completion import complete

        return complete(build_parser)
    start()
    with streams() as (out, _):
        try:
            with stoppable(say=say):
                return _run(argv, out)
        except (KeyboardInterrupt, Cancelled):
            # An interrupt inside an `exec`, of which imports are full, has Python end with a
            # signal however it is handled, unless another `exec` follows.
            exec("")
            print(INTERRUPTED, file=sys.stderr)
            return Cancelled.exit_status


def _run(argv: Sequence[str], out: Stream) -> int:
    """Run a command; what goes wrong becomes a line on stderr and an exit status."""
    try:
        args = build_parser(argv[0] if argv else None).parse_args(argv)
        status = int(args.run(args))
        out.flush()
        return _told(status, args, out)
    except Exception as error:
        from .errorlog import tell

        return tell(error, " ".join(argv))


def _told(status: int, args: argparse.Namespace, out: Stream) -> int:
    """Return the status of a command that is done, after what it had to tell was told or not."""
    wanted = args.command in _ANSWERS or any(getattr(args, name, False) for name in _ASKS)
    if out.error is None or not wanted:
        return status
    if not isinstance(out.error, BrokenPipeError):  # `afmsr ... | head` ends quietly
        print(
            f"afmsr: standard output: not written ({out.error.strerror}); files are, as far as "
            f"nothing else is said",
            file=sys.stderr,
        )
    return status or AfmsrError.exit_status


if __name__ == "__main__":
    sys.exit(main())

"""``afmsr completion``: have the Tab key complete commands, options, methods, channels and files.

The shell asks afmsr itself, through argcomplete, whenever somebody presses Tab.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["add_parser", "complete", "run"]

PROGRAMS = ("afmsr", "afmsr-eval")
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/afmsr",
    "zsh": "~/.zfunc/_afmsr",
    "fish": "~/.config/fish/completions/afmsr.fish",
}
"""Where each shell looks for completions, in the user's own folder."""

_NOTES = {
    "bash": "needs the package bash-completion; without it: echo 'source {place}' >> ~/.bashrc",
    "zsh": "before compinit in ~/.zshrc: fpath+=(~/.zfunc); autoload -Uz compinit && compinit",
    "fish": "nothing else is needed",
}

_EPILOG = """\
examples:
  afmsr completion bash > ~/.local/share/bash-completion/completions/afmsr
  afmsr completion zsh > ~/.zfunc/_afmsr
  afmsr completion fish > ~/.config/fish/completions/afmsr.fish

Make the folder first (mkdir -p) if it is not there, and open a new shell then.
  bash  needs the package bash-completion, which most systems have
  zsh   needs these lines in ~/.zshrc:
            fpath+=(~/.zfunc)
            autoload -Uz compinit && compinit

To try it in this shell only: source <(afmsr completion bash), or afmsr completion fish | source
"""

Completer = Callable[..., Iterable[str]]


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "completion",
        description="Print what a shell needs so that the Tab key completes commands, options, "
        "methods,\nchannels of the scan that was named, and files.",
        epilog=_EPILOG,
    )
    parser.add_argument("shell", choices=tuple(PLACES), metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the script; to who only looks at it, say where it goes, too."""
    import argcomplete

    print(argcomplete.shellcode(PROGRAMS, shell=args.shell).strip())
    if sys.stdout.isatty():
        place = PLACES[args.shell]
        print(
            f"\nafmsr: put this into {place}:\n"
            f"  mkdir -p {place.rpartition('/')[0]}\n"
            f"  afmsr completion {args.shell} > {place}\n"
            f"and open a new shell; {_NOTES[args.shell].format(place=place)}",
            file=sys.stderr,
        )
    return 0


# --- when a shell asks -------------------------------------------------------------------


def complete(build: Callable[[str | None], argparse.ArgumentParser]) -> int:
    """Answer a shell; the process ends there.

    Parameters
    ----------
    build : callable
        From the command that was typed to the parser; of ``afmsr-eval``, it is ``eval``.
    """
    import argcomplete

    program, _, typed = os.environ["COMP_LINE"].lstrip().partition(" ")
    if Path(program).name == "afmsr-eval":
        os.environ["COMP_LINE"] = f"{program} eval {typed}"
        os.environ["COMP_POINT"] = str(int(os.environ["COMP_POINT"]) + len("eval "))
    words = os.environ["COMP_LINE"].split()
    parser = build(words[1] if len(words) > 1 else None)
    _give_completers(parser)
    argcomplete.autocomplete(parser, always_complete_options="long")
    return 0


def _give_completers(parser: argparse.ArgumentParser) -> None:
    """Tell argcomplete what completes which argument, by its name; all others are files."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _give_completers(command)
        elif action.dest in COMPLETERS:
            action.completer = COMPLETERS[action.dest]  # type: ignore[attr-defined]


def _methods(prefix: str, **_: Any) -> Iterable[str]:
    """Return the names of methods, also of one more after some that commas part."""
    from afmsr_core.methods.registry import names

    return _joined(prefix, names(), ",")


def _steps(prefix: str, **_: Any) -> Iterable[str]:
    """Return levelling steps, also one more after some that ``+`` joins."""
    from afmsr_core.levelling import LEVELLERS, NONE

    return _joined(prefix, (NONE, *LEVELLERS), "+")


def _titles(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
    """Return the titles of the channels of the Gwyddion file that stands before the option.

    Files of instruments may take seconds; nobody waits for those after pressing a key.
    """
    from afmsr_core.errors import AfmsrError
    from afmsr_core.io import GwyFile
    from afmsr_core.io.files import head

    given = [getattr(parsed_args, name, None) for name in ("files", "file", "result", "surface")]
    for path in [one for some in given for one in (some if isinstance(some, list) else [some])]:
        try:
            if path and head(path, 4) in (b"GWYP", b"GWYQ"):
                file = GwyFile.open(path)
                return [file.title(number) for number in file.numbers]
        except AfmsrError:  # a bad file has no titles
            continue
    return []


def _devices(prefix: str, **_: Any) -> Iterable[str]:
    return ("auto", "cpu", "cuda", "cuda:0", "mps", "directml", "coreml")


def _presets(prefix: str, **_: Any) -> Iterable[str]:
    from afmsr_core.simulation.presets import PRESETS

    return PRESETS


def _specimens(prefix: str, **_: Any) -> Iterable[str]:
    from afmsr_core.simulation.specimens import SPECIMENS

    return [one.name for one in SPECIMENS]


def _joined(prefix: str, names: Iterable[str], sign: str) -> list[str]:
    before = prefix.rpartition(sign)[0]
    return [f"{before}{sign}{name}" if before else name for name in names]


COMPLETERS: dict[str, Completer] = {
    "channel": _titles,
    "device": _devices,
    "level": _steps,
    "method": _methods,
    "methods": _methods,
    "names": _methods,
    "preset": _presets,
    "specimen": _specimens,
}
"""What completes the value of an argument; the same name means the same in every command."""

"""The parser of every command: short errors that suggest what was meant, and help that teaches."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from afmsr_core.errors import did_you_mean

__all__ = ["Parser"]


_RUNNING = re.compile(r"\S+( \S|$)")
"""How a line of a paragraph begins: not indented, and with no gap as in a list."""

LONG = 3  # lines of a usage beyond which nobody reads it


class Help(argparse.RawDescriptionHelpFormatter):
    """As argparse has it, but for lines that fit the terminal and a usage that is short."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Fill paragraphs; lines of lists and indented ones stay, folded where they must be."""
        parts: list[str] = []
        for line in text.splitlines():
            before = parts[-1] if parts else ""
            if _RUNNING.match(line) and _RUNNING.match(before) and not before.endswith(":"):
                parts[-1] += f" {line}"
            else:
                parts.append(line)
        return "\n".join(_folded(indent + part, width) for part in parts)

    def _format_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any) -> str:
        told = super()._format_usage(usage, actions, groups, prefix)
        if usage is not None or told.count("\n") <= LONG:
            return told
        words = [self._prog, "[options]"]
        for action in sorted(actions, key=lambda one: not one.option_strings):
            if not action.option_strings:
                default = self._get_default_metavar_for_positional(action)
                words.append(self._format_args(action, default))
            elif action.required:
                default = self._get_default_metavar_for_optional(action)
                words.append(f"{action.option_strings[0]} {self._format_args(action, default)}")
        return f"usage: {' '.join(words)}\n\n"


def _folded(line: str, width: int) -> str:
    r"""Return a line that is no wider: a command stays one, a list keeps its second column.

    Examples
    --------
    >>> print(_folded("  afmsr report a.gwy -o b.html   one page", 24))
      afmsr report a.gwy \
          -o b.html
          one page
    >>> print(_folded("  noisy   as on the worst scans", 22))
      noisy   as on the
              worst scans
    """
    if len(line) <= width:
        return line
    import textwrap

    start = line[: len(line) - len(line.lstrip())]
    if start and line.lstrip().startswith("afmsr"):
        command, _, comment = line.strip().partition("   ")
        deeper = f"{start}    "
        folded = textwrap.wrap(
            command, width - 2, initial_indent=start, subsequent_indent=deeper,
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
        below = textwrap.wrap(
            comment.strip(), width, initial_indent=deeper, subsequent_indent=deeper
        )
        return "\n".join([" \\\n".join(folded), *below])
    found = re.match(r"\s*(\S+\s{2,})?", line)
    hang = " " * (found.end() if found else 0)
    return textwrap.fill(line.strip(), width, initial_indent=start, subsequent_indent=hang)


class Parser(argparse.ArgumentParser):
    """As argparse has it, but for its help and for what it says of mistakes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings | {"formatter_class": Help})
        self._positionals.title = "arguments"

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; what is left over is told by the command that it was given to.

        argparse has its outermost parser tell it, which knows none of the command's options.
        """
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._unknown(unknown))
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where all that is right is listed."""
        self.exit(2, f"{self.prog}: {message}\n{self.prog} --help lists what there is\n")

    def _unknown(self, given: Sequence[str]) -> str:
        """Return what to say of arguments that nothing takes."""
        first = given[0].partition("=")[0]
        if not first.startswith("-"):
            said = f"{' '.join(given)}: nothing takes this"
            many = any(one.nargs in ("+", "*") for one in self._get_positional_actions())
            return f"{said} here; name all files together, before the options" if many else said
        long = [option for option in self._option_string_actions if option.startswith("--")]
        return f"there is no option {first}.{did_you_mean(first, long)}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = list(map(str, action.choices))
        hint = did_you_mean(str(value), choices)
        if isinstance(action, argparse._SubParsersAction):
            listed = hint or f" There are: {', '.join(choices)}"
            raise argparse.ArgumentError(None, f"there is no {action.dest} {value!r}.{listed}")
        raise argparse.ArgumentError(
            action, f"{value!r} is no choice.{hint} Choose {_either(choices)}"
        )


def _either(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"

"""The parser of every command: short errors that suggest what was meant, and help that teaches."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from afmsr_core.errors import did_you_mean

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """As argparse has it, but for what it says of mistakes."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings)

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
            return f"{' '.join(given)}: nothing takes this"
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

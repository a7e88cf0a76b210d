"""Choice: a method as it is asked for, with how far its result is sharpened."""

from __future__ import annotations

from dataclasses import dataclass

from afmsr_core.errors import UsageError
from afmsr_core.methods.registry import DEFAULT, Kind, Method, get

__all__ = ["Choice", "chosen"]

SIGN = "@"


@dataclass(frozen=True)
class Choice:
    """A method among others that are compared, such as ``afm`` or ``afm@0.5``.

    Attributes
    ----------
    method : Method
        What makes the best guess.
    sharpness : float
        How much of the way from there to a surface as rough as a full scan, which
        :meth:`afmsr_core.realisations.Realiser.sharpened` goes; 0 is the best guess.
    """

    method: Method
    sharpness: float = 0.0

    @property
    def name(self) -> str:
        """As it is asked for: one name for each choice."""
        return self._with_sharpness(self.method.name)

    @property
    def label(self) -> str:
        """As tables print it."""
        return self._with_sharpness(self.method.label, " ")

    @property
    def kind(self) -> Kind:
        """What the method is."""
        return self.method.kind

    def _with_sharpness(self, text: str, space: str = "") -> str:
        return f"{text}{space}{SIGN}{self.sharpness:g}" if self.sharpness else text


def chosen(spec: str) -> Choice:
    """Return what ``NAME`` or ``NAME@SHARPNESS`` asks for.

    Raises
    ------
    UnknownMethodError
        If no method has this name.
    UsageError
        If sharpness is not learnt for the method, or not in 0..1.

    Examples
    --------
    >>> chosen("afm@0.50").name, chosen("AFM@0").name, chosen("bicubic").name
    ('afm@0.5', 'afm', 'bicubic')
    """
    name, sign, amount = spec.partition(SIGN)
    method = get(name)
    if not sign:
        return Choice(method)
    if method.name != DEFAULT:
        raise UsageError(
            f"{spec}: sharpness is learnt for {DEFAULT} alone; choose {method.name}, or "
            f"{DEFAULT}{SIGN}{amount}"
        )
    try:
        sharpness = float(f"{float(amount):g}")  # so that its name says all of it
    except ValueError:
        sharpness = -1.0
    if not 0 <= sharpness <= 1:
        raise UsageError(
            f"{spec}: after {SIGN} give a number from 0 (the best guess) to 1 (as rough as a full "
            f"scan), such as {DEFAULT}{SIGN}0.5"
        )
    return Choice(method, sharpness)

"""What a metric is, what it gives, and what it may know."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import AfmsrError
from afmsr_core.surfaces import Plane

__all__ = [
    "PROTOCOLS",
    "Context",
    "Field",
    "Kind",
    "Metric",
    "Protocol",
    "Setting",
    "Value",
    "count",
    "finite_in",
    "one_of",
    "optional_path",
    "positive",
]

T = TypeVar("T")
Kind = Literal["full-reference", "no-reference", "surface"]
Protocol = Literal["paper", "nm"]
Field = NDArray[Any]
"""Values, shape (yres, xres): uint8 grey in the paper's protocol, float64 heights in nm."""

PROTOCOLS: Mapping[Protocol, str] = {
    "paper": "8-bit grey values, as in the paper",
    "nm": "heights as floats",
}


@dataclass(frozen=True)
class Value:
    """What a metric gives for one result.

    Attributes
    ----------
    value : float or None
        In the metric's unit; None if it cannot be computed. Never NaN, infinite or a stand-in.
    reason : str
        Why there is no value, with the cure; empty if there is one.
    details : mapping
        What the value rests on, such as data range, crop or patch count; JSON-serialisable.
    """

    value: float | None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable copy."""
        return {"value": self.value, "reason": self.reason, "details": dict(self.details)}


@dataclass(frozen=True)
class Setting:
    """A choice that the user has in a metric.

    Attributes
    ----------
    name : str
        In the settings; metrics that share a setting share its descriptor.
    default : object
        Where the user chooses nothing.
    parse : callable
        Turns what the user gave into what the metric takes; raises ValueError with the cure.
    meaning : str
        One line for the user.
    """

    name: str
    default: Any
    parse: Callable[[Any], Any]
    meaning: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Context:
    """What a metric may know beside the two fields; it belongs to one result.

    Attributes
    ----------
    protocol : {"paper", "nm"}
        Which fields the metrics see.
    pixel_size : tuple of float
        Height and width of a pixel (dy, dx) of both fields, in nm.
    unit : str
        Of the heights.
    settings : mapping
        Every setting of every metric, from :func:`afmsr_core.metrics.resolve`.
    removed : Plane or None
        Fitted to the difference result less truth, and already taken off the result.
    offset : float or None
        Mean of the difference before that, in `unit`.
    low : ndarray of float, shape (low yres, low xres), or None
        Heights of the low-resolution scan, in its own frame.
    upscaled : ndarray of float or None
        The result before alignment: over the area of `low`, edge to edge.
    memo : dict
        Values that are already computed, by metric; a metric may rest on another.
    shared : dict
        What several metrics need of the result, by name; see :meth:`once`.
    of_pair : dict
        What metrics need of the truth or of the low-resolution scan alone, by name: the same for
        all results that are compared with them; see :meth:`once_for_pair`.
    of_pair_lock : context manager
        Held while something of `of_pair` is made.
    """

    protocol: Protocol
    pixel_size: tuple[float, float]
    unit: str = "nm"
    settings: Mapping[str, Any] = field(default_factory=dict)
    removed: Plane | None = None
    offset: float | None = None
    low: Field | None = None
    upscaled: Field | None = None
    memo: dict[str, Value] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    of_pair: dict[str, Any] = field(default_factory=dict)
    of_pair_lock: AbstractContextManager[Any] = field(default_factory=RLock)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` returns, without calling it again for the same `name`."""
        return _once(self.shared, name, make)

    def once_for_pair(self, name: str, make: Callable[[], T]) -> T:
        """As :meth:`once`, for all results; `make` must not look at the result.

        Results may be scored side by side: the others wait for the first.
        """
        with self.of_pair_lock:
            return _once(self.of_pair, name, make)


def _once(made: dict[str, Any], name: str, make: Callable[[], T]) -> T:
    if name not in made:
        made[name] = make()
    found: T = made[name]
    return found


Function = Callable[[Field, Field, Context], Value]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that says something about a result.

    Attributes
    ----------
    name : str
        Unique, lower case.
    label : str
        For tables and axes.
    unit : str
        Of the value; ``""`` if it has none, ``"height"`` for the unit of the heights.
    lower_is_better : bool or None
        None if neither is better, but nearness to `ideal`.
    range : tuple of float
        What the value can be at all.
    ideal : float or None
        Of a perfect result, where there is such a number.
    summary : str
        What it means, in a line.
    source : str
        Paper with DOI, standard, or where the rule is written down.
    kind : {"full-reference", "no-reference", "surface"}
        Compares pixels, looks at the result alone, or compares properties of two surfaces.
    protocol : {"paper", "nm"}
        Which fields it takes: 8-bit grey, or heights as floats.
    function : callable
        Takes result, truth and context and returns a :class:`Value`; may raise a child of
        :class:`afmsr_core.errors.AfmsrError`, whose message becomes the reason.
    settings : tuple of Setting
        What it lets the user choose.
    rank : int
        Place in tables: the lowest first.
    """

    name: str
    label: str
    unit: str = ""
    lower_is_better: bool | None
    range: tuple[float, float] = (-np.inf, np.inf)
    ideal: float | None = None
    summary: str
    source: str
    kind: Kind
    protocol: Protocol
    function: Function
    settings: tuple[Setting, ...] = ()
    rank: int = 1000

    def compute(self, result: Field, truth: Field, context: Context) -> Value:
        """Return the value for a result, or the reason why there is none.

        Parameters
        ----------
        result, truth : ndarray, shape (yres, xres)
            Aligned, from :func:`afmsr_core.metrics.prepare`.
        context : Context
            Of this result; a value that it holds already is not computed again.
        """
        if self.name not in context.memo:
            context.memo[self.name] = self._compute(result, truth, context)
        return context.memo[self.name]

    def _compute(self, result: Field, truth: Field, context: Context) -> Value:
        try:
            found = self.function(result, truth, context)
        except AfmsrError as error:
            return Value(None, str(error))
        if found.value is not None and not math.isfinite(found.value):
            why = f"the formula gives {found.value} for these fields, which is no number to compare"
            return Value(None, why, found.details)
        return found


# --- what metrics share ----------------------------------------------------------------------


def finite_in(*fields: Field) -> NDArray[np.bool_]:
    """Return which pixels are finite in all of the fields."""
    return np.logical_and.reduce([np.isfinite(one) for one in fields])


def one_of(*choices: str) -> Callable[[Any], str]:
    """Return a parser that accepts some words.

    Examples
    --------
    >>> one_of("x", "y")("x")
    'x'
    """

    def parse(given: Any) -> str:
        if str(given) not in choices:
            raise ValueError(f"choose {' or '.join(choices)}")
        return str(given)

    return parse


def positive(given: Any) -> float:
    """Parse a positive number.

    Examples
    --------
    >>> positive("4")
    4.0
    """
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ValueError("give a positive number")
    return number


def count(given: Any) -> int:
    """Parse a positive whole number.

    Examples
    --------
    >>> count("16")
    16
    """
    try:
        number = positive(given)
    except ValueError:
        number = 0.5
    if number != int(number):
        raise ValueError("give a positive whole number")
    return int(number)


def optional_path(given: Any) -> Path | None:
    """Parse the name of a file; nothing stays nothing."""
    if given is None or given == "":
        return None
    if not isinstance(given, str | Path):
        raise ValueError("give the name of a file")
    return Path(given).expanduser()

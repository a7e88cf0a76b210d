"""What every statistical result has in common: a plain form, and a table of p-values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import UsageError, needed

__all__ = ["Floats", "P_FLOOR", "PairMatrix", "Result", "library", "plain", "symmetric"]

Floats = NDArray[np.float64]

P_FLOOR = 1e-10
"""Smallest p-value of a studentized range that is told: its numerical integral errs by 1e-12."""


PLAIN = (str, int, bool, type(None))
"""What most of a result is."""


def library(name: str) -> Any:
    """Import a module of the extra ``eval`` when it is needed, not before.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message holds the command.
    """
    return needed(name, "statistics")


def plain(value: Any) -> Any:
    """Return `value` as JSON knows it: dicts, lists, numbers; what is not finite becomes None.

    Examples
    --------
    >>> plain({"p": np.array([0.5, np.nan]), "n": np.int64(3)})
    {'p': [0.5, None], 'n': 3}
    """
    kind = type(value)  # what is most of a result first
    if kind in PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        return {str(key): plain(item) for key, item in value.items()}
    if kind is list:
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@dataclass(frozen=True)
class Result:
    """A result that turns into plain data."""

    def as_dict(self) -> dict[str, Any]:
        """Return the result as dicts, lists, numbers and None, ready for ``json.dumps``."""
        return plain(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class PairMatrix(Result):
    """What a test says of every pair of methods.

    Attributes
    ----------
    test : str
        Name of the test.
    methods : tuple of str
        All methods in the order of the scores; those that the test leaves out have NaN.
    p : ndarray, shape (methods, methods)
        Symmetric; NaN on the diagonal and where nothing could be tested. Corrected for the
        number of pairs. Those of a studentized range are not told below `P_FLOOR`.
    levels : ndarray, shape (methods,)
        What the test compares: means, in the unit of the metric, or mean ranks (1 is best).
    higher_is_better : bool
        Which direction of `levels` is better.
    n : int
        Number of images, or of samples where images are clustered.
    spread : float
        SD that differences are measured against, in the unit of `levels`.
    dof : float
        Degrees of freedom of `spread`.
    critical_difference : float
        Smallest difference of two levels that is significant at `alpha`.
    alpha : float
        Level of `critical_difference`.
    sphericity : float
        Greenhouse and Geisser's epsilon: 1 where all differences vary alike, at worst
        1 / (methods - 1). NaN where the test does not rest on it.
    reason : str
        Why there is no p-value at all; empty if there is.
    """

    test: str
    methods: tuple[str, ...]
    p: Floats
    levels: Floats
    higher_is_better: bool
    n: int
    alpha: float
    spread: float = math.nan
    dof: float = math.nan
    critical_difference: float = math.nan
    sphericity: float = math.nan
    reason: str = ""

    def pair(self, first: str, second: str) -> float:
        """Return the p-value of two methods; NaN if they were not tested."""
        return float(self.p[self._index(first), self._index(second)])

    def is_better(self, first: str, second: str) -> bool:
        """Return whether the level of `first` is better than that of `second`, by how little ever.

        Examples
        --------
        >>> nothing = np.full((2, 2), np.nan)
        >>> ranks = PairMatrix(test="Nemenyi", methods=("a", "b"), p=nothing,
        ...     levels=np.array([1.2, 1.8]), higher_is_better=False, n=5, alpha=0.05)
        >>> ranks.is_better("a", "b")
        True
        """
        gain = self.levels[self._index(first)] - self.levels[self._index(second)]
        return bool(gain > 0 if self.higher_is_better else gain < 0)

    def _index(self, method: str) -> int:
        if method not in self.methods:
            raise UsageError(
                f"{method!r} is not among the compared methods: {', '.join(self.methods)}"
            )
        return self.methods.index(method)


def symmetric(size: int, rows: ArrayLike, pairs: Floats) -> Floats:
    """Return a `size` x `size` matrix with `pairs` in the triangles of `rows`, NaN elsewhere.

    Parameters
    ----------
    size : int
        Number of all methods.
    rows : array_like of int, shape (k,)
        The methods that were tested.
    pairs : ndarray, shape (k (k - 1) / 2,)
        Values in the order of ``numpy.triu_indices(k, 1)``.

    Examples
    --------
    >>> symmetric(3, [0, 2], np.array([0.5]))
    array([[nan, nan, 0.5],
           [nan, nan, nan],
           [0.5, nan, nan]])
    """
    tested = np.asarray(rows, dtype=np.intp)
    first, second = np.triu_indices(len(tested), 1)
    matrix = np.full((size, size), np.nan)
    matrix[tested[first], tested[second]] = pairs
    matrix[tested[second], tested[first]] = pairs
    return matrix

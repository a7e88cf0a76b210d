"""What is tested: the scores of one metric on one data set, and their blocks of complete images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from afmsr_core.errors import UsageError
from afmsr_core.statistics.result import Floats

__all__ = ["Blocks", "Kind", "ROUNDING", "Scores", "rounded", "vanishes"]

Kind = Literal["interpolation", "network"]

ROUNDING = 1e-12
"""Differences below this fraction of the largest score are rounding errors, and count as none.

Sums of some hundred doubles err by 1e-14; no metric is measured to twelve digits.
"""


def vanishes(spread: float, magnitude: float) -> bool:
    """Return whether `spread` is nothing but the rounding of numbers of that `magnitude`."""
    return not spread > ROUNDING * magnitude


def rounded(values: Floats, magnitude: float) -> Floats:
    """Return `values` rounded so that equal scores are equal: ranks must not order rounding errors.

    Examples
    --------
    >>> rounded(np.array([0.3 - 0.2, 0.2 - 0.1]), 1.0)
    array([0.1, 0.1])
    """
    if not magnitude > 0:
        return values
    return np.round(values / magnitude / ROUNDING) * ROUNDING * magnitude


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of one metric on one data set.

    Parameters
    ----------
    values : ndarray, shape (images, methods)
        In the unit of the metric; NaN where it was not computed. Infinite scores (PSNR of two
        equal images) cannot be averaged and count as not computed, with a note.
    methods : sequence of str
        Names of the columns.
    kinds : sequence of {'interpolation', 'network'}
        Kind of every method.
    higher_is_better : bool
        Direction of the metric.
    metric, data_set, unit : str, optional
        Words for the report; the name of the metric also chooses the margin of equivalence.
    images : sequence of str, optional
        Names of the rows; their numbers from 0 if not given.
    clusters : sequence, optional
        For every image what it belongs to, such as the sample or scan it was cut from. Images
        of a cluster are not independent: intervals resample whole clusters, and tests on
        blocks take the cluster's mean as one block.

    Raises
    ------
    UsageError
        If the lengths disagree, a name comes twice, or a kind is unknown.

    Examples
    --------
    >>> s = Scores(np.array([[28.1, 28.4], [33.0, np.nan]]), ["bicubic", "afm"],
    ...            ["interpolation", "network"], higher_is_better=True)
    >>> s.blocks.dropped
    ('1',)
    """

    values: Floats
    methods: Sequence[str]
    kinds: Sequence[Kind]
    higher_is_better: bool
    metric: str = ""
    data_set: str = ""
    unit: str = ""
    images: Sequence[str] = ()
    clusters: Sequence[object] = ()
    infinite: int = field(init=False, default=0)
    """Number of infinite scores that count as not computed."""

    def __post_init__(self) -> None:
        table = np.array(self.values, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(self.methods):
            raise UsageError(
                f"scores have shape {table.shape} for {len(self.methods)} methods; "
                "pass an array (images, methods)"
            )
        images = tuple(self.images) or tuple(str(row) for row in range(len(table)))
        clusters = tuple(map(str, self.clusters))
        for what, given, wanted in (
            ("kinds", len(self.kinds), len(self.methods)),
            ("names of images", len(images), len(table)),
            ("clusters", len(clusters) or len(table), len(table)),
        ):
            if given != wanted:
                raise UsageError(f"there are {given} {what} for {wanted}; pass one for each")
        for what, names in (("method", self.methods), ("image", images)):
            if twice := [name for name, times in Counter(names).items() if times > 1]:
                raise UsageError(f"{what} {twice[0]!r} comes twice; give each its own name")
        if wrong := [kind for kind in self.kinds if kind not in get_args(Kind)]:
            raise UsageError(f"no kind is called {wrong[0]!r}: use 'interpolation' or 'network'")
        infinite = np.isinf(table)
        table[infinite] = np.nan
        table.setflags(write=False)
        tidy = {"values": table, "images": images, "clusters": clusters}
        tidy |= {"methods": tuple(self.methods), "kinds": tuple(self.kinds)}
        tidy |= {"infinite": int(infinite.sum())}
        for name, value in tidy.items():
            object.__setattr__(self, name, value)

    @property
    def compared(self) -> tuple[int, ...]:
        """Columns with at least one value; the others would leave no complete image."""
        return tuple(np.flatnonzero(np.isfinite(self.values).any(axis=0)).tolist())

    def named(self, kind: Kind) -> tuple[str, ...]:
        """Return the compared methods of a kind."""
        return tuple(self.methods[j] for j in self.compared if self.kinds[j] == kind)

    @cached_property
    def blocks(self) -> Blocks:
        """The images that have a value from every compared method."""
        columns = list(self.compared)
        complete = np.isfinite(self.values[:, columns]).all(axis=1) & bool(columns)
        values = self.values[complete][:, columns]
        names = np.array(self.images, dtype=object)
        labels = np.array(self.clusters or self.images, dtype=object)[complete]
        first = dict.fromkeys(labels.tolist())
        membership = np.array([labels == label for label in first], dtype=np.float64)
        membership = membership.reshape(len(first), len(values))
        sizes = membership.sum(axis=1)
        return Blocks(
            methods=tuple(self.methods[j] for j in columns),
            columns=tuple(columns),
            images=values,
            # not a product for images that stand alone: their scores stay exact to the last bit
            units=(membership @ values) / sizes[:, None] if self.clusters else values,
            sizes=sizes,
            used=tuple(names[complete]),
            dropped=tuple(names[~complete]),
        )


@dataclass(frozen=True, eq=False)
class Blocks:
    """Complete images: what the tests on blocks see.

    Attributes
    ----------
    methods : tuple of str
        The k compared methods.
    columns : tuple of int
        Their columns in the scores.
    images : ndarray, shape (n, k)
        Scores of the complete images.
    units : ndarray, shape (m, k)
        Means over each cluster, which are independent; the images where there are no clusters.
    sizes : ndarray, shape (m,)
        Number of images behind each unit.
    used, dropped : tuple of str
        Names of the complete images and of those that lack a score.
    """

    methods: tuple[str, ...]
    columns: tuple[int, ...]
    images: Floats
    units: Floats
    sizes: Floats
    used: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def magnitude(self) -> float:
        """Largest absolute score, which the rounding errors grow with; 0 if there is none."""
        return float(np.abs(self.images).max(initial=0.0))

    @property
    def untestable(self) -> str:
        """Why no test on blocks is possible; empty if one is."""
        if len(self.methods) < 2:
            return f"a comparison needs 2 methods with scores; there is {len(self.methods)}"
        if len(self.units) < 2:
            what = "image" if len(self.units) == len(self.images) else "sample"
            return (
                f"a test needs 2 {what}s with a score from every method; there is "
                f"{len(self.units)} ({len(self.dropped)} dropped)"
            )
        return ""

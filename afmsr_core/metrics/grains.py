"""Grains and pores: the hills and dales of a surface, counted and measured.

ISO 25178-2 parts a surface by its watersheds: from every point of a hill all ways up lead to one
peak. Wolf's pruning joins a hill that is too low to the neighbour that it leans on most, so that
neither noise nor pixels make grains. No threshold on heights is chosen, so tilted and bowed scans
and grains that touch are no special case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError, UsageError
from afmsr_core.gaps import filled

__all__ = [
    "KINDS",
    "PRUNED",
    "SIZES",
    "Grains",
    "Kind",
    "Rule",
    "find_grains",
    "segment",
    "smoothed",
    "ten_point_height",
]

Field = NDArray[np.float64]
Labels = NDArray[np.int64]
Kind = Literal["hills", "dales"]

KINDS: dict[Kind, float] = {"hills": 1.0, "dales": -1.0}
"""Grains are hills; pores are dales, which are the hills of the surface upside down."""

PRUNED = 0.05
"""Of Sz: hills that rise less above their highest saddle are pruned; the default of ISO 25178-3."""

WAVES = 2.0
"""Measured pixels: wavelength at which the smoothing leaves one half, the shortest that a scan
with such pixels can show. So scans of different pixels are compared at one physical scale."""

GAUSSIAN = float(np.sqrt(np.log(2.0) / 2.0)) / np.pi
"""Standard deviation over cut-off wavelength of the Gaussian filter of ISO 16610-61."""

BRIDGED = 1.0
"""Of the cut-off: gaps as narrow are filled before grains are looked for. No hill that the
smoothing leaves fits into two measured pixels, and the grains around a gap, of which large ones
meet the most, need not be left out. One missing pixel in a hundred would make the mean diameter
7 % smaller else, and the filling moves it by 0.3 %."""

SIZES = ("diameter", "width", "height")
"""Of a grain: diameters of the discs of the same area, of the whole and of what lies above half its
height, and its height."""

TEN_POINTS = 5
"""Peaks and pits of the ten point height S10z: so many of each."""

RESAMPLES = 1000
TAILS = (0.025, 0.975)

ROUNDED = 1e-6
"""Of a pixel: what division may take from a whole number of them."""

AROUND = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
DIAGONAL = float(np.sqrt(0.5))
"""Slope of a rise of 1 to a diagonal neighbour."""

BAND = 32
"""Lines that are worked on at a time, so that they stay in the processor's cache."""

FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Neighbours of a pixel, each pair once."""


@dataclass(frozen=True)
class Rule:
    """What counts as a grain; one rule for all scans that are compared.

    Attributes
    ----------
    least : float
        Rise above the highest saddle, in the unit of the heights.
    cutoff : float
        Cut-off wavelength of the smoothing, in nm; 0 for none.
    """

    least: float
    cutoff: float

    @classmethod
    def of(cls, heights: ArrayLike, pixel_size: tuple[float, float], measured: float) -> Rule:
        """Return the rule of ISO's defaults for a reference.

        Parameters
        ----------
        heights : array_like of float, shape (yres, xres)
            Levelled reference, whose Sz rules the pruning.
        pixel_size : tuple of float
            Height and width of its pixels, in nm.
        measured : float
            Size of the pixels of the coarsest scan that is compared, in nm.
        """
        cutoff = WAVES * measured
        smooth = smoothed(_checked(heights), pixel_size, cutoff)
        return cls(PRUNED * float(np.nanmax(smooth) - np.nanmin(smooth)), cutoff)


@dataclass(frozen=True, eq=False)
class Grains:
    """Hills, or dales, of a field.

    Attributes
    ----------
    labels : ndarray of int64, shape (yres, xres)
        Number of the grain that a pixel belongs to, from 1; 0 where heights are unknown, but for
        gaps that are bridged (`smoothed`).
    area : ndarray of float64, shape (count,)
        Of the whole hill, down to its watershed, in nm².
    core : ndarray of float64, shape (count,)
        Of what lies above half its height, in nm².
    height : ndarray of float64, shape (count,)
        Of the peak above the mean of the rim, in the unit of the heights.
    peak : ndarray of float64, shape (count,)
        The highest point, in the unit of the heights; of dales the deepest, downwards.
    cut : ndarray of bool, shape (count,)
        Whether it reaches the border or something unknown, so that its size is not known.
    looked_at : float
        Area of the pixels that have a number, in nm².
    """

    labels: Labels
    area: Field
    core: Field
    height: Field
    peak: Field
    cut: NDArray[np.bool_]
    looked_at: float

    @property
    def count(self) -> int:
        """How many there are, those at the border included."""
        return len(self.area)

    def mean_sizes(self) -> dict[str, float]:
        """Return the means of `SIZES` over the grains that nothing cuts; empty without one."""
        whole = ~self.cut
        return (
            {name: float(each[whole].mean()) for name, each in self._sizes()} if whole.any() else {}
        )

    def _sizes(self) -> tuple[tuple[str, Field], ...]:
        area, core = (2 * np.sqrt(each / np.pi) for each in (self.area, self.core))
        return tuple(zip(SIZES, (area, core, self.height), strict=True))

    def as_dict(self, lengths: bool = True, seed: int = 0) -> dict[str, float | int | None]:
        """Return count and sizes with 95 % intervals, JSON-serialisable.

        Parameters
        ----------
        lengths : bool
            Whether lengths are in nm; else there is no density.
        seed : int
            Of the bootstrap over grains.

        Returns
        -------
        dict
            ``count`` with the interval of a Poisson number (another place of the same sample);
            ``per_um2``; ``diameter`` and ``width``: means over the grains that nothing cuts, of the
            diameters of the discs of the same area, in nm, the first of the whole hill and the
            second of its part above half its height; ``height``, mean, in the unit of the heights.
            Each mean with ``_median``, ``_low`` and ``_high``; None without such a grain.
        """
        low, high = poisson_interval(self.count)
        found: dict[str, float | int | None] = {
            "count": self.count,
            "count_low": low,
            "count_high": high,
            "whole": int((~self.cut).sum()),
            "per_um2": 1e6 * self.count / self.looked_at if lengths else None,
        }
        rng = np.random.default_rng(seed)
        for name, each in self._sizes():
            values = each[~self.cut]
            found |= {f"{name}{end}": None for end in ("", "_median", "_low", "_high")}
            if values.size:
                found[name], found[f"{name}_median"] = (
                    float(values.mean()),
                    float(np.median(values)),
                )
            if values.size > 1:
                drawn = rng.integers(values.size, size=(RESAMPLES, values.size))
                ends = np.quantile(values[drawn].mean(axis=1), TAILS)
                found[f"{name}_low"], found[f"{name}_high"] = map(float, ends)
        return found


def find_grains(
    heights: ArrayLike, pixel_size: tuple[float, float], rule: Rule, kind: Kind = "hills"
) -> Grains:
    """Find the hills or dales of a field.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        Levelled, in any unit; NaN where unknown.
    pixel_size : tuple of float
        Height and width of a pixel, in nm.
    rule : Rule
        What counts as one.
    kind : {"hills", "dales"}
        Grains or pores.

    Returns
    -------
    Grains

    Raises
    ------
    FieldError
        If the field has no finite pixel.

    References
    ----------
    ISO 25178-2:2021, feature parameters; Wolf, Proc. 24th DAGM Symp. 1991; Scott, Wear 2009,
    266, 522, doi 10.1016/j.wear.2008.04.056.

    Examples
    --------
    >>> x = np.sin(np.arange(64) * np.pi / 8)
    >>> find_grains(np.add.outer(x, x), (1.0, 1.0), Rule(1.0, 0.0)).count
    16
    """
    if kind not in KINDS:
        raise UsageError(f"{kind!r} are no grains; choose {' or '.join(KINDS)}")
    relief = KINDS[kind] * smoothed(_checked(heights), pixel_size, rule.cutoff)
    labels = segment(relief, rule.least)
    return _measured(relief, labels, pixel_size)


def ten_point_height(hills: Grains, dales: Grains) -> float | None:
    """Return S10z: the mean of the five highest peaks and that of the five deepest pits, together.

    In the unit of the heights; None if there are fewer hills or dales.

    References
    ----------
    ISO 25178-2:2021, feature parameters: S10z = S5p + S5v, after Wolf's pruning.
    """
    if min(hills.count, dales.count) < TEN_POINTS:
        return None
    return float(sum(np.sort(each.peak)[-TEN_POINTS:].mean() for each in (hills, dales)))


def smoothed(heights: Field, pixel_size: tuple[float, float], cutoff: float) -> Field:
    """Return heights after a Gaussian filter (ISO 16610-61) that leaves half at `cutoff`, in nm.

    Gaps that are no wider than that have the heights of what lies beside them; wider ones stay NaN.
    """
    import cv2

    if cutoff <= 0:
        return heights
    heights = _bridged(heights, pixel_size, BRIDGED * cutoff)
    across, down = GAUSSIAN * cutoff / pixel_size[1], GAUSSIAN * cutoff / pixel_size[0]

    def blurred(field: Field) -> Field:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), across, sigmaY=down))

    known = np.isfinite(heights)
    if known.all():
        return blurred(heights)
    share = blurred(known.astype(np.float64))
    return np.where(known, blurred(np.where(known, heights, 0.0)) / np.maximum(share, 1e-6), np.nan)


def _bridged(heights: Field, pixel_size: tuple[float, float], width: float) -> Field:
    """Fill the gaps, and the parts of gaps, that are no wider than `width` (nm) in one direction.

    What lies beyond the border is unknown too: lines that are missing there are no gap.
    """
    import cv2

    missing = ~np.isfinite(heights)
    if not missing.any() or missing.all():
        return heights
    down, across = (int(width / size + ROUNDED) + 1 for size in pixel_size)
    sides = (down, down), (across, across)
    around = np.pad(missing.astype(np.uint8), sides, constant_values=1)
    block = np.ones((down, across), np.uint8)
    wide = cv2.dilate(cv2.erode(around, block, anchor=(0, 0)), block, anchor=(across - 1, down - 1))
    narrow = missing & (wide[down:-down, across:-across] == 0)
    return np.where(narrow, filled(heights, missing, pixel_size), heights)


def segment(relief: Field, least: float) -> Labels:
    """Part a field into its hills, by watersheds and Wolf's pruning.

    Parameters
    ----------
    relief : ndarray of float64, shape (yres, xres)
        Heights; NaN where unknown.
    least : float
        A hill that rises less above its highest saddle is joined to the one beyond it.

    Returns
    -------
    ndarray of int64, shape (yres, xres)
        Numbers from 1; 0 where unknown. A field without any height difference is one hill.

    Notes
    -----
    Every pixel belongs to the peak that the steepest way up over its 8 neighbours leads to.
    Saddles are taken from the highest to the lowest; where one joins two hills of which the lower
    rises less than `least` above it, they become one. What a hill rises above the first saddle
    that joins it to a higher one is its height in Wolf's tree of changes, so the order of pruning
    is his.
    """
    known = np.isfinite(relief)
    z = np.where(known, relief, -np.inf)
    way = _uphill(z).ravel()
    peaks = np.flatnonzero(way == np.arange(z.size))
    basin = _numbered(peaks, z.size)[way].reshape(z.shape)
    tops = z.ravel()[peaks]
    one, other, saddle = _saddles(z, basin, tops, least)
    parent = list(range(len(peaks)))

    def root(i: int) -> int:
        above = parent[i]
        while above != i:
            parent[i] = i = parent[above]
            above = parent[i]
        return i

    height = tops.tolist()
    for i, j, level in zip(one.tolist(), other.tolist(), saddle.tolist(), strict=True):
        a, b = root(i), root(j)
        if a == b:
            continue
        low, high = (a, b) if (height[a], -a) < (height[b], -b) else (b, a)
        rise = height[low] - level
        if rise < least or rise == 0.0:  # without any rise it is one plateau
            parent[low] = high
    roots = np.array([root(i) for i in range(len(peaks))])
    kept = np.unique(roots[np.isfinite(tops)])
    return np.where(known, _numbered(kept, len(peaks))[roots][basin] + 1, 0)


def _numbered(places: Labels, size: int) -> Labels:
    """Return an array of `size` that holds, at each of some places, its place among them."""
    numbers = np.zeros(size, dtype=np.int64)
    numbers[places] = np.arange(len(places))
    return numbers


def _uphill(z: Field) -> Labels:
    """Return, for every pixel, the index of the peak that the steepest way up leads to."""
    rows, columns = z.shape
    padded = np.pad(z, 1, constant_values=-np.inf)
    step = np.zeros(z.shape, dtype=np.int64)
    for top in range(0, rows, BAND):
        here = z[top : top + BAND]
        best, towards = np.zeros(here.shape), step[top : top + BAND]
        slope, steeper = np.empty(here.shape), np.empty(here.shape, dtype=bool)
        for i, j in AROUND:
            there = padded[1 + i + top : 1 + i + top + len(here), 1 + j : 1 + j + columns]
            with np.errstate(invalid="ignore"):  # unknown less unknown
                np.subtract(there, here, out=slope)
            if i and j:
                slope *= DIAGONAL
            np.greater(slope, best, out=steeper)
            np.copyto(towards, i * columns + j, where=steeper)
            np.fmax(best, slope, out=best)
    step[np.isneginf(z)] = 0
    way = np.arange(z.size) + step.ravel()
    while True:  # the way that is known doubles each time
        further = way[way]
        if np.array_equal(further, way):
            return way.reshape(z.shape)
        way = further


def _saddles(z: Field, basin: Labels, tops: Field, least: float) -> tuple[Labels, Labels, Field]:
    """Return pairs of neighbouring basins and the highest pass between them, the highest first.

    Hills only grow: where both rise by `least` above a pass by themselves, it never joins them,
    and is left out.
    """
    # A column of unknown heights keeps the end of a line from being next to the start of another.
    basins = np.pad(basin, ((0, 0), (0, 1)), constant_values=-1)
    heights = np.pad(z, ((0, 0), (0, 1)), constant_values=-np.inf).ravel()
    columns, basins = basins.shape[1], basins.ravel()
    found = []
    for i, j in FORWARD:
        further = i * columns + j
        here = np.flatnonzero(basins[:-further] != basins[further:])
        there = here + further
        one, other = basins[here], basins[there]
        level = np.minimum(heights[here], heights[there])
        with np.errstate(invalid="ignore"):  # unknown less unknown
            rise = np.minimum(tops[one], tops[other]) - level
        joins = (rise < least) | (rise == 0.0)
        found.append((one[joins], other[joins], level[joins]))
    one, other, level = map(np.concatenate, zip(*found, strict=True))
    if not level.size:
        return one, other, level
    count = int(basin.max()) + 1
    pairs = np.minimum(one, other) * count + np.maximum(one, other)
    order = np.argsort(pairs)
    pairs = pairs[order]
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    level = np.maximum.reduceat(level[order], first)
    one, other = np.divmod(pairs[first], count)
    order = np.lexsort((other, one, -level))
    return one[order], other[order], level[order]


def _measured(relief: Field, labels: Labels, pixel_size: tuple[float, float]) -> Grains:
    count, pixel = int(labels.max()), pixel_size[0] * pixel_size[1]
    flat, known = labels.ravel(), labels.ravel() > 0
    z = np.where(known, relief.ravel(), 0.0)
    area = np.bincount(flat, minlength=count + 1)[1:]
    top = np.full(count + 1, -np.inf)
    np.maximum.at(top, flat[known], z[known])

    around = np.pad(labels, 1, constant_values=0)
    rows, columns = labels.shape
    rim, outside = np.zeros(labels.shape, bool), np.zeros(labels.shape, bool)
    for i, j in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        beside = around[1 + i : 1 + i + rows, 1 + j : 1 + j + columns]
        rim |= (beside != labels) & (beside > 0)
        outside |= beside == 0
    cut = np.zeros(count + 1, bool)
    cut[labels[outside]] = True
    # A hill without any neighbour ends at the border.
    has_rim = np.zeros(count + 1, bool)
    has_rim[labels[rim]] = True
    rim |= outside & ~has_rim[labels]
    on_rim = rim.ravel() & known
    length = np.bincount(flat[on_rim], minlength=count + 1)
    base = np.bincount(flat[on_rim], z[on_rim], count + 1) / np.maximum(length, 1)
    half = 0.5 * (top + base)
    core = np.bincount(flat[known & (z >= half[flat])], minlength=count + 1)[1:]
    height = np.maximum(top - base, 0.0)[1:]
    looked_at = float(known.sum()) * pixel
    sizes = np.asarray(area * pixel, np.float64), np.asarray(core * pixel, np.float64)
    return Grains(labels, *sizes, height, top[1:], cut[1:], looked_at)


def poisson_interval(count: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a Poisson number (Byar's approximation).

    Examples
    --------
    >>> [round(end, 1) for end in poisson_interval(10)]
    [4.8, 18.4]
    """
    z = 1.959964
    above = count + 1
    low = count * (1 - 1 / (9 * count) - z / (3 * np.sqrt(count))) ** 3 if count else 0.0
    return float(low), float(above * (1 - 1 / (9 * above) + z / (3 * np.sqrt(above))) ** 3)


def _checked(heights: ArrayLike) -> Field:
    field = np.asarray(heights, dtype=np.float64)
    if field.ndim != 2 or not np.isfinite(field).any():
        raise FieldError(
            f"a field of shape {field.shape} without a finite pixel has no grains; "
            f"crop to where it was measured"
        )
    return np.where(np.isfinite(field), field, np.nan)

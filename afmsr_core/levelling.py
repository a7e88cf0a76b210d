"""Levelling: take off what is not the sample's relief, say what it was, and keep it.

A specification such as ``"plane"``, ``"poly3"`` or ``"plane+rows-median"`` names steps that are
applied in order. Every step adds a :class:`~afmsr_core.channel.Step` to the channel's history,
and what has to be put back after upscaling comes as a :class:`Background`, which can be
evaluated on any grid over the same area.

References
----------
Nečas D., Valtr M., Klapetek P., "How levelling and scan line corrections ruin roughness
measurement and how to prevent it", Sci. Rep. 10, 15294 (2020), doi 10.1038/s41598-020-72171-8:
levelling takes part of the relief with it, so each step says how much it removed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike, NDArray

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import FieldError, UsageError

__all__ = [
    "LEVELLERS",
    "MASK_MODES",
    "MAX_DEGREE",
    "NONE",
    "Background",
    "Levelled",
    "Leveller",
    "Plane",
    "Polynomial",
    "Removed",
    "Surface",
    "fit_plane",
    "fit_polynomial",
    "level",
    "parse_spec",
]

Heights = NDArray[np.float64]
Pixels = NDArray[np.bool_]

NONE = "none"
"""The specification that changes nothing."""

MAX_DEGREE = 9
"""Highest total degree of a polynomial: 55 terms; more would follow the relief, not the bow."""

RANK_TOLERANCE = 1e-12
"""Combinations of terms that the pixels tell apart by less, relative to the best, stay zero.

The normal equations lose half of the digits; two refinements win them back as long as the
condition number is below the inverse of this, well within the 1e16 of double precision.
"""

REFINEMENTS = 2

ALL = slice(None)


# --- what has to be put back ---------------------------------------------------------------


class Surface(Protocol):
    """A smooth function over the area of a field, the same on every grid."""

    def on_grid(self, yres: int, xres: int, rows: slice = ALL) -> Heights:
        """Return its values at the pixel centres of a grid that shares the field's edge."""
        ...


@dataclass(frozen=True)
class Plane:
    """A plane over the area of a field; its numbers do not depend on the grid.

    Parameters
    ----------
    datum : float
        Value at the centre of the field, which is the plane's mean, in the unit of the heights.
    slope_x : float
        Rise from the left edge of the field to the right edge, in the unit of the heights.
    slope_y : float
        Rise from the upper edge (first row) to the lower edge.

    Examples
    --------
    >>> Plane(datum=10.0, slope_x=4.0, slope_y=0.0).on_grid(1, 4)
    array([[ 8.5,  9.5, 10.5, 11.5]])
    """

    datum: float = 0.0
    slope_x: float = 0.0
    slope_y: float = 0.0

    def on_grid(self, yres: int, xres: int, rows: slice = ALL) -> Heights:
        """Return the plane on a grid of `yres` by `xres` pixels, or on some `rows` of it."""
        return self.datum + self._tilt(yres, xres, rows)

    def subtracted_from(self, heights: Heights) -> Heights:
        """Return `heights` less the plane; taking the datum off first keeps small relief."""
        return (heights - self.datum) - self._tilt(*heights.shape)

    def _tilt(self, yres: int, xres: int, rows: slice = ALL) -> Heights:
        across, down = self.slope_x * _from_centre(xres), self.slope_y * _from_centre(yres)[rows]
        return down[:, None] + across

    def __sub__(self, other: Plane) -> Plane:
        return Plane(
            self.datum - other.datum, self.slope_x - other.slope_x, self.slope_y - other.slope_y
        )


@dataclass(frozen=True, eq=False)
class Polynomial:
    """A polynomial in x and y over the area of a field; its numbers do not depend on the grid.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (ny, nx)
        Factor of the Legendre polynomial of degree `row` in y times that of degree `column`
        in x, in the unit of the heights.
    x_domain, y_domain : tuple of float
        Where the Legendre coordinates -1 and 1 lie, as fractions of the field's width and
        height: the extent of the pixels that were fitted, so that it stays well conditioned.
    """

    coefficients: Heights
    x_domain: tuple[float, float] = (0.0, 1.0)
    y_domain: tuple[float, float] = (0.0, 1.0)

    def on_grid(self, yres: int, xres: int, rows: slice = ALL) -> Heights:
        """Return the polynomial on a grid of `yres` by `xres` pixels, or on some `rows` of it."""
        return float(self.coefficients[0, 0]) + self._shape(yres, xres, rows)

    def subtracted_from(self, heights: Heights) -> Heights:
        """Return `heights` less the polynomial; its constant first, as :class:`Plane` does."""
        return (heights - float(self.coefficients[0, 0])) - self._shape(*heights.shape)

    def _shape(self, yres: int, xres: int, rows: slice = ALL) -> Heights:
        ny, nx = self.coefficients.shape
        bent = self.coefficients.copy()
        bent[0, 0] = 0.0
        down = legendre.legvander(_in_domain(yres, self.y_domain)[rows], ny - 1)
        across = legendre.legvander(_in_domain(xres, self.x_domain), nx - 1)
        return np.asarray(down @ bent @ across.T)


@dataclass(frozen=True)
class Background:
    """The sum of surfaces that levelling took off and that belong to the result.

    Examples
    --------
    >>> Background((Plane(datum=5.0), Plane(slope_x=2.0))).on_grid(1, 2)
    array([[4.5, 5.5]])
    >>> Background().on_grid(1, 2)
    array([[0., 0.]])
    """

    surfaces: tuple[Surface, ...] = ()

    def on_grid(self, yres: int, xres: int, rows: slice = ALL) -> Heights:
        """Return the background at the pixel centres of any grid over the same area.

        Parameters
        ----------
        yres, xres : int
            Size of the whole grid. It covers the field edge to edge, so pixel ``(i, j)`` is
            centred at the fractions ``(i + 1/2) / yres`` and ``(j + 1/2) / xres``.
        rows : slice, optional
            Rows of the grid to return, to add the background to a large result in bands.

        Returns
        -------
        ndarray of float64, shape (yres, xres) or fewer rows
            In the unit of the heights.
        """
        total = np.zeros((len(range(yres)[rows]), xres))
        for surface in self.surfaces:
            total += surface.on_grid(yres, xres, rows)
        return total


# --- fitting -------------------------------------------------------------------------------


def fit_plane(heights: ArrayLike, valid: Pixels | None = None) -> Plane:
    """Fit a plane by least squares.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        Any unit. Pixels that are NaN or infinite never take part.
    valid : ndarray of bool, shape (yres, xres), optional
        Pixels that take part; by default all.

    Returns
    -------
    Plane
        Without slope along an axis on which the pixels span a single position. Over complete
        data its datum is the mean of the heights.

    Raises
    ------
    FieldError
        If no finite pixel takes part.

    Examples
    --------
    >>> fit_plane([[1.0, 2.0], [1.0, 2.0]])
    Plane(datum=1.5, slope_x=2.0, slope_y=0.0)
    >>> fit_plane([[7.0, float("nan")]])
    Plane(datum=7.0, slope_x=0.0, slope_y=0.0)
    """
    fitted = fit_polynomial(heights, 1, valid)
    terms = np.zeros((2, 2))
    ny, nx = fitted.coefficients.shape
    terms[:ny, :nx] = fitted.coefficients
    (left, right), (top, bottom) = fitted.x_domain, fitted.y_domain
    slope_x, slope_y = 2.0 * terms[0, 1] / (right - left), 2.0 * terms[1, 0] / (bottom - top)
    datum = (
        terms[0, 0]
        + slope_x * (0.5 - 0.5 * (left + right))
        + slope_y * (0.5 - 0.5 * (top + bottom))
    )
    return Plane(float(datum), float(slope_x) + 0.0, float(slope_y) + 0.0)  # no -0.0


def fit_polynomial(heights: ArrayLike, degree: int, valid: Pixels | None = None) -> Polynomial:
    """Fit a polynomial of limited total degree in x and y by least squares.

    The terms are those of Gwyddion's Polynomial Background with limited total degree. Along an
    axis on which the pixels span `n` positions the degree is at most ``n - 1``, and where the
    pixels still do not determine every term, the undetermined combinations stay zero.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        Any unit. Pixels that are NaN or infinite never take part.
    degree : int
        Highest sum of the powers of x and y, 0 to :data:`MAX_DEGREE`.
    valid : ndarray of bool, shape (yres, xres), optional
        Pixels that take part; by default all.

    Returns
    -------
    Polynomial

    Raises
    ------
    FieldError
        If no finite pixel takes part.
    UsageError
        If the degree is out of range.
    """
    if not 0 <= degree <= MAX_DEGREE:
        raise UsageError(f"polynomial degree must be 0 to {MAX_DEGREE}, found {degree}")
    heights = np.asarray(heights, dtype=np.float64)
    used = np.isfinite(heights) if valid is None else np.isfinite(heights) & valid
    if not used.any():
        raise FieldError(
            f"cannot fit: none of the {heights.size} pixels is finite and selected; "
            f"choose another channel or mask"
        )
    # A centre that is exact for a constant field; what is fitted is the small rest.
    low, high = heights.min(where=used, initial=np.inf), heights.max(where=used, initial=-np.inf)
    centre = 0.5 * low + 0.5 * high
    rest = np.subtract(heights, centre, out=np.zeros_like(heights), where=used)

    weights = used.astype(np.float64)
    down, r_down, y_domain = _orthonormal(weights.sum(axis=1), degree)
    across, r_across, x_domain = _orthonormal(weights.sum(axis=0), degree)
    ny, nx = down.shape[1], across.shape[1]
    j, i = np.nonzero(np.add.outer(np.arange(ny), np.arange(nx)) <= degree)
    # Both axes are orthonormal under their own weights, so the normal equations of the product
    # are diagonal for complete data and tame for any mask that is not a thin oblique line.
    pairs_down = (down[:, :, None] * down[:, None, :]).reshape(len(down), -1)
    pairs_across = (across[:, :, None] * across[:, None, :]).reshape(len(across), -1)
    gram = (pairs_down.T @ weights @ pairs_across).reshape(ny, ny, nx, nx)
    inverse = np.linalg.pinv(
        gram[j[:, None], j, i[:, None], i], rcond=RANK_TOLERANCE, hermitian=True
    )
    total = np.zeros((ny, nx))
    for _ in range(1 + REFINEMENTS):
        change = np.zeros((ny, nx))
        change[j, i] = inverse @ (down.T @ rest @ across)[j, i]
        total += change
        rest -= (down @ change @ across.T) * weights
    coefficients = np.linalg.solve(r_down, np.linalg.solve(r_across, total.T).T)
    coefficients[0, 0] += centre
    return Polynomial(coefficients, x_domain, y_domain)


def _orthonormal(weights: Heights, degree: int) -> tuple[Heights, Heights, tuple[float, float]]:
    """Return polynomials on one axis that are orthonormal under `weights`.

    The first result holds them at every pixel centre, one per column; the second is the
    triangle R with ``legvander = first @ R``; the third is where the Legendre coordinates -1
    and 1 lie.
    """
    n, occupied = len(weights), np.flatnonzero(weights)
    domain = (float(occupied[0]) / n, float(occupied[-1] + 1) / n)
    vander = legendre.legvander(_in_domain(n, domain), min(degree, len(occupied) - 1))
    _, r = np.linalg.qr(np.sqrt(weights)[:, None] * vander)
    basis = np.linalg.solve(r.T, vander.T).T
    basis[weights == 0] = 0.0  # no pixel there takes part; far outside it would only be large
    return basis, r, domain


def _from_centre(n: int) -> Heights:
    """Pixel centres of `n` pixels over a unit length, measured from its middle."""
    return (2.0 * np.arange(n, dtype=np.float64) + 1.0 - n) / (2.0 * n)


def _in_domain(n: int, domain: tuple[float, float]) -> Heights:
    """Pixel centres of `n` pixels over a unit length; -1 and 1 are the ends of `domain`."""
    low, high = domain
    return (2.0 * _from_centre(n) + (1.0 - low - high)) / (high - low)


# --- steps ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Removed:
    """What one levelling step did.

    Attributes
    ----------
    heights : ndarray of float64, shape (yres, xres)
        The levelled heights.
    surface : Surface
        What has to be put back after upscaling.
    effect : str
        What was removed, in words with units.
    """

    heights: Heights
    surface: Surface
    effect: str


@dataclass(frozen=True)
class Leveller:
    """Descriptor of one levelling step.

    Attributes
    ----------
    name : str
        As written in a specification.
    summary : str
        One line for help texts.
    remove : callable
        Takes a channel and the pixels that take part, returns :class:`Removed`.
    """

    name: str
    summary: str
    remove: Callable[[Channel, Pixels], Removed]


def _remove_plane(channel: Channel, valid: Pixels) -> Removed:
    plane = fit_plane(channel.heights, valid)
    effect = (
        f"datum {_quantity(plane.datum, channel.unit)}, "
        f"tilt {_slope(plane.slope_x / channel.xreal, channel)} in x and "
        f"{_slope(plane.slope_y / channel.yreal, channel)} in y, "
        f"{_peak_to_valley(plane, channel)}"
    )
    return Removed(plane.subtracted_from(channel.heights), plane, effect)


def _remove_polynomial(channel: Channel, valid: Pixels, degree: int) -> Removed:
    surface = fit_polynomial(channel.heights, degree, valid)
    effect = f"polynomial of total degree {degree}, {_peak_to_valley(surface, channel)}"
    return Removed(surface.subtracted_from(channel.heights), surface, effect)


def _align_rows(
    channel: Channel, valid: Pixels, find: Callable[[Heights, Pixels, Heights], Heights]
) -> Removed:
    """Take one offset off each scan line; only the straight line through them is put back."""
    measured = np.isfinite(channel.heights).sum(axis=1).astype(np.float64)
    offsets = find(channel.heights, valid, measured)
    trend = _straight_line(offsets, measured)
    artefact = offsets - trend.on_grid(channel.yres, 1)[:, 0]
    effect = (
        f"offsets of {channel.yres} scan lines, {_quantity(np.ptp(artefact), channel.unit)} "
        f"peak to valley about their straight line; of these only that line "
        f"({_slope(trend.slope_y / channel.yreal, channel)} in y) belongs to the background"
    )
    return Removed(channel.heights - offsets[:, None], trend, effect)


def _median_offsets(heights: Heights, valid: Pixels, measured: Heights) -> Heights:
    """Return the median of each line, less their mean; a line without is interpolated."""
    medians, known = _line_medians(heights, valid)
    offsets = np.interp(np.arange(len(medians)), np.flatnonzero(known), medians[known])
    return offsets - np.average(offsets, weights=measured)


def _median_diff_offsets(heights: Heights, valid: Pixels, measured: Heights) -> Heights:
    """Sum up the median differences of neighbouring lines, less their straight line.

    Where two lines share too few pixels, their difference is taken as the typical one.
    """
    offsets = np.zeros(len(heights))
    shared = valid[1:] & valid[:-1]
    if shared.any():
        with np.errstate(invalid="ignore"):  # infinite neighbours; they are not `shared`
            medians, known = _line_medians(np.diff(heights, axis=0), shared)
        offsets[1:] = np.cumsum(np.where(known, medians, np.median(medians[known])))
    return offsets - _straight_line(offsets, measured).on_grid(len(offsets), 1)[:, 0]


def _line_medians(values: Heights, valid: Pixels) -> tuple[Heights, Pixels]:
    """Median of the valid pixels of each line (zero where unknown), and where it is known.

    Gwyddion's bar: a line of n pixels counts with at least ln n + 1 valid ones, rounded. If no
    line has that many, those that have the most count.
    """
    counts = valid.sum(axis=1)
    known = counts >= min(math.floor(math.log(valid.shape[1]) + 1.5), int(counts.max()))
    medians = np.zeros(len(values))
    if valid.all():
        medians[:] = np.median(values, axis=1)
    else:
        for line in np.flatnonzero(known):
            medians[line] = np.median(values[line, valid[line]])
    return medians, known


def _straight_line(offsets: Heights, weights: Heights) -> Plane:
    """Least-squares line through the offsets, each weighted by its number of pixels."""
    position = _from_centre(len(offsets))
    middle, mean = np.average(position, weights=weights), np.average(offsets, weights=weights)
    spread = np.sum(weights * (position - middle) ** 2)
    slope = np.sum(weights * (position - middle) * (offsets - mean)) / spread if spread else 0.0
    return Plane(float(mean - slope * middle), 0.0, float(slope))


LEVELLERS: Mapping[str, Leveller] = MappingProxyType(
    {
        leveller.name: leveller
        for leveller in (
            Leveller("plane", "least-squares plane", _remove_plane),
            *(
                Leveller(
                    f"poly{n}",
                    f"polynomial of total degree {n}",
                    partial(_remove_polynomial, degree=n),
                )
                for n in range(MAX_DEGREE + 1)
            ),
            Leveller(
                "rows-median",
                "align scan lines by their medians",
                partial(_align_rows, find=_median_offsets),
            ),
            Leveller(
                "rows-median-diff",
                "align scan lines by the median difference to the line before; keeps the tilt",
                partial(_align_rows, find=_median_diff_offsets),
            ),
        )
    }
)
"""Every levelling step by name."""

MASK_MODES: Mapping[str, Callable[[Pixels], Pixels]] = MappingProxyType(
    {"ignore": np.ones_like, "exclude": np.logical_not, "include": np.copy}
)
"""Which pixels take part, given the mask: Gwyddion's masking modes."""


# --- the corridor --------------------------------------------------------------------------


@dataclass(frozen=True)
class Levelled:
    """A levelled channel and what was taken off it.

    Attributes
    ----------
    channel : Channel
        The levelled channel; its history has one more step per levelling step.
    background : Background
        What has to be put back after upscaling.
    """

    channel: Channel
    background: Background


def parse_spec(spec: str) -> tuple[Leveller, ...]:
    """Return the levelling steps that a specification names.

    Parameters
    ----------
    spec : str
        ``"none"``, or names from :data:`LEVELLERS` joined by ``+``.

    Raises
    ------
    UsageError
        If a name is unknown.

    Examples
    --------
    >>> [step.name for step in parse_spec("plane+rows-median")]
    ['plane', 'rows-median']
    >>> parse_spec("none")
    ()
    """
    names = [name.strip() for name in spec.split("+")]
    if names == [NONE]:
        return ()
    for name in names:
        if name not in LEVELLERS:
            alone = f"; {NONE!r} stands alone" if name == NONE else ""
            raise UsageError(
                f"level {spec!r}: no step is called {name!r}{alone}; choose {NONE}, "
                f"{', '.join(LEVELLERS)}, or several joined by '+', such as plane+rows-median"
            )
    return tuple(LEVELLERS[name] for name in names)


def level(channel: Channel, spec: str = "plane", mask: str = "ignore") -> Levelled:
    """Level a channel.

    Planes and polynomials are least-squares fits to the pixels that take part, subtracted with
    their mean, as in Gwyddion. They are the sample's or the scanner's shape, so the background
    holds them whole: ``levelled.channel.heights + levelled.background.on_grid(yres, xres)`` is
    the input to rounding.

    Row alignment takes one offset off each scan line (row), as in Gwyddion's Align Rows. The
    offsets are an artefact of the scan, not the sample's shape, so they are not put back: the
    background holds only their straight line (mean and slope along y, least squares), which
    keeps the datum and the tilt of the result those of the input.

    Parameters
    ----------
    channel : Channel
        In any unit. Pixels that are NaN or infinite never take part and stay as they are.
    spec : str
        ``"none"``, or steps in order, joined by ``+``: ``plane``, ``poly0`` to ``poly9``,
        ``rows-median``, ``rows-median-diff``.
    mask : {"ignore", "exclude", "include"}
        Whether marked pixels take part like others, do not, or are the only ones that do; what
        is found is subtracted from all pixels. Without a mask, ``exclude`` excludes nothing.

    Returns
    -------
    Levelled
        Channel and background.

    Raises
    ------
    UsageError
        If a step or a masking mode is unknown, or the mask to include is missing.
    FieldError
        If no pixel is left to fit.

    Examples
    --------
    >>> scan = Channel(np.array([[1.0, 2.0], [3.0, 4.0]]), xreal=1000.0, yreal=1000.0)
    >>> levelled = level(scan)
    >>> bool(np.abs(levelled.channel.heights).max() < 1e-12)
    True
    >>> levelled.channel.history[-1].effect
    'plane: datum 2.5 nm, tilt 2 nm/µm in x and 4 nm/µm in y, 3 nm peak to valley'
    """
    steps = parse_spec(spec)
    valid = _taking_part(channel, mask)
    if steps and not valid.any():
        raise FieldError(_nothing_left(channel, mask))
    surfaces: list[Surface] = []
    for step in steps:
        removed = step.remove(channel, valid)
        surfaces.append(removed.surface)
        settings = {"step": step.name, "mask": mask}
        done = Step("level", __version__, settings, f"{step.name}: {removed.effect}")
        channel = channel.replace(heights=removed.heights).after(done)
    return Levelled(channel, Background(tuple(surfaces)))


def _taking_part(channel: Channel, mode: str) -> Pixels:
    """Return the finite pixels that a masking mode selects."""
    if mode not in MASK_MODES:
        raise UsageError(f"mask {mode!r}: choose {', '.join(MASK_MODES)}")
    finite = np.isfinite(channel.heights)
    if channel.mask is not None:
        return np.asarray(finite & MASK_MODES[mode](channel.mask))
    if mode == "include":
        raise UsageError(
            f"{channel.where}: mask 'include' needs a mask and the channel has none; "
            f"mark the pixels in Gwyddion or use mask 'ignore'"
        )
    return finite


def _nothing_left(channel: Channel, mask: str) -> str:
    """Say why there is no pixel to level by, and the cure."""
    if not np.isfinite(channel.heights).any():
        return (
            f"{channel.where}: no pixel is finite, so there is nothing to level; "
            f"choose another channel"
        )
    return (
        f"{channel.where}: mask {mask!r} leaves no finite pixel to level by; "
        f"use mask 'ignore' or change the mask in Gwyddion"
    )


# --- words ---------------------------------------------------------------------------------


def _quantity(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".rstrip()


def _slope(slope: float, channel: Channel) -> str:
    """Say a slope in height unit per lateral unit, per µm where that is a length."""
    if channel.lateral_unit == "nm":
        return f"{1000.0 * slope + 0.0:.4g} {channel.unit or '1'}/µm"  # + 0.0: never "-0"
    return f"{slope:.4g} {channel.unit or '1'}/{channel.lateral_unit or 'px'}"


def _peak_to_valley(surface: Surface, channel: Channel) -> str:
    span = float(np.ptp(surface.on_grid(channel.yres, channel.xres)))
    return f"{_quantity(span, channel.unit)} peak to valley"

"""Smooth surfaces over the area of a field: the same on every grid, and fitted to its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError, UsageError
from afmsr_core.large_field import bands

__all__ = [
    "ROUNDING",
    "Background",
    "Heights",
    "Pixels",
    "Plane",
    "Polynomial",
    "Surface",
    "fit_plane",
    "fit_polynomial",
    "match_plane",
    "plane_from_sums",
    "uncertainty",
]

ROUNDING = 100 * float(np.finfo(np.float64).eps)
"""Of the largest height: what a plane may leave of itself, by rounding, after it is fitted."""

Heights = NDArray[np.float64]
Pixels = NDArray[np.bool_]

MAX_DEGREE = 9
"""Highest total degree of a polynomial: 55 terms; more would follow the relief, not the bow."""

RANK_TOLERANCE = 1e-12
"""Combinations of terms that the pixels tell apart by less, relative to the best, stay zero.

The normal equations lose half of the digits; two refinements win them back as long as the
condition number is below the inverse of this, well within the 1e16 of double precision.
"""

REFINEMENTS = 2

ALL = slice(None)


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

    def on_grid(self, yres: int, xres: int, rows: slice = ALL, dtype: Any = np.float64) -> Heights:
        """Return the plane on a grid of `yres` by `xres` pixels, or on some `rows` of it."""
        across, down = self.slope_x * from_centre(xres), self.slope_y * from_centre(yres)[rows]
        return (self.datum + down).astype(dtype)[:, None] + across.astype(dtype)

    def subtracted_from(self, heights: Heights) -> Heights:
        """Return `heights` less the plane; taking the datum off first keeps small relief."""
        relief: Heights = heights - self.datum
        relief -= Plane(0.0, self.slope_x, self.slope_y).on_grid(*heights.shape)
        return relief

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
        down = _legendre(_in_domain(yres, self.y_domain)[rows], ny - 1)
        across = _legendre(_in_domain(xres, self.x_domain), nx - 1)
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
        if not self.surfaces:
            return np.zeros((len(range(yres)[rows]), xres))
        first, *others = self.surfaces
        total = first.on_grid(yres, xres, rows)
        for surface in others:
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
    heights = np.asarray(heights, dtype=np.float64)
    used = np.isfinite(heights) if valid is None else np.isfinite(heights) & valid
    if used.size and used.all():
        # A centre that is exact for a constant field; what is fitted is the small rest.
        centre = 0.5 * float(heights.min()) + 0.5 * float(heights.max())
        rest = heights - centre
        plane = plane_from_sums(rest.sum(axis=0), rest.sum(axis=1))
        return Plane(plane.datum + centre, plane.slope_x, plane.slope_y)
    fitted = fit_polynomial(heights, 1, used)
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


def plane_from_sums(columns: Heights, lines: Heights) -> Plane:
    """Return the least-squares plane of a field without gaps from the sums along its axes.

    On a complete grid the three terms of a plane are orthogonal, so there are no equations to
    solve, and a large field can be summed in bands.

    Parameters
    ----------
    columns : ndarray of float64, shape (xres,)
        Sum of each column, best of heights less their rough mean.
    lines : ndarray of float64, shape (yres,)
        Sum of each row.
    """
    x, y = from_centre(len(columns)), from_centre(len(lines))
    slope_x = float(columns @ x) / (len(lines) * float(x @ x)) if len(x) > 1 else 0.0
    slope_y = float(lines @ y) / (len(columns) * float(y @ y)) if len(y) > 1 else 0.0
    datum = float(lines.sum()) / (len(lines) * len(columns))
    return Plane(datum, slope_x + 0.0, slope_y + 0.0)  # no -0.0


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
    complete = bool(used.all())
    low = (heights if complete else np.where(used, heights, np.inf)).min()
    high = (heights if complete else np.where(used, heights, -np.inf)).max()
    centre = 0.5 * low + 0.5 * high
    rest = (heights if complete else np.where(used, heights, centre)) - centre

    weights = used.astype(np.float64)
    down, r_down, y_domain = _orthonormal(weights.sum(axis=1), degree)
    across, r_across, x_domain = _orthonormal(weights.sum(axis=0), degree)
    ny, nx = down.shape[1], across.shape[1]
    j, i = np.nonzero(np.add.outer(np.arange(ny), np.arange(nx)) <= degree)
    # Both axes are orthonormal under their own weights, so the normal equations of the product
    # are diagonal for complete data and tame for any mask that is not a thin oblique line.
    gram = _gram(down, across, used, degree)
    inverse = np.linalg.pinv(gram, rcond=RANK_TOLERANCE, hermitian=True)
    total, change = np.zeros((ny, nx)), np.zeros((ny, nx))
    for step in range(1 + REFINEMENTS):
        if step:
            rest -= (down @ change @ across.T) * weights
        change[j, i] = inverse @ (down.T @ rest @ across)[j, i]
        total += change
    coefficients = np.linalg.solve(r_down, np.linalg.solve(r_across, total.T).T)
    coefficients[0, 0] += centre
    return Polynomial(coefficients, x_domain, y_domain)


def uncertainty(degree: int, used: Pixels, wanted: Pixels) -> float:
    """Return how uncertain a polynomial is that is fitted to some pixels, at others.

    Parameters
    ----------
    degree : int
        Of the polynomial, as of `fit_polynomial`.
    used, wanted : ndarray of bool, shape (yres, xres)
        The pixels that it is fitted to, and those at which it is needed; some of each.

    Returns
    -------
    float
        Root mean square over the `wanted` of the standard deviation of the fit, in those of a
        pixel, if pixels are independent; they are not, so it is more. Infinite if the pixels do
        not determine the polynomial.

    Examples
    --------
    >>> wanted = np.ones((100, 100), bool)
    >>> corner = np.add.outer(np.arange(100), np.arange(100)) < 10
    >>> [round(uncertainty(1, one, wanted), 2) for one in (wanted, corner)]
    [0.02, 5.74]
    >>> uncertainty(2, np.eye(100) > 0, wanted)
    inf
    """
    yres, xres = used.shape
    down = _legendre(_in_domain(yres, (0.0, 1.0)), min(degree, yres - 1))
    across = _legendre(_in_domain(xres, (0.0, 1.0)), min(degree, xres - 1))
    of_used, of_wanted = (_gram(down, across, pixels, degree) for pixels in (used, wanted))
    if np.linalg.matrix_rank(of_used, hermitian=True, tol=None) < len(of_used):
        return float("inf")
    variance = np.trace(np.linalg.solve(of_used, of_wanted)) / np.count_nonzero(wanted)
    return float(np.sqrt(variance)) if variance >= 0 else float("inf")


def _gram(down: Heights, across: Heights, pixels: Pixels, degree: int) -> Heights:
    """Return the products of all terms up to a total degree, summed over some pixels."""
    ny, nx = down.shape[1], across.shape[1]
    j, i = np.nonzero(np.add.outer(np.arange(ny), np.arange(nx)) <= degree)
    pairs_down = (down[:, :, None] * down[:, None, :]).reshape(len(down), -1)
    pairs_across = (across[:, :, None] * across[:, None, :]).reshape(len(across), -1)
    gram = (pairs_down.T @ pixels.astype(np.float64) @ pairs_across).reshape(ny, ny, nx, nx)
    return np.asarray(gram[j[:, None], j, i[:, None], i])


def _orthonormal(weights: Heights, degree: int) -> tuple[Heights, Heights, tuple[float, float]]:
    """Return polynomials on one axis that are orthonormal under `weights`.

    The first result holds them at every pixel centre, one per column; the second is the
    triangle R with ``legvander = first @ R``; the third is where the Legendre coordinates -1
    and 1 lie.
    """
    n, occupied = len(weights), np.flatnonzero(weights)
    domain = (float(occupied[0]) / n, float(occupied[-1] + 1) / n)
    vander = _legendre(_in_domain(n, domain), min(degree, len(occupied) - 1))
    _, r = np.linalg.qr(np.sqrt(weights)[:, None] * vander)
    basis = np.linalg.solve(r.T, vander.T).T
    basis[weights == 0] = 0.0  # no pixel there takes part; far outside it would only be large
    return basis, r, domain


def _legendre(position: Heights, degree: int) -> Heights:
    from numpy.polynomial import legendre  # a plane over a complete scan does not need it

    return np.asarray(legendre.legvander(position, degree), dtype=np.float64)


def from_centre(n: int) -> Heights:
    """Pixel centres of `n` pixels over a unit length, measured from its middle."""
    return (2.0 * np.arange(n, dtype=np.float64) + 1.0 - n) / (2.0 * n)


def _in_domain(n: int, domain: tuple[float, float]) -> Heights:
    """Pixel centres of `n` pixels over a unit length; -1 and 1 are the ends of `domain`."""
    low, high = domain
    return (2.0 * from_centre(n) + (1.0 - low - high)) / (high - low)


# --- matching ------------------------------------------------------------------------------


def match_plane(
    fine: Heights | NDArray[np.float32], coarse: Heights | NDArray[np.float32]
) -> Plane:
    """Give a fine field the least-squares plane of a coarse one of the same area, in place.

    Parameters
    ----------
    fine : ndarray or LargeField of float64 or float32, shape (down * yres, across * xres)
        Changed, in bands of rows.
    coarse : ndarray of float64 or float32, shape (yres, xres)
        In the same unit. Where it is not finite, the fine pixels do not count either.

    Returns
    -------
    Plane
        What was taken off `fine`.

    Raises
    ------
    FieldError
        If no coarse pixel is finite.

    Examples
    --------
    >>> fine = np.ones((4, 4))
    >>> match_plane(fine, np.array([[2.0, 4.0]] * 2)).datum, fine[0].tolist()
    (-2.0, [1.5, 2.5, 3.5, 4.5])
    """
    measured = np.isfinite(coarse)
    own = fit_plane(coarse, measured)
    # What is fitted is small beside the datum, and so is what rounding does to it.
    whole = bool(measured.all())
    found = _fine_plane(fine, own.datum) if whole else _plane_around(fine, measured, own.datum)
    off = found - Plane(0.0, own.slope_x, own.slope_y)
    yres, xres = fine.shape
    for rows in bands(yres):
        fine[rows] -= off.on_grid(yres, xres, rows, fine.dtype)
    return off


def _fine_plane(fine: Heights | NDArray[np.float32], datum: float) -> Plane:
    """Fit a plane by least squares to a fine field less `datum`, in little memory."""
    yres, xres = fine.shape
    columns, lines = np.zeros(xres), np.empty(yres)
    for rows in bands(yres):
        rest = fine[rows] - datum
        columns += rest.sum(axis=0)
        lines[rows] = rest.sum(axis=1)
    return plane_from_sums(columns, lines)


def _plane_around(fine: Heights | NDArray[np.float32], measured: Pixels, datum: float) -> Plane:
    """Do the same with the fine pixels of the `measured` coarse ones only.

    The plane through the means of the coarse pixels solves all but the part of the normal
    equations that comes from the slopes within coarse pixels; that part is a small correction.
    """
    yres, xres = measured.shape
    down, across = fine.shape[0] // yres, fine.shape[1] // xres
    both = [(rows, slice(rows.start * down, rows.stop * down)) for rows in bands(yres, shrunk=down)]

    def blocks(field: Heights | NDArray[np.float32]) -> Heights:
        return np.asarray(field, np.float64).reshape(-1, down, xres, across)

    means = np.empty(measured.shape)
    for rows, there in both:
        means[rows] = blocks(fine[there] - datum).mean(axis=(1, 3))
    plane = fit_plane(means, measured)
    # Within a coarse pixel, of its height and width.
    within_y, within_x = ((np.arange(n) + 0.5) / n - 0.5 for n in (down, across))
    moment_x = moment_y = 0.0
    for rows, there in both:
        rest = blocks((fine[there] - datum) - plane.on_grid(yres * down, xres * across, there))
        moment_x += float(np.sum((rest.sum(axis=1) @ within_x)[measured[rows]])) / xres
        moment_y += float(np.sum((within_y @ rest.sum(axis=3))[measured[rows]])) / yres
    x, y = from_centre(xres), from_centre(yres)
    columns, lines = measured.sum(axis=0), measured.sum(axis=1)
    n = columns.sum()
    sum_x, sum_y, sum_xy = columns @ x, lines @ y, y @ measured @ x
    sum_xx = columns @ x**2 + n * np.mean(within_x**2) / xres**2
    sum_yy = lines @ y**2 + n * np.mean(within_y**2) / yres**2
    normal = np.array([[n, sum_x, sum_y], [sum_x, sum_xx, sum_xy], [sum_y, sum_xy, sum_yy]])
    # Along an axis on which they span a single position there is no slope, as of `fit_plane`.
    spans = [np.count_nonzero(columns) * across > 1, np.count_nonzero(lines) * down > 1]
    known = np.flatnonzero(np.array([True, *spans]))
    moments, change = np.array([0.0, moment_x, moment_y]), np.zeros(3)
    part = normal[np.ix_(known, known)] * (down * across)
    change[known] = np.linalg.solve(part, moments[known])
    return Plane(*(np.array([plane.datum, plane.slope_x, plane.slope_y]) + change).tolist())

"""Tips, and what they make of a surface: grey-scale dilation.

A tip of finite size touches the surface beside its apex. The image is the dilation of the
surface by the reflected tip: exact, whatever the two look like, as long as nothing bends.

References
----------
Villarrubia, "Algorithms for scanned probe microscope image simulation, surface reconstruction,
and tip estimation", J. Res. Natl. Inst. Stand. Technol. 102, 425 (1997),
doi 10.6028/jres.102.030.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import UsageError, did_you_mean

__all__ = ["SHAPES", "Shape", "Tip", "dilate", "shape"]

Heights = NDArray[np.float64]

BLOCK = 48  # pixels; a block's own relief tells how much of the tip can touch there
MAX_REACH = 400  # pixels; a tip wider than this at the surface's height is a mistake in units
MAX_HALF_ANGLE = 85.0  # degrees; flatter is no tip


@dataclass(frozen=True)
class Shape:
    """A kind of tip.

    Parameters
    ----------
    name, summary : str
        For settings and help texts.
    profile : callable
        From (x, y, radius, slope), with x and y in nm from the apex, the apex radius in nm and
        the cotangent of the half-angle, to the height of the tip's surface above its apex in nm.
    """

    name: str
    summary: str
    profile: Callable[[Heights, Heights, float, float], Heights]


def _parabolic(x: Heights, y: Heights, radius: float, slope: float) -> Heights:
    return np.asarray((x**2 + y**2) / (2 * radius))


def _sphere_to_flank(r: Heights, radius: float, slope: Heights | float) -> Heights:
    """Return a sphere up to where its slope is that of the flank, and from there the flank."""
    touching = radius * slope / np.hypot(1, slope)  # where the sphere has this slope
    ball = radius - np.sqrt(np.maximum(radius**2 - np.minimum(r, touching) ** 2, 0.0))
    return np.asarray(ball + slope * np.maximum(r - touching, 0.0))


def _cone(x: Heights, y: Heights, radius: float, slope: float) -> Heights:
    return _sphere_to_flank(np.hypot(x, y), radius, slope)


def _pyramid(x: Heights, y: Heights, radius: float, slope: float) -> Heights:
    """Four faces that touch the sphere of the apex, across the axes, and the edges between."""
    r, across, around = np.hypot(x, y), np.maximum(abs(x), abs(y)), abs(x) + abs(y)
    steepest = slope * np.divide(r, around, out=np.ones_like(r), where=around > 0)
    face = slope * across - radius * (np.hypot(1, slope) - 1)
    return np.asarray(np.maximum(_sphere_to_flank(r, radius, steepest), face))


SHAPES = (
    Shape("parabolic", "paraboloid; the half-angle does not count", _parabolic),
    Shape("cone", "cone with a spherical apex, as most silicon tips", _cone),
    Shape("pyramid", "four-sided pyramid with a rounded apex, as silicon nitride tips", _pyramid),
)
"""Every kind of tip."""


def shape(name: str) -> Shape:
    """Return the kind of tip of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    for kind in SHAPES:
        if kind.name == name:
            return kind
    names = [kind.name for kind in SHAPES]
    raise UsageError(
        f"no tip is called {name!r}.{did_you_mean(name, names)} There are: {', '.join(names)}"
    )


@dataclass(frozen=True)
class Tip:
    """A tip: what it is and how sharp.

    Parameters
    ----------
    shape : str
        Name of one of :data:`SHAPES`.
    radius : float
        Of the apex, in nm; 0 is a tip without size, which changes nothing.
    half_angle : float
        Between axis and flank, in degrees.

    Examples
    --------
    >>> Tip("parabolic", radius=10.0).height(np.array([0.0, 10.0]), np.array([0.0, 0.0]))
    array([0., 5.])
    """

    shape: str = "cone"
    radius: float = 10.0
    half_angle: float = 18.0

    def __post_init__(self) -> None:
        shape(self.shape)
        if not 0 <= self.radius < np.inf:
            raise UsageError(f"tip radius {self.radius} nm: give a number from 0 on")
        if not 0 < self.half_angle <= MAX_HALF_ANGLE:
            raise UsageError(
                f"half-angle {self.half_angle} degrees: give one above 0, up to {MAX_HALF_ANGLE:g}"
            )

    def height(self, x: Heights, y: Heights) -> Heights:
        """Return the height of the tip's surface above its apex, in nm, at x and y in nm."""
        if self.radius == 0:
            return np.where((x == 0) & (y == 0), 0.0, np.inf)
        slope = 1 / np.tan(np.deg2rad(self.half_angle))
        return shape(self.shape).profile(x, y, self.radius, float(slope))

    def pixels(self, dx: float, dy: float, top: float) -> tuple[NDArray[np.intp], Heights]:
        """Return the tip on a grid, as far as it is lower than `top`.

        Parameters
        ----------
        dx, dy : float
            Pixel size in nm.
        top : float
            Height in nm; what lies higher can touch nothing.

        Returns
        -------
        offsets : ndarray of int, shape (n, 2)
            Rows and columns from the apex, lowest pixel first.
        heights : ndarray of float64, shape (n,)
            Above the apex, in nm, ascending; the first is the apex.

        Raises
        ------
        UsageError
            If the tip is hundreds of pixels wide at that height.
        """
        reach = 1
        while True:
            ring = np.arange(-reach, reach + 1, dtype=np.float64)
            edges = (self.height(ring * dx, np.full(ring.size, float(reach * dy))),
                     self.height(np.full(ring.size, float(reach * dx)), ring * dy))  # fmt: skip
            if min(float(edge.min()) for edge in edges) >= top:
                break
            reach *= 2
            if reach > MAX_REACH:
                raise UsageError(
                    f"the tip is more than {2 * MAX_REACH} pixels wide at a height of {top:.4g} "
                    f"nm; give a sharper tip or a surface with larger pixels"
                )
        i, j = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        heights = self.height(j * float(dx), i * float(dy))
        kept = heights < top
        kept[reach, reach] = True
        order = np.argsort(heights[kept], kind="stable")
        return np.stack([i[kept], j[kept]], axis=1)[order], heights[kept][order]


def dilate(surface: Heights, tip: Tip, dx: float, dy: float) -> Heights:
    """Return what a tip's apex traces out over a surface.

    Exact: at every pixel the largest of ``surface(x + u) - tip(u)`` over all pixels u of the tip.
    Beyond the edge there is nothing to touch.

    Parameters
    ----------
    surface : ndarray of float64, shape (yres, xres)
        Heights in nm, all finite.
    tip : Tip
        The tip.
    dx, dy : float
        Pixel size in nm.

    Returns
    -------
    ndarray of float64, shape (yres, xres)
        Nowhere below the surface.

    Raises
    ------
    UsageError
        If the tip is hundreds of pixels wide at the surface's height.

    Examples
    --------
    >>> spike = np.zeros((1, 5))
    >>> spike[0, 2] = 8.0
    >>> dilate(spike, Tip("parabolic", radius=0.1), dx=1.0, dy=1.0)
    array([[0., 3., 8., 3., 0.]])
    """
    if tip.radius == 0:
        return surface.copy()
    offsets, lower = tip.pixels(dx, dy, float(np.ptp(surface)))
    reach = int(np.abs(offsets).max())
    padded = np.pad(surface, reach, constant_values=-np.inf)
    traced = np.empty_like(surface)
    for top in range(0, surface.shape[0], BLOCK):
        for left in range(0, surface.shape[1], BLOCK):
            here = np.s_[top : top + BLOCK, left : left + BLOCK]
            traced[here] = _dilated_block(padded, surface[here].shape, (top, left), reach,
                                          offsets, lower)  # fmt: skip
    return traced


def _dilated_block(
    padded: Heights,
    size: tuple[int, ...],
    corner: tuple[int, int],
    reach: int,
    offsets: NDArray[np.intp],
    lower: Heights,
) -> Heights:
    """Dilate one block, with no more of the tip than its surroundings can touch."""
    top, left = corner
    rows, columns = size
    around = padded[top : top + rows + 2 * reach, left : left + columns + 2 * reach]
    traced = around[reach : reach + rows, reach : reach + columns].copy()
    step = np.empty_like(traced)
    # The nearest pixels of the tip fill the valleys; after them far fewer of the rest can touch.
    n, highest = 0, float(around.max())
    while n < len(lower):
        stop = int(np.searchsorted(lower, highest - float(traced.min())))
        stop = min(stop, max(2 * n, 64))
        if stop <= n:
            break
        for (i, j), down in zip(offsets[n:stop].tolist(), lower[n:stop].tolist(), strict=True):
            np.subtract(
                around[reach + i : reach + i + rows, reach + j : reach + j + columns], down,
                out=step,
            )  # fmt: skip
            np.maximum(traced, step, out=traced)
        n = stop
    return traced

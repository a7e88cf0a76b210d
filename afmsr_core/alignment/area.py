"""Alignment by the heights themselves: where to start, and the best map from there.

Levelling result and truth each on its own is not enough: they show different areas, so different
planes come off them, and on smooth surfaces the difference moves the best map by whole pixels.
Here the background by which they differ, and the gain, are fitted together with the map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from afmsr_core.alignment.maps import Size, apply, corners, grid_of, shrunk
from afmsr_core.robust import NORMAL

__all__ = [
    "FREE",
    "Fit",
    "Shrinking",
    "fit_map",
    "polynomials",
    "shrink",
    "shrinkings",
    "start_by_phase",
]

Field = NDArray[np.float64]
Smoothing = tuple[float, float]
Mask = NDArray[np.bool_]

FREE = {
    "translation": (2, 5),
    "affine": (0, 1, 2, 3, 4, 5),
    "homography": (0, 1, 2, 3, 4, 5, 6, 7),
}
"""Elements of the matrix, row by row, that each kind of map leaves free."""

LEVELS = (16, 8, 4, 2)
"""Pixels per side that are averaged, from coarse to fine, of the field that has fewer of them.

At 4x the result holds nothing finer than 4 of its pixels, so 2 lose nothing: on the virtual truth
1 is no more precise and four times slower.
"""
MIN_SIDE = 32  # pixels of a shrunk field; smaller ones hold too little to align
MAX_SIDE = 384  # pixels of a shrunk field; more are slower and no more precise
SMOOTHING = 1.0  # Gaussian sigma in shrunk pixels, against noise of single pixels
BOX = 1 / 12  # variance of an average over a pixel, in pixels squared
EVEN = 0.01  # of a pixel that a block may miss its whole number by, from rounded pixel sizes
ITERATIONS = 30
SETTLED = 0.005  # shrunk pixels that no corner moves by any more
MIN_SHARE = 0.1  # of the truth that the result must cover for a step
HUBER = 1.5  # robust standard deviations beyond which a pixel (a scar) loses weight

# Phase correlation, in cycles per shrunk pixel: above, a noisy scan has only noise.
PASS_BAND = 0.08
WHITENING = (1.0, 0.5)  # full: sharp peaks; half: broad ones, which survive a rotation
FADE = 0.1  # of a side, at each edge
PEAKS = 4  # of each, that are compared by their correlation


@dataclass(frozen=True)
class Fit:
    """A fitted map.

    Attributes
    ----------
    matrix : ndarray of float64, shape (3, 3)
        Truth pixel to result pixel.
    gain : float
        Heights of the truth per height of the result.
    """

    matrix: NDArray[np.float64]
    gain: float


def polynomials(u: Field, v: Field, degree: int) -> Field:
    """Return all terms ``u**i v**j`` of total degree up to `degree`, one per column.

    Examples
    --------
    >>> polynomials(np.array([2.0]), np.array([3.0]), 1)
    array([[1., 3., 2.]])
    """
    terms = [u**i * v**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    return np.stack(np.broadcast_arrays(*terms), axis=-1).reshape(-1, len(terms))


def shrink(field: Field, level: Size, smoothing: Smoothing = (SMOOTHING, SMOOTHING)) -> Field:
    """Return a field whose pixels are means of blocks of `level`, smoothed; the rest is cut off.

    `level` and `smoothing` (Gaussian sigma in shrunk pixels) are for rows and columns.
    """
    import cv2

    down, across = level
    rows, columns = field.shape[0] // down, field.shape[1] // across
    whole = field[: rows * down, : columns * across]
    # Sums of few rows, then of few columns: NumPy's mean over two axes takes three times as long.
    lines = reduce(np.add, (whole[k::down] for k in range(down)))
    total = reduce(np.add, (lines[:, k::across] for k in range(across)))
    means = total / (down * across)
    return cv2.GaussianBlur(means, (0, 0), smoothing[1], sigmaY=smoothing[0])


@dataclass(frozen=True)
class Shrinking:
    """How far truth and result are shrunk, so that both are equally fine on the sample.

    A result that were shrunk by as many of its own, larger, pixels as the truth would be smoothed
    over more of the sample, and the blur would pass for a displacement wherever the relief is not
    symmetric.

    Attributes
    ----------
    truth, result : tuple of int
        Pixels that are averaged along columns and rows.
    of_truth, of_result : tuple of float
        Gaussian sigma in shrunk pixels that makes both blurs the same.
    """

    truth: Size
    result: Size
    of_truth: Smoothing
    of_result: Smoothing

    @classmethod
    def by(cls, level: int, scale: tuple[float, float]) -> Shrinking:
        """Average `level` pixels of the field with fewer.

        `scale` is of result pixels per truth pixel, along columns and rows.
        """
        down, across = (_along(level, one) for one in scale)
        return cls(
            (down[0], across[0]), (down[1], across[1]), (down[2], across[2]), (down[3], across[3])
        )

    def of(self, result: Field, truth: Field) -> tuple[Field, Field]:
        """Return both fields, shrunk."""
        return (
            shrink(result, self.result, self.of_result),
            shrink(truth, self.truth, self.of_truth),
        )

    def fits(self, truth: Size, result: Size) -> bool:
        """Whether both fields keep enough pixels."""
        sides = zip((*truth, *result), (*self.truth, *self.result), strict=True)
        return min(side // level for side, level in sides) >= MIN_SIDE


def _along(level: int, scale: float) -> tuple[int, int, float, float]:
    """Return blocks and smoothing of truth and result along one axis."""
    truth, result = (int(level / min(scale, 1) + EVEN), int(level * max(scale, 1) + EVEN))
    sizes = truth * scale, float(result)  # of shrunk pixels, in pixels of the result
    # The variance of the wider blur, of box and Gaussian, is that of both.
    of_truth, of_result = (
        math.sqrt(SMOOTHING**2 + ((max(sizes) / size) ** 2 - 1) * (BOX + SMOOTHING**2))
        for size in sizes
    )
    return truth, result, of_truth, of_result


def shrinkings(truth: Size, result: Size, promised: NDArray[np.float64]) -> list[Shrinking]:
    """Return from coarse to fine what leaves enough pixels, and not too many."""
    scale = math.hypot(*promised[:2, 1]), math.hypot(*promised[:2, 0])
    every = [Shrinking.by(level, scale) for level in LEVELS]
    enough = [one for one in every if one.fits(truth, result)]
    few = [
        one
        for one in enough
        if max(side // level for side, level in zip(truth, one.truth, strict=True)) <= MAX_SIDE
    ]
    return few or enough[:1] or [Shrinking.by(1, scale)]


def fit_map(
    result: Field,
    truth: Field,
    start: NDArray[np.float64],
    kind: str,
    *,
    background: int,
    steps: Sequence[Shrinking],
    measured: tuple[Mask, Mask] | None = None,
) -> Fit | None:
    """Find the map of greatest correlation near `start`, from coarse to fine.

    Gauss-Newton on the weighted squares of ``truth - gain * result(map) - background``, which at
    its minimum is the map of greatest correlation coefficient, as ECC's; pixels far off lose
    weight after Huber.

    Parameters
    ----------
    result, truth : ndarray of float64
        Finite; best levelled, so that the start is not far off.
    start : ndarray of float64, shape (3, 3)
        Truth pixel to result pixel.
    kind : str
        Key of :data:`FREE`.
    background : int
        Total degree of the polynomial by which the two may differ.
    steps : sequence of Shrinking
        Coarse first.
    measured : tuple of ndarray of bool, optional
        Where result and truth were measured; other pixels do not take part.

    Returns
    -------
    Fit or None
        None if the result leaves the truth, is inverted, or nothing determines the map.
    """
    fit: Fit | None = Fit(start, 1.0)
    for step in steps:
        if fit is None:
            return None
        known = None
        if measured is not None:
            one, two = step.of(*(mask.astype(np.float64) for mask in measured))
            known = one > 0.99, two > 0.99
        to_result, to_truth = shrunk(step.result), shrunk(step.truth)
        inside = np.linalg.inv(to_result) @ fit.matrix @ to_truth
        small = step.of(result, truth)
        fit = _fit_step(small[0], small[1], inside, FREE[kind], background, known)
        if fit is not None:
            matrix = to_result @ fit.matrix @ np.linalg.inv(to_truth)
            fit = Fit(matrix / matrix[2, 2], fit.gain)
    return fit


def _fit_step(
    result: Field,
    truth: Field,
    start: NDArray[np.float64],
    free: tuple[int, ...],
    background: int,
    measured: tuple[Mask, Mask] | None,
) -> Fit | None:
    import cv2

    rows, columns = truth.shape
    half = max(truth.shape) / 2
    # Coordinates from -1 to 1 keep the normal equations well conditioned.
    to_pixels = np.array(
        [[half, 0.0, (columns - 1) / 2], [0.0, half, (rows - 1) / 2], [0.0, 0.0, 1.0]]
    )
    x, y = grid_of(truth.shape)
    u, v = (x - to_pixels[0, 2]) / half, (y - to_pixels[1, 2]) / half
    edge = apply(np.linalg.inv(to_pixels), *corners(truth.shape))
    # A common scale, so that gain is a number near 1.
    spread = float(np.std(truth)) or 1.0
    target = (truth / spread).ravel()
    slope_y, slope_x = np.gradient(result / spread)
    sheets = [sheet.astype(np.float32) for sheet in (result / spread, slope_x, slope_y)]
    if measured is not None:
        sheets.append(measured[0].astype(np.float32))

    # A row each for what heights change by with a free element, for the heights, and for every
    # term of the background, which stay. Pixels that do not take part have no weight.
    backdrop = polynomials(u, v, background).T
    design = np.empty((len(free) + 1 + len(backdrop), *truth.shape))
    equations = design.reshape(len(design), -1)
    equations[len(free) + 1 :] = backdrop
    matrix = start @ to_pixels
    weights = np.ones(target.size)
    for _ in range(ITERATIONS):
        matrix = matrix / matrix[2, 2]
        there_x, there_y = apply(matrix, u, v)
        inside = (there_x >= 0) & (there_x <= result.shape[1] - 1)
        inside &= (there_y >= 0) & (there_y <= result.shape[0] - 1)
        at_x, at_y = there_x.astype(np.float32), there_y.astype(np.float32)
        height, along_x, along_y, *known = (
            cv2.remap(sheet, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for sheet in sheets
        )
        if measured is not None:
            inside &= (known[0] > 0.99) & measured[1]
        used = inside.ravel()
        if np.count_nonzero(used) < max(MIN_SHARE * used.size, 2 * len(free) + 16):
            return None
        below = matrix[2, 0] * u + (matrix[2, 1] * v + 1)
        by_x, by_y = along_x / below, along_y / below
        # A gradient times u, v or 1.
        slopes = by_x, by_y, -(by_x * there_x + by_y * there_y) if free[-1] > 5 else by_y
        for row, n in zip(design, free, strict=False):
            np.multiply(slopes[n // 3], (u, v, 1.0)[n % 3], out=row)
        design[len(free)] = height
        weight = np.where(used, weights, 0.0)
        weighted = equations * np.sqrt(weight)
        normal = weighted @ weighted.T
        size = np.sqrt(np.diag(normal))
        if not np.all(size > 0) or not np.all(np.isfinite(size)):
            return None
        scaled = normal / np.outer(size, size)
        right = (equations @ (weight * target)) / size
        solution = np.linalg.lstsq(scaled, right, rcond=1e-10)[0] / size
        gain = float(solution[len(free)])
        if not gain > 0:
            return None
        off = np.abs(target - solution @ equations)
        limit = HUBER * NORMAL * float(np.median(off[used])) + 1e-12
        np.copyto(weights, np.minimum(1, limit / np.maximum(off, 1e-300)), where=used)
        change = np.zeros(9)
        change[list(free)] = solution[: len(free)] / gain
        before = apply(matrix, *edge)
        matrix = matrix + change.reshape(3, 3)
        after = apply(matrix, *edge)
        moved = float(np.max(np.hypot(after[0] - before[0], after[1] - before[1])))
        if not np.isfinite(moved):
            return None
        if moved < SETTLED:
            break
    matrix = matrix @ np.linalg.inv(to_pixels)
    return Fit(matrix / matrix[2, 2], gain)


# --- where to start ------------------------------------------------------------------------


def start_by_phase(
    result: Field, truth: Field, promised: NDArray[np.float64], min_overlap: float
) -> NDArray[np.float64] | None:
    """Find the translation between two fields anywhere, by phase correlation.

    Parameters
    ----------
    result, truth : ndarray of float64
        Levelled and finite.
    promised : ndarray of float64, shape (3, 3)
        Map whose scale and rotation are right; its translation is not used.
    min_overlap : float
        Least share of the truth that the result must cover.

    Returns
    -------
    ndarray of float64, shape (3, 3), or None
        `promised` after the best translation, to a fraction of a pixel.

    References
    ----------
    Kuglin and Hines, "The phase correlation image alignment method", Proc. IEEE Int. Conf.
    Cybernetics and Society (1975), 163-165.
    """
    import cv2

    step = shrinkings(truth.shape, result.shape, promised)[-1]
    to_truth = shrunk(step.truth)
    small = shrink(truth, step.truth, step.of_truth)
    # The result on the pixels of the truth, all of it: `canvas` begins at (left, top) there.
    edge_x, edge_y = apply(np.linalg.inv(promised), *corners(result.shape))
    down, across = step.truth
    left, top = np.floor(edge_x.min() / across), np.floor(edge_y.min() / down)
    size = (
        int(np.ceil(edge_y.max() / down) - top) + 1,
        int(np.ceil(edge_x.max() / across) - left) + 1,
    )
    if max(size) > 8 * max(small.shape):
        return None  # the truth is so small a part of the result that nothing would find it
    move = np.array([[1.0, 0.0, left], [0.0, 1.0, top], [0.0, 0.0, 1.0]])
    there = apply(promised @ to_truth @ move, *grid_of(size))
    at_x, at_y = (np.broadcast_to(part, size).astype(np.float32) for part in there)
    smooth = cv2.GaussianBlur(result, (0, 0), step.result[1] / 2, sigmaY=step.result[0] / 2)
    canvas = cv2.remap(smooth, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    canvas = canvas.astype(np.float64)

    best, highest = None, -np.inf
    for x, y in [(-left, -top), *_peaks(canvas, small)]:  # the first is as promised
        score = _correlation_at(canvas, small, round(x), round(y), min_overlap)
        if score > highest:
            best, highest = (x, y), score
    if best is None or not np.isfinite(highest):
        return None
    found = move.copy()
    found[:2, 2] += best
    return promised @ to_truth @ found @ np.linalg.inv(to_truth)


def _peaks(canvas: Field, small: Field) -> list[tuple[float, float]]:
    """Return the shifts (x, y) of `small` in `canvas` at which their phases agree best."""
    from scipy import fft

    # Padded, so that a shift to the left is not one to the right.
    size = tuple(
        fft.next_fast_len(a + b, real=True) for a, b in zip(canvas.shape, small.shape, strict=True)
    )
    spectra = [
        fft.rfft2((field - field.mean()) * _window(field.shape), size) for field in (canvas, small)
    ]
    cross = spectra[0] * np.conj(spectra[1])
    fy, fx = fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None]
    low_pass = np.exp(-(fx**2 + fy**2) / (2 * PASS_BAND**2))
    strength = np.abs(cross) + np.finfo(np.float64).tiny
    found = []
    for whitening in WHITENING:
        surface = fft.irfft2(cross * low_pass / strength**whitening, size)
        for _ in range(PEAKS):
            row, column = np.unravel_index(np.argmax(surface), size)
            y = _vertex(surface[np.arange(row - 1, row + 2) % size[0], column]) + row
            x = _vertex(surface[row, np.arange(column - 1, column + 2) % size[1]]) + column
            y, x = (
                n - whole if n > here else n
                for n, whole, here in zip((y, x), size, canvas.shape, strict=True)
            )
            found.append((float(x), float(y)))
            around = [
                np.arange(n - 3, n + 4) % whole
                for n, whole in zip((row, column), size, strict=True)
            ]
            surface[np.ix_(*around)] = -np.inf
    return found


def _window(shape: tuple[int, int]) -> Field:
    """Fade a tenth at each edge by a cosine, so that the edge itself is no feature."""
    sides = []
    for size in shape:
        edge = np.minimum(np.arange(size), np.arange(size)[::-1]) / (FADE * (size - 1))
        sides.append(0.5 - 0.5 * np.cos(np.pi * np.minimum(edge, 1)))
    return np.outer(*sides)


def _vertex(three: Field) -> float:
    """Return where the parabola through three equidistant values peaks, from the middle one."""
    before, middle, after = three
    bend = before - 2 * middle + after
    if not (np.isfinite(bend) and bend < 0):
        return 0.0
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5))


def _correlation_at(canvas: Field, small: Field, x: int, y: int, min_overlap: float) -> float:
    """Return the correlation times the overlap: a periodic structure is moved the least."""
    rows = slice(max(0, y), min(canvas.shape[0], y + small.shape[0]))
    columns = slice(max(0, x), min(canvas.shape[1], x + small.shape[1]))
    if (rows.stop - rows.start) * (columns.stop - columns.start) < min_overlap * small.size or (
        rows.stop <= rows.start or columns.stop <= columns.start
    ):
        return -np.inf
    one = canvas[rows, columns]
    two = small[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    one, two = one - one.mean(), two - two.mean()
    size = np.sqrt(np.sum(one**2) * np.sum(two**2))
    return float(np.sum(one * two) / size) * one.size / small.size if size > 0 else -np.inf

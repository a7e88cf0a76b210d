"""Maps of the plane as 3x3 matrices, and what one does to a field.

A map takes a pixel ``(x, y)`` of the truth, column first, to a pixel of the result; the centre of
the first pixel is ``(0, 0)``, as in OpenCV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Shape", "apply", "corners", "expected", "grid_of", "largest_rectangle", "shrunk"]

Matrix = NDArray[np.floating]
Size = tuple[int, int]  # rows, columns


def apply(matrix: Matrix, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
    """Map points.

    Examples
    --------
    >>> apply(np.diag([2.0, 2.0, 1.0]), [3.0], [4.0])
    (array([6.]), array([8.]))
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    # Of a grid, x is one row and y one column: only three sums are of its size.
    across, down, below = (row[0] * x + (row[1] * y + row[2]) for row in matrix)
    return across / below, down / below


def corners(size: Size) -> tuple[NDArray, NDArray]:
    """Return x and y of the outer pixels' centres: the four corners, in order around."""
    bottom, right = size[0] - 1.0, size[1] - 1.0
    return np.array([0.0, right, right, 0.0]), np.array([0.0, 0.0, bottom, bottom])


def expected(truth: Size, result: Size, scale: tuple[float, float]) -> NDArray[np.float64]:
    """Return the map that puts centre on centre at `scale`, result pixels per truth pixel.

    For two fields over the same area this is the map of equal edges.

    Examples
    --------
    >>> apply(expected((4, 4), (8, 8), (2.0, 2.0)), [0], [0])
    (array([0.5]), array([0.5]))
    """
    matrix = np.diag([scale[0], scale[1], 1.0])
    matrix[0, 2] = (result[1] - 1) / 2 - scale[0] * (truth[1] - 1) / 2
    matrix[1, 2] = (result[0] - 1) / 2 - scale[1] * (truth[0] - 1) / 2
    return matrix


def shrunk(level: Size) -> Matrix:
    """Return the map from a field shrunk by averaging blocks of `level` pixels to the field.

    Examples
    --------
    >>> apply(shrunk((4, 2)), [0], [0])
    (array([0.5]), array([1.5]))
    """
    down, across = level
    return np.array([[across, 0.0, (across - 1) / 2], [0.0, down, (down - 1) / 2], [0.0, 0.0, 1.0]])


def grid_of(size: Size) -> tuple[NDArray, NDArray]:
    """Return x, shape (1, columns), and y, shape (rows, 1), of all pixels."""
    return np.arange(size[1], dtype=np.float64)[None], np.arange(size[0], dtype=np.float64)[:, None]


@dataclass(frozen=True)
class Shape:
    """What a map does to a field, compared with the map that the pixel sizes promise.

    Scale, stretch and rotation are those of the sample, so the shape of the truth's pixels counts:
    in pixels of 2:1, a rotation alone would be a stretch as well.

    Attributes
    ----------
    scale : float
        Factor of lengths at the centre of the field, the geometric mean of all directions; 1 as
        promised. Above 1, the result shows the features larger than the truth.
    stretch : float
        Largest by smallest factor over the directions; 1 for a map that keeps angles.
    rotation_deg : float
        Degrees from the x axis towards the y axis, which points down: clockwise on the screen.
    perspective : float
        Largest relative change of the scale over the corners; 0 for an affine map.
    shift_px : tuple of float
        (x, y) from where the centre of the field was promised to where it lies, in pixels of the
        truth.
    proper : bool
        Neither mirrored nor folded anywhere on the field.

    Examples
    --------
    >>> promised = expected((9, 9), (9, 9), (1.0, 1.0))
    >>> Shape.of(np.diag([1.1, 1.1, 1.0]), promised, (9, 9)).scale
    1.1
    """

    scale: float
    stretch: float
    rotation_deg: float
    perspective: float
    shift_px: tuple[float, float]
    proper: bool

    @classmethod
    def of(
        cls,
        matrix: Matrix,
        promised: Matrix,
        truth: Size,
        pixel: tuple[float, float] = (1.0, 1.0),
    ) -> Shape:
        """Describe `matrix` on a truth of this size, whose pixels have this width and height."""
        relative = np.linalg.inv(promised) @ matrix
        centre = ((truth[1] - 1) / 2, (truth[0] - 1) / 2)
        x, y = corners(truth)
        # The denominator at the centre is made 1, so the determinants below do not depend on the
        # free factor of the matrix.
        relative = relative / (relative[2] @ [*centre, 1.0])
        below = relative[2, 0] * x + relative[2, 1] * y + relative[2, 2]
        local = _jacobian(relative, *centre)
        aspect = pixel[1] / pixel[0]
        u, singular, vt = np.linalg.svd(local * [[1.0, 1.0 / aspect], [aspect, 1.0]])
        turn = u @ vt
        proper = bool(np.all(below > 0) and np.linalg.det(local) > 0)
        # The area factor of a homography goes with the third power of the denominator.
        perspective = float(np.max(np.abs(np.abs(below) ** -1.5 - 1))) if np.all(below) else np.inf
        there = apply(relative, *centre)
        return cls(
            scale=float(math.sqrt(singular[0] * singular[1])),
            stretch=float(singular[0] / singular[1]) if singular[1] > 0 else math.inf,
            rotation_deg=float(math.degrees(math.atan2(turn[1, 0], turn[0, 0]))),
            perspective=perspective,
            shift_px=(float(there[0] - centre[0]), float(there[1] - centre[1])),
            proper=proper,
        )


def _jacobian(matrix: Matrix, x: float, y: float) -> Matrix:
    above, below = matrix[:2] @ [x, y, 1.0], float(matrix[2] @ [x, y, 1.0])
    return (matrix[:2, :2] - np.outer(above / below, matrix[2, :2])) / below


def largest_rectangle(valid: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the largest upright rectangle of valid pixels: (top, left, height, width).

    Notes
    -----
    One pass over the rows; each keeps the height of valid pixels above every column, and a stack
    finds the largest rectangle under that histogram. Rows below which every column goes on are
    passed over: what ends there is larger a row further down.

    Examples
    --------
    >>> largest_rectangle(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=bool))
    (0, 0, 2, 2)
    >>> largest_rectangle(np.zeros((2, 2), dtype=bool))
    (0, 0, 0, 0)
    """
    best, area = (0, 0, 0, 0), 0
    heights = np.zeros(valid.shape[1] + 1, dtype=np.int64)  # the last is a sentinel
    ends = np.ones(len(valid), dtype=bool)
    ends[:-1] = (valid[:-1] & ~valid[1:]).any(axis=1)
    for row, line in enumerate(valid):
        heights[:-1] = (heights[:-1] + 1) * line
        if not ends[row]:
            continue
        # Only where the height changes can a rectangle begin or end.
        edges = np.flatnonzero(np.diff(heights, prepend=-1))
        stack: list[tuple[int, int]] = []  # (left, height), heights rising
        for column, height in zip(edges.tolist(), heights[edges].tolist(), strict=True):
            left = column
            while stack and stack[-1][1] >= height:
                left, tall = stack.pop()
                if tall * (column - left) > area:
                    area = tall * (column - left)
                    best = (row - tall + 1, left, tall, column - left)
            stack.append((left, height))
    return best

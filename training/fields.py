"""Fields that are scanned again for training, each with its truth for every line taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.alignment import AlignmentSettings, align, warp
from afmsr_core.alignment.maps import largest_rectangle
from afmsr_core.errors import PairError
from afmsr_core.grid import SQUARE, Scale
from afmsr_core.simulation.acquisition import Acquisition, coarse_scan
from afmsr_core.simulation.specimens import SPECIMENS
from afmsr_core.surfaces import fit_plane
from training.corpus import Scan, TracePair, levelled

FACTOR = 4
REDUCE_ABOVE = 400  # fields at least this large also serve at half their resolution
LOSS_FLOOR = 2e-3  # of the range; a field that bicubic renders better than this is no teacher
MAX_RESIDUAL = 0.5  # pixels between trace and retrace; beyond, the truth would be out of place
SMALLEST = 160  # pixels a side that a pair must have in common
GENERATED_SIDE = 288

Heights = NDArray[np.float64]


Window = tuple[slice, slice]


class Field(Protocol):
    """What patches are drawn from."""

    @property
    def bicubic_error(self) -> float:
        """Root mean square of what bicubic leaves, as a fraction of the range."""
        ...

    def window(self, patch: int, rng: np.random.Generator) -> Window:
        """Return a random window of `patch` coarse lines, square in fine pixels."""
        ...

    def scanned(
        self, window: Window, acquisition: Acquisition, rng: np.random.Generator
    ) -> tuple[NDArray[np.floating], NDArray[np.float32]]:
        """Return a coarse scan of a window, and its truth."""
        ...


@dataclass(frozen=True)
class ScannedAgain:
    """A levelled field, normalised to about [0, 1], and its truth for each line that may be taken.

    Attributes
    ----------
    fine : ndarray of float32
        What is scanned again.
    truths : dict of int to ndarray of float32
        By the line that is taken, of :func:`middle_rows`, on the upscaled grid. A coarse pixel
        whose line lies `offset` rows below its centre sees the surface moved up by as much: the
        truth moves with it, so that no network learns to move features.
    bicubic_error : float
        Root mean square of what bicubic leaves, as a fraction of the range.
    scale : Scale
        Fine pixels per coarse pixel.
    """

    fine: NDArray[np.float32]
    truths: Mapping[int, NDArray[np.float32]]
    bicubic_error: float
    scale: Scale = SQUARE

    def window(self, patch: int, rng: np.random.Generator) -> Window:
        """Start on any fine pixel: what was a line of the scan once is between two the next."""
        side = patch * self.scale.rows
        yres, xres = self.fine.shape
        top, left = rng.integers(0, yres - side + 1), rng.integers(0, xres - side + 1)
        return np.s_[top : top + side, left : left + side]

    def scanned(
        self, window: Window, acquisition: Acquisition, rng: np.random.Generator
    ) -> tuple[NDArray[np.floating], NDArray[np.float32]]:
        """Scan the window as `acquisition` says."""
        line = self.fine.shape[1] // self.scale.columns
        coarse = coarse_scan(self.fine[window], acquisition, rng, height_range=1.0, line=line)
        return coarse, self.truths[acquisition.row][window]


@dataclass(frozen=True)
class Measured:
    """A scan that was measured coarse, and the aligned fine scan of the same place.

    Attributes
    ----------
    coarse : ndarray of float32, shape (yres, xres)
        Levelled and normalised to about [0, 1].
    fine : ndarray of float32, shape (4 yres, 4 xres)
        In the same normalisation.
    bicubic_error : float
        As above.
    """

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]
    bicubic_error: float

    def window(self, patch: int, rng: np.random.Generator) -> Window:
        """Start on a coarse pixel."""
        yres, xres = self.coarse.shape
        top, left = rng.integers(0, yres - patch + 1), rng.integers(0, xres - patch + 1)
        return np.s_[FACTOR * top : FACTOR * (top + patch), FACTOR * left : FACTOR * (left + patch)]

    def scanned(
        self, window: Window, acquisition: Acquisition, rng: np.random.Generator
    ) -> tuple[NDArray[np.floating], NDArray[np.float32]]:
        """Return what was measured; it has noise of its own."""
        rows, columns = (slice(one.start // FACTOR, one.stop // FACTOR) for one in window)
        return self.coarse[rows, columns], self.fine[window]


def middle_rows(scale: Scale) -> tuple[int, int]:
    """Return the two fine lines nearest a coarse pixel's centre."""
    return scale.rows // 2 - 1, scale.rows // 2


def real_fields(
    scans: Iterable[Scan], pairs: Iterable[TracePair], scale: Scale = SQUARE
) -> dict[str, list[ScannedAgain]]:
    """Return the fields of the corpus by sample.

    Parameters
    ----------
    scans : iterable of Scan
        Each is its own truth; large ones also serve at half their resolution.
    pairs : iterable of TracePair
        The retrace is scanned again and the aligned trace is the truth: what noise the one has
        the other has not, so noise cannot be learned. Pairs that do not align to `MAX_RESIDUAL`
        are left out.
    scale : Scale
        At which they are scanned again.
    """
    fields: dict[str, list[ScannedAgain]] = {}
    for scan in scans:
        own = [of_itself(scan.levelled, scale)]
        if min(scan.levelled.shape) >= REDUCE_ABOVE:
            own.append(of_itself(_halve(scan.levelled), scale))
        fields.setdefault(scan.sample, []).extend(own)
    for pair in pairs:
        field = _of_pair(pair, scale)
        if field is not None:
            fields.setdefault(pair.sample, []).append(field)
    return fields


def generated_fields(
    per_kind: int, seed: int, scale: Scale = SQUARE, kinds: Collection[str] = ()
) -> dict[str, list[ScannedAgain]]:
    """Return `per_kind` fields of every kind of specimen, the same for the same seed.

    Parameters
    ----------
    per_kind, seed : int
        How many, and of what is drawn.
    scale : Scale
        At which they are scanned again.
    kinds : collection of str
        Names of specimens; all that are typical if empty.
    """
    side = GENERATED_SIDE
    return {
        kind.name: [
            of_itself(kind.make(side, side, np.random.default_rng([seed, number, i])), scale)
            for i in range(per_kind)
        ]
        for number, kind in enumerate(SPECIMENS)
        if (kind.name in kinds if kinds else kind.typical)
    }


def _halve(heights: Heights) -> Heights:
    smooth = ndimage.gaussian_filter(heights, 0.7)
    return np.asarray(smooth[::2, ::2])


def of_itself(heights: Heights, scale: Scale) -> ScannedAgain:
    """Return a levelled field that is its own truth; the unit of `heights` does not matter."""

    def truth(row: int) -> Heights:
        move = (-_shortest(row, scale).offset[0], 0)
        return np.asarray(ndimage.shift(heights, move, order=5, mode="nearest"))

    return _field(heights, truth, scale)


def _shortest(row: int, scale: Scale) -> Acquisition:
    """Return the quiet scan that takes a line, its dwell half of a pixel if that can be halved."""
    return Acquisition(factor=scale, row=row, dwell=max(1, scale.columns // 2))


def _of_pair(pair: TracePair, scale: Scale) -> ScannedAgain | None:
    """Align the trace with the retrace, which is scanned again."""
    trace, retrace = levelled(pair.trace), levelled(pair.retrace)
    settings = AlignmentSettings(max_residual=MAX_RESIDUAL)
    try:
        found = align(trace, retrace, pixel_nm=pair.pixel_nm, settings=settings)
    except PairError:
        return None
    if not found.accepted:
        return None
    moved = {}
    for row in middle_rows(scale):
        down = np.array([[1, 0, 0], [0, 1, _shortest(row, scale).offset[0]], [0, 0, 1]])
        moved[row] = warp(trace, found.matrix @ down, retrace.shape)
    valid = np.all([np.isfinite(one) for one in moved.values()], axis=0)
    top, left, height, width = largest_rectangle(valid)
    if min(height, width) < SMALLEST:
        return None
    # Lines of the coarse scan are counted from a multiple of four.
    inside = np.s_[top : top + height, left : left + width]
    heights = retrace[inside]
    truths = {}
    for row, one in moved.items():
        truths[row] = one[inside] - fit_plane(one[inside] - heights).on_grid(height, width)
    return _field(heights, truths.__getitem__, scale)


def _field(heights: Heights, truth: Callable[[int], Heights], scale: Scale) -> ScannedAgain:
    low, high = np.percentile(heights, [0.1, 99.9])
    span = max(high - low, np.finfo(float).tiny)
    fine = (heights - low) / span
    truths = {row: (truth(row) - low) / span for row in middle_rows(scale)}
    return ScannedAgain(
        fine.astype(np.float32),
        {row: one.astype(np.float32) for row, one in truths.items()},
        max(_bicubic_error(fine, truths, scale), LOSS_FLOOR),
        scale,
    )


def _bicubic_error(fine: Heights, truths: Mapping[int, Heights], scale: Scale) -> float:
    squares = []
    for row, truth in truths.items():
        coarse = coarse_scan(fine, _shortest(row, scale), np.random.default_rng(0))
        squares.append(bicubic_error(coarse, truth, scale) ** 2)
    return float(np.sqrt(np.mean(squares)))


def bicubic_error(
    coarse: NDArray[np.floating], truth: NDArray[np.floating], scale: Scale = SQUARE
) -> float:
    """Return the root mean square of what bicubic interpolation of `coarse` leaves of `truth`."""
    import cv2

    yres, xres = coarse.shape[0] * scale.rows, coarse.shape[1] * scale.columns
    upscaled = cv2.resize(coarse, (xres, yres), interpolation=cv2.INTER_CUBIC)
    return float(np.sqrt(np.mean((upscaled - truth[:yres, :xres]) ** 2)))

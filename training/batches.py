"""Endless batches of (coarse scan, fine truth) patches from real fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.simulation.acquisition import Acquisition, coarse_scan
from training.corpus import Scan

__all__ = ["Batch", "Fields", "batches"]

FACTOR = 4
ROWS = (1, 2)  # the two fine lines nearest a coarse pixel's centre
REDUCE_ABOVE = 400  # fields at least this large also serve at half their resolution
LOSS_FLOOR = 2e-3  # of the range; a field that bicubic renders better than this is no teacher


@dataclass(frozen=True)
class Batch:
    """Patches ready for the network.

    Attributes
    ----------
    coarse : ndarray of float32, shape (n, 1, p, p)
        Normalised coarse scans.
    fine : ndarray of float32, shape (n, 1, 4 p, 4 p)
        The truth on the upscaled grid, in the same normalisation.
    scale : ndarray of float32, shape (n, 1, 1, 1)
        Error that bicubic makes on the field the patch is from; the unit of the loss, so that
        an easy field weighs as much as a hard one.
    """

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]
    scale: NDArray[np.float32]


@dataclass(frozen=True)
class _Field:
    """A levelled field, normalised to [0, 1], and its truth for each line that may be taken."""

    fine: NDArray[np.float32]
    truths: dict[int, NDArray[np.float32]]
    bicubic_error: float


class Fields:
    """The corpus prepared for drawing patches: by sample first, so that no sample dominates."""

    def __init__(self, scans: Sequence[Scan]) -> None:
        self._by_sample: dict[str, list[_Field]] = {}
        for scan in scans:
            levelled = scan.levelled
            fields = [_prepare(levelled)]
            if min(levelled.shape) >= REDUCE_ABOVE:
                fields.append(_prepare(_halve(levelled)))
            self._by_sample.setdefault(scan.sample, []).extend(fields)
        self._samples = sorted(self._by_sample)

    def draw(self, rng: np.random.Generator) -> _Field:
        """Return a random field of a random sample."""
        fields = self._by_sample[self._samples[rng.integers(len(self._samples))]]
        return fields[rng.integers(len(fields))]


def batches(fields: Fields, rng: np.random.Generator, *, size: int, patch: int) -> Iterator[Batch]:
    """Yield batches of `size` patches of `patch` coarse pixels a side, for ever."""
    while True:
        drawn = [_patch(fields.draw(rng), patch, rng) for _ in range(size)]
        coarse, fine, scale = (np.stack(part) for part in zip(*drawn, strict=True))
        yield Batch(coarse[:, None], fine[:, None], scale[:, None, None, None])


def _halve(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    smooth = ndimage.gaussian_filter(heights, 0.7)
    return smooth[::2, ::2]


def _prepare(levelled: NDArray[np.float64]) -> _Field:
    low, high = np.percentile(levelled, [0.1, 99.9])
    fine = (levelled - low) / max(high - low, np.finfo(float).tiny)
    # A coarse pixel whose line lies `offset` rows below its centre sees the surface moved up by
    # as much: the truth moves with it, so that no network learns to move features.
    truths = {
        row: ndimage.shift(fine, (-Acquisition(row=row).offset[0], 0), order=5, mode="nearest")
        for row in ROWS
    }
    error = _bicubic_error(fine, truths)
    return _Field(
        fine.astype(np.float32),
        {row: truth.astype(np.float32) for row, truth in truths.items()},
        max(error, LOSS_FLOOR),
    )


def _bicubic_error(fine: NDArray[np.float64], truths: dict[int, NDArray[np.float64]]) -> float:
    import cv2

    squares = []
    for row, truth in truths.items():
        coarse = coarse_scan(fine, Acquisition(row=row), np.random.default_rng(0))
        yres, xres = coarse.shape[0] * FACTOR, coarse.shape[1] * FACTOR
        upscaled = cv2.resize(coarse, (xres, yres), interpolation=cv2.INTER_CUBIC)
        squares.append(np.mean((upscaled - truth[:yres, :xres]) ** 2))
    return float(np.sqrt(np.mean(squares)))


def _patch(
    field: _Field, patch: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], np.float32]:
    """Draw one patch with the acquisition, noise and augmentation of this draw."""
    side = patch * FACTOR
    yres, xres = field.fine.shape
    top, left = rng.integers(0, yres - side + 1), rng.integers(0, xres - side + 1)
    window = np.s_[top : top + side, left : left + side]
    acquisition = _random_acquisition(rng)
    fine, truth = field.fine[window], field.truths[acquisition.row][window]
    coarse = coarse_scan(fine, acquisition, rng, height_range=1.0)
    error = np.hypot(field.bicubic_error, acquisition.noise + acquisition.line_noise)

    gain = np.exp(rng.uniform(np.log(0.35), np.log(1.25))) * rng.choice([-1, 1])
    coarse, truth = (0.5 + gain * (values - 0.5) for values in (coarse, truth))
    error *= abs(gain)
    if rng.random() < 0.5:
        coarse, truth = coarse[:, ::-1], truth[:, ::-1]
    if rng.random() < 0.5:
        coarse, truth = coarse[::-1], truth[::-1]
    return (
        np.ascontiguousarray(coarse, np.float32),
        np.ascontiguousarray(truth, np.float32),
        np.float32(error),
    )


def _random_acquisition(rng: np.random.Generator) -> Acquisition:
    """Draw what an instrument may do; half of the scans are quiet, the rest as real ones are."""
    noisy = rng.random() < 0.5
    return Acquisition(
        row=int(rng.choice(ROWS)),
        dwell=int(rng.choice([2, 2, 2, 4])),
        noise=min(0.03, 0.005 * np.exp(rng.normal(0, 0.8))) if noisy else 0.0,
        line_noise=min(0.03, 0.004 * np.exp(rng.normal(0, 0.9))) if noisy else 0.0,
        scars=float(rng.choice([0.0, 2.0, 10.0])) if noisy else 0.0,
    )

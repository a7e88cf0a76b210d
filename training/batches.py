"""Endless batches of (coarse scan, fine truth) patches from real and generated fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afmsr_core.grid import SQUARE, Scale
from afmsr_core.simulation.acquisition import Acquisition
from training.fields import Field, middle_rows

NOISE_SPREAD, LINE_SPREAD = 0.8, 0.9  # of the logarithm: the quartiles of real scans
GAIN = (0.35, 1.25)  # of the amplitude, which the network does not see but the optimiser does


@dataclass(frozen=True)
class Batch:
    """Patches ready for the network.

    Attributes
    ----------
    coarse : ndarray of float32, shape (n, 1, p, q)
        Normalised coarse scans.
    fine : ndarray of float32, shape (n, 1, rows * p, columns * q) of the scale
        The truth on the upscaled grid, in the same normalisation.
    scale : ndarray of float32, shape (n, 1, 1, 1)
        Error that bicubic makes on the field the patch is from; the unit of the loss, so that
        an easy field weighs as much as a hard one.
    """

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]
    scale: NDArray[np.float32]


@dataclass(frozen=True)
class Noise:
    """What is added to the scans.

    Parameters
    ----------
    quiet : float
        Share of scans without any.
    white, lines, along : float
        Medians of the standard deviations of white noise, of line offsets, and of noise along the
        lines that is not white, as fractions of the range.
    loudest : float
        Of each.
    scars : tuple of float
        Expected numbers per 256 lines, of which one is drawn for a scan.
    """

    quiet: float = 0.5
    white: float = 0.005
    lines: float = 0.004
    loudest: float = 0.03
    along: float = 0.0
    scars: tuple[float, ...] = (0.0, 0.0, 0.0, 2.0, 10.0)

    def draw(self, rng: np.random.Generator, scale: Scale = SQUARE) -> Acquisition:
        """Draw what an instrument may do."""
        noisy = rng.random() < 1 - self.quiet
        return Acquisition(
            factor=scale,
            row=int(rng.choice(middle_rows(scale))),
            dwell=min(scale.columns, int(rng.choice([2, 2, 2, 4]))),
            noise=self._level(self.white, NOISE_SPREAD, rng) if noisy else 0.0,
            line_noise=self._level(self.lines, LINE_SPREAD, rng) if noisy else 0.0,
            scars=float(rng.choice(self.scars)) if noisy else 0.0,
            along=self._level(self.along, LINE_SPREAD, rng) if noisy and self.along else 0.0,
        )

    def _level(self, median: float, spread: float, rng: np.random.Generator) -> float:
        return float(min(self.loudest, median * np.exp(rng.normal(0, spread))))


class Source:
    """Fields to draw patches from: by kind, then by sample, so that no sample dominates.

    Parameters
    ----------
    *groups : tuple of (mapping of str to sequence of Field, float)
        Fields by sample (or by kind of specimen), and the share of patches drawn from them. The
        last group gets what the others leave; empty ones get nothing.
    """

    def __init__(self, *groups: tuple[Mapping[str, Sequence[Field]], float]) -> None:
        there = [(list(fields.values()), share) for fields, share in groups if fields]
        self._groups = [samples for samples, _ in there]
        self._bounds = np.cumsum([share for _, share in there[:-1]])

    def draw(self, rng: np.random.Generator) -> Field:
        """Return a random field of a random sample."""
        samples = self._groups[int(np.searchsorted(self._bounds, rng.random(), side="right"))]
        fields = samples[int(rng.integers(len(samples)))]
        return fields[int(rng.integers(len(fields)))]


def batches(
    source: Source,
    rng: np.random.Generator,
    *,
    size: int,
    patch: int,
    noise: Noise | None = None,
    scale: Scale = SQUARE,
) -> Iterator[Batch]:
    """Yield batches of `size` square patches of `patch` coarse lines, for ever."""
    noise = noise or Noise()
    while True:
        drawn = [_patch(source.draw(rng), patch, noise, scale, rng) for _ in range(size)]
        coarse, fine, easy = (np.stack(part) for part in zip(*drawn, strict=True))
        yield Batch(coarse[:, None], fine[:, None], easy[:, None, None, None])


def _patch(
    field: Field, patch: int, noise: Noise, scale: Scale, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], np.float32]:
    """Draw one patch with the acquisition, noise and augmentation of this draw."""
    window = field.window(patch, rng)
    acquisition = noise.draw(rng, scale)
    coarse, truth = field.scanned(window, acquisition, rng)
    added = acquisition.noise + acquisition.line_noise + acquisition.along
    error = np.hypot(field.bicubic_error, added)

    gain = np.exp(rng.uniform(*np.log(GAIN))) * rng.choice([-1, 1])
    coarse, truth = (0.5 + gain * (values - 0.5) for values in (coarse, truth))
    error *= abs(gain)
    if rng.random() < 0.5:  # along each axis, never across: fast and slow differ
        coarse, truth = coarse[:, ::-1], truth[:, ::-1]
    if rng.random() < 0.5:
        coarse, truth = coarse[::-1], truth[::-1]
    return (
        np.ascontiguousarray(coarse, np.float32),
        np.ascontiguousarray(truth, np.float32),
        np.float32(error),
    )

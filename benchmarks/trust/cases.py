"""Cases: real scans, scanned again coarsely, upscaled, and registered as in training/score.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from afmsr_core.channel import Channel
from afmsr_core.grid import SQUARE, Scale
from afmsr_core.simulation import Acquisition, coarse_scan
from afmsr_core.trust.evidence import Evidence, gather
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.upscale import Settings, Upscaler
from training.corpus import Scan

Field = NDArray[np.float64]

FACTOR = 4
BORDER = 8  # fine pixels at each edge that are not scored, as in training/score.py
SIDE = 640  # fine pixels; of larger scans the middle is taken
LEAST = 96  # fine pixels per side: 24 coarse ones, the least for an estimate of the noise

# Name, line that is taken of every four (of every two: half of it), white noise and line offsets
# over the height range.
CONDITIONS = (("clean", 1, 0.0, 0.0), ("noisy", 2, 0.01, 0.005))
AUGMENTED = (*CONDITIONS, ("little noise", 2, 0.003, 0.0015))


class Method:
    """A method on bare heights, and what it ran with."""

    def __init__(self, name: str, weights: Path | None = None, scale: Scale = SQUARE) -> None:
        self.name, self.scale = name, scale
        settings = Settings(
            method=name, level="none", weights=weights, threads=1, scale=scale.option
        )
        self._upscaler = Upscaler(settings)
        self.sha256 = ""

    def __call__(self, heights: Field) -> Field:
        yres, xres = heights.shape
        made = self._upscaler(Channel(heights, float(xres), float(yres)))
        self.sha256 = made.history[-1].settings.get("weights_sha256", "")
        return made.heights


@dataclass(frozen=True, eq=False)
class Case:
    """One coarse scan of one real scan.

    The result lies `offset` fine pixels off its truth, rows and columns.
    """

    scan: Scan
    condition: str
    truth: Field
    coarse: Field
    scale: Scale = SQUARE
    offset: tuple[float, float] = (0.0, 0.0)
    halved: bool = False

    @cached_property
    def noise(self) -> Noise:
        """Of the coarse scan, estimated from itself."""
        return noise_of(self.coarse, self.scale.cell)

    def registered(self, heights: Field) -> Field:
        """Move a result onto the truth, less the border."""
        if self.offset == (0.0, 0.0):
            return self.inside(heights)
        return self.inside(ndimage.shift(heights, self.offset, mode="nearest"))

    def registered_map(self, field: Field) -> Field:
        """Move a map of positive numbers likewise; linearly, so that it stays positive."""
        if self.offset == (0.0, 0.0):
            return self.inside(field)
        return self.inside(ndimage.shift(field, self.offset, order=1, mode="nearest"))

    def inside(self, field: Field) -> Field:
        """Return a field less the border."""
        return field[BORDER:-BORDER, BORDER:-BORDER]

    @property
    def right(self) -> Field:
        """The truth less the border."""
        return self.inside(self.truth)

    def gathered(self, method: Callable[[Field], Field]) -> tuple[Field, Evidence]:
        """Run the method; returns its result on its own grid, and the evidence on it."""
        result = method(self.coarse)
        return result, gather(self.coarse, result, self.noise, self.scale)


def cases(
    scans: Sequence[Scan],
    conditions: Sequence[tuple[str, int, float, float]],
    halved: bool = False,
    scale: Scale = SQUARE,
) -> Iterator[Case]:
    """Yield every scan under every condition; with `halved`, large scans at half the pixels too."""
    for index, scan in enumerate(scans):
        fine = _middle(scan.levelled)
        for half in (False, True) if halved else (False,):
            truth = finer(fine, 2) if half else fine
            if min(truth.shape) < (4 * LEAST if half and halved else LEAST) // (1 + half):
                continue
            for number, (name, row, noise, lines) in enumerate(conditions):
                acquisition = acquired(scale, row, noise=noise, line_noise=lines)
                rng = np.random.default_rng([index, number, half])
                coarse = coarse_scan(truth, acquisition, rng).astype(np.float64)
                yield Case(scan, name, truth, coarse, scale, acquisition.offset, half)


def own_cases(
    scans: Sequence[Scan],
    conditions: Sequence[tuple[str, int, float, float]],
    scale: Scale = SQUARE,
) -> Iterator[Case]:
    """Yield coarse scans whose truth was measured at the very pixels of their results.

    Twice as many lines are left out, so that there are true ones a half, one and a half ... lines
    of the result away from every scanned one, and nothing need be moved. Moved by half a pixel, a
    result has a quarter of its pixels, or a half, on scanned lines, where it has hardly an error:
    intervals of line scans that were learnt so promised 90 % and held 86 % on results themselves.
    """
    lines, dwell = 2 * scale.rows, 1 if scale.lines else 2
    for index, scan in enumerate(scans):
        whole = _middle(scan.levelled, 2 * SIDE)
        fine = whole.reshape(len(whole), -1, 2).mean(axis=2)
        count, points = len(fine) // lines - 1, fine.shape[1] // scale.columns
        if count < LEAST // FACTOR or fine.shape[1] < LEAST:
            continue
        for number, (name, row, noise, offsets) in enumerate(conditions):
            first = scale.rows - 2 + row  # one of the two in the middle
            how = Acquisition(Scale(lines, scale.columns), first, dwell, noise, offsets)
            made = coarse_scan(fine, how, np.random.default_rng([index, number, 2]))[:count]
            truth = fine[first - scale.rows + 1 :: 2][: count * scale.rows]
            truth = np.ascontiguousarray(truth[:, : points * scale.columns])
            yield Case(scan, name, truth, made.astype(np.float64), scale)


def acquired(scale: Scale = SQUARE, row: int = 1, **more: float) -> Acquisition:
    """Return how a scan is taken that is upscaled with `scale`; `row` is one of every four."""
    dwell = 1 if scale.lines else 2
    return Acquisition(factor=scale, row=row * scale.rows // FACTOR, dwell=dwell, **more)


def finer(fine: Field, factor: int) -> Field:
    """Scan a field with fewer pixels: every `factor`-th line, means along it."""
    rows = fine[factor // 2 :: factor]
    rows = rows[:, : rows.shape[1] // factor * factor]
    return _whole(rows.reshape(len(rows), -1, factor).mean(axis=2))


def _middle(fine: Field, side: int = SIDE) -> Field:
    top, left = (max(0, (n - side) // 2) for n in fine.shape)
    return _whole(fine[top : top + side, left : left + side])


def _whole(fine: Field) -> Field:
    rows, columns = (n // FACTOR * FACTOR for n in fine.shape)
    return np.ascontiguousarray(fine[:rows, :columns])

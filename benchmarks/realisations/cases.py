"""A real scan, scanned again coarsely, its result, and the surfaces that the scan allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.grid import Scale
from afmsr_core.levelling import level
from afmsr_core.metrics.grains import Rule
from afmsr_core.realisations import Realiser, Texture
from afmsr_core.realisations.bands import band_powers
from afmsr_core.realisations.numbers import logarithms_of
from afmsr_core.upscale import Settings, Upscaler
from benchmarks.trust.cases import Case, cases
from training.corpus import Scan

Field = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Made:
    """A case and its result."""

    case: Case
    low: Channel
    result: Channel
    settings: Settings

    @cached_property
    def powers(self) -> Field:
        """Of the result, by band."""
        return band_powers(self.case.inside(np.asarray(self.result.heights)), self.case.scale)

    @cached_property
    def right(self) -> Field:
        """Of the truth."""
        return band_powers(self.case.right, self.case.scale)

    @property
    def pixel(self) -> tuple[float, float]:
        """Height and width of a fine pixel in nm; 1 if it is not known."""
        return self.result.dy, self.result.dx

    @property
    def rule(self) -> Rule:
        """What counts as a grain."""
        coarse = self.low.dy, self.low.dx
        return Rule.of(self.case.coarse, coarse, max(coarse))

    def realiser(self, texture: Texture | None = None, seed: int = 0) -> Realiser:
        """Return what draws the surfaces."""
        return Realiser(self.low, self.result, self.settings, seed, texture)

    def numbers(self, heights: Field) -> dict[str, float]:
        """Return the logarithms of the numbers of heights on the pixels of the truth."""
        inside = self.low.replace(heights=self.case.inside(heights))
        relief = level(inside, "plane").channel.heights
        nyquist = 0.5 / (self.case.scale.rows * self.pixel[0])
        return logarithms_of(relief, self.pixel, self.rule, nyquist)


def made(
    scans: Sequence[Scan],
    conditions: Sequence[tuple[str, int, float, float]],
    scale: Scale,
    halved: bool = False,
) -> Iterator[Made]:
    """Yield every case that is large enough, with its result."""
    settings = Settings(method="afm", level="none", threads=1, scale=scale.option)
    upscaler = Upscaler(settings)
    for case in cases(scans, conditions, halved, scale):
        size = case.scan.nm_per_px or 1.0
        yres, xres = case.truth.shape
        low = Channel(case.coarse, xres * size, yres * size, title="Height")
        yield Made(case, low, upscaler(low), settings)


def few(scans: Sequence[Scan], count: int) -> list[Scan]:
    """Return the first scans of every sample."""
    kept: dict[str, list[Scan]] = {}
    for scan in scans:
        kept.setdefault(scan.sample, []).append(scan)
    return [scan for of in kept.values() for scan in of[:count]]

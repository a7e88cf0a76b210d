"""What the methods make of one coarse scan: each is run once, and drawn about once."""

from __future__ import annotations

from dataclasses import dataclass, field

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.evaluation.scene import Scene
from afmsr_core.methods import get
from afmsr_core.realisations import Realiser
from afmsr_core.upscale import Upscaler

__all__ = ["Made"]

Key = tuple[Upscaler, float]


@dataclass(frozen=True)
class Made:
    """The results of a pair, by method and sharpness.

    Attributes
    ----------
    scene : Scene
        With the coarse scan.
    seed : int
        Of what is drawn.
    """

    scene: Scene
    seed: int
    _results: dict[Key, Channel] = field(default_factory=dict)
    _realisers: dict[Upscaler, Realiser] = field(default_factory=dict)

    def knows(self, upscaler: Upscaler, sharpness: float) -> bool:
        """Whether a result is there already."""
        return (upscaler, sharpness) in self._results

    def by(self, upscaler: Upscaler, sharpness: float = 0.0) -> Channel:
        """Return what a method makes, part of the way to as rough as a full scan.

        Raises
        ------
        UsageError, WeightsError
            If the method, its weights, or what sharpness is learnt on, do not take such scans.
        """
        if (upscaler, sharpness) not in self._results:
            if sharpness:
                try:
                    made = self.realiser(upscaler).sharpened(sharpness)
                except FieldError as error:  # such as a scan too small to tell its noise
                    raise UsageError(str(error)) from error
            else:
                get(upscaler.method.name, self.scene.scale)
                made = upscaler(self.scene.low)
            self._results[upscaler, sharpness] = made
        return self._results[upscaler, sharpness]

    def realiser(self, upscaler: Upscaler) -> Realiser:
        """Return what draws surfaces about the best guess of a method.

        Raises
        ------
        UsageError, FieldError
            As :class:`afmsr_core.realisations.Realiser`.
        """
        if upscaler not in self._realisers:
            best, low = self.by(upscaler), self.scene.low
            self._realisers[upscaler] = Realiser(low, best, upscaler.settings, self.seed)
        return self._realisers[upscaler]

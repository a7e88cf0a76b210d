"""What is drawn at random beside the best guess, or added to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from afmsr_core.errors import FieldError, UsageError

if TYPE_CHECKING:
    from afmsr_core.channel import Channel
    from afmsr_core.io.results import Planned
    from afmsr_core.upscale import Settings

__all__ = ["Drawn"]

MOST = 256  # realisations of one scan: more tell nothing new, and a file of theirs takes GB


@dataclass(frozen=True)
class Drawn:
    """What is asked of :mod:`afmsr_core.realisations`.

    Parameters
    ----------
    realisations : int
        How many surfaces are written beside the result.
    sharpness : float
        How much of the way from the best guess (0) to a surface as rough as is expected (1) the
        result is.
    seed : int
        Of the draws.
    """

    realisations: int = 0
    sharpness: float = 0.0
    seed: int = 0

    @property
    def asked(self) -> bool:
        """Whether anything was."""
        return self.realisations > 0 or self.sharpness > 0

    def check(self, protocol: str, trust: bool) -> None:
        """Refuse what cannot be done with any scan, before the first is read.

        Parameters
        ----------
        protocol : str
            Of the settings.
        trust : bool
            Whether half-width or residual are asked for too.

        Raises
        ------
        UsageError
            If a number is out of its range, or these do not go together.
        """
        if not 0 <= self.realisations <= MOST:
            raise UsageError(f"--realisations {self.realisations}: give 0 to {MOST}")
        if not 0 <= self.sharpness <= 1:
            raise UsageError(f"--sharpness {self.sharpness:g}: give 0 (the best guess) to 1")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: give 0 or above")
        if self.asked and protocol != "nm":
            raise UsageError("--realisations and --sharpness need --protocol nm")
        if self.sharpness and trust:
            raise UsageError(
                "--confidence and --residual tell of the best guess, which --sharpness leaves; "
                "choose one"
            )

    def check_scans(self, channels: Sequence[Channel], settings: Settings) -> None:
        """Refuse a file of which nothing can be drawn, before the method runs.

        Parameters
        ----------
        channels : sequence of Channel
            The scans of a file.
        settings : Settings
            What they will be upscaled with.

        Raises
        ------
        UsageError, FieldError
            As of :class:`afmsr_core.realisations.Realiser`.
        """
        if not self.asked:
            return
        from afmsr_core.realisations.realiser import check_drawable

        refusals = []
        for channel in channels:
            try:
                check_drawable(channel, settings)
            except (UsageError, FieldError) as error:
                refusals.append(error)
        if len(refusals) == len(channels):
            raise refusals[0]

    def planned(self, channel: Channel, shape: tuple[int, int]) -> list[Planned]:
        """Return what `__call__` will return beside the result, before it is computed."""
        from afmsr_core.io.results import Planned

        return self.realisations * [Planned.of(channel, shape)]

    def __call__(
        self, channel: Channel, fine: Channel, shape: tuple[int, int], settings: Settings
    ) -> tuple[Channel, list[Channel]]:
        """Return the result, and the surfaces beside it.

        Parameters
        ----------
        channel, fine : Channel
            The scan, and what the method made of it.
        shape : tuple of int
            Rows and columns to which all are averaged.
        settings : Settings
            It was made with.

        Raises
        ------
        UsageError, FieldError
            As of :class:`afmsr_core.realisations.Realiser`.
        """
        from afmsr_core.averaging import averaged
        from afmsr_core.realisations import Realiser

        realiser = Realiser(channel, fine, settings, self.seed)
        surfaces = [
            averaged(realiser.surface(number, self.realisations), shape)
            for number in range(1, self.realisations + 1)
        ]
        return averaged(realiser.sharpened(self.sharpness), shape), surfaces

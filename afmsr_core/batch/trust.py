"""What is told and written beside the heights: how far they are to be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.errors import UsageError
from afmsr_core.grid import choose

if TYPE_CHECKING:
    from afmsr_core.channel import Channel
    from afmsr_core.io.results import Planned
    from afmsr_core.upscale import Settings

__all__ = ["Trust", "coarseness_of"]


@dataclass(frozen=True)
class Trust:
    """What is asked beside the heights.

    Parameters
    ----------
    confidence : bool
        The half-width of the 90 % interval around each height.
    residual : bool
        Result, scanned again, less the scan; and in sigmas of the noise.
    calibration : Path, optional
        File of ``afmsr calibrate`` for `confidence`; the shipped one by default.
    """

    confidence: bool = False
    residual: bool = False
    calibration: Path | None = None

    @property
    def asked(self) -> bool:
        """Whether anything was."""
        return self.confidence or self.residual

    def check(self, protocol: str) -> None:
        """Refuse what cannot be done with any scan, before the first is read.

        Raises
        ------
        UsageError
            If these do not fit each other or the protocol.
        AfmsrError
            If the file is no calibration.
        """
        if self.calibration is not None:
            if not self.confidence:
                raise UsageError("--calibration is used by --confidence only; give both")
            from afmsr_core.trust.calibration import Calibration

            Calibration.read(self.calibration)
        if self.asked and protocol != "nm":
            raise UsageError("--confidence and --residual need --protocol nm")

    def planned(self, channel: Channel, shape: tuple[int, int]) -> list[Planned]:
        """Return what `__call__` will return at most, before it is computed."""
        from afmsr_core.io.results import Planned

        half_width = [Planned.of(channel, shape, masked=True)] if self.confidence else []
        return half_width + 2 * ([Planned.of(channel)] if self.residual else [])

    def __call__(
        self,
        channel: Channel,
        fine: Channel,
        result: Channel,
        settings: Settings,
        record: dict[str, Any],
    ) -> list[Channel]:
        """Return the channels that were asked for; their numbers go into the record.

        `fine` is what the method made and is judged; `result`, on whose pixels the half-width is
        told, is that, or an average of it.
        """
        from afmsr_core.averaging import averaged
        from afmsr_core.trust.assessment import assess
        from afmsr_core.trust.calibration import Calibration

        calibration = Calibration.read(self.calibration) if self.calibration else None
        found = assess(channel, fine, settings, calibration)
        record["trust"] = found.record
        record["coarseness"] = found.record["coarseness"]
        extras = []
        if self.confidence:
            extras.append(averaged(found.confidence, (result.yres, result.xres)))
        if self.residual:
            extras.append(found.residual)
            if found.noise.pixel > 0:  # without noise there is no sigma
                extras.append(found.residual_sigma)
        # Without a number: palette and range of the heights are not theirs.
        return [extra.replace(number=None) for extra in extras]


def coarseness_of(channel: Channel, settings: Settings) -> dict[str, Any]:
    """Return whether the pixels of a scan are fine enough, levelled as it is for the method.

    Returns
    -------
    dict
        As from :meth:`afmsr_core.trust.coarseness.Coarseness.as_dict`; of a scan that cannot be
        judged, only ``verdict``, which is ``"not judged"``, and ``advice``, which tells why.
    """
    import numpy as np

    from afmsr_core.errors import FieldError
    from afmsr_core.levelling import level
    from afmsr_core.trust.coarseness import judge
    from afmsr_core.trust.noise import noise_of

    taken = choose(channel, settings.scale).scale
    if taken.sideways:
        channel = channel.turned()
    relief = level(channel, settings.level, settings.mask).channel.heights
    pixel = (channel.dy, channel.dx) if channel.has_slopes else None
    try:
        with np.errstate(all="ignore"):  # of heights whose squares are no numbers
            found = judge(relief, noise_of(relief, taken.cell), pixel, taken.upright)
            return (found.turned if taken.sideways else found).as_dict()
    except FieldError as error:
        return {"verdict": "not judged", "advice": f"not judged: {error}"}

"""What ``afmsr upscale`` does with ``--confidence`` and ``--residual``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.errors import UsageError

if TYPE_CHECKING:
    from afmsr_core.channel import Channel
    from afmsr_core.io.results import Planned
    from afmsr_core.upscale import Upscaler

__all__ = ["Trust", "add_trust_options", "told"]


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """Add the options on how far a result is to be trusted."""
    parser.add_argument(
        "--confidence", action="store_true", help="a channel with the interval around each height"
    )
    parser.add_argument(
        "--residual", action="store_true", help="channels: result, scanned again, less the scan"
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE", help="of afmsr calibrate (default: shipped)"
    )


@dataclass(frozen=True)
class Trust:
    """What is asked beside the heights."""

    confidence: bool = False
    residual: bool = False
    calibration: Path | None = None

    @property
    def asked(self) -> bool:
        """Whether anything was."""
        return self.confidence or self.residual

    @classmethod
    def of(cls, args: argparse.Namespace) -> Trust:
        """Return what was asked; a file that is no calibration is refused before anything runs."""
        if args.calibration is not None:
            if not args.confidence:
                raise UsageError("--calibration is used by --confidence only; give both")
            from afmsr_core.trust import Calibration

            Calibration.read(args.calibration)
        if (args.confidence or args.residual) and args.protocol != "nm":
            raise UsageError("--confidence and --residual need --protocol nm")
        return cls(args.confidence, args.residual, args.calibration)

    def planned(self, channel: Channel, scale: int) -> list[Planned]:
        """Return what `__call__` will return at most, before it is computed."""
        from afmsr_core.io.results import Planned

        half_width = [Planned.of(channel, scale, masked=True)] if self.confidence else []
        return half_width + 2 * ([Planned.of(channel)] if self.residual else [])

    def __call__(
        self, channel: Channel, result: Channel, upscaler: Upscaler, record: dict[str, Any]
    ) -> list[Channel]:
        """Return the channels that were asked for; their numbers go into the record."""
        if not self.asked:
            return []
        from afmsr_core.trust import Calibration, assess

        calibration = Calibration.read(self.calibration) if self.calibration else None
        found = assess(channel, result, upscaler.settings, calibration)
        record["trust"] = found.record
        record["parameters"] = _parameters(channel, result, upscaler.settings.level)
        extras = [found.confidence] if self.confidence else []
        if self.residual:
            extras.append(found.residual)
            if found.noise.pixel > 0:  # without noise there is no sigma
                extras.append(found.residual_sigma)
        # Without a number: palette and range of the heights are not theirs.
        return [extra.replace(number=None) for extra in extras]


def _parameters(channel: Channel, result: Channel, spec: str) -> dict[str, Any]:
    """Return what is reported of scan and result, and what tells the quality of the scan."""
    from afmsr_core.levelling import level
    from afmsr_core.metrics.grains import Rule
    from afmsr_core.metrics.numbers import numbers_of, quality_of
    from afmsr_core.trust.bias import levelling_bias

    scan, fine = (level(one, spec).channel.heights for one in (channel, result))
    pixel = channel.dy, channel.dx
    rule = Rule.of(scan, pixel, max(pixel))
    return {
        "scan": numbers_of(scan, pixel, rule, channel.is_height),
        "result": numbers_of(fine, (result.dy, result.dx), rule, channel.is_height),
        "grain_rule": asdict(rule),
        "sq_bias_of_levelling": levelling_bias(scan, spec),
        "quality": quality_of(scan),
    }


def told(record: Mapping[str, Any]) -> str:
    """Return what a person should know, such as that the scan is too coarse; may be empty."""
    trust = [channel["trust"] for channel in record["channels"] if "trust" in channel]
    advice = [one["coarseness"]["advice"] for one in trust]
    warnings = [one["warning"] for one in trust if "warning" in one]
    return "".join(f"; {part}" for part in (*advice, *warnings))

"""Every choice of an evaluation, in one place, written into its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from afmsr_core.alignment import AlignmentSettings
from afmsr_core.errors import UsageError
from afmsr_core.levelling import parse_spec
from afmsr_core.methods import Choice, chosen
from afmsr_core.metrics import resolve
from afmsr_core.statistics import Settings as StatisticsSettings
from afmsr_core.trust.calibration import Calibration

__all__ = ["ALIGNMENTS", "CONVENTIONS", "NEUTRAL", "PROTOCOLS", "EvaluationSettings"]

NEUTRAL = "bicubic"
"""Method that the shared alignment is estimated from."""

PROTOCOLS = ("paper", "nm")
ALIGNMENTS = ("protocol", "shared", "per-method")

CONVENTIONS: Mapping[str, str] = MappingProxyType(
    {
        "shared alignment": f"estimated from {NEUTRAL}, whatever methods are run",
        "area": "what all methods cover, the same rectangle for all",
        "8 bits": "rounded to nearest, ties to even; clamped to 0..255",
        "range of the results": "minimum and maximum of the levelled low scan, all of it",
        "range of the truth": "its own minimum and maximum after levelling, all of it",
        "input of interpolations": "8-bit in the protocol paper, floats in nm",
        "RGB to grey": "ITU-R BT.601",
        "line scans": "4x or 2x the lines; bands, grains, details as of square scans with as many",
        "directionless metrics": "tested by their distance from the ideal",
        "detail": "hills and hollows above 5 sigma of what the noise of both scans leaves in them",
        "intervals": "of the calibration, for the method and weights that it was made for",
        "sharpness": "afm@T: afm, and T times what is drawn at random as rough as a full scan",
        "numbers of a full scan": "of realisations on the pixels of the truth, as afmsr upscale's",
    }
)
"""Choices that are no options; they are written into the result beside those that are."""


@dataclass(frozen=True)
class EvaluationSettings:
    """What is done with every pair.

    Parameters
    ----------
    methods : tuple of str
        Methods to run; ``"afm@0.5"`` is one that is sharpened, see
        :func:`afmsr_core.methods.chosen`, in nm only.
    protocols : tuple of str
        ``"paper"``: 8-bit grey values, clamped, each of both images by its own minimum and
        maximum, aligned per method by features alone. ``"nm"``: heights as floats, one
        alignment for all methods, so that no method is rewarded for its own alignment.
    align : {"protocol", "shared", "per-method"}
        Which alignment; ``"protocol"`` is what each protocol says.
    level : str
        Levelling of both members, as in ``afmsr upscale``.
    crop : int, optional
        Side of the square that is scored, in pixels of the truth, in the middle of what every
        method covers; the paper shows 370. By default all of that.
    alignment : AlignmentSettings
        Of the protocol ``"nm"``.
    paper_alignment : AlignmentSettings
        Of the protocol ``"paper"``.
    metrics : mapping
        Choices in metrics; the others have their defaults.
    statistics : statistics.Settings
        Levels, bootstrap, margins of equivalence.
    weights : mapping of str to Path
        Files with other weights, by method.
    calibration : Path, optional
        Of a lab's own pairs (``afmsr calibrate``), for the intervals; by default the one that
        ships.
    seed : int
        Of what is drawn at random for sharpened methods and for the numbers of a full scan.
    full_scan : bool
        Whether the numbers of a full scan, which realisations give, are compared with the truth.
    device, engine : str
        As in ``afmsr upscale``.
    threads : int, optional
        Of the engines.
    """

    methods: tuple[str, ...]
    protocols: tuple[str, ...] = PROTOCOLS
    align: str = "protocol"
    level: str = "plane"
    crop: int | None = None
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    paper_alignment: AlignmentSettings = field(default_factory=AlignmentSettings.paper)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    statistics: StatisticsSettings = field(default_factory=StatisticsSettings)
    weights: Mapping[str, Path] = field(default_factory=dict)
    calibration: Path | None = None
    seed: int = 0
    full_scan: bool = False
    device: str = "auto"
    engine: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        # A wrong choice is found before anything is computed.
        for name, given, choices in (
            ("protocol", self.protocols, PROTOCOLS),
            ("align", (self.align,), ALIGNMENTS),
        ):
            unknown = [str(one) for one in given if one not in choices]
            if unknown or not given:
                raise UsageError(f"{name} {' '.join(unknown)}: choose {' or '.join(choices)}")
        if not self.methods:
            raise UsageError("no method can run; name some with --methods")
        if type(self.seed) is not int or self.seed < 0:
            raise UsageError(f"seed {self.seed!r}: give a whole number, 0 or above")
        if type(self.full_scan) is not bool:
            raise UsageError(f"full_scan {self.full_scan!r}: give true or false")
        if self.full_scan and "nm" not in self.protocols:
            raise UsageError("full_scan: numbers are of heights; leave out --protocol paper")
        if "paper" in self.protocols and all(one.sharpness for one in self.choices):
            raise UsageError(
                f"{', '.join(self.methods)}: sharpness is for heights, not for the 8 bits of the "
                f"paper; add a method without it, or give --protocol nm"
            )
        for one in (self.alignment, self.paper_alignment):
            if one.crop is not None:
                raise UsageError("alignment.crop: is the option crop here, of all methods alike")
        if self.crop is not None and (type(self.crop) is not int or self.crop < 1):
            raise UsageError(f"crop {self.crop!r}: give the side in pixels, at least 1")
        if not isinstance(self.level, str):
            raise UsageError(f"level {self.level!r}: give steps, such as plane+rows-median")
        parse_spec(self.level)
        resolve(self.metrics)
        if self.calibration is not None:
            Calibration.read(self.calibration)
        reference = self.statistics.reference
        if reference is not None and reference not in self.methods:
            raise UsageError(
                f"statistics.reference {reference!r}: is not among the methods, "
                f"{', '.join(self.methods)}"
            )

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What the names of the methods ask for."""
        return tuple(chosen(name) for name in self.methods)

    @property
    def draws(self) -> bool:
        """Whether anything is drawn at random, so that the seed decides something."""
        return self.full_scan or any(one.sharpness for one in self.choices)

    def per_method(self, protocol: str) -> bool:
        """Return whether methods are aligned one by one in this protocol."""
        if self.align == "protocol":
            return protocol == "paper"
        return self.align == "per-method"

    def scoring(self) -> dict[str, Any]:
        """Return what decides the scores of a pair, as JSON-serialisable words and numbers."""
        return {
            "methods": list(self.methods),
            "protocols": list(self.protocols),
            "align": self.align,
            "level": self.level,
            "crop": self.crop,
            "seed": self.seed if self.draws else None,
            "full_scan": self.full_scan,
            "alignment": self.alignment.as_dict(),
            "paper_alignment": self.paper_alignment.as_dict(),
            "metrics": {name: _plain(value) for name, value in resolve(self.metrics).items()},
        }

    def as_dict(self) -> dict[str, Any]:
        """Return everything, as JSON-serialisable words and numbers."""
        return self.scoring() | {
            "statistics": asdict(self.statistics),
            "weights": {name: str(path) for name, path in self.weights.items()},
            "calibration": None if self.calibration is None else str(self.calibration),
            "device": self.device,
            "engine": self.engine,
            "conventions": dict(CONVENTIONS),
        }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | bool | None) else str(value)

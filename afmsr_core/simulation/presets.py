"""Named sets of conditions, to draw a session from.

The figures of ``typical`` are medians and quartiles of 233 raw AFM fields and of 34 pairs of
trace and retrace of real instruments; where those hold only the sum of two causes, the split is
said beside the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np

from afmsr_core.errors import UsageError, did_you_mean
from afmsr_core.simulation.conditions import Conditions, Spread

__all__ = ["PRESETS", "Preset", "preset"]


@dataclass(frozen=True)
class Preset:
    """Conditions as they usually are.

    Parameters
    ----------
    name, summary : str
        For the command line.
    spreads : mapping of str to Spread
        By the name of the condition; the others keep the value that is ideal.
    tip : str
        Shape of the tip.
    """

    name: str
    summary: str
    spreads: Mapping[str, Spread]
    tip: str = "cone"

    def draw(self, rng: np.random.Generator, **fixed: float) -> Conditions:
        """Return the conditions of one session.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness. Every condition takes its own number from it, so that the
            same seed gives the same luck under another preset.
        **fixed : float
            Conditions that are not drawn.

        Raises
        ------
        UsageError
            If there is no such condition, or a value makes no sense.
        """
        names = [field.name for field in fields(Conditions)]
        unknown = [name for name in (*fixed, *self.spreads) if name not in names]
        if unknown:
            raise UsageError(
                f"no condition is called {unknown[0]!r}.{did_you_mean(unknown[0], names)} "
                f"There are: {', '.join(names)}"
            )
        ideal = Conditions()
        drawn = {
            name: self.spreads.get(name, Spread(getattr(ideal, name))).draw(rng) for name in names
        }
        return Conditions(**(drawn | fixed))


SAMPLE = {
    "pixel": Spread(12.0, 6.0, 24.0, top=80.0),
    "slope": Spread(36.0, 25.0, 50.0, top=70.0),
}
"""What is scanned: slopes as on real scans, and pixels at which they make real heights."""

TYPICAL = SAMPLE | {
    "tip_radius": Spread(8.0, 6.0, 11.0, top=30.0),
    "tip_half_angle": Spread(18.0),
    # Trace against retrace: 1.3 % of the line [0.36-2.1 %]; the scanner's share and the loop's.
    "hysteresis": Spread(0.0075, 0.003, 0.014, top=0.05),
    "lag": Spread(0.0015, 0.0008, 0.0028, top=0.02),
    "overshoot": Spread(0.05, 0.02, 0.12, top=0.5),
    "grip": Spread(0.25, 0.15, 0.4),
    # 0.85 px [0.3-1.6] between the left and the right third, of 354 px in the median.
    "hysteresis_change": Spread(0.0018, 0.0007, 0.0035, top=0.02),
    "backlash": Spread(0.0001, 0.00003, 0.0003, top=0.01),
    # Half of the pairs are sheared by one line, as by a slow axis that moves on during a line.
    "ramp": Spread(1.0),
    # 4.4 px between two scans of at most 256 px.
    "drift": Spread(0.017, 0.008, 0.034, top=0.08),
    "wander": Spread(0.001, 0.0005, 0.002, top=0.005),
    "creep": Spread(0.002, 0.001, 0.004, top=0.02),
    # Zooms against overviews: scale within about 1 %, rotation about 0.1 degrees.
    "stretch": Spread(0.005, 0.003, 0.008, top=0.02),
    "rotation": Spread(0.1, 0.05, 0.2, top=1.0),
    # 1 range [0-36], 95th percentile 180; 0.25 [0.07-0.64], 95th percentile 1.9.
    "tilt": Spread(1.0, 0.12, 8.6, top=180.0),
    "bow": Spread(0.25, 0.09, 0.67, top=2.0),
    # 0.8 % from line to line [0.28-1.8 %], 0.55 % from trace to retrace [0.28-1.4 %].
    "line_step": Spread(0.007, 0.0035, 0.014, top=0.05),
    # 0.36 % of the range [0.16-0.62 %].
    "white": Spread(0.0022, 0.0011, 0.0044, top=0.02),
    # 1.4 % in all [0.8-3.4 %], of which the loop makes some.
    "correlated": Spread(0.015, 0.0085, 0.026, top=0.06),
    # 45 % of images have one; per 256 lines median 0, upper quartile 2, 95th percentile 19.
    "scars": Spread(0.42, 0.088, 2.0, top=60.0),
    "dwell": Spread(0.5),
}

_PRESETS = (
    Preset("ideal", "a tip without size, a perfect loop and scanner, no noise", SAMPLE),
    Preset("typical", "good instruments: drawn from the figures of real scans", TYPICAL),
    Preset(
        "noisy",
        "noise, line offsets and scars as on the worst quarter of scans",
        TYPICAL
        | {
            "white": Spread(0.012, 0.008, 0.018, top=0.05),
            "correlated": Spread(0.025, 0.017, 0.036, top=0.08),
            "line_step": Spread(0.025, 0.015, 0.04, top=0.1),
            "scars": Spread(20.0, 8.0, 50.0, top=130.0),
        },
    ),
    Preset(
        "drifting",
        "before the instrument has settled: drift, creep and bow",
        TYPICAL
        | {
            "drift": Spread(0.055, 0.045, 0.068, top=0.08),
            "wander": Spread(0.004, 0.003, 0.006, top=0.01),
            "creep": Spread(0.012, 0.008, 0.018, top=0.03),
            "bow": Spread(1.0, 0.6, 1.7, top=3.0),
            "line_step": Spread(0.014, 0.008, 0.024, top=0.05),
        },
    ),
    Preset(
        "worn-tip",
        "a blunt tip: what is narrow becomes as wide as the tip",
        TYPICAL
        | {
            "tip_radius": Spread(150.0, 100.0, 220.0, top=500.0),
            "tip_half_angle": Spread(30.0),
        },
    ),
    Preset(
        "fast-scan",
        "too fast for the loop: lag, overshoot, and a tip that flies off edges",
        TYPICAL
        | {
            "lag": Spread(0.005, 0.004, 0.0065, top=0.02),
            "overshoot": Spread(0.3, 0.22, 0.4, top=0.55),
            "grip": Spread(0.15, 0.1, 0.22),
            "hysteresis": Spread(0.012, 0.008, 0.018, top=0.05),
            "white": Spread(0.006, 0.004, 0.009, top=0.02),
        },
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({one.name: one for one in _PRESETS})
"""Every preset by name."""


def preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in PRESETS:
        raise UsageError(
            f"no preset is called {name!r}.{did_you_mean(name, PRESETS)} "
            f"There are: {', '.join(PRESETS)}"
        )
    return PRESETS[name]

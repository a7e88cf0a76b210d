"""Numbers of a full scan: what it would give for this place, with an interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.errors import FieldError, UsageError
from afmsr_core.levelling import level
from afmsr_core.metrics.grains import KINDS, Rule, find_grains, ten_point_height
from afmsr_core.metrics.roughness import surface_parameters
from afmsr_core.metrics.spectrum import BANDS, autocorrelation_length, power_spectrum
from afmsr_core.realisations.realiser import Realiser
from afmsr_core.realisations.texture import Texture

if TYPE_CHECKING:
    from afmsr_core.channel import Channel
    from afmsr_core.upscale import Settings

__all__ = ["DRAWS", "full_scan", "full_scan_of", "intervals", "logarithms_of", "told"]

Field = NDArray[np.float64]

DRAWS = 8
"""Realisations that the numbers are taken from: the spread of the draws is learnt for so many."""

WIDEST = 1000.0
"""Upper over lower end of an interval that tells nothing: a few steps and their noise have from no
grain to thousands."""

HEIGHTS = ("Sa", "Sq", "Sz", "Sdq", "Sdr")


def full_scan_of(
    scan: Channel, result: Channel, settings: Settings, rule: Rule, seed: int = 0
) -> dict[str, Any]:
    """Return what `full_scan` does, or the ``reason`` why nothing is told.

    Parameters
    ----------
    scan, result : Channel
        As of :class:`afmsr_core.realisations.Realiser`.
    settings : Settings
        The result was made with.
    rule : Rule
        What counts as a grain.
    seed : int
        Of the draws.
    """
    try:
        realiser = Realiser(scan, result, settings, seed)
    except (UsageError, FieldError) as error:
        return {"reason": str(error)}
    return full_scan(realiser, settings.level, rule)


def full_scan(realiser: Realiser, spec: str, rule: Rule, draws: int = DRAWS) -> dict[str, Any]:
    """Return what a scan of this place with all pixels would give.

    Parameters
    ----------
    realiser : Realiser
        Of the scan.
    spec : str
        How realisations are levelled first, such as ``"plane"``.
    rule : Rule
        What counts as a grain.
    draws : int
        How many realisations are drawn; at least two.

    Returns
    -------
    dict
        JSON-serialisable: ``draws``, ``seed``, and by name of the number ``median``, ``low`` and
        ``high``, the ends of the 95 % interval. A number that some realisation does not have, such
        as the size of grains where there are none, is left out, as is one of which next to nothing
        is known (`WIDEST`).

    Notes
    -----
    The interval is wider than the spread of the realisations by what was found on samples that
    neither the network nor the texture had seen: see :class:`afmsr_core.realisations.Texture`.
    """
    result = realiser.result
    lengths = result.has_slopes
    pixel = result.dy, result.dx
    each = []
    for number in range(1, draws + 1):
        surface = realiser.surface(number, draws)
        if realiser.sideways:  # its lines are levelled
            surface, pixel = surface.turned(), (result.dx, result.dy)
        relief = level(surface, spec).channel.heights
        nyquist = 0.5 / (realiser.scale.rows * pixel[0])
        each.append(logarithms_of(relief, pixel, rule, nyquist, lengths))
    return {"draws": draws, "seed": realiser.seed, "numbers": intervals(realiser.texture, each)}


def intervals(texture: Texture, each: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return ``median``, ``low`` and ``high`` of the numbers of a full scan, by name.

    Parameters
    ----------
    texture : Texture
        That realisations are drawn from.
    each : sequence of mapping
        Of each realisation, what `logarithms_of` returns.
    """
    found = {
        name: dict(zip(("median", "low", "high"), spread.interval(values), strict=True))
        for name, spread in texture.spreads.items()
        if (values := told(each, name)) is not None
    }
    return {name: one for name, one in found.items() if one["high"] < WIDEST * one["low"]}


def told(each: Iterable[Mapping[str, float]], name: str) -> Field | None:
    """Return the logarithms of a number of all realisations; None if one has it not."""
    values = np.array([one.get(name, math.nan) for one in each])
    return values if np.isfinite(values).all() else None


def logarithms_of(
    relief: Field, pixel: tuple[float, float], rule: Rule, nyquist: float, lengths: bool = True
) -> dict[str, float]:
    """Return the natural logarithms of the numbers of a surface.

    Parameters
    ----------
    relief : ndarray of float64, shape (yres, xres)
        Levelled; NaN where unknown.
    pixel : tuple of float
        Height and width of a pixel, in nm.
    rule : Rule
        What counts as a grain.
    nyquist : float
        Of the lines of the scan, in 1/nm.
    lengths : bool
        Whether the heights are in nm too.

    Returns
    -------
    dict
        By name; what is zero or does not exist is left out.
    """
    found: dict[str, float | None] = {}
    parameters = surface_parameters(relief, pixel, lengths)
    found |= {name: parameters[name] for name in HEIGHTS}
    grains = {kind: find_grains(relief, pixel, rule, kind) for kind in KINDS}
    for kind, each in grains.items():
        sizes = {"count": each.count, **each.mean_sizes()}
        found |= {f"{kind}.{name}": size for name, size in sizes.items()}
    found["S10z"] = ten_point_height(grains["hills"], grains["dales"])
    if np.isfinite(relief).all():
        spectrum = power_spectrum(relief, pixel)
        found |= {
            name: spectrum.power(low * nyquist, min(high * nyquist, 0.5 / max(pixel)))[0]
            for name, _, low, high in BANDS
        }
    with suppress(FieldError):  # if the relief is larger than the field
        found["Sal"] = autocorrelation_length(relief, pixel)
    return {name: math.log(value) for name, value in found.items() if value}

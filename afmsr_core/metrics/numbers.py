"""Numbers: what is reported on a surface, each with its uncertainty, and how good a scan is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.channel import Channel
from afmsr_core.errors import FieldError
from afmsr_core.grid import choose, scale_of
from afmsr_core.levelling import level
from afmsr_core.metrics.base import Context, Metric, Value
from afmsr_core.metrics.base import Field as Values
from afmsr_core.metrics.grains import (
    KINDS,
    Kind,
    Rule,
    find_grains,
    smoothed,
    ten_point_height,
)
from afmsr_core.metrics.roughness import ROUGHNESS, Roughness, roughness_of
from afmsr_core.metrics.spectrum import LENGTH, SCALE, autocorrelation_length
from afmsr_core.metrics.streaks import Scar, find_scars
from afmsr_core.trust.bias import levelling_bias
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.trust.resolution import resolved_alone

__all__ = [
    "METRICS",
    "OF_PAIR",
    "OF_RESULT",
    "REPORTED",
    "RULE",
    "numbers_of",
    "numbers_of_both",
    "quality_of",
    "streak_index",
]

Field = NDArray[np.float64]

REPORTED = ("Sa", "Sq", "Sdq", "Sdr")
"""Surface parameters that papers report, by their names in ISO 25178-2."""


def numbers_of(
    heights: ArrayLike,
    pixel_size: tuple[float, float],
    rule: Rule,
    lengths: bool = True,
    roughness: Roughness | None = None,
    length: Callable[[], float] | None = None,
) -> dict[str, Any]:
    """Return roughness, and count and size of grains and pores, with uncertainty.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        Levelled, in any unit; NaN where unknown.
    pixel_size : tuple of float
        Height and width of a pixel, in nm.
    rule : Rule
        What counts as a grain; the same for all surfaces that stand side by side.
    lengths : bool
        Whether the heights are in nm too; else there are no Sdr and no density of grains.
    roughness : Roughness, optional
        The surface parameters, if they are known already.
    length : callable, optional
        Returns Sal, if something else asks for it too.

    Returns
    -------
    dict
        JSON-serialisable. ``Sa``, ``Sq``, ``Sdq``, ``Sdr`` as from
        :func:`afmsr_core.metrics.roughness.surface_parameters`; ``intervals``, their 95 %
        intervals from a bootstrap over blocks; ``S10z`` and ``Sal``, None where they do not
        exist, as from :func:`afmsr_core.metrics.grains.ten_point_height` and
        :func:`afmsr_core.metrics.spectrum.autocorrelation_length`; ``hills`` (grains) and
        ``dales`` (pores), as from :meth:`afmsr_core.metrics.grains.Grains.as_dict`.

    Raises
    ------
    FieldError
        If no pixel is finite.

    Notes
    -----
    The intervals say what another place of the same sample may give. How far a method is off is
    not in them: that takes the truth.
    """
    field = np.asarray(heights, dtype=np.float64)
    found = roughness or roughness_of(field, pixel_size, lengths)
    numbers: dict[str, Any] = {name: found.parameters[name] for name in REPORTED}
    numbers["intervals"] = {
        name: ends if numbers[name] is not None else None for name, ends in found.intervals.items()
    }
    smooth, rule = smoothed(field, pixel_size, rule.cutoff), replace(rule, cutoff=0.0)
    grains = {kind: find_grains(smooth, pixel_size, rule, kind) for kind in KINDS}
    numbers["S10z"] = ten_point_height(grains["hills"], grains["dales"])
    numbers["Sal"] = None
    with suppress(FieldError):  # the field is flat, or the relief larger than it
        numbers["Sal"] = (length or partial(autocorrelation_length, field, pixel_size))()
    return numbers | {kind: found.as_dict(lengths) for kind, found in grains.items()}


def numbers_of_both(scan: Channel, result: Channel, spec: str) -> dict[str, Any]:
    """Return what is reported of a scan and its result, and what tells the quality of the scan.

    Parameters
    ----------
    scan, result : Channel
        As they are in the file.
    spec : str
        How both are levelled first, such as ``"plane"``.

    Returns
    -------
    dict
        JSON-serialisable. ``scan`` and ``result`` as from `numbers_of`, by one ``grain_rule``;
        ``sq_bias_of_levelling`` as from :func:`afmsr_core.trust.bias.levelling_bias`;
        ``quality`` as from `quality_of`.

    Raises
    ------
    FieldError
        If no pixel is finite.
    """
    if scale_of(result).sideways:  # then its lines were levelled, which ran down the field
        scan, result = scan.turned(), result.turned()
    relief, fine = (level(one, spec).channel.heights for one in (scan, result))
    pixel = scan.dy, scan.dx
    rule = Rule.of(relief, pixel, max(pixel))
    lengths, taken = scan.has_slopes, choose(scan).scale
    return {
        "scan": numbers_of(relief, pixel, rule, lengths),
        "result": numbers_of(fine, (result.dy, result.dx), rule, lengths),
        "grain_rule": asdict(rule),
        "sq_bias_of_levelling": levelling_bias(relief, spec, scan.dy / scan.dx),
        "quality": quality_of(relief.T if taken.sideways else relief, taken.cell),
    }


def quality_of(
    relief: ArrayLike,
    cell: int = 1,
    noise: Noise | None = None,
    scars: Sequence[Scar] | None = None,
) -> dict[str, Any]:
    """Return how good a scan is, as far as it tells itself.

    Parameters
    ----------
    relief : array_like of float, shape (lines, pixels)
        Levelled, the fast axis across; NaN where not measured.
    cell : int
        Pixels along a line that are as long as lines are apart; 1 if they are square.
    noise, scars : Noise and sequence of Scar, optional
        Of `relief`, if they are known already.

    Returns
    -------
    dict
        JSON-serialisable. ``noise_floor``: standard deviation of the noise of a pixel, white and
        of lines, in the unit of the heights, and ``noise_over_sq``, the same over Sq;
        ``streak_index``: mean height of scars over Sq; ``resolved_frequency``: in cycles per
        distance of lines, up to which odd and even ones show the same (0.25: that or more). What
        cannot be told is None, and ``reason`` says why.
    """
    field = np.asarray(relief, dtype=np.float64)
    found: dict[str, Any] = dict.fromkeys(
        ("noise_floor", "noise_over_sq", "streak_index", "resolved_frequency")
    )
    reasons = []
    spread = float(np.nanstd(field)) if np.isfinite(field).any() else 0.0
    try:
        noise = noise or noise_of(field, cell)
    except FieldError as error:
        reasons.append(str(error))
    else:
        found["noise_floor"] = noise.pixel
        found["noise_over_sq"] = noise.pixel / spread if spread > 0 else None
    streaks, resolved = partial(streak_index, scars=scars), partial(resolved_alone, cell=cell)
    for name, tell in (("streak_index", streaks), ("resolved_frequency", resolved)):
        try:
            found[name] = tell(field)
        except FieldError as error:
            reasons.append(str(error))
    return found | {"reason": "; ".join(reasons)}


def streak_index(heights: ArrayLike, scars: Sequence[Scar] | None = None) -> float:
    """Return the mean height of a scan's scars over all of its pixels, over its Sq.

    Parameters
    ----------
    heights : array_like of float, shape (lines, pixels)
        Levelled, the fast axis across; NaN where not measured.
    scars : sequence of Scar, optional
        Those of the scan, if they are known already.

    Returns
    -------
    float
        0 without scars.

    Raises
    ------
    FieldError
        As :func:`afmsr_core.metrics.streaks.find_scars`.

    Examples
    --------
    >>> scan = np.random.default_rng(0).normal(size=(64, 64))
    >>> scan[20, 10:50] += 8.0
    >>> round(streak_index(scan), 2)
    0.06
    """
    field = np.asarray(heights, dtype=np.float64)
    scars = find_scars(field) if scars is None else scars
    known = field[np.isfinite(field)]
    total = sum(abs(scar.height) * scar.pixels for scar in scars)
    return float(total / (known.size * known.std()))


# --- the metrics -----------------------------------------------------------------------------

OF_RESULT, OF_PAIR, RULE = "numbers", "numbers of the truth", "rule of grains"
"""Where a context keeps the numbers that count and sizes of grains come from."""


def _counted(kind: Kind, result: Values, truth: Values, context: Context) -> Value:
    """Return the count of a result over that of its truth, by the same rule."""
    pixels, lengths = context.pixel_size, context.unit == "nm"
    measured = context.settings["scale"] * max(pixels)
    rule = context.once_for_pair(RULE, partial(Rule.of, truth, pixels, measured))
    known = [made.get(ROUGHNESS) for made in (context.shared, context.of_pair)]
    once = context.once, context.once_for_pair
    sal = partial(autocorrelation_length, pixel_size=pixels)
    made = (
        partial(
            numbers_of,
            field,
            pixels,
            rule,
            lengths,
            roughness,
            length=partial(keep, LENGTH, partial(sal, field)),
        )
        for field, roughness, keep in zip((result, truth), known, once, strict=True)
    )
    got = context.once(OF_RESULT, next(made))[kind]
    right = context.once_for_pair(OF_PAIR, next(made))[kind]
    details = {
        "result": got["count"],
        "truth": right["count"],
        "width_result": got["width"],
        "width_truth": right["width"],
        "least": rule.least,
        "cutoff": rule.cutoff,
        "unit": context.unit,
    }
    return Value(got["count"] / right["count"], details=details)


def _metric(rank: int, kind: Kind, what: str) -> Metric:
    return Metric(
        name=kind,
        label=f"{what} ratio",
        lower_is_better=None,
        range=(0.0, np.inf),
        ideal=1.0,
        summary=f"count of {what} ({kind}) of the result over the truth's",
        source="ISO 25178-2:2021, watersheds with Wolf's pruning",
        kind="surface",
        protocol="nm",
        function=partial(_counted, kind),
        settings=(SCALE,),
        rank=rank,
    )


METRICS = (_metric(190, "hills", "grains"), _metric(195, "dales", "pores"))

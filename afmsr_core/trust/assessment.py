"""Assessment: one call that says how far a result is to be trusted."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import UsageError
from afmsr_core.grid import Scale, choose, is_about_square
from afmsr_core.io.results import HALF_WIDTH, RESIDUAL, UNCERTAINTY
from afmsr_core.large_field import bands
from afmsr_core.levelling import level
from afmsr_core.quantity import sides
from afmsr_core.robust import quantiles
from afmsr_core.surfaces import Background
from afmsr_core.trust.calibration import Calibration, shipped
from afmsr_core.trust.coarseness import Coarseness, judge
from afmsr_core.trust.consistency import consistency
from afmsr_core.trust.evidence import gather
from afmsr_core.trust.noise import Noise, noise_of
from afmsr_core.trust.regions import Region, flagged, mean_square, worth_a_zoom

if TYPE_CHECKING:
    from afmsr_core.upscale import Settings

__all__ = ["COVERAGE", "Assessment", "assess", "second_scan"]

Field = NDArray[np.float64]

COVERAGE = 0.9


@dataclass(frozen=True, eq=False)
class Assessment:
    """What is known about a result beside its heights.

    Attributes
    ----------
    confidence : Channel
        Half-width of the interval around each height of the result, in its unit, on its pixels.
        Its mask marks the least certain ones. Without a calibration for these weights it is only
        a relative measure, and its title says so.
    residual : Channel
        Result, scanned again, less measured heights, on the pixels of the scan.
    residual_sigma : Channel
        The same in standard deviations of the noise, without unit.
    noise : Noise
        Of the scan.
    coarseness : Coarseness
        Whether the scan was fine enough to be upscaled.
    regions : tuple of Region
        Where a zoom scan would tell most, the most telling first.
    calibrated : bool
        Whether the calibration was made for these weights, and the channel shows heights.
    record : dict
        All numbers, JSON-serialisable.
    """

    confidence: Channel
    residual: Channel
    residual_sigma: Channel
    noise: Noise
    coarseness: Coarseness
    regions: tuple[Region, ...]
    calibrated: bool
    record: dict[str, Any]


def assess(
    low: Channel,
    result: Channel,
    settings: Settings,
    calibration: Calibration | None = None,
    coverage: float = COVERAGE,
) -> Assessment:
    """Say how far a result is to be trusted, from the scan and the result alone.

    Parameters
    ----------
    low : Channel
        The scan as it was read.
    result : Channel
        What :func:`afmsr_core.upscale.upscale` made of it.
    settings : Settings
        What it was made with.
    calibration : Calibration, optional
        Of a lab's own pairs; by default the one that ships.
    coverage : float
        Share of the pixels whose error the interval should hold.

    Returns
    -------
    Assessment

    Raises
    ------
    UsageError
        If the result was made by the paper's 8-bit protocol, which rounds heights.
    FieldError
        If the scan is too small to tell noise from relief, or the result is not its own.
    """
    if settings.protocol != "nm":
        raise UsageError("confidence and residual need --protocol nm; 8 bits round the heights")
    taken = choose(low, settings.scale).scale
    # Lines that run down the field are turned, so that they are rows, and all is turned back.
    upright, made = (low.turned(), result.turned()) if taken.sideways else (low, result)
    scale = taken.upright
    levelled = level(upright, settings.level, settings.mask)
    relief = levelled.channel.heights
    noise = noise_of(relief, scale.cell)
    background = levelled.background if settings.restore_background else Background()
    agreement = consistency(relief + background.on_grid(*relief.shape), made, noise, scale)
    evidence = gather(relief, made.heights, noise, scale, background)

    ours = shipped(scale)
    calibration = calibration or ours
    name, digest = _made_by(result, settings, scale)
    fits = calibration is not None and calibration.fits(name, digest, scale)
    shaped = is_about_square(result)
    calibrated = fits and shaped and low.shows_relief  # as the scans that it was learnt on
    if calibration is None:
        width = np.exp(evidence.unit) * np.exp(evidence.disagreement)  # nothing better is known
    else:
        width = calibration.scale_of(evidence, calibration.scales(coverage))
    for rows in bands(len(width)):
        measured = np.isfinite(made.heights[rows])
        if not measured.all():
            width[rows][~measured] = np.nan
    if taken.sideways:
        width = np.ascontiguousarray(width.T)
        agreement = agreement.turned
    power = mean_square(width, taken)
    doubt = flagged(width, block=taken, power=power)
    regions = worth_a_zoom(result.replace(heights=width), block=taken, power=power)
    known = np.isfinite(width)

    share = f"{100 * coverage:g} %"
    record: dict[str, Any] = {
        "method": name,
        "scale": taken.recorded,
        "weights_sha256": digest,
        "coverage": coverage,
        "calibrated": calibrated,
        "calibration": None if calibration is None else _of(calibration, ours),
        "of": "the surface",
        "half_width": (told := _summary(width.ravel() if known.all() else width[known])),
        "half_width_of_second_scan": {
            name: float(second_scan(told[name], noise, coverage)) for name in ("median", "p95")
        },
        "flagged_share": np.count_nonzero(doubt) / np.count_nonzero(known),
        "noise": noise.as_dict(),
        "consistency": agreement.as_dict(),
        "unit": low.unit,
    }
    size = (upright.dy, upright.dx) if low.has_slopes else None
    coarseness = judge(relief, noise, size, scale)
    coarseness = coarseness.turned if taken.sideways else coarseness
    record["coarseness"] = coarseness.as_dict()
    record["regions"] = [region.as_dict() for region in regions]
    title = f"{HALF_WIDTH} of the {share} interval" if calibrated else UNCERTAINTY
    what = f"{name} (lines x{max(scale)})" if scale.lines else name
    if not low.shows_relief:
        record["warning"] = (
            "intervals are calibrated on heights, and this channel is none: this one ranks pixels, "
            "its values mean nothing; use it to see where the result is least certain"
        )
    elif not fits:
        record["warning"] = (
            f"the interval is not calibrated for {what} with these weights: it "
            f"ranks pixels, its values mean nothing; run `afmsr calibrate PAIRS -o FILE` and give "
            f"--calibration FILE"
        )
    elif not shaped:
        record["warning"] = (
            f"the interval is calibrated on results of square pixels, and these are of "
            f"{sides(result.dx, result.dy, result.lateral_unit, 3)}: it ranks pixels, its values "
            f"mean nothing; leave out --scale, or scan lines two or four points apart"
        )
    step = Step("assess", __version__, record)

    def extra(heights: Field, what: str, of: Channel, unit: str, mask: Any = None) -> Channel:
        title = f"{what}, {result.title}"
        return of.replace(heights=heights, title=title, unit=unit, mask=mask, look=None).after(step)

    on_scan = low.replace(history=result.history, mask=None)
    return Assessment(
        confidence=extra(width, title, result, low.unit, doubt),
        residual=extra(agreement.residual, RESIDUAL, on_scan, low.unit),
        residual_sigma=extra(agreement.sigma, f"{RESIDUAL} in sigma", on_scan, ""),
        noise=noise,
        coarseness=coarseness,
        regions=regions,
        calibrated=calibrated,
        record=record,
    )


def second_scan(half_width: Field | float, noise: Noise, coverage: float) -> Field:
    """Return the half-width of an interval for what a second scan of the place would read.

    Parameters
    ----------
    half_width : float or ndarray of float64
        Of the interval for the surface, in the unit of the heights.
    noise : Noise
        Of the scan, which a second one has again: white noise and offsets of lines.
    coverage : float
        Of both intervals.

    Returns
    -------
    ndarray of float64
        The root of the sum of the squares of the half-width, and of the noise as far out as the
        coverage lies in a normal distribution. Drift, and what feedback and tip do differently,
        are not in it.
    """
    beside = NormalDist().inv_cdf((1 + coverage) / 2) * noise.pixel
    return np.asarray(np.hypot(half_width, beside))


def _made_by(result: Channel, settings: Settings, scale: Scale) -> tuple[str, str]:
    """Return the method of a result and the hash of its weights, as its history tells.

    Without a history, what the settings would run.
    """
    step = result.last_step("upscale")
    if step is not None:
        return str(step.settings.get("method")), str(step.settings.get("weights_sha256", ""))
    from afmsr_core.upscale import Upscaler

    upscaler = Upscaler(dataclasses.replace(settings, scale=scale.option))
    return upscaler.method.name, upscaler.weights_sha256(scale) or ""


def _of(calibration: Calibration, ours: Calibration | None) -> dict[str, Any]:
    return {
        "samples": calibration.samples,
        "scans": calibration.scans,
        "guaranteed": calibration.guaranteed,
        "made_from": calibration.made_from,
        "weights_sha256": calibration.weights_sha256,
        "scale": calibration.scale,
        "shipped": calibration == ours,
    }


def _summary(known: Field) -> dict[str, float]:
    mean = float(known.mean())
    unit = mean if mean > np.finfo(np.float64).tiny else 1.0  # whose inverse is finite
    # Single precision is enough, and ordered in half the time.
    single = np.multiply(known, 1 / unit, dtype=np.float32, casting="unsafe")
    median, high = quantiles(single, (0.5, 0.95), in_place=True)
    return {"median": unit * median, "mean": mean, "p95": unit * high}

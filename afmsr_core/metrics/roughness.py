"""Roughness: the surface parameters of ISO 25178-2, of result and truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afmsr_core.errors import FieldError
from afmsr_core.metrics.base import Context, Field, Metric, Value
from afmsr_core.metrics.grains import RESAMPLES, TAILS
from afmsr_core.surfaces import ROUNDING, fit_plane

__all__ = [
    "METRICS",
    "PARAMETERS",
    "ROUGHNESS",
    "SLOPES",
    "Parameter",
    "roughness_of",
    "surface_parameters",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """A surface parameter.

    Attributes
    ----------
    name : str
        As in the standard.
    clause : str
        What it is, in the words of the standard.
    unit : str
        ``"height"``, ``"%"`` or ``""``; slopes are heights by lengths.
    compare : {"ratio", "difference"}
        How a result is compared with the truth: by ratio, or by difference where the sign of
        the parameter or its zero have a meaning.
    """

    name: str
    clause: str
    unit: str
    compare: str


PARAMETERS = (
    Parameter("Sa", "arithmetical mean height", "height", "ratio"),
    Parameter("Sq", "root mean square height", "height", "ratio"),
    Parameter("Ssk", "skewness", "", "difference"),
    Parameter("Sku", "kurtosis", "", "difference"),
    Parameter("Sz", "maximum height", "height", "ratio"),
    Parameter("Sdq", "root mean square gradient", "", "ratio"),
    Parameter("Sdr", "developed interfacial area ratio", "%", "ratio"),
)

ROUGHNESS = "surface parameters"
"""Where a context keeps them."""

BLOCKS = 4
"""Blocks per side in the bootstrap: 16, the least that tell a spread, as large as can be then,
because only blocks wider than the relief's correlation length are independent."""

SLOPES = "means of opposite edges of every cell of 2x2 pixels"


@dataclass(frozen=True)
class Roughness:
    """The surface parameters of a field.

    Attributes
    ----------
    parameters : dict of str to float or None
        As from `surface_parameters`.
    intervals : dict of str to tuple or None
        Ends of the 95 % intervals of Sa, Sq, Sdq and Sdr, from a bootstrap over blocks; None where
        there is a block without a known pixel.
    """

    parameters: dict[str, float | None]
    intervals: dict[str, tuple[float, float] | None]


def surface_parameters(
    heights: ArrayLike, pixel_size: tuple[float, float], lengths: bool = True
) -> dict[str, float | None]:
    """Return the surface parameters of a field, after taking its own plane off.

    Parameters
    ----------
    heights : array_like of float, shape (yres, xres)
        Any unit. Pixels that are not finite do not count, nor do cells that they belong to.
    pixel_size : tuple of float
        Height and width of a pixel, in nm.
    lengths : bool
        Whether the heights are in nm too; else Sdr does not exist.

    Returns
    -------
    dict of str to float or None
        Sa, Sq, Sz in the unit of the heights; Ssk and Sku without one; Sdq in the unit of the
        heights per nm; Sdr in %. None where the parameter does not exist: Ssk and Sku of a flat
        field, Sdq and Sdr of one without a complete cell of 2x2 pixels.

    Raises
    ------
    FieldError
        If no pixel is finite.

    References
    ----------
    ISO 25178-2:2021, height and hybrid parameters. The standard's form operator is a plane here,
    and there is no filter. Slopes are taken on cells of 2x2 pixels, as the means of
    the differences along opposite edges; the standard leaves the discretisation open.

    Examples
    --------
    >>> found = surface_parameters([[0.0, 2.0, 2.0, 0.0]] * 4, (1.0, 1.0))
    >>> found["Sz"], found["Sq"]
    (2.0, 1.0)
    """
    return roughness_of(heights, pixel_size, lengths).parameters


def roughness_of(
    heights: ArrayLike, pixel_size: tuple[float, float], lengths: bool = True
) -> Roughness:
    """Return the surface parameters of a field, as from `surface_parameters`, with intervals."""
    heights = np.asarray(heights, dtype=np.float64)
    level = fit_plane(heights).subtracted_from(heights)
    squared = squared_slopes(level, pixel_size)
    return Roughness(_parameters(heights, level, squared, lengths), _intervals(level, squared))


def _parameters(
    heights: Floats, level: Floats, squared: Floats, lengths: bool
) -> dict[str, float | None]:
    z = level[np.isfinite(level)]
    sq = float(np.sqrt(np.mean(z**2)))
    # What is left of a plane is rounding, not roughness.
    flat = sq <= ROUNDING * float(np.abs(heights[np.isfinite(heights)]).max())
    unit = z / (1.0 if flat else sq)
    square = unit * unit  # powers of 3 and 4 as products: NumPy's are forty times slower
    found: dict[str, float | None] = {
        "Sa": 0.0 if flat else float(np.mean(np.abs(z))),
        "Sq": 0.0 if flat else sq,
        "Ssk": None if flat else float(np.mean(square * unit)),
        "Sku": None if flat else float(np.mean(square * square)),
        "Sz": 0.0 if flat else float(z.max() - z.min()),
        "Sdq": None,
        "Sdr": None,
    }
    squared = squared[np.isfinite(squared)]
    if squared.size:
        found["Sdq"] = 0.0 if flat else float(np.sqrt(squared.mean()))
        if lengths:
            found["Sdr"] = 0.0 if flat else 100.0 * float(excess_area(squared).mean())
    return found


def _intervals(level: Floats, squared: Floats) -> dict[str, tuple[float, float] | None]:
    """Return 95 % intervals of the parameters, from a bootstrap over blocks."""
    powers = {"Sa": np.abs(level), "Sq": level**2, "Sdq": squared, "Sdr": excess_area(squared)}
    drawn = np.random.default_rng(0).integers(BLOCKS**2, size=(RESAMPLES, BLOCKS**2))
    found: dict[str, tuple[float, float] | None] = {}
    for name, power in powers.items():
        known = np.isfinite(power)
        count = _in_blocks(known.astype(np.float64))
        total = _in_blocks(np.where(known, power, 0.0))
        counts = count[drawn].sum(axis=1)
        if not counts.all():
            found[name] = None
            continue
        low, high = np.quantile(total[drawn].sum(axis=1) / counts, TAILS)
        if name in ("Sq", "Sdq"):
            low, high = np.sqrt(low), np.sqrt(high)
        scale = 100.0 if name == "Sdr" else 1.0
        found[name] = (float(scale * low), float(scale * high))
    return found


def _in_blocks(field: Floats) -> Floats:
    """Return the sums over blocks, row by row."""
    bands = np.array([band.sum(axis=0) for band in np.array_split(field, BLOCKS)])
    return np.array([part.sum(axis=1) for part in np.array_split(bands, BLOCKS, axis=1)]).T.ravel()


def squared_slopes(level: Floats, pixel_size: tuple[float, float]) -> Floats:
    """Return the squared slope of every cell of 2x2 pixels; NaN where one is unknown."""
    dy, dx = pixel_size
    across, down = np.diff(level, axis=1) / dx, np.diff(level, axis=0) / dy
    squared = (0.5 * (across[1:] + across[:-1])) ** 2 + (0.5 * (down[:, 1:] + down[:, :-1])) ** 2
    return np.asarray(squared)


def excess_area(squared: Floats) -> Floats:
    """Return what a squared slope adds to the area, sqrt(1 + s) - 1, without losing small s."""
    return np.asarray(squared / (1.0 + np.sqrt(1.0 + squared)))


def _compare(parameter: Parameter, result: Field, truth: Field, context: Context) -> Value:
    in_length = context.unit == "nm"
    if parameter.name == "Sdr" and not in_length:
        raise FieldError(
            f"Sdr is an area, which values in {context.unit or 'no unit'} do not have; "
            f"choose a height channel"
        )
    both = {}
    sides = (("result", result, context.once), ("truth", truth, context.once_for_pair))
    for name, heights, once in sides:
        if not np.isfinite(heights).any():
            raise FieldError(f"no pixel of the {name} is finite; crop where it was measured")
        make = partial(roughness_of, heights, context.pixel_size, in_length)
        both[name] = once(ROUGHNESS, make).parameters[parameter.name]
    got, right = both["result"], both["truth"]
    unit = context.unit if parameter.unit == "height" else parameter.unit
    if parameter.name == "Sdq" and not in_length:
        unit = f"{context.unit}/nm"
    details = {"unit": unit, **both, "form": "plane", "slopes": SLOPES}
    if got is None or right is None:
        which = "result" if got is None else "truth"
        return Value(None, f"the {which} is flat or too small to have {parameter.name}", details)
    details |= {"bias": got - right, "ratio": got / right if right > 0 else None}
    if parameter.compare == "difference":
        return Value(got - right, details=details)
    if right == 0:
        return Value(None, f"{parameter.name} of the truth is zero: there is no ratio", details)
    return Value(got / right, details=details)


def _metric(rank: int, parameter: Parameter) -> Metric:
    function: Callable[[Field, Field, Context], Value] = partial(_compare, parameter)
    ratio = parameter.compare == "ratio"
    return Metric(
        name=parameter.name.lower(),
        label=f"{parameter.name} {'ratio' if ratio else 'difference'}",
        lower_is_better=None,
        range=(0.0, np.inf) if ratio else (-np.inf, np.inf),
        ideal=1.0 if ratio else 0.0,
        summary=f"{parameter.clause} of the result {'over' if ratio else 'less'} the truth's",
        source="ISO 25178-2:2021",
        kind="surface",
        protocol="nm",
        function=function,
        rank=rank,
    )


METRICS = tuple(_metric(110 + 10 * i, parameter) for i, parameter in enumerate(PARAMETERS))

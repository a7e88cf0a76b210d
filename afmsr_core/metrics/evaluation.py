"""Evaluation: all metrics of a protocol for one result and its truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.errors import FieldError, UsageError
from afmsr_core.metrics.base import PROTOCOLS, Context, Field, Protocol, Value, finite_in
from afmsr_core.metrics.registry import get, names, resolve
from afmsr_core.surfaces import fit_plane

__all__ = ["evaluate", "prepare"]

LARGEST = 1e50
"""No height is larger, in any unit; beyond it products of four overflow."""


def evaluate(
    result: ArrayLike,
    truth: ArrayLike,
    pixel_size: float | tuple[float, float],
    protocol: Protocol = "paper",
    settings: Mapping[str, Any] | None = None,
    *,
    only: Iterable[str] | None = None,
    unit: str = "nm",
    low: ArrayLike | None = None,
    upscaled: ArrayLike | None = None,
) -> dict[str, Value]:
    """Return the metrics of one result.

    Parameters
    ----------
    result, truth : array_like, shape (yres, xres)
        Aligned and cropped to the same area. In the paper's protocol grey values as uint8; in
        the protocol ``"nm"`` heights in `unit`; pixels that are NaN or infinite are left out.
    pixel_size : float or tuple of float
        Edge of a pixel in nm, or its height and width (dy, dx).
    protocol : {"paper", "nm"}
        Which metrics to compute.
    settings : mapping, optional
        Choices in metrics; the others have their defaults (:func:`afmsr_core.metrics.resolve`).
    only : iterable of str, optional
        Names of metrics, all of this protocol; by default all that it has.
    unit : str
        Of the heights.
    low : array_like of float, optional
        The low-resolution scan, in its own frame, for the scars that it shows.
    upscaled : array_like of float, optional
        The result before alignment, over the area of `low`.

    Returns
    -------
    dict of str to Value
        By name of the metric. One that cannot be computed has no number but a reason.

    Raises
    ------
    FieldError, UsageError
        If the fields are not what the protocol takes, or a setting is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.arange(4096, dtype=np.uint8).reshape(64, 64)
    >>> found = evaluate(truth // 2, truth, 1.0, only=["psnr"])
    >>> round(found["psnr"].value, 2)
    10.76
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"protocol {protocol!r}: choose {' or '.join(PROTOCOLS)}")
    chosen = [get(name) for name in (names(protocol) if only is None else only)]
    for metric in chosen:
        if metric.protocol != protocol:
            raise UsageError(
                f"{metric.name}: is a metric of the protocol {metric.protocol}; "
                f"ask for it with that one"
            )
    fields = prepare(
        *(result, truth, pixel_size, protocol, settings), unit=unit, low=low, upscaled=upscaled
    )
    return {metric.name: metric.compute(*fields) for metric in chosen}


def prepare(
    result: ArrayLike,
    truth: ArrayLike,
    pixel_size: float | tuple[float, float],
    protocol: Protocol,
    settings: Mapping[str, Any] | None = None,
    *,
    unit: str = "nm",
    low: ArrayLike | None = None,
    upscaled: ArrayLike | None = None,
) -> tuple[Field, Field, Context]:
    """Return result, truth and context as metrics take them; parameters as :func:`evaluate`.

    In the protocol ``"nm"`` the plane that fits the difference best is taken off the result,
    because two scans differ in datum and tilt; the gain in z is never fitted. A difference
    without a finite pixel stays as it is, and the metrics say so.
    """
    found, right = np.asarray(result), np.asarray(truth)
    if found.shape != right.shape or right.ndim != 2 or right.size == 0:
        raise FieldError(
            f"a result is compared with a truth of the same pixels, found the shapes "
            f"{found.shape} and {right.shape}; align and crop them first"
        )
    sides = np.broadcast_to(np.asarray(pixel_size, dtype=np.float64), 2)
    if not (np.isfinite(sides).all() and (sides > 0).all()):
        raise UsageError(f"pixel_size must be positive, found {pixel_size}; give it in nm")
    common: dict[str, Any] = {
        "protocol": protocol,
        "pixel_size": (float(sides[0]), float(sides[1])),
        "unit": unit,
        "settings": resolve(settings),
    }
    if protocol == "paper":
        if found.dtype != np.uint8 or right.dtype != np.uint8:
            raise FieldError(
                f"the paper's protocol takes 8-bit grey values, found {found.dtype} and "
                f"{right.dtype}; convert with afmsr_core.normalisation.to_8bit"
            )
        return found, right, Context(**common)
    found, right = _measured(found), _measured(right)
    used = finite_in(found, right)
    if used.any():
        difference = np.subtract(found, right, out=np.full(right.shape, np.nan), where=used)
        common["removed"] = fit_plane(difference)
        common["offset"] = float(difference[used].mean())
        found = common["removed"].subtracted_from(found)
    for name, extra in (("low", low), ("upscaled", upscaled)):
        common[name] = None if extra is None else _measured(np.asarray(extra))
    return found, right, Context(**common)


def _measured(heights: Field) -> Field:
    """Return heights as float64, with NaN for all that is no height."""
    heights = heights.astype(np.float64)
    heights[~(np.abs(heights) < LARGEST)] = np.nan
    return heights

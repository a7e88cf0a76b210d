"""Evaluation: all metrics of a protocol for a result, or several, and their truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from afmsr_core.errors import FieldError, UsageError
from afmsr_core.metrics.base import (
    PROTOCOLS,
    Context,
    Field,
    Metric,
    Protocol,
    Value,
    finite_in,
)
from afmsr_core.metrics.registry import get, names, resolve
from afmsr_core.surfaces import fit_plane

__all__ = ["Reference", "evaluate", "prepare"]

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
    chosen = _chosen(protocol, only)
    reference = Reference.of(truth, pixel_size, protocol, settings, unit=unit, low=low)
    return reference._values(result, upscaled, chosen)


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
    """Return result, truth and context as metrics take them; parameters as :func:`evaluate`."""
    reference = Reference.of(truth, pixel_size, protocol, settings, unit=unit, low=low)
    return reference.prepare(result, upscaled)


@dataclass(frozen=True, eq=False)
class Reference:
    """A truth that several results are compared with; what metrics need of it is computed once.

    Made by :meth:`of`. The values are those of :func:`evaluate`, to the bit.

    Attributes
    ----------
    truth : ndarray, shape (yres, xres)
        As metrics take it: uint8 grey, or heights as float64 with NaN where there is none.
    context : Context
        What all results have in common; never handed to a metric itself.
    """

    truth: Field
    context: Context

    @classmethod
    def of(
        cls,
        truth: ArrayLike,
        pixel_size: float | tuple[float, float],
        protocol: Protocol = "paper",
        settings: Mapping[str, Any] | None = None,
        *,
        unit: str = "nm",
        low: ArrayLike | None = None,
    ) -> Reference:
        """Return the truth as a protocol takes it; parameters and errors as :func:`evaluate`.

        `truth` and `low` must not change afterwards.
        """
        _chosen(protocol, ())
        right = np.asarray(truth)
        if right.ndim != 2 or right.size == 0:
            raise FieldError(
                f"a truth is a field of rows and columns, found the shape {right.shape}; "
                f"a result is compared with it at the same pixels"
            )
        sides = np.broadcast_to(np.asarray(pixel_size, dtype=np.float64), 2)
        if not (np.isfinite(sides).all() and (sides > 0).all()):
            raise UsageError(f"pixel_size must be positive, found {pixel_size}; give it in nm")
        context = Context(
            protocol=protocol,
            pixel_size=(float(sides[0]), float(sides[1])),
            unit=unit,
            settings=resolve(settings),
        )
        if protocol == "nm":
            right = _measured(right)
            context = replace(context, low=None if low is None else _measured(np.asarray(low)))
        return cls(right, context)

    def evaluate(
        self,
        result: ArrayLike,
        *,
        only: Iterable[str] | None = None,
        upscaled: ArrayLike | None = None,
        shared: dict[str, Any] | None = None,
    ) -> dict[str, Value]:
        """Return the metrics of one result; parameters and errors as :func:`evaluate`.

        `shared`, if given, gets what several metrics need of the result, by name.

        Examples
        --------
        >>> truth = np.arange(4096, dtype=np.uint8).reshape(64, 64)
        >>> reference = Reference.of(truth, 1.0)
        >>> for result in (truth // 2, truth // 4):
        ...     print(round(reference.evaluate(result, only=["psnr"])["psnr"].value, 2))
        10.76
        7.24
        """
        return self._values(result, upscaled, _chosen(self.context.protocol, only), shared)

    def _values(
        self,
        result: ArrayLike,
        upscaled: ArrayLike | None,
        chosen: Iterable[Metric],
        shared: dict[str, Any] | None = None,
    ) -> dict[str, Value]:
        found, right, context = self.prepare(result, upscaled)
        values = {metric.name: metric.compute(found, right, context) for metric in chosen}
        if shared is not None:
            shared.update(context.shared)
        return values

    def prepare(
        self, result: ArrayLike, upscaled: ArrayLike | None = None
    ) -> tuple[Field, Field, Context]:
        """Return a result, the truth and the context of this result, as metrics take them.

        In the protocol ``"nm"`` the plane that fits the difference best is taken off the result,
        because two scans differ in datum and tilt; the gain in z is never fitted. A difference
        without a finite pixel stays as it is, and the metrics say so.
        """
        found, right = np.asarray(result), self.truth
        if found.shape != right.shape:
            raise FieldError(
                f"a result is compared with a truth of the same pixels, found the shapes "
                f"{found.shape} and {right.shape}; align and crop them first"
            )
        own: dict[str, Any] = {"memo": {}, "shared": {}}
        if self.context.protocol == "paper":
            if found.dtype != np.uint8 or right.dtype != np.uint8:
                raise FieldError(
                    f"the paper's protocol takes 8-bit grey values, found {found.dtype} and "
                    f"{right.dtype}; convert with afmsr_core.normalisation.to_8bit"
                )
            return found, right, replace(self.context, **own)
        found = _measured(found)
        used = finite_in(found, right)
        if used.any():
            difference = np.subtract(found, right, out=np.full(right.shape, np.nan), where=used)
            own["removed"] = fit_plane(difference)
            own["offset"] = float(difference[used].mean())
            found = own["removed"].subtracted_from(found)
        own["upscaled"] = None if upscaled is None else _measured(np.asarray(upscaled))
        return found, right, replace(self.context, **own)


def _chosen(protocol: Protocol, only: Iterable[str] | None) -> list[Metric]:
    """Return metrics of a protocol by name, or all that it has."""
    if protocol not in PROTOCOLS:
        raise UsageError(f"protocol {protocol!r}: choose {' or '.join(PROTOCOLS)}")
    chosen = [get(name) for name in (names(protocol) if only is None else only)]
    for metric in chosen:
        if metric.protocol != protocol:
            raise UsageError(
                f"{metric.name}: is a metric of the protocol {metric.protocol}; "
                f"ask for it with that one"
            )
    return chosen


def _measured(heights: Field) -> Field:
    """Return heights as float64, with NaN for all that is no height."""
    heights = heights.astype(np.float64)
    heights[~(np.abs(heights) < LARGEST)] = np.nan
    return heights

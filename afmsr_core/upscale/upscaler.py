"""A channel in, the same channel with four times the pixels along each axis out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.gaps import filled
from afmsr_core.inference import Engine, Tiles, open_engine, run_tiled
from afmsr_core.large_field import LARGE, LargeField, bands, empty_field
from afmsr_core.levelling import Levelled, level
from afmsr_core.methods import Interpolation, Method, Network, registry
from afmsr_core.methods.interpolation import interpolate_part
from afmsr_core.normalisation import Normalisation, from_8bit, to_8bit
from afmsr_core.surfaces import match_plane

__all__ = [
    "PROTOCOLS",
    "EngineName",
    "MaskRule",
    "Progress",
    "Protocol",
    "Settings",
    "Upscaler",
    "warnings_for",
]

PROTOCOLS = ("nm", "paper")
MAX_SIDE = 16384  # Gwyddion's own limit for a resampled field, in pixels

MaskRule = Literal["ignore", "exclude", "include"]
Protocol = Literal["nm", "paper"]
EngineName = Literal["auto", "onnx", "torch"]

Field = NDArray[np.float64]
_Ran = tuple[Tiles, Engine] | None  # what a network ran in and on; None for an interpolation
Progress = Callable[[float], None]
"""Gets the fraction done, 0 to 1; may raise :class:`afmsr_core.errors.Cancelled`."""


@dataclass(frozen=True)
class Settings:
    """Everything that a user may choose; all of it is written into the result.

    Parameters
    ----------
    method : str
        Name in the registry of methods.
    level : str
        Levelling before the method, such as ``"plane"`` or ``"plane+rows-median"``.
    mask : {"ignore", "exclude", "include"}
        How levelling treats marked pixels.
    restore_background : bool
        Put back what levelling took off, and make mean and tilt those of the input. Otherwise
        the result is the levelled field.
    protocol : {"nm", "paper"}
        ``"nm"`` keeps floats and clamps nothing. ``"paper"`` is the 8-bit, clamped path of
        doi 10.3762/bjnano.16.83, for comparing with its figures: it loses heights.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    engine : {"auto", "onnx", "torch"}
        What runs a network.
    weights : Path, optional
        File with other weights for the network. Only networks take weights, tiles, an engine
        and other devices than the processor.
    tile : int, optional
        Side of tiles in input pixels; chosen to fit the memory by default.
    threads : int, optional
        Processor threads of the engine; all that the process may use by default.
    """

    method: str = registry.DEFAULT
    level: str = "plane"
    mask: str = "ignore"
    restore_background: bool = True
    protocol: str = "nm"
    device: str = "auto"
    engine: str = "auto"
    weights: Path | None = None
    tile: int | None = None
    threads: int | None = None


class Upscaler:
    """Upscales any number of channels with the same settings; the network is loaded once.

    Parameters
    ----------
    settings : Settings
        What to do.

    Raises
    ------
    UsageError
        If a setting makes no sense.
    MissingExtraError, MissingWeightsError, WeightsError
        If the method cannot run here; the message holds the cure.

    Examples
    --------
    >>> scan = Channel(np.arange(6.0).reshape(2, 3), xreal=300.0, yreal=200.0, title="Height")
    >>> result = Upscaler(Settings(method="bicubic"))(scan)
    >>> result.title, result.heights.shape, result.xreal, result.dx
    ('Height (x4 bicubic)', (8, 12), 300.0, 25.0)
    """

    def __init__(self, settings: Settings) -> None:
        if settings.protocol not in PROTOCOLS:
            raise UsageError(
                f"protocol {settings.protocol!r}: choose one of {', '.join(PROTOCOLS)}"
            )
        self.settings = settings
        self.method = registry.get(settings.method)
        self._engine: Engine | None = None
        if isinstance(self.method, Network):
            self._engine = open_engine(
                self.method,
                engine=settings.engine,
                device=settings.device,
                weights=settings.weights,
                threads=settings.threads,
            )
        else:
            _refuse_for_networks(self.method.name, settings)

    @property
    def weights_sha256(self) -> str | None:
        """Hex digest of the weights; None for an interpolation."""
        return None if self._engine is None else self._engine.weights_sha256

    def __call__(self, channel: Channel, progress: Progress | None = None) -> Channel:
        """Upscale one channel: :meth:`begin`, and what is left to do after it."""
        return self.begin(channel, progress)()

    def begin(self, channel: Channel, progress: Progress | None = None) -> Callable[[], Channel]:
        """Do what needs the method; what is returned does the rest, in whatever thread.

        Pixels that were not measured (NaN) are filled from their nearest measured neighbour
        for the method's sake and are NaN again in the result. The mask is upscaled with the
        field: pixels are areas, so each becomes ``scale`` x ``scale`` of the same.

        Parameters
        ----------
        channel : Channel
            In any unit.
        progress : callable, optional
            Gets the fraction done; may raise to cancel.

        Returns
        -------
        callable
            Call it once. It gives the channel: same physical size, offsets and units; with the
            background restored also the same mean and tilt to rounding. Title and history say
            how it came about. Above 64 Mpx the heights are a
            :class:`afmsr_core.large_field.LargeField`, rounded to float32 about their datum.

        Raises
        ------
        FieldError
            If no pixel is finite, the result would exceed 16384 pixels a side, or it is not
            finite where the scan was measured.
        """
        scale = self.method.scale
        if max(channel.xres, channel.yres) * scale > MAX_SIDE:
            raise FieldError(
                f"{channel.where}: {channel.xres} x {channel.yres} px would become more than "
                f"{MAX_SIDE} a side at {scale}x, which Gwyddion does not take; crop it first"
            )
        missing = ~np.isfinite(channel.heights)
        if missing.all():
            raise FieldError(f"{channel.where}: no pixel is measured; choose another channel")
        levelled = level(channel, self.settings.level, self.settings.mask)
        relief = filled(levelled.channel.heights, missing)
        normalisation = Normalisation.of(relief)
        shape = (channel.yres * scale, channel.xres * scale)
        result = empty_field(shape, normalisation.offset)
        grey = normalisation.apply(relief)
        ran = self._run(normalisation, grey, result, channel.where, progress)
        return partial(self._finish, channel, levelled, missing, result, ran)

    def _finish(
        self,
        channel: Channel,
        levelled: Levelled,
        missing: NDArray[np.bool_],
        result: Field,
        ran: _Ran,
    ) -> Channel:
        """Put back, in place, what was taken off, and say what was done."""
        scale = self.method.scale
        effect = ""
        if self.settings.restore_background:
            effect = "; background restored" + self._restore(result, channel, levelled)
        for rows in bands(result.shape[0]):  # what overshoots the largest numbers is infinite
            self._require_finite(result[rows], channel.where)
        if missing.any():
            for rows in bands(channel.yres):
                band = result[_scaled(rows, scale)]
                band[_enlarged(missing[rows], scale)] = np.nan
                result[_scaled(rows, scale)] = band
        mask = None if channel.mask is None else _enlarged(channel.mask, scale)
        title = f"{channel.name} (x{scale} {self.method.name})"
        grid = (
            f"{channel.xres} x {channel.yres} px of {channel.dx:.4g} x {channel.dy:.4g} "
            f"{channel.lateral_unit} to {channel.xres * scale} x {channel.yres * scale} px"
        )
        warnings = (*channel.warnings, *warnings_for(self.method, channel))
        made = levelled.channel.replace(heights=result, mask=mask, title=title, warnings=warnings)
        if self.settings.restore_background:
            made = made.replace(look=channel.look)
        return made.after(Step("upscale", __version__, self._provenance(ran), grid + effect))

    def _restore(self, result: Field, channel: Channel, levelled: Levelled) -> str:
        """Put back the background and match mean and tilt, in place; say by how much."""
        yres, xres = result.shape
        datum = 0.0
        if isinstance(result, LargeField):  # which keeps heights close to its datum best
            datum = float(levelled.background.on_grid(1, 1)[0, 0])
            result.datum += datum
        for rows in bands(yres):
            background = levelled.background.on_grid(yres, xres, rows)
            result[rows] += background - datum if datum else background
        if self.settings.protocol != "nm":
            return ""
        off, unit = match_plane(result, channel.heights), channel.unit
        tilt = abs(off.slope_x) + abs(off.slope_y)
        return f", mean moved by {-off.datum:.3g} {unit} and tilt by {tilt:.3g} {unit}".rstrip()

    def _require_finite(self, values: NDArray[Any], where: str) -> None:
        """Refuse values that are no heights: a gap in the result is where the scan has one.

        Raises
        ------
        FieldError
            If a value is NaN or infinite.
        """
        if np.isfinite(values).all():
            return
        other = "other --weights" if self.settings.weights else "another --method"
        raise FieldError(
            f"{where}: {self.method.name} gives values that are no numbers (NaN or infinite) where "
            f"the scan was measured, so there is no result; take {other}, and look whether a spike "
            f"or a wrong unit makes the heights too large"
        )

    def _run(
        self,
        normalisation: Normalisation,
        grey: Field,
        result: Field,
        where: str,
        progress: Progress | None,
    ) -> _Ran:
        """Upscale normalised heights into `result`, as heights again; say what it ran in and on.

        The paper's protocol gives bytes to interpolations, which keep the type, and clamps what
        networks give to bytes.
        """
        method, paper = self.method, self.settings.protocol == "paper"
        source: NDArray[Any] = grey
        if progress:
            progress(0.0)
        if isinstance(method, Interpolation):
            if paper:
                source = to_8bit(grey)
            everything = slice(0, result.shape[1])
            yres = result.shape[0]
            for rows in bands(yres) if result.size > LARGE else [slice(0, yres)]:
                part = interpolate_part(source, method, rows, everything)
                result[rows] = normalisation.invert(from_8bit(part) if paper else part)
            if progress:
                progress(1.0)
            return None
        if not isinstance(method, Network) or self._engine is None:
            raise UsageError(f"{method.name}: a method is an Interpolation or a Network")
        base = registry.get(method.base) if method.base else None

        def store(rows: slice, cols: slice, values: NDArray[np.float32]) -> None:
            self._require_finite(values[0], where)  # before the paper's bytes, which hide it
            if isinstance(base, Interpolation):
                plane = interpolate_part(grey, base, rows, cols)
                plane += values[0]
            else:
                plane = values[0].astype(np.float64)
            if paper:
                plane = from_8bit(to_8bit(plane))
            result[rows, cols] = normalisation.invert(plane)

        planes = grey.astype(np.float32)[None]
        side = self.settings.tile
        return run_tiled(self._engine, method, planes, store, side=side, progress=progress)

    def _provenance(self, ran: _Ran) -> dict[str, Any]:
        """Every setting that influences the result, and what it ran on."""
        made_by: dict[str, Any] = {
            "method": self.method.name,
            "scale": self.method.scale,
            "source": self.method.source,
            "level": self.settings.level,
            "mask": self.settings.mask,
            "restore_background": self.settings.restore_background,
            "protocol": self.settings.protocol,
        }
        if ran is not None:
            tiles, engine = ran  # not self._engine: it may have fallen back to the processor
            made_by |= {
                "engine": engine.name,
                "device": engine.device,
                "weights_sha256": engine.weights_sha256,
                "tile": tiles.side,
                "halo": tiles.halo,
            }
        return made_by


def warnings_for(method: Method, channel: Channel) -> tuple[str, ...]:
    """Return a warning if a network was trained on other quantities than a channel holds.

    Examples
    --------
    >>> phase = Channel(np.zeros((2, 2)), 1.0, 1.0, unit="deg", title="Phase")
    >>> warnings_for(registry.get("bicubic"), phase)
    ()
    >>> warnings_for(registry.get("afm"), phase)[0].partition(";")[0]
    'the network afm was trained on heights, and this is no height but in deg'
    """
    if not isinstance(method, Network) or channel.shows_relief:
        return ()
    what = f"in {channel.unit}" if channel.unit else "without unit"
    if channel.is_height:
        what = "a signal of the feedback"
    return (
        f"the network {method.name} was trained on {method.trained_on}, and this is no height but "
        f"{what}; what it adds to bicubic may not be there, so compare with --method bicubic",
    )


def _refuse_for_networks(method: str, settings: Settings) -> None:
    """Refuse what an interpolation would leave undone without a word."""
    for given, lack in (
        (settings.weights is not None, "no weights"),
        (settings.device not in ("auto", "cpu"), f"no use for the device {settings.device}"),
        (settings.engine != "auto", f"no engine, be it {settings.engine}"),
        (settings.tile is not None, "no tiles"),
    ):
        if given:
            raise UsageError(f"{method} is an interpolation; it has {lack}")


def _enlarged(pixels: NDArray[np.bool_], scale: int) -> NDArray[np.bool_]:
    return np.repeat(np.repeat(pixels, scale, axis=0), scale, axis=1)


def _scaled(rows: slice, scale: int) -> slice:
    return slice(rows.start * scale, rows.stop * scale)

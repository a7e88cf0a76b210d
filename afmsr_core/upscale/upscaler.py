"""A channel in, the same channel with more pixels out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core import __version__
from afmsr_core.channel import Channel, Step
from afmsr_core.errors import FieldError, UsageError
from afmsr_core.gaps import filled
from afmsr_core.grid import SQUARE, Scale, check_scale, choose, scales_of
from afmsr_core.inference import Engine, Tiles, run_tiled
from afmsr_core.large_field import LARGE, LargeField, bands, empty_field
from afmsr_core.levelling import Levelled, level
from afmsr_core.methods import Interpolation, Method, Network, registry
from afmsr_core.methods.interpolation import interpolate_part
from afmsr_core.normalisation import Normalisation, from_8bit, to_8bit
from afmsr_core.quantity import readable, sides
from afmsr_core.surfaces import match_plane
from afmsr_core.upscale.engines import Engines
from afmsr_core.upscale.settings import PROTOCOLS, Settings

__all__ = ["Progress", "Upscaler", "method_for", "warnings_for"]

MAX_SIDE = 16384  # Gwyddion's own limit for a resampled field, in pixels

Field = NDArray[np.float64]
_Ran = tuple[Tiles, Engine] | None  # what a network ran in and on; None for an interpolation
Progress = Callable[[float], None]
"""Gets the fraction done, 0 to 1; may raise :class:`afmsr_core.errors.Cancelled`."""


class Upscaler:
    """Upscales any number of channels with the same settings; a network is loaded once.

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
        check_scale(settings.scale)
        self.settings = settings
        self.method = registry.get(settings.method)
        self.engines = Engines(settings)

    def scale(self, channel: Channel) -> Scale:
        """Return the scale that a channel will be taken with; ``(1, 4)`` if its lines run down."""
        return choose(channel, self.settings.scale).scale

    def weights_sha256(self, scale: Scale = SQUARE) -> str | None:
        """Return the hex digest of the weights for a scale; None for an interpolation.

        None, too, for a network that is not loaded and does not ship with afmsr.
        """
        return self.engines.weights_sha256(scale)

    def __call__(self, channel: Channel, progress: Progress | None = None) -> Channel:
        """Upscale one channel: :meth:`begin`, and what is left to do after it."""
        return self.begin(channel, progress)()

    def begin(self, channel: Channel, progress: Progress | None = None) -> Callable[[], Channel]:
        """Do what needs the method; what is returned does the rest, in whatever thread.

        Pixels that were not measured (NaN) are filled from their nearest measured neighbour, in nm
        where sides are lengths, for the method's sake, and are NaN again in the result. The mask is
        upscaled with the field: pixels are areas, so each becomes as many of the same. A line scan
        whose lines run down the field is turned for all that is done, levelling of lines included,
        and turned back.

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
        UsageError, WeightsError
            If the method does not make the scale of this channel, or its weights are not right.
        """
        scale = self.scale(channel)
        made = scale.shape(channel.yres, channel.xres)
        if max(made) > MAX_SIDE:
            raise FieldError(
                f"{channel.where}: {channel.xres} x {channel.yres} px would become more than "
                f"{MAX_SIDE} a side at {max(scale)}x, which Gwyddion does not take; crop it first"
            )
        missing = ~np.isfinite(channel.heights)
        if missing.all():
            raise FieldError(f"{channel.where}: no pixel is measured; choose another channel")
        method = method_for(channel, self.settings)
        if scale.sideways:
            channel, missing = channel.turned(), missing.T
        levelled = level(channel, self.settings.level, self.settings.mask)
        pixel = (channel.dy, channel.dx) if channel.lateral_unit == "nm" else (1.0, 1.0)
        relief = filled(levelled.channel.heights, missing, pixel)
        normalisation = Normalisation.of(relief)
        result = empty_field(method.scale.shape(channel.yres, channel.xres), normalisation.offset)
        grey = normalisation.apply(relief)
        ran = self._run(method, normalisation, grey, result, channel.where, progress)
        return partial(self._finish, channel, levelled, missing, result, ran, method, scale)

    def _finish(
        self,
        channel: Channel,
        levelled: Levelled,
        missing: NDArray[np.bool_],
        result: Field,
        ran: _Ran,
        method: Method,
        scale: Scale,
    ) -> Channel:
        """Put back, in place, what was taken off, and say what was done."""
        effect = ""
        if self.settings.restore_background:
            effect = "; background restored" + self._restore(result, channel, levelled)
        for rows in bands(result.shape[0]):  # what overshoots the largest numbers is infinite
            self._require_finite(result[rows], channel.where)
        if missing.any():
            for rows in bands(channel.yres):
                band = result[_scaled(rows, method.scale.rows)]
                band[_enlarged(missing[rows], method.scale)] = np.nan
                result[_scaled(rows, method.scale.rows)] = band
        mask = None if channel.mask is None else _enlarged(channel.mask, method.scale)
        title = f"{channel.name} ({scale.titled(method.name)})"
        warnings = (
            *levelled.channel.warnings,
            *warnings_for(method, channel),
            *_made_before(channel),
        )
        made = levelled.channel.replace(heights=result, mask=mask, title=title, warnings=warnings)
        if self.settings.restore_background:
            made = made.replace(look=channel.look)
        if scale.sideways:
            made = made.turned(since=len(channel.history))
        xres, yres = made.xres // scale.columns, made.yres // scale.rows
        pixel = sides(made.xreal / xres, made.yreal / yres, made.lateral_unit)
        grid = f"{xres} x {yres} px of {pixel} to {made.xres} x {made.yres} px"
        settings = self._provenance(ran, method, scale)
        return made.after(Step("upscale", __version__, settings, grid + effect))

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
        return (
            f", mean moved by {readable(-off.datum, unit, 3)} and tilt by {readable(tilt, unit, 3)}"
        )

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
        method: Method,
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
        paper = self.settings.protocol == "paper"
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
        if not isinstance(method, Network):
            raise UsageError(f"{method.name}: a method is an Interpolation or a Network")
        engine = self.engines.of(method)
        base = registry.get(method.base, method.scale) if method.base else None

        def store(rows: slice, cols: slice, values: NDArray[np.float32]) -> None:
            self._require_finite(values[0], where)  # before the paper's bytes, which hide it
            if isinstance(base, Interpolation):
                plane = interpolate_part(grey, base, rows, cols)
                plane += values[0]
            else:
                plane = values[0].astype(np.float64)
            if paper:
                plane = from_8bit(to_8bit(plane))
            result[rows, cols] = normalisation.invert(plane, out=plane)

        planes = grey.astype(np.float32)[None]
        side = self.settings.tile
        return run_tiled(engine, method, planes, store, side=side, progress=progress)

    def _provenance(self, ran: _Ran, method: Method, scale: Scale) -> dict[str, Any]:
        """Every setting that influences the result, and what it ran on."""
        made_by: dict[str, Any] = {
            "method": method.name,
            "scale": scale.recorded,
            "source": method.source,
            "level": self.settings.level,
            "mask": self.settings.mask,
            "restore_background": self.settings.restore_background,
            "protocol": self.settings.protocol,
        }
        if ran is not None:
            tiles, engine = ran  # not that which was opened: it may have gone to the processor
            made_by |= {
                "engine": engine.name,
                "device": engine.device,
                "weights_sha256": engine.weights_sha256,
                "tile": tiles.side,
                "halo": tiles.halo,
            }
        return made_by


def method_for(channel: Channel, settings: Settings) -> Method:
    """Return the method at the scale that a channel is taken with.

    Raises
    ------
    UsageError
        If it does not make that scale, whether its weights are here or not.
    """
    name = registry.get(settings.method).name
    scale, why = choose(channel, settings.scale)
    try:
        return registry.get(name, scale)
    except UsageError as error:
        raise UsageError(f"{channel.where}: {why}; {error}") from None


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


def _made_before(channel: Channel) -> tuple[str, ...]:
    """Return a warning if a channel is a result itself, so that not all of it was measured.

    Examples
    --------
    >>> _made_before(Channel(np.zeros((2, 2)), 1.0, 1.0, title="Height"))
    ()
    >>> _made_before(Channel(np.zeros((2, 2)), 1.0, 1.0, title="Height (x4 afm)"))[0][:42]
    'it was upscaled before, so most of its pix'
    """
    if not scales_of(channel):
        return ()
    return (
        "it was upscaled before, so most of its pixels were not measured; noise, errors and advice "
        "that are told of it take them for measured: take the scan that it was made from",
    )


def _enlarged(pixels: NDArray[np.bool_], scale: Scale) -> NDArray[np.bool_]:
    return np.repeat(np.repeat(pixels, scale.rows, axis=0), scale.columns, axis=1)


def _scaled(rows: slice, scale: int) -> slice:
    return slice(rows.start * scale, rows.stop * scale)

"""One scan by one call, whatever it comes as: joined with its retrace, upscaled, averaged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from afmsr_core import io
from afmsr_core.arrays import as_channel
from afmsr_core.averaging import averaged
from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.grid import AUTO, Grid
from afmsr_core.methods import registry
from afmsr_core.upscale.settings import EngineName, MaskRule, Protocol, Settings
from afmsr_core.upscale.upscaler import Progress, Upscaler, method_for

if TYPE_CHECKING:
    from afmsr_core.arrays import Scan

__all__ = ["upscale"]


def upscale(
    scan: Scan,
    *,
    method: str = registry.DEFAULT,
    scale: int | str = AUTO,
    pixels: int | None = None,
    level: str = "plane",
    mask: MaskRule = "ignore",
    restore_background: bool = True,
    protocol: Protocol = "nm",
    device: str = "auto",
    engine: EngineName = "auto",
    weights: str | os.PathLike[str] | None = None,
    tile: int | None = None,
    threads: int | None = None,
    channel: str | int | None = None,
    size: Sequence[float] | None = None,
    pixel_size: Sequence[float] | None = None,
    unit: str | None = None,
    with_retrace: str | Channel = "no",
    progress: Progress | None = None,
) -> Channel:
    """Upscale one scan: same area, units, offsets, and with the background, mean and tilt.

    It gets four times the pixels along each axis. A scan whose pixels are 1.5 to 6 times as long
    along one axis is a line scan: every point of a line was measured and lines were left out, so
    it gets four times the lines, or twice, and keeps the points of each.

    For many scans with the same settings, one :class:`Upscaler` loads the network once.

    Parameters
    ----------
    scan : path, Channel, array_like of shape (yres, xres), or xarray.DataArray
        See :func:`afmsr_core.arrays.as_channel`. NaN marks pixels that were not measured.
    method : str
        Name in the registry of methods: ``"afm"``, ``"bicubic"``, ...
    scale : int or str
        ``"auto"`` as above. ``"4"``, ``"1x4"`` and ``"1x2"`` (columns by rows) do that whatever the
        pixels are. 1, 2 and 3 average the result of ``"auto"`` to at most so many pixels along
        each axis for each measured one, by :func:`afmsr_core.averaging.averaged`.
    pixels : int, optional
        Average the result to so many pixels along the side that has more of them, the other in
        proportion.
    level : str
        Levelling before the method: ``"none"``, ``"plane"``, ``"poly2"``,
        ``"plane+rows-median"``, ...
    mask : {"ignore", "exclude", "include"}
        How levelling treats marked pixels.
    restore_background : bool
        Put back what levelling took off. Otherwise the result is the levelled field.
    protocol : {"nm", "paper"}
        ``"paper"`` is the 8-bit, clamped path of doi 10.3762/bjnano.16.83: it loses heights.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    engine : {"auto", "onnx", "torch"}
        What runs a network.
    weights : path, optional
        File with other weights for the network.
    tile : int, optional
        Side of tiles in input pixels, of a line scan in lines; chosen to fit the memory by default.
    threads : int, optional
        Processor threads of the engine; all that the process may use by default.
    channel : str or int, optional
        Of a file: number, title or pattern; the first with heights by default.
    size, pixel_size : (float, float), optional
        Of an array: height and width, of the area or of a pixel, in nm.
    unit : str, optional
        Of the values of an array, such as ``"nm"``.
    with_retrace : str or Channel
        Join the scan with its retrace before, as :func:`afmsr_core.joining.join` does: ``"no"``;
        ``"auto"`` finds the retrace in the scan's file by its title; else its number, title or
        pattern there, or the channel itself. Where none fits, a warning of the result says why.
    progress : callable, optional
        Gets the fraction done, 0 to 1; may raise to cancel.

    Returns
    -------
    Channel
        Title and history say how it came about.

    Raises
    ------
    UsageError
        If a setting makes no sense, such as more pixels than 4x, an array lacks size or unit, or
        the method does not take line scans.
    ReadError, ChannelNotFoundError
        If a file cannot be read, or lacks the channel.
    FieldError
        If no pixel is finite, or the result would exceed 16384 pixels a side.
    MissingExtraError, MissingWeightsError, WeightsError
        If the method cannot run here; the message holds the cure.

    Examples
    --------
    >>> import numpy as np
    >>> fine = upscale(np.eye(3), pixel_size=(100, 80), unit="nm", method="bilinear")
    >>> fine.heights.shape, fine.xreal, fine.dx, fine.dy
    ((12, 12), 240.0, 20.0, 25.0)
    >>> lines = upscale(np.eye(3), pixel_size=(100, 25), unit="nm", method="bilinear")
    >>> lines.heights.shape, lines.dx, lines.dy
    ((12, 3), 25.0, 25.0)
    """
    grid = Grid(scale, pixels)
    given = as_channel(scan, channel=channel, size=size, pixel_size=pixel_size, unit=unit)
    given = _joined(given, with_retrace)
    settings = Settings(
        method=method,
        level=level,
        mask=mask,
        restore_background=restore_background,
        protocol=protocol,
        device=device,
        engine=engine,
        weights=None if weights is None else Path(weights),
        tile=tile,
        threads=threads,
        scale=grid.asked,
    )
    method_for(given, settings)  # before weights are asked for that it could not use
    upscaler = Upscaler(settings)
    shape = grid.shape(given, upscaler.scale(given))
    return averaged(upscaler(given, progress), shape)


def _joined(channel: Channel, retrace: str | Channel) -> Channel:
    if retrace == "no":
        return channel
    from afmsr_core.joining import join, with_partner

    if isinstance(retrace, Channel):
        return join(channel, retrace)
    if channel.path is None:
        raise UsageError(
            f"with_retrace={retrace!r} looks for it in the scan's file, and this scan has none; "
            f"give the retrace as a channel"
        )
    return with_partner(channel, io.read(channel.path), retrace)

"""One scan by one call: upscaled, and surfaces drawn that fit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from afmsr_core.arrays import as_channel
from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.realisations.realiser import Realiser
from afmsr_core.upscale import Settings, Upscaler

if TYPE_CHECKING:
    from afmsr_core.arrays import Scan

__all__ = ["realisations"]


def realisations(
    scan: Scan,
    number: int,
    *,
    seed: int = 0,
    level: str = "plane",
    channel: str | int | None = None,
    size: Sequence[float] | None = None,
    pixel_size: Sequence[float] | None = None,
    unit: str | None = None,
    threads: int | None = None,
) -> list[Channel]:
    """Draw surfaces at random among those that a scan allows.

    Each agrees with the measured pixels within their noise, is as rough as a full scan of the
    place, and differs from the others where the scan leaves room. Their mean is what
    :func:`afmsr.upscale` returns. Take them for numbers such as Sdq, not for single features.

    Parameters
    ----------
    scan : path, Channel, array_like of shape (yres, xres), or xarray.DataArray
        See :func:`afmsr_core.arrays.as_channel`.
    number : int
        How many.
    seed : int
        The same seed gives the same surfaces.
    level : str
        Levelling before the network, as of :func:`afmsr.upscale`.
    channel, size, pixel_size, unit
        As there.
    threads : int, optional
        Of the engine.

    Returns
    -------
    list of Channel
        Title and history say which each is.

    Raises
    ------
    UsageError
        If a number makes no sense, or the channel shows no heights.
    ReadError, ChannelNotFoundError
        If a file cannot be read, or lacks the channel.
    FieldError
        If the scan is too small to tell its noise, or flat.

    Examples
    --------
    >>> from afmsr_core.data import example_pair
    >>> one, other = realisations(example_pair()[0], 2, seed=7)
    >>> one.title
    'Realisation 1 of 2, seed 7, Height (simulated) (x4 afm)'
    >>> one.heights.shape, other.unit
    ((512, 512), 'nm')
    """
    if number < 1:
        raise UsageError(f"{number} realisations: give 1 or more")
    given = as_channel(scan, channel=channel, size=size, pixel_size=pixel_size, unit=unit)
    settings = Settings(level=level, threads=threads)
    realiser = Realiser(given, Upscaler(settings)(given), settings, seed)
    return [realiser.surface(k, number) for k in range(1, number + 1)]

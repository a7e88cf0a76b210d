"""What readers of others are known to get wrong, put right from the file's own header.

docs/formats.md lists the faults; tests/test_readers_agree.py holds every reader to the same values.
"""

from __future__ import annotations

from pathlib import Path

from afmsr_core.channel import Channel
from afmsr_core.errors import UnsupportedContentError, pip_install
from afmsr_core.io.files import head
from afmsr_core.io.raw import nanonis, nanoscope, wsxm
from afmsr_core.io.units import from_file

__all__ = ["corrected"]


def corrected(path: Path, reader: str, channels: list[Channel]) -> list[Channel]:
    """Return the channels of a file without the known faults of their reader.

    Parameters
    ----------
    path : Path
        The instrument's file.
    reader : str
        ``"SurfaceTopography"``, ``"gwyddionpy"``, ``"Gwyddion 2"`` or ``"Gwyddion 3"``.
    channels : list of Channel
        As that reader gave them.

    Raises
    ------
    UnsupportedContentError, FieldError
        If a value is known to be wrong and the header does not tell the right one.
    """
    start = head(path, 64)
    if start.startswith(nanoscope.BEGINS):
        return _nanoscope(path, reader, channels)
    if start.startswith(wsxm.BEGINS):
        return _wsxm(path, channels)
    if start.startswith(nanonis.BEGINS):
        return _nanonis(path, channels)
    return channels


def _nanoscope(path: Path, reader: str, channels: list[Channel]) -> list[Channel]:
    """Take sizes from the header.

    SurfaceTopography gives a scan that was captured before its end the size of the whole one,
    unless the header has ``Slow Axis Size``; that Gwyddion 2.62 ignores. Gwyddion calls a
    logarithm of a modulus V, and reads counts of four bytes before version 9.2 as pairs of two.
    """
    images = nanoscope.images(path)
    ours = []
    for channel in channels:
        image = _of(channel, images, reader == "SurfaceTopography" or len(images) == len(channels))
        if image:
            if image.narrow_32_bits and reader != "SurfaceTopography":
                raise UnsupportedContentError(
                    f"{channel.where}: counts of four bytes in a version of Nanoscope in which "
                    f"{reader} expects two; {pip_install('raw')}"
                )
            channel = channel.replace(
                xreal=image.xreal, yreal=image.yreal, lateral_unit=image.lateral_unit
            )
            if image.unit and "(" in image.unit:
                channel = channel.replace(unit=image.unit)
        ours.append(channel)
    return ours


def _of(
    channel: Channel, images: list[nanoscope.Image | None], numbered: bool
) -> nanoscope.Image | None:
    """Return what the header says of a channel: that of its number, else of its pixels."""
    yres, xres = channel.heights.shape
    fitting = [image for image in images if image and (image.xres, image.yres) == (xres, yres)]
    number = channel.number
    if numbered and number is not None and number < len(images):
        image = images[number]
        return image if image in fitting else None
    sizes = {image._replace(unit=None) for image in fitting}
    return sizes.pop() if len(sizes) == 1 else None


def _wsxm(path: Path, channels: list[Channel]) -> list[Channel]:
    """Take sizes from the header: Gwyddion 2.62 takes µm and Å in Latin-1 for the unit of z."""
    told = wsxm.size(path)
    if told is None:
        return channels
    xreal, yreal, unit = told
    return [channel.replace(xreal=xreal, yreal=yreal, lateral_unit=unit) for channel in channels]


def _nanonis(path: Path, channels: list[Channel]) -> list[Channel]:
    """Scale by the prefix of the unit: Gwyddion takes numbers in nm for metres, in µV for volts."""
    units = nanonis.units(path)
    ours = []
    for channel in channels:
        factor, unit = from_file(units.get(channel.title.rpartition(" (")[0], ""))
        plain, _ = from_file("m" if channel.unit == "nm" else channel.unit)
        if unit == channel.unit and factor != plain:
            channel = channel.replace(heights=channel.heights * (factor / plain))
        ours.append(channel)
    return ours

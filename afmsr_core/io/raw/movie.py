"""A movie as channels: every frame of every signal is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from afmsr_core.channel import Channel
from afmsr_core.io.channels import FRAME
from afmsr_core.io.units import from_file

__all__ = ["Signal", "channels"]


class Signal(NamedTuple):
    """One signal of a movie.

    Attributes
    ----------
    title : str
        Such as ``"Topography"``.
    unit : str
        As the file gives it, such as ``"m"``.
    counts : ndarray, shape (frames, yres, xres)
        As stored, the top line first.
    scale, offset : float
        A value in `unit` is a count times `scale` plus `offset`.
    """

    title: str
    unit: str
    counts: NDArray[np.generic]
    scale: float
    offset: float


def channels(
    path: Path,
    signals: Sequence[Signal],
    size: tuple[float, float],
    lateral_unit: str,
    offset: tuple[float, float] = (0.0, 0.0),
) -> list[Channel]:
    """Return the frames as channels, numbered from 0 through all frames and signals.

    Titles carry the number of the frame, from 0 too. `size` and `offset` are those of each frame,
    x first, in `lateral_unit`.

    Raises
    ------
    FieldError
        If the size is not positive.
    """
    factor, lateral = from_file(lateral_unit)
    made = []
    for number, (signal, frame) in enumerate(_frames(signals)):
        scale, unit = from_file(signal.unit)
        count = len(signal.counts)
        title = f"{signal.title}{FRAME}{frame}" if count > 1 else signal.title
        heights = np.multiply(signal.counts[frame], signal.scale * scale, dtype=np.float64)
        heights += signal.offset * scale
        made.append(
            Channel(
                heights,
                xreal=size[0] * factor,
                yreal=size[1] * factor,
                xoff=offset[0] * factor,
                yoff=offset[1] * factor,
                unit=unit,
                lateral_unit=lateral,
                title=title,
                path=path,
                number=number,
            )
        )
    return made


def _frames(signals: Sequence[Signal]) -> Iterator[tuple[Signal, int]]:
    for signal in signals:
        for frame in range(len(signal.counts)):
            yield signal, frame

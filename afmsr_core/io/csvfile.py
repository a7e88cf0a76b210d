"""Tables of numbers for spreadsheets and plotting programs: written, not read."""

from __future__ import annotations

from pathlib import Path

from afmsr_core.channel import Channel
from afmsr_core.io.atomic import writing

__all__ = ["write"]


def write(path: str | Path, channel: Channel, force: bool = False) -> None:
    """Write the values of a channel as comma-separated rows below lines that start with ``#``.

    One line per row of pixels, the top row first, with all digits that a float64 has. Pixels
    that were not measured are ``nan``. The mask is not written.

    Parameters
    ----------
    path : path
        Target.
    channel : Channel
        What to write, in its own unit (nm for heights).
    force : bool
        Replace the target if it exists.

    Raises
    ------
    OutputExistsError
        If the target exists and `force` is false.
    OutputError
        If the system refuses to write.
    """
    header = {
        "title": " ".join(channel.name.split()),
        "unit": channel.unit or "1",
        "lateral unit": channel.lateral_unit or "1",
        "columns": channel.xres,
        "rows": channel.yres,
        "width": channel.xreal,
        "height": channel.yreal,
        "x offset": channel.xoff,
        "y offset": channel.yoff,
        "source": channel.path.name if channel.path else "",
    }
    with writing(path, force) as file:
        for name, value in header.items():
            file.write(f"# {name}: {value}\n".encode("utf-8", "backslashreplace"))
        for row in channel.heights:
            file.write((",".join(map(repr, row.tolist())) + "\n").encode("ascii"))

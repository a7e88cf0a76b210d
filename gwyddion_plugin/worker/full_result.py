"""The file of its own with a scan, its result and what goes with that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afmsr_core.channel import Channel, names_feedback
from afmsr_core.errors import OutputError, OutputExistsError
from afmsr_core.grid import choose
from gwyddion_plugin.worker import request_values
from gwyddion_plugin.worker.request_scans import drawn_of, settings_of

__all__ = ["check_room", "save"]

_UNNAMED = "Scan"  # title of a scan in a file of its own, if nobody named it


def check_room(request: Mapping[str, Any], target: Path, channel: Channel) -> None:
    """Refuse a file that the results will not fit in, before they are computed."""
    from afmsr_core.io.gwy import GwyFile
    from afmsr_core.io.results import Planned, check_results

    scale = choose(channel, settings_of(request).scale).scale
    shape = scale.shape(channel.yres, channel.xres)
    planned = [Planned.of(channel, shape)]
    if request_values.flag(request, "confidence"):
        planned += [Planned.of(channel, shape, masked=True), *2 * [Planned.of(channel)]]
    planned += drawn_of(request).planned(channel, shape)
    check_results(target, GwyFile.new([channel]), planned)


def save(target: Path, channel: Channel, results: list[Channel], sample: str) -> None:
    """Write the field and what was made of it to a new file of Gwyddion's, which shows the first.

    Where the field has no title, all are named after the sample. A name that would stand for a
    signal of the feedback is none: whoever reads the file would take the heights for that.
    """
    from afmsr_core.io.gwy import GwyFile
    from afmsr_core.io.results import write_results

    if not channel.title:
        named = sample if sample and not names_feedback(sample) else _UNNAMED
        results = [one.replace(title=one.title.replace(channel.name, named, 1)) for one in results]
        channel = channel.replace(title=named)
    try:
        write_results(target, GwyFile.new([channel], shown=False), results, one_window=True)
    except OutputExistsError as error:
        raise OutputError(f"{target}: exists already; choose another name") from error

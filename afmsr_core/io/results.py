"""Write upscaled channels back beside what they came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.history import META, from_meta, log_of, to_meta

__all__ = ["META", "write_results"]


def write_results(
    target: Path, file: GwyFile, results: Sequence[Channel], force: bool = False
) -> None:
    """Write results in the format that the target's extension names.

    Parameters
    ----------
    target : Path
        A ``.gwy`` becomes a copy of `file` with the results added, each with the palette,
        range, metadata and log of the channel it was made from, and what was done since; every
        other format holds the results alone.
    file : GwyFile
        What the results were made from.
    results : sequence of Channel
        What to add; ``number`` tells from which channel of `file` each was made.
    force : bool
        Overwrite the target if it exists.

    Raises
    ------
    OutputError
        If the target cannot be written; it is then as it was before.
    """
    if target.suffix.lower() != ".gwy":
        from afmsr_core import io

        io.write(target, list(results), force=force)
        return
    for result in results:
        like = result.number
        known = () if like is None else from_meta(file.meta(like))
        file = file.with_channel(
            result,
            like=like,
            log=log_of(result.history[len(known) :]),
            meta=to_meta(result.history),
        )
    file.save(target, force=force)

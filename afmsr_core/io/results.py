"""Write upscaled channels back beside what they came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.gwylog import log_entry

__all__ = ["META", "write_results"]

META = "afmsr history"


def write_results(
    target: Path, file: GwyFile, results: Sequence[Channel], force: bool = False
) -> None:
    """Write results in the format that the target's extension names.

    Parameters
    ----------
    target : Path
        A ``.gwy`` becomes a copy of `file` with the results added, each with the palette,
        range, metadata and log of the channel it was made from; every other format holds the
        results alone.
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
        steps = [step.as_dict() for step in result.history]
        file = file.with_channel(
            result,
            like=result.number,
            log=[log_entry(f"afmsr_{step['name']}", step["settings"]) for step in steps],
            meta={META: _as_markup(json.dumps(steps, ensure_ascii=False))},
        )
    file.save(target, force=force)


def _as_markup(text: str) -> str:
    """Escape what Gwyddion's metadata browser would take for markup, in a way JSON undoes."""
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text

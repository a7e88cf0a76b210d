"""The history of a channel in a Gwyddion file: as JSON in its metadata, and in its log.

The metadata are what is read back; the log is for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from afmsr_core.channel import Step
from afmsr_core.io.gwylog import log_entry

__all__ = ["HEADER", "META", "from_meta", "log_of", "steps_of", "to_meta"]

META = "afmsr history"
"""Name of the metadata."""

HEADER = "AfmsrHistory"
"""Name of the line in the header of a ``.gsf``; Gwyddion takes it over into the metadata."""

ORIGINS = ("simulate",)
"""Steps that make a channel from nothing. Lines of the log tell the time of day, and the same seed
must write the same bytes."""

UNFIT = (AttributeError, KeyError, TypeError, ValueError)
"""What `steps_of` raises on what is no list of steps."""


def to_meta(history: Sequence[Step]) -> dict[str, str]:
    r"""Return the metadata that hold a history; none for an empty one.

    Examples
    --------
    >>> to_meta([Step("level", "1", {}, "a < b")])[META][-24:]
    '"effect": "a \\u003c b"}]'
    """
    if not history:
        return {}
    text = json.dumps([step.as_dict() for step in history], ensure_ascii=False)
    for sign in "<>&":  # Gwyddion's metadata browser would take them for markup
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return {META: text}


def from_meta(meta: Mapping[str, str]) -> tuple[Step, ...]:
    """Return the history that metadata hold; empty if they hold none that makes sense.

    Whoever edits it in Gwyddion's metadata browser must not lose the channel for it.

    Examples
    --------
    >>> step = Step("level", "1", {"degree": 2})
    >>> from_meta(to_meta([step])) == (step,), from_meta({META: "oops"})
    (True, ())
    """
    try:
        return steps_of(json.loads(meta.get(META) or meta.get(HEADER) or "[]"))
    except (*UNFIT, RecursionError):
        return ()


def steps_of(records: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Return the steps that were written with `Step.as_dict`.

    Raises
    ------
    AttributeError, KeyError, TypeError, ValueError
        If they are no such list.
    """
    return tuple(
        Step(
            name=str(record["name"]),
            version=str(record["version"]),
            settings=dict(record.get("settings", {})),
            effect=str(record.get("effect", "")),
        )
        for record in records
    )


def log_of(history: Iterable[Step], function: str = "proc") -> list[str]:
    """Return a line for Gwyddion's log for every step that was done to data; see `log_entry`."""
    return [
        log_entry(f"afmsr_{step.name}", step.settings, function=function)
        for step in history
        if step.name not in ORIGINS
    ]

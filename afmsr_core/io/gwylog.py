"""Lines of a channel's log, which Gwyddion shows under View Log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

__all__ = ["log_entry"]


def log_entry(
    name: str, settings: Mapping[str, Any], when: datetime | None = None, function: str = "proc"
) -> str:
    """Return a line for a channel's log in the form that Gwyddion writes and shows.

    Parameters
    ----------
    name : str
        Function that was run, such as ``"afmsr_upscale"``.
    settings : mapping
        Its settings; texts are quoted.
    when : datetime, optional
        Time of the run, now if not given.
    function : str
        Which kind of function it is, ``"image"`` in Gwyddion 3; see `gwylayout.Layout`.

    Returns
    -------
    str

    Examples
    --------
    >>> log_entry("afmsr_upscale", {"method": "afm", "scale": 4}, datetime(2026, 1, 2, 3, 4, 5))
    'proc::afmsr_upscale(method="afm", scale=4)@2026-01-02 03:04:05.000000Z'
    """
    when = when or datetime.now(timezone.utc)
    if when.tzinfo is not None:
        when = when.astimezone(timezone.utc)
    arguments = ", ".join(
        f"{key}={json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value}"
        for key, value in settings.items()
    )
    return f"{function}::{name}({arguments})@{when:%Y-%m-%d %H:%M:%S.%f}Z"

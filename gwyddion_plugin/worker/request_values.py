"""The values in a request: each is of its type and in its bounds before it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gwyddion_plugin.worker.protocol import SETTINGS, ProtocolError, is_path

__all__ = [
    "MOST_SEED",
    "count",
    "flag",
    "name",
    "number",
    "place",
    "seconds",
    "settings",
    "share",
    "table",
    "tables",
]

LONGEST = 86_400.0
"""Seconds, a day: time limits and times in memory beyond it are cut to it."""

MOST_THREADS = 1024
"""More than any machine's processors; a system refuses to make a million."""

MOST_PIXELS = 1 << 24
"""Of a tile's side; a field beyond Gwyddion's limits is refused by its size."""

MOST_SEED = (1 << 31) - 1
"""What Gwyddion's own seeds reach."""

_FLAGS, _COUNTS = ("restore_background",), {"tile": MOST_PIXELS, "threads": MOST_THREADS}


def seconds(request: Mapping[str, Any], key: str) -> float:
    """Return a time in seconds, 0 if none is given."""
    found = number(request, key, 0.0)
    if found < 0:
        raise _wrong(key, request[key], "a number of seconds")
    return min(found, LONGEST)


def number(content: Mapping[Any, Any], key: Any, default: float | None = None) -> float:
    """Return a finite number, the default if none is given."""
    found = content.get(key)
    if found is None and default is not None:
        return default
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _wrong(key, found, "a number")
    try:
        finite = math.isfinite(value := float(found))
    except OverflowError:  # an integer beyond the floats
        finite = False
    if not finite:
        raise _wrong(key, found, "a finite number")
    return value


def share(content: Mapping[Any, Any], key: str) -> float:
    """Return a number from 0 to 1, 0 if none is given."""
    found = number(content, key, 0.0)
    if not 0 <= found <= 1:
        raise _wrong(key, found, "a number from 0 to 1")
    return found


def count(content: Mapping[Any, Any], key: str, most: int, least: int = 1) -> int:
    """Return an integer; the least one if none is given and that is 0."""
    found = content.get(key)
    if found is None and least == 0:
        return 0
    if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
        raise _wrong(key, found, f"an integer from {least} to {most}")
    return found


def flag(content: Mapping[Any, Any], key: str) -> bool:
    """Return true or false; false if nothing is given."""
    found = content.get(key)
    if not isinstance(found, bool | None):
        raise _wrong(key, found, "true or false")
    return bool(found)


def name(content: Mapping[Any, Any], key: str) -> str:
    """Return a text that can be a path or a word; empty if there is none."""
    found = content.get(key)
    if found is None:
        return ""
    if not isinstance(found, str) or not is_path(found):
        raise _wrong(key, found, "a text")
    return found


def table(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a table of values."""
    found = content.get(key)
    if not isinstance(found, dict):
        raise _wrong(key, found, "an object")
    return found


def tables(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of tables of values."""
    found = content.get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _wrong(key, found, "a list of objects")
    return found


def place(request: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """Return a pixel (X, Y), None if none is given."""
    found = request.get(key)
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != 2:
        raise _wrong(key, found, "two numbers")
    pixel = dict(enumerate(found))
    return number(pixel, 0), number(pixel, 1)


def settings(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings for `afmsr_core.upscale.Settings`; those that are null are left out."""
    given = request.get("settings") or {}
    if not isinstance(given, dict) or not set(given) <= set(SETTINGS):
        raise ProtocolError(
            f"worker protocol: settings {_shown(given)}; name only {', '.join(SETTINGS)}"
        )
    found: dict[str, Any] = {}
    for key, value in given.items():
        if value is None:
            continue
        if key in _COUNTS:
            found[key] = count(given, key, _COUNTS[key])
        else:
            found[key] = flag(given, key) if key in _FLAGS else name(given, key)
    return found


def _wrong(key: str, found: object, wanted: str) -> ProtocolError:
    return ProtocolError(f"worker protocol: {key} is {_shown(found)}; give {wanted}")


def _shown(found: object) -> str:
    try:
        text = repr(found)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        text = type(found).__name__
    return text if len(text) <= 60 else f"{text[:60]}…"

"""Whether a scan is fine enough to be upscaled, in a line for the dialogs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["told"]

_MEANING = {
    "fine": "fine for upscaling",
    "doubtful": "doubtful for small features",
    "too coarse": "too coarse for details",
}


def told(answer: Mapping[str, Any]) -> str:
    """Return the line, behind what else must be known of the scan, a line each.

    Parameters
    ----------
    answer : mapping
        Of the worker to ``judge``, but for this line, see :mod:`gwyddion_plugin.protocol`.

    Examples
    --------
    >>> print(told({"verdict": "fine", "expected_error": 0.064}))
    Pixels fine for upscaling: error 6 % of Sq
    >>> print(told({"verdict": "doubtful", "expected_error": 0.2, "pixels": [256, 192]}))
    Pixels doubtful for small features: error 20 % of Sq; 256 × 192 would do
    >>> print(told({"verdict": "too coarse", "expected_error": 0.5, "pixels": None}))
    Pixels too coarse for details: error 50 % of Sq, noise: scan slower
    >>> stopped = "lines 41 to 64 of 64 were not measured: all hold 0 nm; they are left out"
    >>> print(told({"verdict": "fine", "expected_error": 0.064, "warnings": [stopped]}))
    Lines 41 to 64 of 64 were not measured: all hold 0 nm; they are left out
    Pixels fine for upscaling: error 6 % of Sq
    """
    warnings = (text[:1].upper() + text[1:] for text in answer.get("warnings", ()))
    return "\n".join((*warnings, _judged(answer)))


def _judged(answer: Mapping[str, Any]) -> str:
    verdict = str(answer["verdict"])
    error = f"error {100 * answer['expected_error']:.0f} % of Sq"
    line = f"Pixels {_MEANING.get(verdict, verdict)}: {error}"
    if verdict == "fine":
        return line
    if answer["pixels"] is None:
        return f"{line}, noise: scan slower"
    columns, rows = answer["pixels"]
    return f"{line}; {columns} × {rows} would do"

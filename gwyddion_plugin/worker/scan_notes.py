"""What the user is told of a scan: whether its pixels are fine enough, and its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from afmsr_core.quantity import duration

if TYPE_CHECKING:
    from afmsr_core.grid import Scale
    from afmsr_core.planning import Plan

__all__ = ["lines_of", "planned", "time_saved", "verdict"]

_LINE_RATE = 1.0  # lines a second, the usual speed of a careful scan; the dump does not tell it
_MEANING = {
    "fine": "fine for upscaling",
    "doubtful": "doubtful for small features",
    "too coarse": "too coarse for details",
}


def verdict(answer: Mapping[str, Any]) -> str:
    """Say whether a scan is fine enough to be upscaled, behind what else must be known of it.

    Parameters
    ----------
    answer : mapping
        Of the worker to ``judge``, but for this line, see :mod:`gwyddion_plugin.worker.protocol`.

    Examples
    --------
    >>> print(verdict({"verdict": "fine", "expected_error": 0.064}))
    Pixels fine for upscaling: error 6 % of Sq
    >>> print(verdict({"verdict": "doubtful", "expected_error": 0.2, "pixels": [256, 192]}))
    Pixels doubtful for small features: error 20 % of Sq; 256 × 192 would do
    >>> lines = {"pixels": [256, 192], "lines": 192}
    >>> print(verdict({"verdict": "doubtful", "expected_error": 0.2, **lines}))
    Pixels doubtful for small features: error 20 % of Sq; 192 lines would do
    >>> print(verdict({"verdict": "too coarse", "expected_error": 0.5, "pixels": None}))
    Pixels too coarse for details: error 50 % of Sq, noise: scan slower
    >>> stopped = "lines 41 to 64 of 64 were not measured: all hold 0 nm; they are left out"
    >>> print(verdict({"verdict": "fine", "expected_error": 0.064, "warnings": [stopped]}))
    Lines 41 to 64 of 64 were not measured: all hold 0 nm; they are left out
    Pixels fine for upscaling: error 6 % of Sq
    """
    warnings = (text[:1].upper() + text[1:] for text in answer.get("warnings", ()))
    return "\n".join((*warnings, _judged(answer)))


def _judged(answer: Mapping[str, Any]) -> str:
    judged = str(answer["verdict"])
    percent = 100 * answer["expected_error"]
    error = f"error {percent:.0f} % of Sq" if percent >= 1 else "error below 1 % of Sq"
    line = f"Pixels {_MEANING.get(judged, judged)}: {error}"
    if judged == "fine":
        return line
    if answer["pixels"] is None:
        return f"{line}, noise: scan slower"
    columns, rows = answer["pixels"]
    if lines := answer.get("lines"):
        return f"{line}; {lines} lines would do"
    return f"{line}; {columns} × {rows} would do"


def time_saved(xres: int, yres: int, scale: Scale) -> str:
    """Say what time a scan saves against one of the upscaled size.

    Scanning line by line (contact, tapping), a line takes as long with 128 pixels as with 512:
    its speed is limited by the tip and the feedback, not by the sampling. So the fast axis saves
    nothing, and the time goes with the number of lines. Point by point (force volume), every
    pixel costs.

    Parameters
    ----------
    xres, yres : int
        Pixels of the scan.
    scale : Scale
        Pixels of the result for one of the scan.

    Examples
    --------
    >>> from afmsr_core.grid import LINES_X4, SQUARE
    >>> print(time_saved(128, 128, SQUARE))
    128 lines scanned instead of 512. Line by line (contact, tapping): 1/4 of the time, at 1
    line/s 2 min 8 s instead of 8 min 32 s; the fast axis saves nothing. Point by point (force
    maps): 1/16 of the time.
    >>> print(time_saved(512, 128, LINES_X4))
    128 lines scanned instead of 512. Line by line (contact, tapping): 1/4 of the time, at 1
    line/s 2 min 8 s instead of 8 min 32 s; the points along a line cost nothing. Point by point
    (force maps): 1/4 of the time.
    """
    lines, times = lines_of(xres, yres, scale), max(scale)
    took, saves = duration(lines / _LINE_RATE), duration(lines * times / _LINE_RATE)
    along = "the points along a line cost nothing" if scale.lines else "the fast axis saves nothing"
    return (
        f"{lines} lines scanned instead of {lines * times}. "
        f"Line by line (contact, tapping): 1/{times} of the time, at {_LINE_RATE:g} line/s "
        f"{took} instead of {saves}; {along}. "
        f"Point by point (force maps): 1/{scale.rows * scale.columns} of the time."
    )


def lines_of(xres: int, yres: int, scale: Scale) -> int:
    """Return how many lines were scanned: columns where a line scan lies on its side."""
    return xres if scale.sideways else yres


def planned(plan: Plan) -> str:
    """Say which settings of the next scan reach the error in the least time, line by line.

    Parameters
    ----------
    plan : Plan
        Of a mode in which the time goes with the lines.

    Examples
    --------
    >>> from afmsr_core.data import example_pair
    >>> from afmsr_core.planning import plan
    >>> print(planned(plan(example_pair()[0])))
    10 % of Sq in the least time: 192 lines of 768 points, upscaled, 3 min 12 s at 1 line/s; likely
    4.5 to 16 %.
    """
    asked, one = _percent(plan.asked), plan.chosen
    if one is not None:
        upscaled = "" if one.read == "bicubic" else ", upscaled"
        return (
            f"{asked} % of Sq in the least time: {one.lines} lines of {one.points} points"
            f"{upscaled}, {duration(one.time / _LINE_RATE)} at {_LINE_RATE:g} line/s; "
            f"likely {_percent(one.low)} to {_percent(one.high)} %."
        )
    told = f"No setting that this scan can tell of reaches {asked} % of Sq"
    if plan.tells_finer:
        return f"{told}: scan {max(one.lines for one in plan.settings)} lines, and ask again."
    return f"{told}: it is too noisy or too coarse to ask for finer ones."


def _percent(share: float) -> str:
    return f"{100 * share:.2g}" if share < 0.0995 else f"{100 * share:.0f}"

"""The scan time that upscaling saves, by mode of scanning; the rule of the Gwyddion plug-in.

Scanning line by line, a line takes as long with 128 pixels as with 512: its speed is limited by
tip and feedback, not by sampling. So the fast axis saves nothing, and the time goes with the
number of lines. Point by point (force maps) every pixel costs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from afmsr_core.report.contents import Results
from afmsr_core.report.table import Cell, Table

__all__ = ["LINE_RATES", "Saving", "duration", "savings", "table"]

LINE_RATES = (1.0, 8.0)
"""Lines a second: a careful scan, and the paper's fast ones (8 to 10)."""


@dataclass(frozen=True)
class Saving:
    """What a size of scans saves.

    Attributes
    ----------
    lines : tuple of int
        Scan lines of the low- and the high-resolution scan.
    slow, fast : float
        Pixels of the high-resolution scan per pixel of the other over the same length, along
        the slow and the fast axis.
    pairs : int
        Number of pairs of these sizes.
    """

    lines: tuple[int, int]
    slow: float
    fast: float
    pairs: int


def savings(results: Results) -> list[Saving]:
    """Return the sizes among the pairs, the most frequent first."""
    sizes: Counter[tuple[int, int, float, float]] = Counter()
    for pair in results.pairs:
        low, high = pair.get("low") or {}, pair.get("high") or {}
        try:
            slow = (low["yreal"] / low["yres"]) / (high["yreal"] / high["yres"])
            fast = (low["xreal"] / low["xres"]) / (high["xreal"] / high["xres"])
        except (KeyError, TypeError, ZeroDivisionError):
            continue
        # The same area: what the low-resolution scan would need at the other's pixel size.
        sizes[low["yres"], round(low["yres"] * slow), round(slow, 2), round(fast, 2)] += 1
    return [
        Saving((low, high), slow, fast, count)
        for (low, high, slow, fast), count in sorted(
            sizes.items(), key=lambda item: (-item[1], item[0])
        )
    ]


def table(results: Results) -> Table | None:
    """Return the table of scan times, or None where no size is known."""
    found = savings(results)
    if not found:
        return None
    rows = []
    for one in found:
        low, high = one.lines
        times = [
            Cell(f"{duration(low / rate)} instead of {duration(high / rate)}")
            for rate in LINE_RATES
        ]
        rows.append(
            [
                Cell(f"{low} instead of {high}"),
                Cell(str(one.pairs)),
                Cell(f"1/{one.slow:g} of the time"),
                *times,
                Cell(f"1/{round(one.slow * one.fast, 2):g} of the time"),
            ]
        )
    return Table(
        name="scan-time",
        caption="Time to scan an area at low resolution, against the resolution of the result",
        head=[
            Cell("Scan lines"),
            Cell("Pairs"),
            Cell("Line by line", below="contact, tapping"),
            *(Cell(f"at {rate:g} line{'s' if rate != 1 else ''}/s") for rate in LINE_RATES),
            Cell("Point by point", below="force maps"),
        ],
        rows=rows,
        remarks=[
            "A line takes as long with few pixels as with many, so the fast axis saves nothing "
            "line by line; point by point every pixel costs. Times of one direction of scanning; "
            "line rates are examples, the files do not tell them."
        ],
    )


def duration(seconds: float) -> str:
    """Return a duration in words.

    Examples
    --------
    >>> duration(128), duration(45), duration(7260)
    ('2 min 8 s', '45 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

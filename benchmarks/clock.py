"""Times of calls that take turns, so that what slows one slows all."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass(frozen=True)
class Elsewhere:
    """Seconds that a call took in another process, by both clocks; returned by the call."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Times:
    """Seconds of one call: the median of its runs and the extremes."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Times:
        return cls(statistics.median(seconds), min(seconds), max(seconds))

    def __str__(self) -> str:
        """Return the median and the spread, such as ``0.104 (0.101-0.120)``."""
        if self.low == self.high:
            return _short(self.median)
        return f"{_short(self.median)} ({_short(self.low)}-{_short(self.high)})"


def _short(seconds: float) -> str:
    return (
        f"{seconds:.1f}" if seconds >= 10 else f"{seconds:.2f}" if seconds >= 1 else _fine(seconds)
    )


def _fine(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds >= 0.01 else f"{seconds:.4f}"


def add_options(parser: argparse.ArgumentParser, runs: int) -> None:
    parser.add_argument(
        "--runs", type=int, default=runs, help="after a warm-up; 0: the first (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")
    parser.add_argument(
        "--clock",
        choices=tuple(CLOCKS),
        default="wall",
        help="cpu: processor time of all threads, for a machine that does other things meanwhile",
    )


def turns(
    calls: Mapping[str, Callable[[], object]], runs: int, clock: str = "wall"
) -> dict[str, Times]:
    """Return the seconds of every call; one run of each in turn, `runs` times after a warm-up.

    With 0 `runs` the first and only one counts.
    """
    now = CLOCKS[clock]
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(runs + 1):
        for name, call in calls.items():
            began = now()
            answer = call()
            lasted = now() - began
            if isinstance(answer, Elsewhere):
                lasted = getattr(answer, clock)
            if turn or not runs:
                seconds[name].append(lasted)
    return {name: Times.of(taken) for name, taken in seconds.items()}

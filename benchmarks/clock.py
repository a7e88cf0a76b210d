"""Times of calls that take turns, so that what slows one slows all."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


def add_options(parser: argparse.ArgumentParser, runs: int) -> None:
    parser.add_argument("--runs", type=int, default=runs, help="after a warm-up (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")
    parser.add_argument(
        "--clock",
        choices=tuple(CLOCKS),
        default="wall",
        help="cpu: processor time of all threads, for a machine that does other things meanwhile",
    )


def fastest(
    calls: Mapping[str, Callable[[], object]], runs: int, clock: str = "wall"
) -> dict[str, float]:
    """Return the least seconds of every call; neighbours can only add to them."""
    now = CLOCKS[clock]
    best = dict.fromkeys(calls, float("inf"))
    for turn in range(runs + 1):
        for name, call in calls.items():
            began = now()
            call()
            lasted = now() - began
            if turn or not runs:
                best[name] = min(best[name], lasted)
    return best

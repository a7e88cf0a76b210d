"""Whole processes, from start to end, as a user pays for them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PER_MEGABYTE = 1 << (20 if sys.platform == "darwin" else 10)


@dataclass(frozen=True)
class Cost:
    """Medians over the runs of one command."""

    seconds: float
    megabytes: float


def compare(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, Cost]:
    """Run every command in turn, `runs` times after one warm-up; peak memory by the system."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    memory: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment()
            )
            _, status, usage = os.wait4(process.pid, 0)
            lasted = time.perf_counter() - began
            if status:
                words = process.stderr.read().decode() if process.stderr else ""
                raise SystemExit(f"{name}: {' '.join(command)} failed:\n{words}")
            process.returncode = 0
            if turn:
                seconds[name].append(lasted)
                memory[name].append(usage.ru_maxrss / PER_MEGABYTE)
    return {
        name: Cost(statistics.median(seconds[name]), statistics.median(memory[name]))
        for name in commands
    }


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}

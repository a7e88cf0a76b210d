"""The parts of the benchmark, loaded by name.

One at a time: on Linux a process that a part starts counts the part's memory in its own peak.
"""

from __future__ import annotations

import importlib
from types import ModuleType

NAMES = (
    *("startup", "process", "forward", "rivals", "click", "click3", "size", "throughput"),
    *("memory", "lines", "confidence", "shapes", "tiles", "earlier", "cluster", "many"),
    *("evaluation", "survey", "report"),
)


def part(name: str) -> ModuleType:
    """Return the module of a part: its first line says what it is, ``run`` does it."""
    return importlib.import_module(f"benchmarks.{name}")

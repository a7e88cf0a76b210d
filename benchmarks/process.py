"""Whole processes, from start to end, as a user pays for them."""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.markdown import head, line

PER_MEGABYTE = 1 << (20 if sys.platform == "darwin" else 10)
BARE = "bare ONNX Runtime script"
TORCHSR = """
import numpy, torch, torchsr.models
model = torchsr.models.ninasr_b0(scale=4)
model(torch.rand(1, 3, 128, 128))
"""
ONNXRUNTIME = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
session.run(None, {"grey": numpy.random.rand(1, 1, 128, 128).astype("f4")})
"""


@dataclass(frozen=True)
class Cost:
    """Medians over the runs of one command; `busy` is processor time, which neighbours spare."""

    seconds: float
    busy: float
    megabytes: float


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=5)


def run(args: argparse.Namespace) -> None:
    from afmsr_core import data

    here = Path(data.__file__).parent
    example, _ = data.example_pair()
    python = sys.executable
    afmsr = [python, "-m", "afmsr_cli.main"]
    with tempfile.TemporaryDirectory() as folder:
        result = str(Path(folder) / "out.gwy")
        upscale = [*afmsr, "upscale", str(example), "-o", result, "--force", "--quiet"]
        commands = {
            BARE: [python, "-c", ONNXRUNTIME, str(here / "afm.onnx")],
            "afmsr upscale --method bicubic": [*upscale, "--method", "bicubic"],
            "afmsr upscale": upscale,
        }
        if importlib.util.find_spec("torchsr"):
            commands["plain torchSR call, NinaSR-B0"] = [python, "-c", TORCHSR]
        costs = compare(commands, args.runs)
    told(costs, BARE, "whole process, 128 x 128")


def told(costs: Mapping[str, Cost], reference: str, heading: str) -> None:
    """Print a table with ratios to one of its rows."""
    print(head((heading, "seconds", "ratio", "processor s", "ratio", "peak MB")))
    base = costs[reference]
    for name, cost in costs.items():
        wall, busy = f"{cost.seconds / base.seconds:.2f}", f"{cost.busy / base.busy:.2f}"
        megabytes = f"{cost.megabytes:.0f}"
        print(line(name, f"{cost.seconds:.3f}", wall, f"{cost.busy:.3f}", busy, megabytes))


def compare(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, Cost]:
    """Run every command in turn, `runs` times after one warm-up; peak memory by the system.

    With 0 `runs` the first and only one counts.
    """
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
            )
            _, status, usage = os.wait4(process.pid, 0)
            lasted = time.perf_counter() - began
            if status:
                words = process.stderr.read().decode() if process.stderr else ""
                raise SystemExit(f"{name}: {' '.join(command)} failed:\n{words}")
            process.returncode = 0
            if process.stderr:
                process.stderr.close()
            if turn or not runs:
                busy = usage.ru_utime + usage.ru_stime
                found[name].append(Cost(lasted, busy, usage.ru_maxrss / PER_MEGABYTE))
    return {
        name: Cost(
            statistics.median(cost.seconds for cost in costs),
            statistics.median(cost.busy for cost in costs),
            statistics.median(cost.megabytes for cost in costs),
        )
        for name, costs in found.items()
    }


def disk() -> str | None:
    """Return a folder for large files that is not in memory, as /tmp is on many systems."""
    return "/var/tmp" if os.access("/var/tmp", os.W_OK) else None

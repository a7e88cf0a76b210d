"""What `--confidence` adds to an upscale: the same scan without and with it, in a warm process.

Once of heights in memory, and once as the command does it, from file to file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from afmsr_core import io
from afmsr_core.batch.plan import Job
from afmsr_core.batch.trust import Trust
from afmsr_core.batch.work import Work
from afmsr_core.channel import Channel
from afmsr_core.simulation.specimens import specimen
from afmsr_core.trust.assessment import Assessment, assess
from afmsr_core.upscale import Settings, Upscaler
from benchmarks import clock
from benchmarks.markdown import head, line

STEPS = {"128 x 128": (4, 4), "512 x 128": (4, 1), "512 x 512": (1, 1)}
"""Scans of one surface: which of its 512 lines, and of 512 points of each, were measured."""

Call = Callable[[], object]


def add_options(parser: argparse.ArgumentParser) -> None:
    clock.add_options(parser, runs=9)


def run(args: argparse.Namespace) -> None:
    import cv2

    cv2.setNumThreads(args.threads)
    print(head(("scan", "of", "plain, s", "with confidence, s", "ratio"), words=2))
    upscaler = Upscaler(Settings(threads=args.threads))
    for name, scan in _scans().items():
        with tempfile.TemporaryDirectory() as folder:
            for of, calls in (
                ("heights", _of_heights(scan, upscaler)),
                ("files", _of_files(scan, upscaler, Path(folder))),
            ):
                plain, both = clock.turns(calls, args.runs, args.clock).values()
                print(line(name, of, plain, both, f"{both.median / plain.median:.2f}"), flush=True)


def _scans() -> dict[str, Channel]:
    rng = np.random.default_rng(0)
    surface = 20 * specimen("film").make(512, 512, rng) + rng.normal(0.0, 0.05, (512, 512))
    return {
        name: Channel(surface[::rows, ::columns], 1000.0, 1000.0, title="Height")
        for name, (rows, columns) in STEPS.items()
    }


def _of_heights(scan: Channel, upscaler: Upscaler) -> dict[str, Call]:
    def both() -> Assessment:
        return assess(scan, upscaler(scan), upscaler.settings)

    return {"plain": partial(upscaler, scan), "confidence": both}


def _of_files(scan: Channel, upscaler: Upscaler, folder: Path) -> dict[str, Call]:
    source = folder / "scan.gwy"
    io.write(source, [scan])
    return {
        name: partial(
            Work(force=True, trust=Trust(confidence=name == "confidence")),
            Job(source, folder / f"{name}.gwy"),
            upscaler,
        )
        for name in ("plain", "confidence")
    }

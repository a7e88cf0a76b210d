"""What a larger network makes of scans of the training fields: lessons for a smaller one.

The larger network knows from elsewhere what edges look like, the truth says what was there.
The mean of both teaches more than either, because they err apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afmsr_core.grid import Scale
from afmsr_core.io.atomic import writing
from afmsr_core.simulation.acquisition import Acquisition, coarse_scan
from training.batches import Noise
from training.fields import FACTOR, Measured, ScannedAgain, Window

LARGEST = 64  # coarse pixels a side: a large network takes seconds for as many


@dataclass(frozen=True)
class Lesson(Measured):
    """A scan without noise, and what a network is to make of it.

    `fine` is the truth, part of the way to what the teacher made of `coarse`.
    """

    def scanned(
        self, window: Window, acquisition: Acquisition, rng: np.random.Generator
    ) -> tuple[NDArray[np.floating], NDArray[np.float32]]:
        """Add the noise, lines and scars of `acquisition`; what is to be made of it stays."""
        coarse, fine = super().scanned(window, acquisition, rng)
        seen = Acquisition(
            factor=Scale(1, 1),
            row=0,
            dwell=1,
            noise=acquisition.noise,
            line_noise=acquisition.line_noise,
            scars=acquisition.scars,
            along=acquisition.along,
        )
        return coarse_scan(coarse, seen, rng, 1.0, self.coarse.shape[1]), fine


def teach(
    fields: Mapping[str, Sequence[ScannedAgain]],
    teacher: Callable[[NDArray[Any]], NDArray[Any]],
    folder: Path,
    *,
    number: int,
    seed: int,
    about: Mapping[str, str],
    report: Callable[[str], None],
) -> None:
    """Write lessons into `folder`, one sample after the other; those that are there stay.

    Parameters
    ----------
    fields : mapping of str to sequence of ScannedAgain
        By sample.
    teacher : callable
        From a coarse field to a fine one.
    folder : Path
        Gets ``0000.npz`` and so on, and ``lessons.json``.
    number, seed : int
        How many, and of the draws; each lesson has a generator of its own.
    about : mapping of str to str
        The teacher's name and the hash of its weights, for ``lessons.json``.
    report : callable
        Gets a line of progress now and then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = sorted(fields)
    for index in range(number):
        target = folder / f"{index:04}.npz"
        if target.is_file():
            continue
        rng = np.random.default_rng([seed, index])
        sample = samples[index % len(samples)]
        field = fields[sample][int(rng.integers(len(fields[sample])))]
        window = field.window(min(LARGEST, *(side // FACTOR for side in field.fine.shape)), rng)
        coarse, truth = field.scanned(window, Noise(quiet=1.0).draw(rng), rng)
        with writing(target, force=True) as file:
            np.savez(
                file,
                sample=sample,
                coarse=coarse.astype(np.float32),
                truth=truth.astype(np.float32),
                taught=teacher(coarse).astype(np.float32),
                bicubic_error=field.bicubic_error,
            )
        if (index + 1) % len(samples) == 0:
            report(f"{index + 1} of {number} lessons")
    text = json.dumps({**about, "number": number, "seed": seed}, indent=1)
    (folder / "lessons.json").write_text(text, encoding="utf-8")


def about(folder: Path) -> dict[str, str | int]:
    """Return what is known of the lessons of a folder: teacher, hash, number and seed."""
    found: dict[str, str | int] = json.loads((folder / "lessons.json").read_text("utf-8"))
    return found


def lessons(folder: Path, trust: float) -> dict[str, list[Lesson]]:
    """Return the lessons of a folder by sample.

    Parameters
    ----------
    folder : Path
        That :func:`teach` wrote.
    trust : float
        How much of the way from the truth to what the teacher made of the scan, from 0 to 1.
    """
    found: dict[str, list[Lesson]] = {}
    for path in sorted(folder.glob("[0-9]*.npz")):
        with np.load(path) as one:
            fine = one["truth"] + np.float32(trust) * (one["taught"] - one["truth"])
            lesson = Lesson(one["coarse"], fine, float(one["bicubic_error"]))
            found.setdefault(str(one["sample"]), []).append(lesson)
    return found

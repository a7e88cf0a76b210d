"""Fields with single bad lines, which a network has to leave as narrow as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.fields import ScannedAgain, of_itself

LARGEST = 448  # pixels a side that are enough of a field
PER_SAMPLE = 3  # fields, at most
LINES_APART = (15.0, 120.0)  # on average, drawn log-uniformly
DEPTH = (0.7, 12.0)  # standard deviations of the field, log-uniformly
EDGE = 4  # lines at top and bottom that stay good


def with_bad_lines(
    fields: Mapping[str, Sequence[ScannedAgain]], seed: int
) -> dict[str, list[ScannedAgain]]:
    """Return the fields with single lines moved up or down, in what is scanned and in the truth.

    A line at which the tip lost the surface is part of a scan. If it is 150 nm deep in a film of
    20 nm it decides the error of the whole scan, and a network that has never seen one makes a
    trench of it. They are bad from end to end: what is out of place on a part of a line is a scar.

    Parameters
    ----------
    fields : mapping of str to sequence of ScannedAgain
        By sample.
    seed : int
        Of places and depths.
    """
    made: dict[str, list[ScannedAgain]] = {}
    for number, (sample, own) in enumerate(sorted(fields.items())):
        rng = np.random.default_rng([seed, number])
        made[sample] = [
            of_itself(_spoiled(one.fine[:LARGEST, :LARGEST].astype(float), rng), one.scale)
            for one in own[:PER_SAMPLE]
        ]
    return made


def _spoiled(heights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    yres, xres = heights.shape
    spoiled, spread = heights.copy(), heights.std()
    number = int(np.clip(rng.poisson(yres / _log_uniform(rng, LINES_APART)), 1, yres // 8))
    for top in EDGE + rng.choice(yres - 2 * EDGE, number, replace=False):
        depth = spread * _log_uniform(rng, DEPTH) * rng.choice([-1, 1])
        smooth = ndimage.gaussian_filter1d(rng.normal(size=xres), _log_uniform(rng, (1, 40)))
        line = depth * (1 + rng.uniform(0, 0.9) * smooth)
        lines = rng.choice([1, 1, 1, 2])
        spoiled[top : top + lines] += line
    return spoiled


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> Any:
    return np.exp(rng.uniform(*np.log(bounds)))

"""Promise: a result lies where it is, whatever the grids of result and truth.

Surfaces are sums of Gaussian bumps, known at every place, so every map is known exactly. Lengths
are in pixels of the coarser grid. ``pytest -s`` prints the figures of docs/evaluation.md.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from afmsr_core.alignment import AlignmentSettings, align
from afmsr_core.alignment.area import Shrinking
from afmsr_core.alignment.maps import apply

pytest.importorskip("scipy", reason="the extra `eval` is not installed")

Field = NDArray[np.float64]
Size = tuple[int, int]  # rows, columns

SHIFT = np.array([5.3, -3.6]) / 256  # of the truth, in widths
GRIDS = {
    "256 on 256": ((256, 256), (256, 256)),
    "256 on 512": ((256, 256), (512, 512)),
    "256 on 1024": ((256, 256), (1024, 1024)),
    "512 on 256": ((512, 512), (256, 256)),
    "1024 on 256": ((1024, 1024), (256, 256)),
    "512 on 384": ((512, 512), (384, 384)),
    "fewer lines": ((256, 512), (512, 512)),
    "finer across, coarser down": ((256, 512), (512, 256)),
}
KINDS = {"paper": AlignmentSettings.paper(), "nm": AlignmentSettings()}


def surface(size: Size, seed: int, shift: Field) -> Field:
    """Return heights at the centres of the pixels of the unit square, moved by `shift`."""
    rng = np.random.default_rng(seed)
    at_x, at_y = rng.uniform(-0.1, 1.1, (2, 400))
    width, height = rng.uniform(0.008, 0.03, 400), rng.normal(0, 10, 400)

    def along(pixels: int, by: float, centres: Field) -> Field:
        place = (np.arange(pixels) + 0.5) / pixels + by
        return np.exp(-((place[:, None] - centres) ** 2) / (2 * width**2))

    down, across = along(size[0], shift[1], at_y), along(size[1], shift[0], at_x)
    return np.asarray((down * height) @ across.T)


def distances(matrix: Field, result: Size, truth: Size) -> Field:
    """Return x and y by which a map is off, in pixels of the coarser grid, all over the truth."""
    size, there = (np.array(one[::-1], dtype=float) for one in (truth, result))
    x, y = np.meshgrid(*(np.linspace(0.1, 0.9, 9) * side for side in size))
    found = np.array(apply(matrix, x, y)).reshape(2, -1).T
    wanted = ((np.column_stack([x.ravel(), y.ravel()]) + 0.5) / size + SHIFT) * there - 0.5
    return np.asarray((found - wanted) / np.maximum(there / size, 1))


@pytest.mark.parametrize("grids", GRIDS)
def test_a_result_is_found_on_any_grid(grids: str, capsys: pytest.CaptureFixture[str]) -> None:
    result, truth = GRIDS[grids]
    off = {}
    for name, settings in KINDS.items():
        found = []
        for seed in (0, 1):
            fields = surface(result, seed, 0 * SHIFT), surface(truth, seed, SHIFT)
            map_ = align(*fields, settings=settings)
            assert map_.accepted and map_.kind in ("homography", "affine")
            found.append(distances(map_.matrix, result, truth))
        bias = float(np.abs([one.mean(axis=0) for one in found]).max())
        off[name] = bias, float(max(np.hypot(*one.T).max() for one in found))
    with capsys.disabled():
        print(
            f"\n{grids}:", *(f"{n}: {a:.3f} px in the mean, {b:.3f}" for n, (a, b) in off.items())
        )
    # Features scatter, and a homography of them tilts; what must not be is a shift of all.
    assert off["paper"][0] < 0.1
    assert off["nm"][0] < 0.02 and off["nm"][1] < 0.05


def test_both_fields_are_shrunk_to_pixels_of_the_same_size() -> None:
    equal = Shrinking.by(4, (1.0, 1.0))
    assert (equal.truth, equal.result) == ((4, 4), (4, 4))
    assert equal.of_truth == equal.of_result == (1.0, 1.0)
    finer = Shrinking.by(4, (0.25, 2.0))  # the truth down, the result across
    assert (finer.truth, finer.result) == ((16, 4), (4, 8))
    uneven = Shrinking.by(2, (4 / 3, 4 / 3))
    assert (uneven.truth, uneven.result) == ((2, 2), (2, 2))
    assert uneven.of_truth[0] == 1.0 < uneven.of_result[0]  # whose pixels are smaller

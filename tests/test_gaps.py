"""What stands in for a pixel that was not measured is the nearest measured one, in nm."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import afmsr
from afmsr_core.channel import Channel
from afmsr_core.data import example_pair
from afmsr_core.gaps import BAND, filled
from afmsr_core.grid import LINES_X4
from afmsr_core.methods.interpolation import interpolate
from afmsr_core.methods.registry import Interpolation, get
from afmsr_core.trust.assessment import assess
from afmsr_core.trust.evidence import gather
from afmsr_core.trust.noise import Noise
from afmsr_core.upscale import Settings, Upscaler

RNG = np.random.default_rng(23)
PIXELS = ((1.0, 1.0), (4.0, 1.0), (1.0, 4.0), (15.62, 3.906), (1.0, 2.9), (5e-4, 1.0))


def least(missing: NDArray[np.bool_], pixel: tuple[float, float]) -> NDArray[np.float64]:
    """Return how far each pixel is from the nearest measured one, by trying them all."""
    rows, columns = np.nonzero(~missing)
    y, x = np.mgrid[: missing.shape[0], : missing.shape[1]]
    return np.hypot((y[..., None] - rows) * pixel[0], (x[..., None] - columns) * pixel[1]).min(
        axis=-1
    )


def gaps_of(kind: str) -> NDArray[np.bool_]:
    missing = np.zeros((41, 57), dtype=bool)
    if kind == "sparse":
        missing = RNG.random(missing.shape) < 0.98
    elif kind == "stopped":
        missing[23:] = True
    elif kind == "hole":
        missing[10:30, 5:50] = True
    elif kind == "column":
        missing[:, 3:40] = True
    else:
        missing[:] = True
        missing[40, 0] = False
    return missing


@pytest.mark.parametrize("pixel", PIXELS)
@pytest.mark.parametrize("kind", ["sparse", "stopped", "hole", "column", "one left"])
def test_it_is_the_nearest(kind: str, pixel: tuple[float, float]) -> None:
    missing = gaps_of(kind)
    heights = np.arange(float(missing.size)).reshape(missing.shape)  # each tells where it was
    whole = filled(np.where(missing, np.nan, heights), missing, pixel)
    np.testing.assert_array_equal(whole[~missing], heights[~missing])
    assert not missing.ravel()[whole.astype(int).ravel()].any()
    y, x = np.mgrid[: missing.shape[0], : missing.shape[1]]
    rows, columns = np.divmod(whole.astype(int), missing.shape[1])
    apart = np.hypot((y - rows) * pixel[0], (x - columns) * pixel[1])
    np.testing.assert_allclose(apart, least(missing, pixel), rtol=1e-12)


def test_more_columns_than_one_band() -> None:
    missing = RNG.random((6, 2 * BAND + 7)) < 0.7
    missing[0, 0] = False
    heights = np.where(missing, np.nan, RNG.normal(size=missing.shape))
    parts = [filled(heights.T, missing.T, (1.0, 3.0)).T, filled(heights, missing, (3.0, 1.0))]
    assert np.isfinite(parts[1]).all()
    alike = parts[0] == parts[1]  # but for those that are as near
    assert alike.mean() > 0.9


def line_scan() -> Channel:
    """Return steps from line to line, so that a neighbour on another line is a wrong one."""
    heights = 10.0 * (np.arange(24) % 3)[:, None] + RNG.normal(0.0, 0.1, (24, 96))
    return Channel(heights, 960.0, 960.0, title="Height")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("method", ["bicubic", "afm"])
def test_a_line_is_filled_along_itself(method: str, turned: bool) -> None:
    scan = line_scan()
    holes = scan.heights.copy()
    holes[12, 40:46] = np.nan  # 5 points at 10 nm from the ends; the next lines are 40 nm away
    along = scan.heights.copy()
    along[12, 40:43], along[12, 43:46] = along[12, 39], along[12, 46]
    given, meant = (scan.replace(heights=one) for one in (holes, along))
    if turned:
        given, meant = given.turned(), meant.turned()
    made = afmsr.upscale(given, method=method, level="none", restore_background=False)
    right = afmsr.upscale(meant, method=method, level="none", restore_background=False)
    known = np.isfinite(made.heights)
    assert 0 < (~known).sum() == 4 * 6
    np.testing.assert_allclose(made.heights[known], right.heights[known], atol=1e-5)


def test_sides_that_are_no_lengths_tell_of_no_shape() -> None:
    heights = np.arange(16.0).reshape(4, 4)
    heights[1, 1:3] = np.nan
    one, other = (
        afmsr.upscale(
            Channel(heights, xreal, 4.0, lateral_unit=""), method="bicubic", scale="4"
        ).heights
        for xreal in (4.0, 4000.0)
    )
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_doubt_about_a_result_is_told_from_the_same_neighbours() -> None:
    scan = line_scan().heights
    scan[12, 40:46] = np.nan
    rival = get("bicubic", LINES_X4)
    assert isinstance(rival, Interpolation)

    result = interpolate(filled(scan, np.isnan(scan), (4.0, 1.0)), rival)
    evidence = gather(scan, result, Noise(0.1, 0.0, None, "scan"), LINES_X4)
    assert np.ptp(evidence.disagreement) < 1  # mean and tilt of the scan; other neighbours make 3


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("lines", [1, 4])
@pytest.mark.parametrize("kind", ["stopped", "hole"])
def test_gaps_make_no_interval_narrower(kind: str, lines: int, turned: bool) -> None:
    """What was not measured is no smooth surface, which would tell of small errors elsewhere."""
    scan = afmsr.read(example_pair()[0])[0]
    low = scan.replace(heights=scan.heights[::lines])
    missing = np.zeros(low.heights.shape, bool)
    rows, columns = (n // 2 for n in missing.shape)
    missing[rows:, (columns if kind == "hole" else 0) :] = True
    torn = low.replace(heights=np.where(missing, np.nan, low.heights))
    asked = Settings(threads=1)
    without, beside = (
        assess(one, Upscaler(asked)(one), asked).confidence.heights
        for one in ((each.turned() if turned else each) for each in (low, torn))
    )
    ratio = beside / without
    assert np.isnan(ratio).mean() == missing.mean()
    assert 0.9 < np.nanmedian(ratio) < 1.1
